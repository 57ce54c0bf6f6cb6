"""What tests say to a server: calls as a member, on the bare wire, and how the server says no."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hashpact.v1 import (
    capabilities_service_pb2_grpc,
    contribution_service_pb2,
    contribution_service_pb2_grpc,
    item_pb2,
    lookup_service_pb2,
    lookup_service_pb2_grpc,
    member_service_pb2,
    member_service_pb2_grpc,
    signal_pb2,
)
from hashpact_server.addresses import Address
from hashpact_server.services.roles import STREAMS

WAIT_S = 150.0  # the first server of a run compiles the search kernels, perhaps on a busy machine
"""How long anything may take before a test gives up; never a measure of speed."""


class Member:
    """A member's connection: stubs that carry its token. ``token`` None: it sends none."""

    def __init__(self, channel: grpc.Channel, token: str | None) -> None:
        self.channel = channel
        self.patient = True  # waits for a server that is not there yet
        self.metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        self.lookup_stub = lookup_service_pb2_grpc.LookupServiceStub(channel)
        self.contributions = contribution_service_pb2_grpc.ContributionServiceStub(channel)
        self.members = member_service_pb2_grpc.MemberServiceStub(channel)
        self.capabilities = capabilities_service_pb2_grpc.CapabilitiesServiceStub(channel)

    def call(self, method: Any, request: Any, timeout: float = WAIT_S) -> Any:
        """Call a stub's method as this member."""
        return method(request, metadata=self.metadata, timeout=timeout, wait_for_ready=self.patient)

    def raw(self, path: str, request: bytes = b"", timeout: float = WAIT_S) -> bytes:
        """Call a method by its path with bytes."""
        answer = raw_method(self.channel, path)(
            request, metadata=self.metadata, timeout=timeout, wait_for_ready=self.patient
        )
        assert isinstance(answer, bytes)
        return answer

    def contribute(self, *pdqs: bytes, request_id: str = "") -> contribution_service_pb2.ContributeResponse:
        """Contribute one item per PDQ value."""
        request = contribution_service_pb2.ContributeRequest(
            request_id=request_id, contributions=[contribution(pdq) for pdq in pdqs]
        )
        answer = self.call(self.contributions.Contribute, request)
        assert isinstance(answer, contribution_service_pb2.ContributeResponse)
        return answer

    def lookup(self, *pdqs: bytes) -> lookup_service_pb2.LookupResponse:
        """Look up one probe per PDQ value."""
        answer = self.call(self.lookup_stub.Lookup, lookup_request(*pdqs))
        assert isinstance(answer, lookup_service_pb2.LookupResponse)
        return answer

    def finds(self, pdq: bytes) -> bool:
        """Whether a PDQ value is on the list."""
        return bool(self.lookup(pdq).matched)

    def create(self, name: str, *roles: int) -> str:
        """Admit a member, as steward; its token."""
        self.call(
            self.members.CreateMember,
            member_service_pb2.CreateMemberRequest(name=name, roles=roles),  # type: ignore[arg-type] # numbers
        )
        issued = self.call(self.members.IssueToken, member_service_pb2.IssueTokenRequest(member=name))
        return str(issued.token)


def raw_method(channel: grpc.Channel, path: str) -> Any:
    """A method that takes and gives bytes; the message is sent with the call."""
    untyped: Any = channel
    return _first_message(untyped.unary_stream(path)) if path in STREAMS else untyped.unary_unary(path)


def _first_message(method: Any) -> Any:
    """A method whose answers never end, as one that gives the first of them."""

    def ask(request: bytes, **options: Any) -> bytes:
        call = method(request, **options)
        try:
            return bytes(next(call, b""))
        finally:
            call.cancel()

    return ask


def raw_stream_method(channel: grpc.Channel, path: str) -> Any:
    """The same, with an iterator of messages: the call begins before the first is there."""
    untyped: Any = channel
    return untyped.stream_unary(path)


def contribution(pdq: bytes) -> contribution_service_pb2.Contribution:
    """A contribution of one PDQ value that a person looked at."""
    return contribution_service_pb2.Contribution(
        signals=[signal_pb2.Signal(signal_type="pdq", value=pdq, quality=100)],
        labels=["test"],
        attestation=item_pb2.Attestation(basis=item_pb2.ATTESTATION_BASIS_PERSON_LOOKED),
    )


def lookup_request(*pdqs: bytes) -> lookup_service_pb2.LookupRequest:
    """One probe per PDQ value."""
    return lookup_service_pb2.LookupRequest(
        probes=[
            lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type="pdq", values=pdq)]) for pdq in pdqs
        ]
    )


@dataclass(frozen=True)
class Said:
    """How the service said no."""

    code: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    details: tuple[Any, ...] = ()
    message: str = ""


@contextmanager
def refused(reason: str) -> Iterator[list[Said]]:
    """The block must end in an error with this reason; yields a list in which it is found afterwards."""
    found: list[Said] = []
    try:
        yield found
    except grpc.RpcError as error:
        found.append(said(error))
        assert found[0].reason == reason, found[0]
    else:
        raise AssertionError(f"nobody refused with {reason}")


def said(error: Any) -> Said:
    """An error, taken apart; a reason is there when it carries exactly one ``ErrorInfo`` of ours."""
    status = rpc_status.from_call(error)
    code, message = error.code().name, error.details() or ""
    if status is None:
        return Said(code, message=message)
    details = []
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(kind)
        details.append(kind)
    infos = [each for each in details if isinstance(each, error_details_pb2.ErrorInfo)]
    assert len(infos) == 1
    assert infos[0].domain == "hashpact"
    return Said(code, infos[0].reason, dict(infos[0].metadata), tuple(details), message)


def server_certificate(address: Address) -> bytes:
    """The certificate (DER) that a server shows to a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address.host, address.port), WAIT_S) as raw,
        context.wrap_socket(raw) as wrapped,
    ):
        shown = wrapped.getpeercert(binary_form=True)
    assert shown is not None
    return shown
