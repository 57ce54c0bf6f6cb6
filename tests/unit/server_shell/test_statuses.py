"""The one table of canonical codes, held against the comments of the proto."""

from __future__ import annotations

import re

import pytest
from google.rpc import code_pb2, error_details_pb2
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server import refusal
from hashpact_server.refusal import Refusal
from hashpact_server.statuses import CODES, code_name, code_of, reason_name, status_of

from tests.repository import ROOT

PROTO = (ROOT / "proto" / "hashpact" / "v1" / "error_reason.proto").read_text()
CANONICAL = set(code_pb2.Code.keys())
COMMENTS = {
    name: comment for comment, name in re.findall(r"((?:^  //.*\n)+)  (ERROR_REASON_\w+) = \d+;", PROTO, re.MULTILINE)
}


def test_every_reason_that_is_not_an_outcome_has_the_code_that_its_comment_says() -> None:
    assert set(COMMENTS) == set(reasons.ErrorReason.keys())
    for name, comment in COMMENTS.items():
        number = reasons.ErrorReason.Value(name)
        first = re.search(r"`([A-Z_]+)`", comment)
        if first and first[1] in CANONICAL:
            assert code_name(CODES[number]) == first[1], name
        else:
            assert "Outcome" in comment or number == 0, name
            assert number not in CODES


@pytest.mark.parametrize("number", sorted(CODES))
def test_a_status_carries_exactly_one_reason_of_ours(number: int) -> None:
    status = status_of(Refusal(number, "why", metadata={"a": "b"}))  # type: ignore[arg-type] # a number of the enum
    assert status.code == CODES[number]
    infos = [each for each in status.details if each.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1
    info = error_details_pb2.ErrorInfo()
    infos[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason_name(number), "hashpact", {"a": "b"})
    assert not info.reason.startswith("ERROR_REASON_")


def test_fields_limits_and_waits_have_details_of_their_own() -> None:
    bad = error_details_pb2.BadRequest()
    assert status_of(refusal.invalid_field("radii[0].radius", "at most 63")).details[1].Unpack(bad)
    assert bad.field_violations[0].field == "radii[0].radius"
    quota = error_details_pb2.QuotaFailure()
    assert status_of(refusal.over_limit("labels_max", 16, 17)).details[1].Unpack(quota)
    assert quota.violations[0].subject == "labels_max"
    wait = error_details_pb2.RetryInfo()
    status = status_of(Refusal(reasons.ERROR_REASON_NOT_SERVING, "later", retry_after_s=1.25))
    assert status.details[1].Unpack(wait)
    assert wait.retry_delay.ToMilliseconds() == 1250


def test_an_outcome_that_is_raised_for_a_whole_request_is_the_requests_fault() -> None:
    assert code_of(Refusal(reasons.ERROR_REASON_NO_IDENTITY, "no")) == code_pb2.INVALID_ARGUMENT


def test_the_errors_of_every_rpc_are_reasons_with_their_codes() -> None:
    """``CODE / REASON, REASON`` in an ``Errors:`` list: the reasons exist, and have that code."""
    pairs = 0
    for path in sorted((ROOT / "proto" / "hashpact" / "v1").glob("*_service.proto")):
        lists = re.findall(r"^  // Errors.*\n(?:^  //.*\n)*", path.read_text(), re.MULTILINE)
        for stated in lists:
            words = " ".join(line.strip(" /") for line in stated.splitlines())
            for code, listed in re.findall(r"`([A-Z_]+)` / ((?:`[A-Z_]+`(?:, )?)+)", words):
                for reason in re.findall(r"`([A-Z_]+)`", listed):
                    if reason in CANONICAL and f"ERROR_REASON_{reason}" not in reasons.ErrorReason.keys():  # noqa: SIM118 - not a dict
                        continue  # the code of the pair that follows in the same sentence
                    assert code_name(CODES[reasons.ErrorReason.Value(f"ERROR_REASON_{reason}")]) == code, (path, reason)
                    pairs += 1
    assert pairs > 30
