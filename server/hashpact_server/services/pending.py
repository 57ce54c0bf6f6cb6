"""PendingService: what waits for a colleague's approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact.v1 import item_pb2, pending_service_pb2_grpc, signal_pb2
from hashpact.v1 import pending_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.rules import four_eyes
from hashpact_server.rules.identity import wanted
from hashpact_server.rules.outcomes import hide_unwritten
from hashpact_server.rules.signals import sort_out
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.contribution import encode_outcome, hand_of
from hashpact_server.services.items import encode_stretch
from hashpact_server.services.reading import (
    bad_page_token,
    fresh_head,
    page_key,
    page_size,
    page_token,
    timestamp,
)
from hashpact_server.services.writing import neighbours, write
from hashpact_server.state.members import every_pending
from hashpact_server.state.view import View

_SCAN_MAX: Final = 10_000
"""Rows that one page looks at: what other members keep waiting must not make it long."""


class PendingService(pending_service_pb2_grpc.PendingServiceServicer):
    """Shows and decides what waits."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def ListPending(self, request: pb.ListPendingRequest, context: Any) -> pb.ListPendingResponse:  # noqa: N802 - the name in the wire
        """Return a page of what waits of the caller's member, the oldest first."""
        head, mine = fresh_head(self._engine), current_caller().pseudonym
        scope = b"ListPending" + mine
        after = page_key(request.page_token, head, scope) if request.page_token else bytes(8)
        if len(after) != 8:
            raise bad_page_token()
        size = page_size(request.page_size, self._limits.page_size_max)
        found: list[pb.PendingContribution] = []
        looked, more = int.from_bytes(after, "big"), ""
        with self._engine.state.read() as view:
            for rows, row in enumerate(every_pending(view, looked)):
                if rows == _SCAN_MAX or len(found) == size:
                    more = page_token(head, scope, looked.to_bytes(8, "big"))
                    break
                looked = row.pending
                if row.pseudonym == mine:
                    found.append(_encode(view, four_eyes.read(view, row)))
        return pb.ListPendingResponse(pending=found, next_page_token=more, as_of=head.position().encode())

    def ApproveContribution(  # noqa: N802 - the name in the wire
        self, request: pb.ApproveContributionRequest, context: Any
    ) -> pb.ApproveContributionResponse:
        """Approve one."""
        caller, limits = current_caller(), self._limits
        hand = hand_of(caller)
        with self._engine.state.read() as view:
            offered = four_eyes.waiting(view, request.pending, caller.pseudonym).offered
        hint = neighbours(self._engine, caller, wanted(sort_out(offered)[0]))

        def decide(scene: Scene) -> Callable[[str], pb.ApproveContributionResponse]:
            before = scene.head.sequence
            outcome = four_eyes.approve(scene, hand, request.pending, limits, hint)
            if request.validate_only:
                (outcome,) = hide_unwritten([outcome], before)
            encoded = encode_outcome(outcome)
            return lambda as_of: pb.ApproveContributionResponse(outcome=encoded, as_of=as_of)

        return write(self._engine, caller, request, pb.ApproveContributionResponse, decide)

    def RejectContribution(  # noqa: N802 - the name in the wire
        self, request: pb.RejectContributionRequest, context: Any
    ) -> pb.RejectContributionResponse:
        """Reject one, or take it back."""
        caller = current_caller()
        hand = hand_of(caller)

        def decide(scene: Scene) -> Callable[[str], pb.RejectContributionResponse]:
            four_eyes.reject(scene, hand, request.pending, request.reason)
            return lambda as_of: pb.RejectContributionResponse(as_of=as_of)

        return write(self._engine, caller, request, pb.RejectContributionResponse, decide)


def _encode(view: View, found: four_eyes.Waiting) -> pb.PendingContribution:
    row, clear, said = found.row, found.clear, found.said
    told = pb.PendingContribution(
        pending=row.pending,
        attach_to=clear.attach_to,
        amends=clear.amends,
        token_id=clear.token,
        create_time=timestamp(view.entry(row.pending).time_ms),
        lapse_time=timestamp(row.lapse_ms),
        redacted=said is None,
    )
    if said is None:
        return told
    told.labels.extend(said.labels)
    told.signals.extend(
        signal_pb2.Signal(
            signal_type=SIGNAL_TYPES_BY_CODE[one.code].name,
            value=one.value,
            quality=one.quality,
            stretch=encode_stretch(one.stretch),
        )
        for one in said.signals
    )
    if not clear.amends:
        told.attestation.basis = item_pb2.AttestationBasis.ValueType(said.basis)
        told.attestation.observer_role = said.observer_role
        if said.observed_ms:
            told.attestation.observed_time.CopyFrom(timestamp(said.observed_ms))
    return told
