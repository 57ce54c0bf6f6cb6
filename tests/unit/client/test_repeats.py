"""What is sent again and what never is."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from hashpact import Client, Contribution, _wire
from hashpact._retry import pause_before_retry_s
from hashpact.errors import (
    ConflictError,
    InvalidRequestError,
    LimitExceededError,
    NotAllowedError,
    ServiceError,
    UnavailableError,
)
from hashpact.v1 import contribution_service_pb2, lookup_service_pb2, member_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import TOKEN, LoopbackService, Refused

DOWN = Refused(grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
UNKNOWN = Refused(grpc.StatusCode.UNAVAILABLE, "WRITE_OUTCOME_UNKNOWN")
BUSY = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS", retry_after_s=0.01)


def test_reads_are_repeated(client: Client, service: LoopbackService) -> None:
    for method, ask in (
        ("Lookup", lambda: client.lookup([signals(1)])),
        ("GetCapabilities", client.capabilities),
        ("ListItems", lambda: list(client.list_items())),
        ("ListMembers", lambda: list(client.list_members())),
    ):
        service.refusals[method] = [DOWN, BUSY, DOWN]
        ask()
        assert service.methods().count(method) == 4


def test_a_write_is_repeated_with_its_request_id(client: Client, service: LoopbackService) -> None:
    service.refusals["Contribute"] = [UNKNOWN, DOWN, BUSY]
    assert client.contribute(signals(1), labels=["x"]).outcome == "created"
    ids = [asked.request.request_id for asked in service.asked]
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert 8 <= len(ids[0]) <= 64


def test_a_write_whose_answer_was_lost_happens_once(client: Client, service: LoopbackService) -> None:
    lost = [True]
    contribute = service.Contribute

    def lose_the_answer(request: contribution_service_pb2.ContributeRequest) -> Message:
        answer = service._once(request, contribute)
        if lost.pop() if lost else False:
            raise UNKNOWN
        return answer

    service.answers["Contribute"] = lose_the_answer
    assert client.contribute(signals(1), labels=["x"]).outcome == "created"
    assert len(service.items) == 1


@pytest.mark.parametrize("refusal", [DOWN, UNKNOWN, BUSY])
def test_a_write_without_request_id_is_sent_once(client: Client, service: LoopbackService, refusal: Refused) -> None:
    service.refusals["Contribute"] = [refusal]
    with pytest.raises((UnavailableError, LimitExceededError)):
        client.contribute(signals(1), labels=["x"], request_id="")
    assert service.methods() == ["Contribute"]


@pytest.mark.parametrize("refusal", [DOWN, UNKNOWN, BUSY])
def test_a_token_is_issued_once(client: Client, service: LoopbackService, refusal: Refused) -> None:
    service.refusals["IssueToken"] = [refusal]
    with pytest.raises((UnavailableError, LimitExceededError)):
        client.issue_token("somebody")
    assert service.methods() == ["IssueToken"]


def test_revoking_twice_is_revoking_once(client: Client, service: LoopbackService) -> None:
    client.create_member("m", ["check"])
    issued = client.issue_token("m")
    service.refusals["RevokeToken"] = [DOWN]
    client.revoke_token(issued.info.token_id)
    assert service.methods().count("RevokeToken") == 2


def test_a_refusal_is_not_repeated(client: Client, service: LoopbackService) -> None:
    service.refusals["Lookup"] = [Refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")]
    with pytest.raises(NotAllowedError):
        client.lookup([signals(1)])
    assert service.methods() == ["Lookup"]


def test_waiting_ends_with_the_deadline(target: str, service: LoopbackService) -> None:
    service.refusals["Lookup"] = [Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS", retry_after_s=3600)]
    with (
        Client(target, token=TOKEN, plaintext=True, timeout_s=5) as client,
        pytest.raises(LimitExceededError),
    ):
        client.lookup([signals(1)])
    assert service.methods() == ["Lookup"]


def test_own_request_ids_and_parts(client: Client, service: LoopbackService) -> None:
    service.limits.contributions_max = 2
    batch = [Contribution(signals(seed), ["x"]) for seed in range(5)]
    first = client.contribute_many(batch, request_id="my-request")
    again = client.contribute_many(batch, request_id="my-request")
    assert first == again
    assert [outcome.outcome for outcome in again] == ["created"] * 5
    ids = [asked.request.request_id for asked in service.asked if asked.method == "Contribute"]
    assert ids == ["my-request-1of3", "my-request-2of3", "my-request-3of3"] * 2
    with pytest.raises(InvalidRequestError, match="at most 59 characters"):
        client.contribute_many(batch, request_id="x" * 60)
    with pytest.raises(ConflictError):
        client.contribute_many(batch[::-1], request_id="my-request")


READ = _wire.Call(_wire.LOOKUP, lookup_service_pb2.LookupRequest(), wait_for=frozenset({"TOO_MANY_REQUESTS"}))
WRITE = _wire.Call(_wire.CONTRIBUTE, contribution_service_pb2.ContributeRequest(), repeatable=True)
ISSUE = _wire.Call(_wire.ISSUE_TOKEN, member_service_pb2.IssueTokenRequest(), repeatable=True)


@given(attempt=st.integers(1, 10_000), left_s=st.floats(0, 100), chance=st.floats(0, 1))
def test_pauses_stay_within_the_deadline(attempt: int, left_s: float, chance: float) -> None:
    busy = LimitExceededError("busy", reason="TOO_MANY_REQUESTS")
    pause_s = pause_before_retry_s(busy, READ, attempt, left_s, chance)
    assert pause_s is None or 0 < pause_s < left_s
    assert pause_s is None or pause_s <= 1.2


def test_an_asked_pause_is_kept() -> None:
    busy = LimitExceededError("busy", reason="TOO_MANY_REQUESTS", retry_after_s=2)
    assert pause_before_retry_s(busy, READ, 1, 10, 0) == 2
    assert pause_before_retry_s(busy, READ, 1, 10, 1) == pytest.approx(2.4)


@pytest.mark.parametrize(
    ("error", "call", "repeats"),
    [
        (UnavailableError("x", reason="UNREACHABLE"), WRITE, True),
        (UnavailableError("x", reason="TLS_UNTRUSTED"), WRITE, False),
        (UnavailableError("x", reason="UNREACHABLE"), READ, False),  # gRPC's own business
        (UnavailableError("x", reason="UNREACHABLE"), ISSUE, False),
        (ServiceError("x", reason="INTERNAL"), WRITE, False),
        (ConflictError("x", reason="TOKEN_FROM_FUTURE"), READ, False),
    ],
)
def test_who_is_repeated(error: ServiceError, call: _wire.AnyCall, repeats: bool) -> None:
    assert (pause_before_retry_s(error, call, 1, 10, 0) is not None) is repeats
    assert pause_before_retry_s(error, call, _wire.ATTEMPTS_MAX, 10, 0) is None
