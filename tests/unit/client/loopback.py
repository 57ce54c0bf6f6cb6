# ruff: noqa: N802 - the methods have the names of the wire
"""A service for the client's tests: a real gRPC server on 127.0.0.1 that keeps a tiny list in memory.

It knows just enough to answer every call (digests and PDQ, no rules), records what it was asked, and can be told to
refuse the next calls. The rules are tested where they live, against the real server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from hashpact.signals import SIGNAL_TYPES, hamming
from hashpact.v1 import capabilities_service_pb2 as capabilities_pb2
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import error_reason_pb2, item_pb2, member_service_pb2, signal_pb2
from hashpact.v1 import lookup_service_pb2 as lookup_pb2

_Outcome = contribution_pb2.ContributionOutcome
TOKEN = "hp-loopback-token"
_FILES = (capabilities_pb2, contribution_pb2, lookup_pb2, member_service_pb2)


@dataclass
class Refused(Exception):  # noqa: N818 - it is what the wire calls a status
    """Ends a call with a status as the real server does."""

    code: grpc.StatusCode
    reason: str
    message: str = "said no"
    metadata: dict[str, str] = field(default_factory=dict)
    violations: Sequence[tuple[str, str]] = ()
    retry_after_s: float | None = None

    def status(self) -> Any:
        details: list[Message] = [
            error_details_pb2.ErrorInfo(reason=self.reason, domain="hashpact", metadata=self.metadata)
        ]
        if self.violations:
            fields = [
                error_details_pb2.BadRequest.FieldViolation(field=name, description=text)
                for name, text in self.violations
            ]
            details.append(error_details_pb2.BadRequest(field_violations=fields))
        if self.retry_after_s is not None:
            delay = Duration(seconds=int(self.retry_after_s), nanos=round(self.retry_after_s % 1 * 1e9))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        packed = []
        for detail in details:
            one = AnyMessage()
            one.Pack(detail)
            packed.append(one)
        return rpc_status.to_status(status_pb2.Status(code=self.code.value[0], message=self.message, details=packed))


@dataclass
class Asked:
    """One call as it arrived."""

    method: str
    request: Any
    metadata: dict[str, str]
    over: threading.Event = field(default_factory=threading.Event)


Answer = Callable[[Any], Message]


class LoopbackService:
    """The service; ``target`` is where it listens."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        self.refusals: dict[str, list[Refused]] = {}
        self.items: dict[int, item_pb2.Item] = {}
        self.members: dict[str, member_service_pb2.Member] = {}
        self.limits = capabilities_pb2.Limits(
            message_bytes_max=4 << 20,
            lookup_probes_max=256,
            lookup_values_max=4096,
            probe_values_max=64,
            contributions_max=100,
            page_size_max=1000,
        )
        self.epoch = "e1"
        self.sequence = 0
        self.answered: dict[str, tuple[bytes, Message]] = {}
        self.lock = threading.RLock()

    @property
    def as_of(self) -> str:
        return f"{self.epoch}/{self.sequence}"

    def methods(self) -> list[str]:
        """Names of the calls so far."""
        return [asked.method for asked in self.asked]

    def handlers(self) -> list[grpc.GenericRpcHandler[Any, Any]]:
        handlers = []
        for file in _FILES:
            for service in file.DESCRIPTOR.services_by_name.values():
                methods = {
                    method.name: grpc.unary_unary_rpc_method_handler(
                        self._handler(method.name),
                        request_deserializer=GetMessageClass(method.input_type).FromString,
                        response_serializer=lambda message: message.SerializeToString(),
                    )
                    for method in service.methods
                }
                handlers.append(grpc.method_handlers_generic_handler(service.full_name, methods))
        return handlers

    def _handler(self, name: str) -> Callable[[Any, grpc.ServicerContext], Message]:
        def handle(request: Any, context: grpc.ServicerContext) -> Message:
            metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
            asked = Asked(name, request, metadata)
            context.add_callback(asked.over.set)
            with self.lock:
                self.asked.append(asked)
                waiting = self.refusals.get(name)
                refusal = waiting.pop(0) if waiting else None
            try:
                if refusal:
                    raise refusal
                self._authorize(metadata)
                if name in self.answers:
                    return self.answers[name](request)
                with self.lock:
                    return self._once(request, getattr(self, name))
            except Refused as refused:
                context.abort_with_status(refused.status())
                raise

        return handle

    def _authorize(self, metadata: dict[str, str]) -> None:
        given = metadata.get("authorization", "")
        if not given:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING", "no token: set HASHPACT_TOKEN")
        if given != f"Bearer {TOKEN}":
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "unknown token: ask a steward")

    def _once(self, request: Any, answer: Answer) -> Message:
        request_id = getattr(request, "request_id", "")
        if not request_id:
            return answer(request)
        print_ = request.SerializeToString()
        if request_id in self.answered:
            before, response = self.answered[request_id]
            if before != print_:
                raise Refused(grpc.StatusCode.ABORTED, "REQUEST_ID_REUSED")
            return response
        response = answer(request)
        self.answered[request_id] = (print_, response)
        return response

    def _require_fresh(self, token: str) -> None:
        if token and not token.startswith(self.epoch + "/"):
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "TOKEN_UNKNOWN_HISTORY")
        if token and int(token.partition("/")[2]) > self.sequence:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "TOKEN_FROM_FUTURE")

    def _item(self, item: int) -> item_pb2.Item:
        if item not in self.items:
            raise Refused(grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND", f"no item {item}")
        return self.items[item]

    def Lookup(self, request: lookup_pb2.LookupRequest) -> lookup_pb2.LookupResponse:
        self._require_fresh(request.at_least_as_fresh)
        response = lookup_pb2.LookupResponse(as_of=self.as_of)
        for index, probe in enumerate(request.probes):
            for number, values in enumerate(probe.signal_sets):
                if values.signal_type not in SIGNAL_TYPES:
                    response.problems.add(
                        probe_index=index, signal_set_index=number, reason=40, message="unknown signal type"
                    )
            matches = [match for item in self.items.values() if (match := _match(item, probe))]
            if matches:
                response.matched.add(probe_index=index, matches=matches)
        return response

    def Contribute(self, request: contribution_pb2.ContributeRequest) -> contribution_pb2.ContributeResponse:
        outcomes = []
        for one in request.contributions:
            known = one.attach_to or next(
                (
                    item.item
                    for item in self.items.values()
                    if {(s.signal_type, s.value) for s in item.signals}
                    & {(s.signal_type, s.value) for s in one.signals}
                ),
                0,
            )
            if not one.labels or one.labels[0] == "refuse-me":
                outcomes.append(
                    _Outcome(
                        result=_Outcome.RESULT_REFUSED,
                        reason=error_reason_pb2.ERROR_REASON_LABELS_INVALID,
                        message="labels: at least one",
                    )
                )
                continue
            if not known and not request.validate_only:
                self.sequence += 1
                self.items[self.sequence] = item_pb2.Item(
                    item=self.sequence,
                    status=item_pb2.ITEM_STATUS_PROVISIONAL,
                    advice=signal_pb2.ADVICE_REVIEW,
                    labels=one.labels,
                    contributions=[item_pb2.ItemContribution(member="loop", attestation=one.attestation)],
                    signals=[
                        item_pb2.ItemSignal(signal_type=s.signal_type, value=s.value, sequence=self.sequence)
                        for s in one.signals
                    ],
                )
            item = known or (0 if request.validate_only else self.sequence)
            outcomes.append(
                _Outcome(
                    result=_Outcome.RESULT_UNCHANGED if known else _Outcome.RESULT_CREATED,
                    item=item,
                    status=item_pb2.ITEM_STATUS_PROVISIONAL,
                )
            )
        return contribution_pb2.ContributeResponse(outcomes=outcomes, as_of=self.as_of)

    def Amend(self, request: contribution_pb2.AmendRequest) -> contribution_pb2.AmendResponse:
        item = self._item(request.item)
        self.sequence += 1
        if request.labels:
            item.labels[:] = request.labels
        return contribution_pb2.AmendResponse(item=item, as_of=self.as_of)

    def Withdraw(self, request: contribution_pb2.WithdrawRequest) -> contribution_pb2.WithdrawResponse:
        item = self._item(request.item)
        self.sequence += 1
        item.status = item_pb2.ITEM_STATUS_WITHDRAWN
        return contribution_pb2.WithdrawResponse(status=item.status, as_of=self.as_of)

    def GetItem(self, request: contribution_pb2.GetItemRequest) -> contribution_pb2.GetItemResponse:
        self._require_fresh(request.at_least_as_fresh)
        return contribution_pb2.GetItemResponse(item=self._item(request.item), as_of=self.as_of)

    def ListItems(self, request: contribution_pb2.ListItemsRequest) -> contribution_pb2.ListItemsResponse:
        self._require_fresh(request.at_least_as_fresh)
        ids = [
            item.item
            for item in self.items.values()
            if item.item > int(request.page_token or 0)
            and (item.status in request.statuses if request.statuses else item.status != 4)
            and (not request.label or request.label in item.labels)
        ]
        size = request.page_size or 100
        return contribution_pb2.ListItemsResponse(
            items=[self.items[item] for item in ids[:size]],
            next_page_token=str(ids[size - 1]) if len(ids) > size else "",
            as_of=self.as_of,
        )

    def CreateMember(self, request: member_service_pb2.CreateMemberRequest) -> member_service_pb2.CreateMemberResponse:
        if request.name in self.members:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, "MEMBER_EXISTS", "the name is taken")
        self.sequence += 1
        member = member_service_pb2.Member(name=request.name, roles=request.roles, group=request.group or request.name)
        member.create_time.GetCurrentTime()
        self.members[request.name] = member
        return member_service_pb2.CreateMemberResponse(member=member, as_of=self.as_of)

    def ListMembers(self, request: member_service_pb2.ListMembersRequest) -> member_service_pb2.ListMembersResponse:
        names = [name for name in sorted(self.members) if name > request.page_token]
        size = request.page_size or 100
        return member_service_pb2.ListMembersResponse(
            members=[self.members[name] for name in names[:size]],
            next_page_token=names[size - 1] if len(names) > size else "",
            as_of=self.as_of,
        )

    def _member(self, name: str) -> member_service_pb2.Member:
        if name not in self.members:
            raise Refused(grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND", "no such member")
        return self.members[name]

    def SuspendMember(
        self, request: member_service_pb2.SuspendMemberRequest
    ) -> member_service_pb2.SuspendMemberResponse:
        member = self._member(request.member)
        member.suspended = True
        self.sequence += 1
        return member_service_pb2.SuspendMemberResponse(member=member, as_of=self.as_of)

    def ResumeMember(self, request: member_service_pb2.ResumeMemberRequest) -> member_service_pb2.ResumeMemberResponse:
        member = self._member(request.member)
        member.suspended = False
        self.sequence += 1
        return member_service_pb2.ResumeMemberResponse(member=member, as_of=self.as_of)

    def IssueToken(self, request: member_service_pb2.IssueTokenRequest) -> member_service_pb2.IssueTokenResponse:
        member = self._member(request.member)
        self.sequence += 1
        info = member.tokens.add(token_id=self.sequence)
        if request.HasField("expire_time"):
            info.expire_time.CopyFrom(request.expire_time)
        return member_service_pb2.IssueTokenResponse(token=f"secret-{self.sequence}", info=info, as_of=self.as_of)

    def RevokeToken(self, request: member_service_pb2.RevokeTokenRequest) -> member_service_pb2.RevokeTokenResponse:
        for member in self.members.values():
            kept = [token for token in member.tokens if token.token_id != request.token_id]
            if len(kept) < len(member.tokens):
                del member.tokens[:]
                member.tokens.extend(kept)
                self.sequence += 1
                return member_service_pb2.RevokeTokenResponse(as_of=self.as_of)
        raise Refused(grpc.StatusCode.NOT_FOUND, "TOKEN_NOT_FOUND", "no such token")

    def GetCapabilities(self, _: capabilities_pb2.GetCapabilitiesRequest) -> capabilities_pb2.GetCapabilitiesResponse:
        return capabilities_pb2.GetCapabilitiesResponse(
            server_version="0.0-loopback",
            ledger_id="00ff",
            signal_types=[
                capabilities_pb2.SignalTypeInfo(
                    name=kind.name,
                    size_bytes=kind.size_bytes,
                    exact=kind.exact,
                    radius_default=kind.radius_default,
                    radius_max=kind.radius_max,
                    identifies=kind.identifies,
                    quality_min=kind.quality_min,
                )
                for kind in SIGNAL_TYPES.values()
            ],
            limits=self.limits,
            caller="loop",
            caller_roles=[member_service_pb2.ROLE_CHECK, member_service_pb2.ROLE_CONTRIBUTE],
            as_of=self.as_of,
        )


def _match(item: item_pb2.Item, probe: lookup_pb2.Probe) -> lookup_pb2.Match | None:
    if item.status == item_pb2.ITEM_STATUS_WITHDRAWN:
        return None
    agreements = []
    for values in probe.signal_sets:
        kind = SIGNAL_TYPES.get(values.signal_type)
        if kind is None:
            continue
        size = kind.size_bytes
        near = [
            (hamming(values.values[at : at + size], signal.value), at // size)
            for signal in item.signals
            if signal.signal_type == kind.name
            for at in range(0, len(values.values), size)
        ]
        distance, index = min(near, default=(kind.bits, 0))
        if distance <= kind.radius_default:
            agreements.append(lookup_pb2.Agreement(signal_type=kind.name, value_index=index, distance=distance))
    if not agreements:
        return None
    return lookup_pb2.Match(
        item=item.item,
        status=item.status,
        labels=item.labels,
        advice=item.advice or signal_pb2.ADVICE_REVIEW,
        agreements=agreements,
    )


@contextmanager
def serving(
    service: LoopbackService, *, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Serve until the block ends; yields the target."""
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        handlers=service.handlers(),
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", service.limits.message_bytes_max)],
    )
    port = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    server.start()
    try:
        yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
