"""What every call passes: identity, role, quotas, deadline, error mapping, log and metrics, in one place.

::

    call --> token --> member --> role --> in flight? --> read the message --> handler --> answer
               |         |          |          |               |                 |
               '---------+----------+----------+--- Refusal ---+-----------------'--> google.rpc.Status

Handlers are guarded as request-streaming whatever they are, since gRPC waits for the message of a unary call before
it runs any code of ours: so a stranger would hold one of our threads by sending nothing. Here the caller is known, and
counted, before its message is waited for, and the wait has an end.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from hashpact.v1 import error_reason_pb2 as reasons

from hashpact_server.config import Config
from hashpact_server.inflight import InFlight, Kind
from hashpact_server.logs import Sampler, event, where
from hashpact_server.metrics import Metrics
from hashpact_server.patience import Patience
from hashpact_server.refusal import Refusal, invalid_field, not_serving
from hashpact_server.roster import Roster, rights
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.roles import LOCAL
from hashpact_server.state.rows import MemberRow, Role, TokenRow
from hashpact_server.statuses import code_name, code_of, reason_name, status_of

LARGE_ANSWER_BYTES: Final = 64 << 10
"""Answers from this size on count as in flight until the caller took them: gRPC holds them in memory for as long."""

OPEN_CALL_S_MAX: Final = 5.0
"""Time that a caller without a token gets to say what it wants."""

if TYPE_CHECKING:  # generic in the stubs only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Router = grpc.GenericRpcHandler[Any, Any]
else:
    Handler, Router = grpc.RpcMethodHandler, grpc.GenericRpcHandler

_LOGGER = logging.getLogger(__name__)
_CALLS = logging.getLogger(f"{__name__}.calls")


@dataclass(frozen=True, slots=True)
class Method:
    """A method and who may call it.

    Attributes:
        path: as on the wire, ``/package.Service/Method``.
        roles: any of these is needed; empty: any member.
        kind: what a call of it takes from; ``OPEN`` needs no token.
        log_level: of a call that went well.
    """

    path: str
    roles: frozenset[Role]
    kind: Kind
    log_level: int = field(init=False)

    def __post_init__(self) -> None:
        # The wire's verbs say whether it changes the list. Health checks come every few seconds for ever.
        level = logging.INFO if self.writes and self.kind is not Kind.OPEN else logging.DEBUG
        object.__setattr__(self, "log_level", level)

    @property
    def writes(self) -> bool:
        """Whether it changes what the forum shares; the wire's verbs say so."""
        service, _, verb = self.path.rpartition("/")
        reads = service.endswith("LookupService") or verb.startswith(("Get", "List", "Watch", "Snapshot"))
        return self.path not in LOCAL and not reads


