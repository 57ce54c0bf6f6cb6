"""UploadService: what a replica remembers of its member's uploads. See ``uploads`` for what is done with it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from google.protobuf.message import Message
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import item_pb2, report_service_pb2, upload_service_pb2_grpc
from hashpact.v1 import upload_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.core import wall_clock_ms
from hashpact_server.database import DatabaseFullError
from hashpact_server.engine import Engine
from hashpact_server.refusal import Reason, Refusal, invalid_field, not_serving, over_limit
from hashpact_server.services.caller import current_caller
from hashpact_server.services.gathering import gather
from hashpact_server.services.items import encode_status
from hashpact_server.services.lookup import encode_match
from hashpact_server.services.reading import fresh_head, time_ms, timestamp
from hashpact_server.services.report import CLOCKS_APART_MS_MAX, no_room
from hashpact_server.state.rows import Status
from hashpact_server.tokens import Position
from hashpact_server.uploads import UploadMemory
from hashpact_server.uploads.journal import Action, Standing
from hashpact_server.uploads.outbox import Correction, Outbox, RetroMatch, Row, corrections, retro_matches
from hashpact_server.uploads.tables import OtherMemoryError, Stream, TokenError, decode_token
from hashpact_server.uploads.values import VALUE_BITS

REFERENCE_CHARACTERS_MAX: Final = 256
LABELS_MAX: Final = 4096
LABEL_CHARACTERS_MAX: Final = 64

_ACTIONS: Final = frozenset(report_service_pb2.MatchAction.values()) - {report_service_pb2.MATCH_ACTION_UNSPECIFIED}
_STATUSES: Final = frozenset(item_pb2.ItemStatus.values())
_Problems = list[pb.UploadProblem]


class UploadService(upload_service_pb2_grpc.UploadServiceServicer):
    """Remembers uploads.

    Args:
        engine: the list.
        memory: what remembers; None: this server does not.
        limits: limits in force.
    """

    def __init__(self, engine: Engine, memory: UploadMemory | None, limits: Limits) -> None:
        self._engine = engine
        self._kept = memory
        # In the window, a value's place in its probe is a part of its id.
        values_max = min(limits.probe_values_max, 1 << VALUE_BITS)
        self._limits = dataclasses.replace(limits, probe_values_max=values_max)

    def RememberUploads(  # noqa: N802 - the name in the wire
        self, request: pb.RememberUploadsRequest, context: Any
    ) -> pb.RememberUploadsResponse:
        """Remember uploads."""
        memory = self._memory()
        if not request.uploads:
            raise invalid_field("uploads", "give at least one upload")
        if not request.as_of:
            raise invalid_field("as_of", "give the as_of of the answer in which these uploads were looked up")
        probes = [each.probe for each in request.uploads]
        batches, unread = gather(probes, self._limits)
        problems = [
            pb.UploadProblem(index=each.probe_index, reason=each.reason, message=each.message) for each in unread
        ]
        fresh_head(self._engine, request.as_of)
        seen = Position.decode(request.as_of).sequence
        references = self._references([each.reference for each in request.uploads], problems)
        caller = current_caller()
        _kept(lambda: memory.remember(caller.pseudonym, references, batches, seen, caller.deadline))
        return pb.RememberUploadsResponse(problems=problems)

    def RecordActions(  # noqa: N802 - the name in the wire
        self, request: pb.RecordActionsRequest, context: Any
    ) -> pb.RecordActionsResponse:
        """Record actions."""
        memory, limits = self._memory(), self._limits
        if not request.actions:
            raise invalid_field("actions", "give at least one action")
        self._check_count(len(request.actions))
        items = sum(len(each.items) for each in request.actions)
        if items > limits.lookup_values_max:
            raise over_limit("lookup_values_max", limits.lookup_values_max, items)
        problems: _Problems = []
        actions: list[Action] = []
        places: list[int] = []
        for place, each in enumerate(request.actions):
            read = _read_action(each)
            if isinstance(read, list):
                actions += read
                places += [place] * len(read)
            else:
                reason, message = read
                problems.append(pb.UploadProblem(index=place, reason=reason, message=message))
        missing = _kept(lambda: memory.record(current_caller().pseudonym, actions))
        problems += [
            pb.UploadProblem(
                index=places[number], reason=reasons.ERROR_REASON_ITEM_NOT_FOUND, message="no item has this id"
            )
            for number in missing
        ]
        return pb.RecordActionsResponse(problems=problems)

    def ForgetUploads(  # noqa: N802 - the name in the wire
        self, request: pb.ForgetUploadsRequest, context: Any
    ) -> pb.ForgetUploadsResponse:
        """Forget uploads."""
        memory = self._memory()
        self._check_count(len(request.references))
        before = time_ms(request.before_time) if request.HasField("before_time") else None
        if before is None and (request.HasField("before_time") or not request.references):
            raise invalid_field("before_time", "give references, or a time from 1970 to 9999")
        pseudonym = current_caller().pseudonym
        uploads, actions = _kept(lambda: memory.forget(pseudonym, request.references, before))
        return pb.ForgetUploadsResponse(uploads=uploads, actions=actions)

    def WatchRetroMatches(  # noqa: N802 - the name in the wire
        self, request: pb.WatchRetroMatchesRequest, context: Any
    ) -> Iterator[pb.WatchRetroMatchesResponse]:
        """Stream what matches since."""

        def answer(outbox: Outbox, rows: Sequence[Row]) -> pb.WatchRetroMatchesResponse:
            with self._engine.state.read() as view:
                matches = [
                    _encode_retro(outbox, each) for each in retro_matches(view, rows, current_caller().pseudonym)
                ]
            return pb.WatchRetroMatchesResponse(matches=matches, as_of=outbox.as_of, dropped=outbox.dropped())

        yield from self._watch(Stream.RETRO, request.after, context, answer)

    def WatchCorrections(  # noqa: N802 - the name in the wire
        self, request: pb.WatchCorrectionsRequest, context: Any
    ) -> Iterator[pb.WatchCorrectionsResponse]:
        """Stream what became of items because of which somebody acted."""

        def answer(outbox: Outbox, rows: Sequence[Row]) -> pb.WatchCorrectionsResponse:
            found = [_encode_correction(outbox, each) for each in corrections(rows)]
            return pb.WatchCorrectionsResponse(corrections=found, as_of=outbox.as_of)

        yield from self._watch(Stream.CORRECTIONS, request.after, context, answer)

    def _watch(
        self, stream: Stream, after: str, context: Any, answer: Callable[[Outbox, Sequence[Row]], Message]
    ) -> Iterator[Any]:
        memory, member = self._memory(), current_caller().pseudonym
        last = _last(after, memory, stream)
        _kept(lambda: memory.acknowledge(member, stream, last))
        outbox = Outbox(memory, stream, member, last)
        context.add_callback(memory.wake)  # or who went would hold a stream until something happens
        rows: Sequence[Row] = ()  # the first message comes at once, so that the watcher knows that it is heard
        while context.is_active():
            handed_over = time.monotonic()
            yield answer(outbox, rows)
            self._check_pace(time.monotonic() - handed_over)
            rows = outbox.next(float(self._limits.watch_progress_s), context.is_active)
            if memory.closed:
                raise not_serving()

    def _memory(self) -> UploadMemory:
        if self._kept is None:
            raise Refusal(
                reasons.ERROR_REASON_UPLOADS_NOT_REMEMBERED,
                "this server remembers no uploads: ask a replica whose operator set [uploads] enabled = true",
            )
        if self._kept.closed:
            raise not_serving()
        return self._kept

    def _check_count(self, count: int) -> None:
        if count > self._limits.lookup_probes_max:
            raise over_limit("lookup_probes_max", self._limits.lookup_probes_max, count)

    def _check_pace(self, seconds: float) -> None:
        if seconds > self._limits.watch_stall_s_max:
            raise Refusal(
                reasons.ERROR_REASON_WATCHER_TOO_SLOW,
                f"a message was taken after {seconds:.0f} s only; come back, and read faster",
                metadata={"limit": "watch_stall_s_max", "limit_value": str(self._limits.watch_stall_s_max)},
            )

    @staticmethod
    def _references(sent: Sequence[str], problems: _Problems) -> list[str | None]:
        """The references of uploads that can be remembered; None for the others, with their problems noted."""
        known: set[str] = set()
        found: list[str | None] = []
        for place, reference in enumerate(sent):
            good = _is_reference(reference) and reference not in known
            known.add(reference)
            found.append(reference if good else None)
            if not good:
                problems.append(
                    pb.UploadProblem(
                        index=place,
                        reason=reasons.ERROR_REASON_REFERENCE_INVALID,
                        message="a reference has 1 to 256 characters, and stands once in a call",
                    )
                )
        return found


def _kept(do: Callable[[], Any]) -> Any:
    try:
        return do()
    except DatabaseFullError as error:
        raise no_room() from error


def _is_reference(reference: str) -> bool:
    return 0 < len(reference) <= REFERENCE_CHARACTERS_MAX


def _last(after: str, memory: UploadMemory, stream: Stream) -> int:
    """The event that a watcher has; raises Refusal."""
    if not after:
        return 0
    try:
        return decode_token(after, memory.memory_id, stream)
    except TokenError as error:
        raise Refusal(reasons.ERROR_REASON_TOKEN_MALFORMED, "after is no as_of of this method") from error
    except OtherMemoryError as error:
        raise Refusal(
            reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY,
            "after is of a memory that was deleted: come back without",
        ) from error


def _read_action(sent: pb.RecordedAction) -> list[Action] | tuple[Reason, str]:
    if not _is_reference(sent.reference):
        return reasons.ERROR_REASON_REFERENCE_INVALID, "a reference has 1 to 256 characters"
    now = wall_clock_ms()
    when = time_ms(sent.action_time) if sent.HasField("action_time") else now
    if sent.action not in _ACTIONS or not sent.items or when is None or when > now + CLOCKS_APART_MS_MAX:
        return (
            reasons.ERROR_REASON_ACTION_INVALID,
            "an action that this server knows, at a time that has come, because of at least one item",
        )
    found: dict[int, Action] = {}
    for each in sent.items:
        if each.status not in _STATUSES or len(each.labels) > LABELS_MAX:
            return (
                reasons.ERROR_REASON_ACTION_INVALID,
                "a status that this server knows, and labels as a match shows them",
            )
        if any(len(label) > LABEL_CHARACTERS_MAX for label in each.labels):
            return reasons.ERROR_REASON_ACTION_INVALID, "labels as a match shows them"
        acted = None
        if each.status != item_pb2.ITEM_STATUS_UNSPECIFIED:
            live = Status(each.status).matches
            acted = Standing(each.status, tuple(sorted(set(each.labels))) if live else ())
        found[each.item] = Action(sent.reference, each.item, sent.action, when, acted)
    return list(found.values())


def _encode_retro(outbox: Outbox, found: RetroMatch) -> pb.RetroMatch:
    return pb.RetroMatch(
        reference=found.reference,
        match=encode_match(found.match),
        sequence=found.sequence,
        remember_time=timestamp(found.upload_ms),
        event=outbox.identity(found.event),
    )


def _encode_correction(outbox: Outbox, found: Correction) -> pb.Correction:
    return pb.Correction(
        reference=found.reference,
        item=found.item,
        changes=_changes(found.acted, found.now),
        action=report_service_pb2.MatchAction.ValueType(found.action),
        action_time=timestamp(found.action_ms),
        acted=_encode_standing(found.item, found.acted),
        now=_encode_standing(found.item, found.now),
        event=outbox.identity(found.event),
    )


def _changes(acted: Standing, now: Standing) -> list[pb.CorrectionChange.ValueType]:
    if now == acted:
        return []
    if not Status(now.status).matches:
        return [pb.CORRECTION_CHANGE_OFF_LIST]
    found = []
    if now.status != acted.status:
        found.append(pb.CORRECTION_CHANGE_STATUS)
    if now.labels != acted.labels:
        found.append(pb.CORRECTION_CHANGE_LABELS)
    return found


def _encode_standing(item: int, standing: Standing) -> pb.ActedItem:
    status = encode_status(Status(standing.status)) if standing.status else item_pb2.ITEM_STATUS_UNSPECIFIED
    return pb.ActedItem(item=item, status=status, labels=standing.labels)
