"""StewardService: motions, rulebooks, rollbacks, and what waits for stewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hashpact.v1 import steward_service_pb2 as pb
from hashpact.v1 import steward_service_pb2_grpc

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.codec import u64
from hashpact_server.refusal import invalid_field
from hashpact_server.rules import motions, rollback, rulebook
from hashpact_server.rules.limits import limit
from hashpact_server.rules.statements import existing_item
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.digest import Desk, Waiting
from hashpact_server.services.items import encode_status
from hashpact_server.services.reading import bad_page_token, fresh_head, page_key, page_size, page_token, timestamp
from hashpact_server.services.writing import write
from hashpact_server.state.judgement_rows import LimitCause
from hashpact_server.state.motions import MotionRow, MotionState
from hashpact_server.state.motions import motions as every_motion
from hashpact_server.state.rollbacks import RollbackRow, rollbacks
from hashpact_server.state.rulebook import RulebookKind, RulebookState, VersionRow, versions
from hashpact_server.state.view import View

_MOTIONS: Final = b"ListMotions"
_ROLLBACKS: Final = b"ListRollbacks"

CONCERNS_DEFAULT: Final = 20
VERSIONS_MAX: Final = 100


class StewardService(steward_service_pb2_grpc.StewardServiceServicer):
    """Governs the list by four eyes."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def LimitItem(  # noqa: N802 - the wire's name
        self, request: pb.LimitItemRequest, context: Any
    ) -> pb.LimitItemResponse:
        """Limit an item to review."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.LimitItemResponse]:
            changed = limit(scene, caller.pseudonym, request.item, LimitCause.STEWARD, request.note)
            status = encode_status(existing_item(scene, request.item).status)
            return lambda as_of: pb.LimitItemResponse(status=status, changed=changed, as_of=as_of)

        return write(self._engine, caller, request, pb.LimitItemResponse, decide)

    def Propose(self, request: pb.ProposeRequest, context: Any) -> pb.ProposeResponse:  # noqa: N802 - the wire's name
        """Propose a motion."""
        caller = current_caller()
        reason = motions.check_text(request.reason)
        extent = self._extent(request.act) if request.validate_only else None

        def decide(scene: Scene) -> Callable[[str], pb.ProposeResponse]:
            row = motions.propose(scene, caller.pseudonym, request.act, reason)
            motion = encode_motion(scene, row)
            if request.validate_only:
                motion.motion = 0
            return lambda as_of: pb.ProposeResponse(motion=motion, extent=extent, as_of=as_of)

        return write(self._engine, caller, request, pb.ProposeResponse, decide)

    def Second(self, request: pb.SecondRequest, context: Any) -> pb.SecondResponse:  # noqa: N802 - the wire's name
        """Second a motion and carry it out."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.SecondResponse]:
            motion = encode_motion(scene, motions.second(scene, caller.pseudonym, request.motion))
            return lambda as_of: pb.SecondResponse(motion=motion, as_of=as_of)

        return write(self._engine, caller, request, pb.SecondResponse, decide)

    def WithdrawMotion(  # noqa: N802 - the wire's name
        self, request: pb.WithdrawMotionRequest, context: Any
    ) -> pb.WithdrawMotionResponse:
        """Take a motion back."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.WithdrawMotionResponse]:
            motion = encode_motion(scene, motions.withdraw_motion(scene, caller.pseudonym, request.motion))
            return lambda as_of: pb.WithdrawMotionResponse(motion=motion, as_of=as_of)

        return write(self._engine, caller, request, pb.WithdrawMotionResponse, decide)

    def ListMotions(  # noqa: N802 - the wire's name
        self, request: pb.ListMotionsRequest, context: Any
    ) -> pb.ListMotionsResponse:
        """Return a page of motions, the newest first."""
        head = fresh_head(self._engine)
        scope = _MOTIONS + bytes((request.open_only,))
        before = _before(page_key(request.page_token, head, scope)) if request.page_token else None
        size = page_size(request.page_size, self._limits.page_size_max)
        with self._engine.state.read() as view:
            rows = [
                row
                for row in every_motion(view)
                if (before is None or row.motion < before) and (not request.open_only or row.state is MotionState.OPEN)
            ][-size - 1 :]
            rows.reverse()
            encoded = [encode_motion(view, row) for row in rows[:size]]
        more = page_token(head, scope, u64(rows[size - 1].motion)) if len(rows) > size else ""
        return pb.ListMotionsResponse(motions=encoded, next_page_token=more, as_of=head.position().encode())

    def GetRulebook(  # noqa: N802 - the wire's name
        self, request: pb.GetRulebookRequest, context: Any
    ) -> pb.GetRulebookResponse:
        """Return a version of the taxonomy or policy."""
        try:
            kind = RulebookKind(request.kind)
        except ValueError as error:
            raise invalid_field("kind", "taxonomy or policy") from error
        head = fresh_head(self._engine)
        with self._engine.state.read() as view:
            rows = list(versions(view.rows, kind))
            wanted = request.version if request.HasField("version") else None
            row = rulebook.chosen(rows, wanted)
            return pb.GetRulebookResponse(
                version=encode_version(view, row, rows),
                content=rulebook.content_of(view, row.sequence) if row else rulebook.built_in(kind),
                versions=[encode_version(view, each, rows) for each in (*reversed(rows), None)][:VERSIONS_MAX],
                as_of=head.position().encode(),
            )

    def ListRollbacks(  # noqa: N802 - the wire's name
        self, request: pb.ListRollbacksRequest, context: Any
    ) -> pb.ListRollbacksResponse:
        """Return a page of rollbacks, the newest first."""
        head = fresh_head(self._engine)
        before = _before(page_key(request.page_token, head, _ROLLBACKS)) if request.page_token else None
        size = page_size(request.page_size, self._limits.page_size_max)
        with self._engine.state.read() as view:
            rows = [row for row in rollbacks(view.rows) if before is None or row.rollback < before][-size - 1 :]
            rows.reverse()
            encoded = [encode_rollback(view, row) for row in rows[:size]]
        more = page_token(head, _ROLLBACKS, u64(rows[size - 1].rollback)) if len(rows) > size else ""
        return pb.ListRollbacksResponse(rollbacks=encoded, next_page_token=more, as_of=head.position().encode())

    def GetDigest(  # noqa: N802 - the wire's name
        self, request: pb.GetDigestRequest, context: Any
    ) -> pb.GetDigestResponse:
        """Tell what waits for stewards."""
        most = min(request.concerns_max or CONCERNS_DEFAULT, self._limits.page_size_max)
        head = fresh_head(self._engine)
        by_kind: dict[int, list[Waiting]] = {}
        with self._engine.state.read() as view:
            for each in Desk(view, self._engine.presence, self._engine.state.now_ms()).waiting():
                by_kind.setdefault(each.kind, []).append(each)
        answer = pb.GetDigestResponse(as_of=head.position().encode())
        for found in by_kind.values():
            found.sort(key=lambda each: (each.since_ms, each.subject, each.member))
            answer.concerns.extend(encode_concern(each) for each in found[:most])
            answer.counts.add(kind=found[0].kind, count=len(found))
        return answer

    def _extent(self, act: pb.StewardAct) -> pb.RollbackExtent | None:
        """What a rollback would undo. Looked for here and not in the writer, since that takes a while."""
        if act.WhichOneof("act") != "roll_back":
            return None
        with self._engine.state.read() as view:
            rollback.check(view, act.roll_back)
            found = rollback.extent(view, act.roll_back, current_caller().deadline)
        return pb.RollbackExtent(
            entries=found.entries, items=found.items, items_unlisted=found.items_unlisted, more=found.more
        )


def encode_motion(view: View, row: MotionRow) -> pb.Motion:
    """A motion as it goes over the wire."""
    said = motions.stated(view, row)
    motion = pb.Motion(
        motion=row.motion,
        state=pb.MotionState.ValueType(row.state),
        act=motions.stated_act(view, row),
        act_name=motions.name_of(row.act),
        reason="" if said is None else said.reason,
        proposed_by=_name(view, row.proposer),
        propose_time=timestamp(view.entry(row.motion).time_ms),
        lapse_time=timestamp(row.lapse_ms),
    )
    if row.closed:
        motion.closed_by = _name(view, row.closer)
        motion.close_time.CopyFrom(timestamp(view.entry(row.closed).time_ms))
    return motion


def encode_version(view: View, row: VersionRow | None, rows: Sequence[VersionRow]) -> pb.RulebookVersion:
    """A version as it goes over the wire; None: what is built in."""
    if row is None:
        replaced = any(each.state in (RulebookState.IN_FORCE, RulebookState.REPLACED) for each in rows)
        return pb.RulebookVersion(
            state=pb.RULEBOOK_STATE_REPLACED if replaced else pb.RULEBOOK_STATE_IN_FORCE,
        )
    return pb.RulebookVersion(
        version=row.version,
        state=pb.RulebookState.ValueType(row.state),
        adopt_time=timestamp(view.entry(row.sequence).time_ms),
        effect_time=timestamp(row.effect_ms),
        sequence=row.sequence,
    )


def encode_rollback(view: View, row: RollbackRow) -> pb.Rollback:
    """A rollback as it goes over the wire."""
    made = pb.Rollback(
        rollback=row.rollback,
        member=_name(view, row.pseudonym),
        since_time=timestamp(row.since_ms),
        order_time=timestamp(view.entry(row.rollback).time_ms),
        undone=row.undone,
        ordered_by=_name(view, row.orderer),
    )
    if row.finished:
        made.finish_time.CopyFrom(timestamp(view.entry(row.finished).time_ms))
    return made


def encode_concern(waiting: Waiting) -> pb.Concern:
    """A concern as it goes over the wire."""
    made = pb.Concern(
        kind=waiting.kind,
        subject=waiting.subject,
        member=waiting.member,
        since_time=timestamp(waiting.since_ms),
        detail=waiting.detail,
    )
    if waiting.due_ms:
        made.due_time.CopyFrom(timestamp(waiting.due_ms))
    return made


def _name(view: View, pseudonym: bytes) -> str:
    row = view.member(pseudonym)
    return "" if row is None else row.name


def _before(key: bytes) -> int:
    if len(key) != 8:
        raise bad_page_token()
    return int.from_bytes(key, "big")
