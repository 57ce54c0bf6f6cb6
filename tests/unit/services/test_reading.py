"""What reads have in common: page tokens, page sizes, times."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.ledger.base import Head
from hashpact_server.refusal import Refusal
from hashpact_server.services.reading import TIME_MS_MAX, page_key, page_size, page_token, time_ms, timestamp

HEAD = Head(bytes(range(16)), 0, 5, 0, bytes(32))


def test_a_page_token_gives_its_key_back() -> None:
    for key in (b"", b"\x00" * 8, b"name", bytes(range(256))):
        assert page_key(page_token(HEAD, b"scope", key), HEAD, b"scope") == key


@pytest.mark.parametrize("head", [Head(bytes(16), 0, 5, 0, bytes(32))])
def test_of_another_list(head: Head) -> None:
    with pytest.raises(Refusal) as refused:
        page_key(page_token(head, b"scope", b"k"), HEAD, b"scope")
    assert refused.value.reason == reasons.ERROR_REASON_PAGE_TOKEN_INVALID


def test_of_other_filters() -> None:
    with pytest.raises(Refusal):
        page_key(page_token(HEAD, b"scope", b"k"), HEAD, b"other")


@pytest.mark.parametrize("token", ["", "x", "ü", "AAAA====", "A" * 100, "not base64!", "\n"])
def test_no_token_at_all(token: str) -> None:
    with pytest.raises(Refusal):
        page_key(token, HEAD, b"scope")


def test_a_newer_head_of_the_same_list_takes_it() -> None:
    newer = Head(HEAD.ledger_id, 1, 99, 9, bytes(32))
    assert page_key(page_token(HEAD, b"scope", b"k"), newer, b"scope") == b"k"


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**32 - 1, 1000)])
def test_page_sizes(asked: int, size: int) -> None:
    assert page_size(asked, 1000) == size


def test_default_page_is_within_the_limit() -> None:
    assert page_size(0, 7) == 7


@pytest.mark.parametrize("moment", [0, 1, 1_700_000_000_123, TIME_MS_MAX])
def test_times_there_and_back(moment: int) -> None:
    assert time_ms(timestamp(moment)) == moment


@pytest.mark.parametrize(
    "sent",
    [
        Timestamp(seconds=-1),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=1, nanos=1_000_000_000),
    ],
)
def test_times_that_are_none(sent: Timestamp) -> None:
    assert time_ms(sent) is None
