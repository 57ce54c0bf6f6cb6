"""Every way in which the service says no becomes one of our errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from hashpact import Client, Probe, errors
from hashpact._errors import REASONS, from_rpc_error
from hashpact.v1 import error_reason_pb2

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import LoopbackService, Refused

CODES = {
    "FIELD_INVALID": grpc.StatusCode.INVALID_ARGUMENT,
    "PAGE_TOKEN_INVALID": grpc.StatusCode.INVALID_ARGUMENT,
    "TOKEN_MALFORMED": grpc.StatusCode.INVALID_ARGUMENT,
    "TOKEN_MISSING": grpc.StatusCode.UNAUTHENTICATED,
    "TOKEN_INVALID": grpc.StatusCode.UNAUTHENTICATED,
    "MEMBER_SUSPENDED": grpc.StatusCode.PERMISSION_DENIED,
    "ROLE_MISSING": grpc.StatusCode.PERMISSION_DENIED,
    "NOT_CONTRIBUTOR": grpc.StatusCode.PERMISSION_DENIED,
    "ITEM_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "MEMBER_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "TOKEN_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "MEMBER_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "REQUEST_ID_REUSED": grpc.StatusCode.ABORTED,
    "LIMIT_EXCEEDED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "TOO_MANY_REQUESTS": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "STORE_FULL": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "WRITE_OUTCOME_UNKNOWN": grpc.StatusCode.UNAVAILABLE,
    "NOT_SERVING": grpc.StatusCode.UNAVAILABLE,
    "DEADLINE_EXCEEDED": grpc.StatusCode.DEADLINE_EXCEEDED,
    "INTERNAL": grpc.StatusCode.INTERNAL,
}
EVERY_REASON = sorted(
    name.removeprefix("ERROR_REASON_")
    for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118 - not a dict
    if not name.endswith("UNSPECIFIED")
)


def test_every_reason_has_a_class() -> None:
    assert sorted(REASONS) == EVERY_REASON


@pytest.mark.parametrize("reason", EVERY_REASON)
def test_each_reason_arrives_as_its_class(client: Client, service: LoopbackService, reason: str) -> None:
    refusal = Refused(CODES.get(reason, grpc.StatusCode.FAILED_PRECONDITION), reason, "this is why")
    # IssueToken is never repeated, so that each refusal is seen at once.
    service.refusals["IssueToken"] = [refusal]
    with pytest.raises(errors.ServiceError) as caught:
        client.issue_token("somebody")
    assert type(caught.value) is REASONS[reason]
    assert caught.value.reason == reason
    said = "HASHPACT_TOKEN" if reason == "TOKEN_MISSING" else "this is why"
    assert caught.value.message == str(caught.value)
    assert said in caught.value.message


def test_violations_name_the_field(client: Client, service: LoopbackService) -> None:
    service.refusals["Lookup"] = [
        Refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "FIELD_INVALID",
            violations=[("radii[0].radius", "at most 63 for pdq")],
        )
    ]
    with pytest.raises(errors.InvalidRequestError) as caught:
        client.lookup([signals(1)])
    assert caught.value.violations == (("radii[0].radius", "at most 63 for pdq"),)


def test_a_limit_says_which_and_how_much(client: Client, service: LoopbackService) -> None:
    service.refusals["Lookup"] = [
        Refused(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "LIMIT_EXCEEDED",
            metadata={"limit": "lookup_probes_max", "limit_value": "4096", "value": "5000"},
        )
    ]
    with pytest.raises(errors.LimitExceededError) as caught:
        client.lookup([signals(1)])
    assert (caught.value.limit_name, caught.value.limit) == ("lookup_probes_max", 4096)
    assert caught.value.retry_after_s is None


def test_a_wait_that_helps_is_told(client: Client, service: LoopbackService) -> None:
    service.refusals["IssueToken"] = [
        Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS", retry_after_s=1.25)
    ]
    with pytest.raises(errors.LimitExceededError) as caught:
        client.issue_token("somebody")
    assert caught.value.retry_after_s == pytest.approx(1.25)


@dataclass
class Failed:
    """What gRPC reports, made up."""

    status: grpc.StatusCode
    text: str = "text of gRPC"
    metadata: Any = field(default_factory=list)

    def code(self) -> grpc.StatusCode:
        return self.status

    def details(self) -> str:
        return self.text

    def trailing_metadata(self) -> Any:
        return self.metadata


def test_a_reason_of_a_newer_server_goes_by_its_code() -> None:
    newer = Refused(grpc.StatusCode.NOT_FOUND, "CASE_NOT_FOUND", "no such case").status()
    error = from_rpc_error(Failed(grpc.StatusCode.NOT_FOUND, metadata=newer.trailing_metadata), "host:1")
    assert type(error) is errors.NotFoundError
    assert error.reason == "CASE_NOT_FOUND"


@pytest.mark.parametrize("metadata", [None, [], [("grpc-status-details-bin", b"\xff\xff")], [("other", "x")]])
@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_errors_without_our_details_are_ours_all_the_same(code: grpc.StatusCode, metadata: Any) -> None:
    error = from_rpc_error(Failed(code, metadata=metadata), "host:1")
    assert isinstance(error, errors.ServiceError)
    assert "host:1" in error.message


def test_an_error_of_another_domain_is_not_taken_for_ours() -> None:
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason="TOKEN_INVALID", domain="proxy.example"))
    raw = status_pb2.Status(code=14, message="proxy says no", details=[packed]).SerializeToString()
    error = from_rpc_error(Failed(grpc.StatusCode.UNAVAILABLE, metadata=[("grpc-status-details-bin", raw)]), "host:1")
    assert type(error) is errors.UnavailableError


def test_a_message_over_the_limit_of_the_transport_says_so(client: Client) -> None:
    with pytest.raises(errors.LimitExceededError) as caught:
        client.lookup([Probe((("pdq", bytes(5 << 20)),), 1)])
    assert caught.value.limit_name == "message_bytes_max"


def test_an_older_server_is_named() -> None:
    error = from_rpc_error(Failed(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"), "host:1")
    assert error.reason == "UNIMPLEMENTED"
    assert "older than this client" in error.message
