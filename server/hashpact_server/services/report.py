"""ReportService: how often items were met, as members report it to the hub."""

from __future__ import annotations

from typing import Any, Final

from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import report_service_pb2 as pb
from hashpact.v1 import report_service_pb2_grpc

from hashpact_server.config import Limits
from hashpact_server.core import wall_clock_ms
from hashpact_server.database import DatabaseFullError, DatabaseSlowError
from hashpact_server.engine import Engine
from hashpact_server.refusal import Reason, Refusal, invalid_field, over_limit
from hashpact_server.reports import HOUR_MS, ItemFigures, Report, Reports, TooManyReportsError
from hashpact_server.rules.members import existing_member
from hashpact_server.services.caller import Caller, current_caller
from hashpact_server.services.reading import page_size, time_ms, timestamp
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

CLOCKS_APART_MS_MAX: Final = 5 * 60_000
"""How far a member's clock may be ahead of ours."""

_ACTIONS: Final = frozenset(pb.MatchAction.values()) - {pb.MATCH_ACTION_UNSPECIFIED}


class ReportService(report_service_pb2_grpc.ReportServiceServicer):
    """Takes reports, and tells what they add up to.

    Args:
        engine: the list.
        reports: where they are kept; None on a replica.
        limits: limits in force.
    """

    def __init__(self, engine: Engine, reports: Reports | None, limits: Limits) -> None:
        self._engine = engine
        self._kept = reports
        self._limits = limits

    def ReportMatches(  # noqa: N802 - the name in the wire
        self, request: pb.ReportMatchesRequest, context: Any
    ) -> pb.ReportMatchesResponse:
        """Take reports."""
        kept, limits = self._reports(), self._limits
        if not request.reports:
            raise invalid_field("reports", "give at least one report")
        if len(request.reports) > limits.reports_max:
            raise over_limit("reports_max", limits.reports_max, len(request.reports))
        problems: list[pb.ReportProblem] = []
        taken: list[Report] = []
        with self._engine.state.read() as view:
            for position, each in enumerate(request.reports):
                read = _read(view, each, kept.oldest_ms)
                if isinstance(read, Report):
                    taken.append(read)
                else:
                    reason, message = read
                    problems.append(pb.ReportProblem(report_index=position, reason=reason, message=message))
        if taken:
            self._take(kept, current_caller(), taken)
        return pb.ReportMatchesResponse(problems=problems)

    def GetMatchStatistics(  # noqa: N802 - the name in the wire
        self, request: pb.GetMatchStatisticsRequest, context: Any
    ) -> pb.GetMatchStatisticsResponse:
        """Tell how often items were met."""
        kept, caller = self._reports(), current_caller()
        start = _time(request, "start_time") or 0
        end = _time(request, "end_time")
        if end is not None and end < start:
            raise invalid_field("end_time", "lies before start_time")
        try:
            found, truncated = kept.figures(
                item=request.item,
                member=None if caller.has(Role.STEWARD, Role.AUDIT) else caller.pseudonym,
                start_ms=start,
                end_ms=end,
                items_max=page_size(request.items_max, self._limits.page_size_max),
                deadline=caller.deadline,
            )
        except DatabaseSlowError as error:
            raise Refusal(
                reasons.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed; ask for a shorter time, or for one item"
            ) from error
        with self._engine.state.read() as view:
            return pb.GetMatchStatisticsResponse(items=[_encode(view, each) for each in found], truncated=truncated)

    def DeleteReports(  # noqa: N802 - the name in the wire
        self, request: pb.DeleteReportsRequest, context: Any
    ) -> pb.DeleteReportsResponse:
        """Delete reports."""
        kept, caller = self._reports(), current_caller()
        before, member = _time(request, "end_time"), caller.pseudonym
        if request.member and request.member != caller.member.name:
            if not caller.has(Role.STEWARD):
                raise Refusal(
                    reasons.ERROR_REASON_ROLE_MISSING,
                    "only a steward deletes another member's reports",
                    metadata={"roles": "steward"},
                )
            with self._engine.state.read() as view:
                member = existing_member(view, request.member).pseudonym
        return pb.DeleteReportsResponse(deleted=kept.delete(member, before))

    def _reports(self) -> Reports:
        if self._kept is None:
            raise Refusal(
                reasons.ERROR_REASON_REPLICA_READ_ONLY,
                "this server is a replica: reports are kept at the hub, ask there",
            )
        return self._kept

    def _take(self, kept: Reports, caller: Caller, taken: list[Report]) -> None:
        try:
            kept.report(caller.pseudonym, taken)
        except TooManyReportsError as error:
            limit = self._limits.member_reports_max
            raise Refusal(
                reasons.ERROR_REASON_LIMIT_EXCEEDED,
                f"more than member_reports_max={limit} reports of one member would be kept; delete old ones",
                metadata={"limit": "member_reports_max", "limit_value": str(limit)},
            ) from error
        except DatabaseFullError as error:
            raise no_room() from error


def no_room() -> Refusal:
    """The refusal of what does not fit on the disk, or in the room that the operator gave it."""
    return Refusal(reasons.ERROR_REASON_STORE_FULL, "nothing was kept: there is no room; an operator has to make some")


def _read(view: View, sent: pb.MatchReport, oldest_ms: int) -> Report | tuple[Reason, str]:
    hour = time_ms(sent.hour) if sent.HasField("hour") else None
    if hour is None or not oldest_ms <= hour // HOUR_MS * HOUR_MS <= wall_clock_ms() + CLOCKS_APART_MS_MAX:
        return reasons.ERROR_REASON_HOUR_OUT_OF_RANGE, "the hour has not begun, is too old, or is no time"
    if sent.action not in _ACTIONS:
        return reasons.ERROR_REASON_ACTION_INVALID, "say what was done, with an action that this server knows"
    if not 0 < sent.item <= view.head.sequence or view.item(sent.item) is None:
        return reasons.ERROR_REASON_ITEM_NOT_FOUND, "no item has this id"
    return Report(sent.item, hour // HOUR_MS * HOUR_MS, sent.action, sent.count)


def _time(request: Any, field: str) -> int | None:
    """A time of a request in Unix ms; None when it is absent; raises Refusal."""
    if not request.HasField(field):
        return None
    found = time_ms(getattr(request, field))
    if found is None:
        raise invalid_field(field, "a time from 1970 to 9999")
    return found


def _encode(view: View, found: ItemFigures) -> pb.ItemStatistics:
    rows = [view.member(pseudonym) for pseudonym in found.members]
    return pb.ItemStatistics(
        item=found.item,
        matches=found.matches,
        member_count=found.member_count,
        hours=[
            pb.HourStatistics(
                hour=timestamp(each.hour_ms), action=pb.MatchAction.ValueType(each.action), count=each.count
            )
            for each in found.hours
        ],
        members=sorted(row.name for row in rows if row is not None and row.name),
    )
