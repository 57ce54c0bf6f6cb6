"""IncidentService: opens and closes incidents, tells everybody, and tells afterwards how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from hashpact.v1 import error_reason_pb2, incident_service_pb2_grpc
from hashpact.v1 import incident_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.database import DatabaseSlowError
from hashpact_server.debrief import debrief, too_slow
from hashpact_server.engine import Engine
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.payloads_incidents import Receiver
from hashpact_server.refusal import Refusal, invalid_field, not_serving
from hashpact_server.reports import Reports
from hashpact_server.rules import incidents as rules
from hashpact_server.rules.incident_plans import duration_of, plan_of
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.debriefs import encode_debrief
from hashpact_server.services.incidents import encode_incident
from hashpact_server.services.reading import bad_page_token, fresh_head, page_key, page_size, page_token
from hashpact_server.services.writing import write
from hashpact_server.state.incidents import IncidentRow, State, live_incidents, past_incidents
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View
from hashpact_server.tokens import Position

_PAGES: Final = b"ListIncidents"
_RECEIVERS: Final = frozenset({pb.INCIDENT_RECEIVER_SOFTWARE, pb.INCIDENT_RECEIVER_PERSON})

Answer = TypeVar(
    "Answer",
    pb.OpenIncidentResponse,
    pb.SupportIncidentResponse,
    pb.CloseIncidentResponse,
    pb.AcknowledgeIncidentResponse,
)
"""The answers that say how an incident stands now."""

Request = pb.OpenIncidentRequest | pb.SupportIncidentRequest | pb.CloseIncidentRequest | pb.AcknowledgeIncidentRequest


class IncidentService(incident_service_pb2_grpc.IncidentServiceServicer):
    """Incidents, for everybody."""

    def __init__(self, engine: Engine, reports: Reports | None, limits: Limits) -> None:
        self._engine = engine
        self._reports = reports
        self._limits = limits

    def OpenIncident(  # noqa: N802 - the name in the wire
        self, request: pb.OpenIncidentRequest, context: Any
    ) -> pb.OpenIncidentResponse:
        """Open an incident, or call for one."""
        caller, plan = current_caller(), plan_of(request.plan)
        steward = caller.has(Role.STEWARD)
        return self._write(
            request,
            pb.OpenIncidentResponse,
            lambda scene: rules.open_incident(scene, caller.pseudonym, plan, steward=steward),
        )

    def SupportIncident(  # noqa: N802 - the name in the wire
        self, request: pb.SupportIncidentRequest, context: Any
    ) -> pb.SupportIncidentResponse:
        """Want an incident to be open."""
        caller, duration_ms = current_caller(), duration_of("duration", request.duration)
        return self._write(
            request,
            pb.SupportIncidentResponse,
            lambda scene: rules.support(scene, caller.pseudonym, request.incident, duration_ms),
        )

    def CloseIncident(  # noqa: N802 - the name in the wire
        self, request: pb.CloseIncidentRequest, context: Any
    ) -> pb.CloseIncidentResponse:
        """End an incident."""
        caller = current_caller()
        steward = caller.has(Role.STEWARD)
        return self._write(
            request,
            pb.CloseIncidentResponse,
            lambda scene: rules.close(scene, caller.pseudonym, request.incident, steward=steward),
        )

    def AcknowledgeIncident(  # noqa: N802 - the name in the wire
        self, request: pb.AcknowledgeIncidentRequest, context: Any
    ) -> pb.AcknowledgeIncidentResponse:
        """Note that the caller's member knows."""
        caller = current_caller()
        if request.receiver not in _RECEIVERS:
            raise invalid_field("receiver", "say who knows: the member's software, or a person")
        receiver = Receiver(request.receiver)
        return self._write(
            request,
            pb.AcknowledgeIncidentResponse,
            lambda scene: rules.acknowledge(scene, caller.pseudonym, request.incident, receiver),
        )

    def _write(self, request: Request, answer: type[Answer], rule: Callable[[Scene], IncidentRow]) -> Answer:
        before_all = getattr(request, "validate_only", False)

        def decide(scene: Scene) -> Callable[[str], Answer]:
            incident = encode_incident(scene, rule(scene))
            if before_all:  # it exists in the rehearsal only
                incident.incident = incident.sequence = 0
            return lambda as_of: answer(incident=incident, as_of=as_of)

        return write(self._engine, current_caller(), request, answer, decide)

    def ListIncidents(  # noqa: N802 - the name in the wire
        self, request: pb.ListIncidentsRequest, context: Any
    ) -> pb.ListIncidentsResponse:
        """Return a page of incidents: those that are not over, then the newest."""
        head = fresh_head(self._engine)
        scope = _PAGES + bytes((request.open_only,))
        last = _place(page_key(request.page_token, head, scope)) if request.page_token else None
        size = page_size(request.page_size, self._limits.page_size_max)
        with self._engine.state.read() as view:
            rows = [*live_incidents(view), *([] if request.open_only else past_incidents(view))]
            places = sorted((_order(row), row) for row in rows if last is None or _order(row) > last)[: size + 1]
            encoded = [encode_incident(view, row) for _, row in places[:size]]
        more = page_token(head, scope, b"".join(map(u64, places[size - 1][0]))) if len(places) > size else ""
        return pb.ListIncidentsResponse(incidents=encoded, next_page_token=more, as_of=head.position().encode())

    def GetDebrief(  # noqa: N802 - the name in the wire
        self, request: pb.GetDebriefRequest, context: Any
    ) -> pb.GetDebriefResponse:
        """Tell how an incident went."""
        head, deadline = fresh_head(self._engine), current_caller().deadline
        with self._engine.state.read() as view:
            row = rules.existing_incident(view, request.incident)
            try:
                told = debrief(view, row, self._reports, deadline)
            except DatabaseSlowError as error:
                raise too_slow() from error
            caller = current_caller()
            if not caller.has(Role.STEWARD, Role.AUDIT):
                told.hide_matches(caller.pseudonym)
            encoded = encode_debrief(view, row, told)
        encoded.as_of = head.position().encode()
        return encoded

    def WatchIncidents(  # noqa: N802 - the name in the wire
        self, request: pb.WatchIncidentsRequest, context: Any
    ) -> Iterator[pb.WatchIncidentsResponse]:
        """Stream incidents as they change until somebody ends it."""
        head = fresh_head(self._engine, request.after)
        after = Position.decode(request.after).sequence if request.after else None
        context.add_callback(self._engine.state.wake_board)  # or who went would hold a stream until something happens
        seen = -1
        while context.is_active():
            if self._engine.feed.closed:
                raise not_serving()
            with self._engine.state.read() as view:
                seen = max(seen, self._engine.published.board.sequence)
                changed = _changed_since(view, after)
                message = _message(view, changed, head)
            after = max([head.sequence, after or 0, *(row.sequence for row in changed)])
            handed_over = time.monotonic()
            yield message
            self._check_pace(time.monotonic() - handed_over)
            self._wait(seen, context.is_active)
            head = self._engine.published.head  # before the next view: what is told reflects it at least

    def _wait(self, seen: int, there: Callable[[], bool]) -> None:
        core, feed = self._engine.state, self._engine.feed
        with core.board_moved:
            core.board_moved.wait_for(
                lambda: core.published.board.sequence > seen or feed.closed or not there(),
                float(self._limits.watch_progress_s),
            )

    def _check_pace(self, seconds: float) -> None:
        if seconds > self._limits.watch_stall_s_max:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_WATCHER_TOO_SLOW,
                f"a message was taken after {seconds:.0f} s only; come back, and read faster",
                metadata={"limit": "watch_stall_s_max", "limit_value": str(self._limits.watch_stall_s_max)},
            )


def _changed_since(view: View, after: int | None) -> list[IncidentRow]:
    """Incidents that changed after an entry, in that order; None: those that are not over."""
    if after is None:
        return sorted(live_incidents(view), key=lambda row: row.sequence)
    rows = (*live_incidents(view), *past_incidents(view))
    return sorted((row for row in rows if row.sequence > after), key=lambda row: row.sequence)


def _message(view: View, changed: list[IncidentRow], head: Head) -> pb.WatchIncidentsResponse:
    message = pb.WatchIncidentsResponse(
        incidents=[encode_incident(view, row) for row in changed], as_of=head.position().encode()
    )
    message.sent_time.FromNanoseconds(time.time_ns())
    return message


def _order(row: IncidentRow) -> tuple[int, int]:
    """Those that are not over first, then the newest."""
    return int(row.state is State.CLOSED), (1 << 63) - row.incident


def _place(key: bytes) -> tuple[int, int]:
    if len(key) != 16:
        raise bad_page_token()
    return int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
