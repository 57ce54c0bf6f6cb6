"""StewardService: motions, rulebooks, rollbacks, and what waits for stewards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hashpact.v1 import steward_service_pb2 as pb
from hashpact.v1 import steward_service_pb2_grpc

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.codec import u64
from hashpact_server.rules import motions
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.reading import bad_page_token, fresh_head, page_key, page_size, page_token, timestamp
from hashpact_server.services.writing import write
from hashpact_server.state.motions import MotionRow, MotionState
from hashpact_server.state.motions import motions as every_motion
from hashpact_server.state.view import View

_MOTIONS: Final = b"ListMotions"


class StewardService(steward_service_pb2_grpc.StewardServiceServicer):
    """Governs the list by four eyes."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def Propose(self, request: pb.ProposeRequest, context: Any) -> pb.ProposeResponse:  # noqa: N802 - the wire's name
        """Propose a motion."""
        caller = current_caller()
        reason = motions.check_text(request.reason)

        def decide(scene: Scene) -> Callable[[str], pb.ProposeResponse]:
            row = motions.propose(scene, caller.pseudonym, request.act, reason)
            motion = encode_motion(scene, row)
            if request.validate_only:
                motion.motion = 0
            return lambda as_of: pb.ProposeResponse(motion=motion, as_of=as_of)

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


def _name(view: View, pseudonym: bytes) -> str:
    row = view.member(pseudonym)
    return "" if row is None else row.name


def _before(key: bytes) -> int:
    if len(key) != 8:
        raise bad_page_token()
    return int.from_bytes(key, "big")
