"""Uploads that a replica remembers, and reports of matches to the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from hashpact import _convert as convert
from hashpact import _convert_matches as matches
from hashpact import _wire as wire
from hashpact._operations.chunks import cut
from hashpact._operations.returning import Returning
from hashpact._operations.session import BUSY, Session, limits_may_be_old, limits_of, require_count
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.probes import Probe, ProbeSource
from hashpact.results import Match, Problem
from hashpact.uploads import (
    ActedItem,
    Correction,
    Corrections,
    ForgottenUploads,
    HourStatistics,
    ItemStatistics,
    MatchReport,
    MatchStatistics,
    RetroMatch,
    RetroMatches,
    UploadAction,
)
from hashpact.v1 import report_service_pb2, upload_service_pb2

ACTIONS = convert.Words(report_service_pb2.MatchAction, "MATCH_ACTION_")
CHANGES = convert.Words(upload_service_pb2.CorrectionChange, "CORRECTION_CHANGE_")


Problems = tuple[Problem, ...]
"""Members of a batch that were not taken."""


def remember(session: Session, uploads: Iterable[tuple[str, ProbeSource]], as_of: str) -> Operation[Problems]:
    """Remember uploads that were looked up; a batch over the server's limits is cut."""
    probes = [(reference, Probe.of(source)) for reference, source in uploads]
    if not probes:
        return ()
    messages = [
        upload_service_pb2.RememberedUpload(
            reference=reference, probe=matches.probe_message(replace(probe, points=b""))
        )
        for reference, probe in probes
    ]
    limits = yield from limits_of(session)
    chunks = cut(
        messages,
        [(probe.values, message.ByteSize()) for (_, probe), message in zip(probes, messages, strict=True)],
        members_max=limits.lookup_probes_max,
        values_max=limits.lookup_values_max,
        message_bytes_max=limits.message_bytes_max,
    )
    problems: list[Problem] = []
    start = 0
    with limits_may_be_old(session):
        for chunk in chunks:
            request = upload_service_pb2.RememberUploadsRequest(uploads=chunk, as_of=as_of)
            response = yield from ask(_idempotent(wire.REMEMBER_UPLOADS, request))
            problems += convert.batch_problems(response.problems, "index", start, len(chunk))
            start += len(chunk)
    return tuple(problems)


def record(session: Session, actions: Iterable[UploadAction]) -> Operation[Problems]:
    """Record what was done; a batch over the server's limits is cut."""
    messages = [_action_message(action) for action in actions]
    if not messages:
        return ()
    limits = yield from limits_of(session)
    chunks = cut(
        messages,
        [(len(message.items), message.ByteSize()) for message in messages],
        members_max=limits.lookup_probes_max,
        values_max=limits.lookup_values_max,
        message_bytes_max=limits.message_bytes_max,
    )
    problems: list[Problem] = []
    start = 0
    with limits_may_be_old(session):
        for chunk in chunks:
            request = upload_service_pb2.RecordActionsRequest(actions=chunk)
            response = yield from ask(_idempotent(wire.RECORD_ACTIONS, request))
            problems += convert.batch_problems(response.problems, "index", start, len(chunk))
            start += len(chunk)
    return tuple(problems)


def _action_message(action: UploadAction) -> upload_service_pb2.RecordedAction:
    return upload_service_pb2.RecordedAction(
        reference=action.reference,
        action=ACTIONS.number(action.action, "action"),
        action_time=_time(action.action_time, "action_time"),
        items=[_acted_message(each) for each in action.items],
    )


def _acted_message(given: Match | ActedItem) -> upload_service_pb2.ActedItem:
    message = upload_service_pb2.ActedItem(item=given.item, labels=given.labels)
    if given.status:
        message.status = convert.STATUSES.number(given.status, "status")
    return message


def forget(references: Iterable[str], before_time: datetime | None) -> Operation[ForgottenUploads]:
    """Forget uploads."""
    if isinstance(references, str):
        raise InvalidRequestError.about("references", "references is a list, not one text")
    request = upload_service_pb2.ForgetUploadsRequest(
        references=list(references), before_time=_time(before_time, "before_time")
    )
    response = yield from ask(_idempotent(wire.FORGET_UPLOADS, request))
    return ForgottenUploads(response.uploads, response.actions)