class Gate:
    """Guards handlers. Closed until :meth:`open`: guarded calls are then answered NOT_SERVING.

    Args:
        config: limits and settings.
        metrics: where calls are counted.
    """

    def __init__(self, config: Config, metrics: Metrics) -> None:
        limits = config.limits
        self.deadline_s_max = limits.deadline_s_max
        # Whoever takes a message late is told so; whoever never takes it cannot be told, and is cut.
        self._stall_s_max = 2 * limits.watch_stall_s_max
        self._metrics = metrics
        self._sampler = Sampler(config.call_log_lines_per_s_max)
        self._roster: Callable[[], Roster] | None = None
        self.read_only = False
        """A replica's gate: who may write is told where to."""
        self.saw: Callable[[str], None] = lambda _: None
        """Told the name of each member that was let in."""
        self.patience = Patience()
        self.in_flight = InFlight(
            {
                Kind.REQUEST: limits.requests_max,
                Kind.STREAM: limits.streams_max,
                Kind.OPEN: config.open_calls_max,
            },
            limits.member_requests_max,
            config.host_open_calls_max,
        )

    def open(self, roster: Callable[[], Roster]) -> None:
        """Let calls in; ``roster`` tells who is who at the moment of each call."""
        self._roster = roster

    def shut(self) -> None:
        """Let no more calls in; those that are in go on."""
        self._roster = None

    def guard(self, method: Method, handler: Handler | None) -> Handler:
        """A handler that does what ``handler`` does, for those who may. None: there is nothing to call yet."""
        if handler is None or not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(self._unary(method, handler))
        return grpc.stream_stream_rpc_method_handler(self._streaming(method, handler))

    def _unary(self, method: Method, handler: Handler | None) -> Callable[..., bytes]:
        behaviour: Any = None if handler is None else handler.stream_unary or handler.unary_unary

        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            call = _Call(self, method, context)
            try:
                call.enter()
                if handler is None or behaviour is None:
                    raise not_serving()
                return call.hand_over(behaviour(call.read(requests, handler), context))
            except BaseException as error:
                call.fail(error)
                raise
            finally:
                call.leave()

        return serve

    def _streaming(self, method: Method, handler: Handler) -> Callable[..., Iterator[bytes]]:
        behaviour: Any = handler.stream_stream or handler.unary_stream

        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            call = _Call(self, method, context)
            try:
                call.enter()
                for answer in behaviour(call.read(requests, handler), context):
                    call.stay()
                    encoded = answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())
                    with self.patience.until(time.monotonic() + self._stall_s_max, context.cancel):
                        yield encoded
            except BaseException as error:
                call.fail(error)
                raise
            finally:
                call.leave()

        return serve

    # What a call asks of its gate.

    def member_of(self, context: grpc.ServicerContext) -> tuple[MemberRow, TokenRow]:
        """Who calls, and by which token; raises Refusal."""
        roster = self._roster
        if roster is None:
            raise not_serving()
        return roster().identify(bearer_token(context.invocation_metadata()), time.time_ns() // 1_000_000)

    def deadline_of(self, context: grpc.ServicerContext) -> float:
        """When the call has to be done, as ``time.monotonic()``: the caller's deadline, or ours when it is sooner."""
        left: float | None = context.time_remaining()
        if left is not None and left <= 0:
            raise Refusal(reasons.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline had passed before the work began")
        return time.monotonic() + min(self.deadline_s_max, self.deadline_s_max if left is None else left)

    def record(self, call: _Call) -> None:
        """Count and log a call that ended."""
        seconds = time.monotonic() - call.started
        self._metrics.call(call.method.path, call.code, seconds)
        level = call.method.log_level
        if call.code != "OK" and call.method.kind is not Kind.OPEN:
            level = logging.INFO
        if not _CALLS.isEnabledFor(level) or (suppressed := self._sampler.take()) is None:
            return
        more: dict[str, object] = {"reason": call.reason} if call.reason else {}
        if suppressed:
            more["lines_left_out"] = suppressed
        event(
            _CALLS,
            level,
            "call",
            method=call.method.path,
            member=call.member,
            request=call.id,
            code=call.code,
            ms=round(seconds * 1000, 3),
            **more,
        )

    def count_member(self, name: str) -> None:
        """Count a call of a member that was let in."""
        self._metrics.member_call(name)
        self.saw(name)


class _Call:
    """One call from its arrival to its end; :meth:`leave` runs exactly once."""

    __slots__ = ("_admitted", "_context", "_deadline", "_gate", "_id", "code", "member", "method", "reason", "started")

    def __init__(self, gate: Gate, method: Method, context: grpc.ServicerContext) -> None:
        self.started = time.monotonic()
        self.method = method
        self.member = ""
        self.code = "OK"
        self.reason = ""
        self._id = ""
        self._gate = gate
        self._context = context
        self._admitted: bytes | None = None
        self._deadline = 0.0

    @property
    def id(self) -> str:
        """What the log calls it: 16 random hex digits, made when somebody asks, which few calls see."""
        self._id = self._id or secrets.token_hex(8)
        return self._id

    def enter(self) -> None:
        """Find out who calls, and whether they may, now; raises Refusal."""
        gate, kind = self._gate, self.method.kind
        if kind is Kind.OPEN:
            self._deadline = min(gate.deadline_of(self._context), time.monotonic() + OPEN_CALL_S_MAX)
            host = host_of(self._context.peer())
            gate.in_flight.admit(kind, host)
            self._admitted = host
            return
        member, token = self._authorised()
        self._deadline = gate.deadline_of(self._context)
        if gate.read_only and self.method.writes:
            raise Refusal(
                reasons.ERROR_REASON_REPLICA_READ_ONLY, "this server is a replica: send writes to the one it follows"
            )
        gate.in_flight.admit(kind, member.pseudonym)
        self._admitted = member.pseudonym
        gate.count_member(member.name)
        set_caller(Caller(member, self._deadline, token))

    def _authorised(self) -> tuple[MemberRow, TokenRow]:
        """Who calls, and by which token, when they may call this now; raises Refusal."""
        member, token = self._gate.member_of(self._context)
        self.member = member.name
        if self.method.roles and self.method.roles.isdisjoint(rights(member, token)):
            raise role_missing(self.method.roles)
        return member, token

    def stay(self) -> None:
        """Before each message of a stream: whoever lost the right to it meanwhile gets no more of it."""
        if self.method.kind is not Kind.OPEN:
            self._authorised()

    def read(self, requests: Iterator[bytes], handler: Handler) -> Any:
        """What the caller sent, parsed: a message, or an iterator of them where the method takes a stream."""
        if handler.request_streaming:
            return self._read_all(requests, handler)
        patience = self._gate.patience
        wait = patience.begin(self._deadline, self._context.cancel)
        try:
            raw = next(requests, None)
        finally:
            patience.end(wait)
        if raw is None:
            raise invalid_field("request", "exactly one message is needed, none was sent")
        return _parsed(raw, handler)

    def _read_all(self, requests: Iterator[bytes], handler: Handler) -> Iterator[Any]:
        with self._gate.patience.until(self._deadline, self._context.cancel):
            for raw in requests:
                yield _parsed(raw, handler)

    def hand_over(self, answer: Any) -> bytes:
        """The bytes of an answer, which gRPC holds until the caller has taken them."""
        encoded = answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())
        if len(encoded) >= LARGE_ANSWER_BYTES:
            self._stay_until_taken()
        return encoded

    def _stay_until_taken(self) -> None:
        """Stay in flight until the answer left, and be cut when the caller does not take it in the time of a call.

        Otherwise a caller that reads nothing could have any number of large answers made, all of them in memory.
        """
        gate, kind, admitted = self._gate, self.method.kind, self._admitted
        if admitted is None:
            return
        wait = gate.patience.begin(time.monotonic() + gate.deadline_s_max, self._context.cancel)

        def taken() -> None:
            gate.patience.end(wait)
            gate.in_flight.release(kind, admitted)

        if self._context.add_callback(taken):
            self._admitted = None
        else:  # the call is over already
            gate.patience.end(wait)

    def fail(self, error: BaseException) -> None:
        """Answer with what the error means; returns only where there is nobody to answer."""
        if isinstance(error, Refusal):
            self._abort(error)
        elif isinstance(error, (grpc.RpcError, GeneratorExit)):
            # Raised by gRPC where we wait for the caller, or close its stream: it went away, or its time was over.
            over = time.monotonic() >= self._deadline
            self.code = "DEADLINE_EXCEEDED" if over else "CANCELLED"
        elif isinstance(error, Exception):
            event(_LOGGER, logging.ERROR, "call failed", method=self.method.path, request=self.id, where=where(error))
            self._abort(
                Refusal(
                    reasons.ERROR_REASON_INTERNAL,
                    f"our fault; the operator finds the details under request {self.id}",
                    metadata={"request": self.id},
                )
            )

    def _abort(self, refusal: Refusal) -> None:
        self.code, self.reason = code_name(code_of(refusal)), reason_name(refusal.reason)
        self._context.abort_with_status(rpc_status.to_status(status_of(refusal)))

    def leave(self) -> None:
        """Count the call out and record it."""
        if self._admitted is not None:
            self._gate.in_flight.release(self.method.kind, self._admitted)
        code = _code_set_by(self._context)
        if self.code == "OK" and code is not None:
            self.code = code.name
        self._gate.record(self)


def host_of(peer: str) -> bytes:
    """The host that a call comes from, as gRPC names peers: without the port; of IPv6 the /64, which one host has."""
    kind, _, place = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind.encode()
    host = urllib.parse.unquote(place).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.encode()
    return address.packed[:8] if isinstance(address, ipaddress.IPv6Address) else address.packed


def bearer_token(metadata: Any) -> str:
    """The token in the metadata key ``authorization``; raises Refusal (TOKEN_MISSING, TOKEN_INVALID)."""
    values = [value for key, value in metadata or () if key == "authorization"]
    scheme, _, token = values[0].partition(" ") if values else ("", "", "")
    if scheme.lower() != "bearer":
        raise Refusal(
            reasons.ERROR_REASON_TOKEN_MISSING,
            "the metadata key authorization must carry: Bearer TOKEN",
        )
    if len(values) > 1:
        raise Refusal(reasons.ERROR_REASON_TOKEN_INVALID, "the metadata key authorization is there more than once")
    return str(token.strip())


def role_missing(roles: frozenset[Role]) -> Refusal:
    """The refusal of a member that has none of the roles."""
    names = ", ".join(role.name.lower() for role in sorted(roles))
    needed = f"one of the roles: {names}" if len(roles) > 1 else f"the role {names}"
    return Refusal(
        reasons.ERROR_REASON_ROLE_MISSING,
        f"this call needs {needed}; a steward of the forum gives roles",
        metadata={"roles": names},
    )


def _code_set_by(context: Any) -> grpc.StatusCode | None:
    """The code that a handler set on the context, if it did."""
    code: grpc.StatusCode | None = context.code()
    return code


def _parsed(raw: bytes, handler: Handler) -> Any:
    try:
        parse: Any = handler.request_deserializer
        return parse(raw)
    except (DecodeError, UnicodeDecodeError, ValueError):
        # Without the cause: its text may quote the request.
        raise invalid_field("request", "not a message of this method's type") from None