def report(session: Session, reports: Iterable[MatchReport]) -> Operation[Problems]:
    """Report matches to the hub; a batch over the server's limits is cut."""
    messages = []
    for each in reports:
        require_count("count", each.count)
        messages.append(
            report_service_pb2.MatchReport(
                item=each.item,
                hour=convert.timestamp(each.hour, "hour"),
                action=ACTIONS.number(each.action, "action"),
                count=each.count,
            )
        )
    if not messages:
        return ()
    limits = yield from limits_of(session)
    problems: list[Problem] = []
    size = limits.reports_max or len(messages)
    with limits_may_be_old(session):
        for start in range(0, len(messages), size):
            chunk = messages[start : start + size]
            request = report_service_pb2.ReportMatchesRequest(reports=chunk)
            response = yield from ask(_idempotent(wire.REPORT_MATCHES, request))
            problems += convert.batch_problems(response.problems, "report_index", start, len(chunk))
    return tuple(problems)


def statistics(
    item: int, start_time: datetime | None, end_time: datetime | None, items_max: int
) -> Operation[MatchStatistics]:
    """Ask how often items were met."""
    require_count("items_max", items_max)
    request = report_service_pb2.GetMatchStatisticsRequest(
        item=item,
        start_time=_time(start_time, "start_time"),
        end_time=_time(end_time, "end_time"),
        items_max=items_max,
    )
    response = yield from ask(wire.Call(wire.GET_MATCH_STATISTICS, request, wait_for=BUSY))
    return MatchStatistics(
        tuple(
            ItemStatistics(
                each.item,
                each.matches,
                each.member_count,
                tuple(
                    HourStatistics(convert.time_of(hour, "hour"), ACTIONS.word(hour.action), hour.count)
                    for hour in each.hours
                ),
                tuple(each.members),
            )
            for each in response.items
        ),
        response.truncated,
    )


def delete_reports(member: str, before_time: datetime | None) -> Operation[int]:
    """Delete reports."""
    request = report_service_pb2.DeleteReportsRequest(member=member, end_time=_time(before_time, "before_time"))
    response = yield from ask(_idempotent(wire.DELETE_REPORTS, request))
    return response.deleted


class Told(Returning):
    """A watch of one of the two streams, over as many connections as it takes.

    Args:
        after: ``as_of`` of what was taken care of.
        on_away: told of each time that the replica cannot be asked, before the pause.
    """

    def __init__(self, after: str, on_away: Callable[[Any], None] | None) -> None:
        super().__init__(on_away)
        self.after = after

    def heard(self, message: Any) -> None:
        """A message came; the next connection goes on behind it, once whoever reads asks for more."""
        self.answered()
        self.after = message.as_of


def retro_matches(message: upload_service_pb2.WatchRetroMatchesResponse) -> RetroMatches:
    """A message as its reader sees it."""
    return RetroMatches(
        tuple(
            RetroMatch(
                each.reference,
                matches.match_of(each.match),
                each.sequence,
                convert.time_of(each, "remember_time"),
                each.event,
            )
            for each in message.matches
            if each.match.agreements
        ),
        message.as_of,
        message.dropped,
    )


def corrections(message: upload_service_pb2.WatchCorrectionsResponse) -> Corrections:
    """A message as its reader sees it."""
    return Corrections(
        tuple(
            Correction(
                each.reference,
                each.item,
                tuple(CHANGES.word(change) for change in each.changes),
                ACTIONS.word(each.action),
                convert.time_of(each, "action_time"),
                _acted(each.acted),
                _acted(each.now),
                each.event,
            )
            for each in message.corrections
        ),
        message.as_of,
    )


def _acted(message: upload_service_pb2.ActedItem) -> ActedItem:
    return ActedItem(message.item, convert.STATUSES.word(message.status), tuple(message.labels))


def _time(given: datetime | None, field: str) -> Timestamp | None:
    return None if given is None else convert.timestamp(given, field)


def _idempotent(method: wire.Method[wire.Response], request: Any) -> wire.Call[wire.Response]:
    """A write that is the same when it is made twice, by its nature."""
    return wire.Call(method, request, repeatable=True, wait_for=BUSY)
