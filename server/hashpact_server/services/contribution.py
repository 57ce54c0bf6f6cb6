"""ContributionService: putting signals on the list, changing, taking back, and looking at items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import contribution_service_pb2_grpc, item_pb2

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.guards import Guards
from hashpact_server.refusal import invalid_field, over_limit
from hashpact_server.rules import four_eyes
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Claim, Offer, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.detaching import check_detachment, detach
from hashpact_server.rules.drills import of_drill
from hashpact_server.rules.identity import wanted
from hashpact_server.rules.merging import merge
from hashpact_server.rules.outcomes import Outcome, hide_unwritten
from hashpact_server.rules.signals import SignalProblem, offered
from hashpact_server.rules.statements import existing_item
from hashpact_server.rules.withdrawing import check_reason, withdraw
from hashpact_server.scene import Scene
from hashpact_server.services.caller import Caller, current_caller
from hashpact_server.services.handing_out import hand_out
from hashpact_server.services.items import encode_item, encode_status
from hashpact_server.services.listing import list_items
from hashpact_server.services.reading import fresh_head, time_ms
from hashpact_server.services.rehearsing import Rehearsal
from hashpact_server.services.writing import neighbours, write
from hashpact_server.state.rows import Role


class ContributionService(contribution_service_pb2_grpc.ContributionServiceServicer):
    """Puts known terrorist media on the list and takes it off again."""

    def __init__(self, engine: Engine, limits: Limits, guards: Guards | None = None) -> None:
        self._engine = engine
        self._limits = limits
        self._guards = guards

    def Contribute(  # noqa: N802 - the name in the wire
        self, request: pb.ContributeRequest, context: Any
    ) -> pb.ContributeResponse:
        """Contribute a batch."""
        caller, limits = current_caller(), self._limits
        if not request.contributions:
            raise invalid_field("contributions", "give at least one contribution")
        if len(request.contributions) > limits.contributions_max:
            raise over_limit("contributions_max", limits.contributions_max, len(request.contributions))
        if self._guards is not None:
            self._guards.quotas.take(caller.pseudonym, Role.CONTRIBUTE, len(request.contributions))
        claims = [check(_offer(each), limits) for each in request.contributions]
        signals = [signal for claim in claims if isinstance(claim, Claim) for signal in claim.signals]
        rehearsal = None
        if self._guards is not None and (request.validate_only or any(_drills(claim) for claim in claims)):
            rehearsal = Rehearsal(self._guards.probing, caller.pseudonym, claims)
            rehearsal.check()
        hint = neighbours(self._engine, caller, wanted(signals))
        board = self._engine.published.board
        named = [claim.labels for claim in claims if isinstance(claim, Claim)] if board.open else []
        urgent = bool(named) and all(map(board.names, named))

        def decide(scene: Scene) -> Callable[[str], pb.ContributeResponse]:
            before = scene.head.sequence
            if four_eyes.wanted(scene, caller.pseudonym):
                outcomes = four_eyes.put_off(scene, hand_of(caller), claims)
            else:
                outcomes = contribute(scene, caller.pseudonym, claims, limits, hint)
            if rehearsal is not None:
                rehearsal.note(outcomes)
            if request.validate_only:
                outcomes = hide_unwritten(outcomes, before)
            encoded = [encode_outcome(outcome) for outcome in outcomes]
            return lambda as_of: pb.ContributeResponse(outcomes=encoded, as_of=as_of)

        answer = write(self._engine, caller, request, pb.ContributeResponse, decide, urgent=urgent)
        if self._guards is not None and not request.validate_only:
            self._guards.floods.contributed(caller.pseudonym, sum(each.item != 0 for each in answer.outcomes))
        return answer

    def Amend(self, request: pb.AmendRequest, context: Any) -> pb.AmendResponse:  # noqa: N802 - the name in the wire
        """Change the caller's word on an item."""
        caller = current_caller()
        labels, signals, problems = check_amendment(
            request.labels, [offered(signal) for signal in request.attach_signals], self._limits
        )
        hint = neighbours(self._engine, caller, wanted(signals))

        def decide(scene: Scene) -> Callable[[str], pb.AmendResponse]:
            pending = 0
            if four_eyes.wanted(scene, caller.pseudonym):
                pending = four_eyes.put_off_amendment(scene, hand_of(caller), request.item, labels, signals)
            else:
                amend(scene, caller.pseudonym, request.item, labels, signals, hint)
            item = encode_item(scene, existing_item(scene, request.item), caller)
            told = pb.AmendResponse(item=item, problems=encode_problems(problems), pending=pending)
            return lambda as_of: _at(told, as_of)

        return write(self._engine, caller, request, pb.AmendResponse, decide)

    def Withdraw(self, request: pb.WithdrawRequest, context: Any) -> pb.WithdrawResponse:  # noqa: N802 - the name in the wire
        """Take back the caller's contribution; as steward, the item."""
        caller = current_caller()
        check_reason(request.reason)

        def decide(scene: Scene) -> Callable[[str], pb.WithdrawResponse]:
            steward = caller.has(Role.STEWARD)
            done = withdraw(scene, caller.pseudonym, request.item, request.reason, steward=steward)
            return lambda as_of: pb.WithdrawResponse(
                status=encode_status(done.status), contributions_left=done.contributions_left, as_of=as_of
            )

        return write(self._engine, caller, request, pb.WithdrawResponse, decide)

    def Detach(self, request: pb.DetachRequest, context: Any) -> pb.DetachResponse:  # noqa: N802 - the name in the wire
        """Take signals off an item."""
        caller = current_caller()
        values = check_detachment([offered(signal) for signal in request.signals], self._limits)

        def decide(scene: Scene) -> Callable[[str], pb.DetachResponse]:
            detach(scene, caller.pseudonym, request.item, values)
            item = encode_item(scene, existing_item(scene, request.item), caller)
            return lambda as_of: pb.DetachResponse(item=item, as_of=as_of)

        return write(self._engine, caller, request, pb.DetachResponse, decide)

    def MergeItems(  # noqa: N802 - the name in the wire
        self, request: pb.MergeItemsRequest, context: Any
    ) -> pb.MergeItemsResponse:
        """Make two items one."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.MergeItemsResponse]:
            merge(scene, caller.pseudonym, request.item, request.into_item, self._limits)
            item = encode_item(scene, existing_item(scene, request.into_item), caller)
            return lambda as_of: pb.MergeItemsResponse(item=item, as_of=as_of)

        return write(self._engine, caller, request, pb.MergeItemsResponse, decide)

    def GetItem(self, request: pb.GetItemRequest, context: Any) -> pb.GetItemResponse:  # noqa: N802 - the name in the wire
        """Return one item."""
        caller, head = current_caller(), fresh_head(self._engine, request.at_least_as_fresh)
        with self._engine.state.read() as view:
            item = encode_item(view, existing_item(view, request.item), caller, signals=True)
        hand_out([item], caller, self._guards)
        return pb.GetItemResponse(item=item, as_of=head.position().encode())

    def ListItems(self, request: pb.ListItemsRequest, context: Any) -> pb.ListItemsResponse:  # noqa: N802 - the name in the wire
        """Return a page of items."""
        caller, signals = current_caller(), request.with_signals
        fresh_head(self._engine, request.changed_after)
        head = fresh_head(self._engine, request.at_least_as_fresh)
        with self._engine.state.read() as view:
            items, next_page = list_items(
                view, head, request, self._limits, lambda row: encode_item(view, row, caller, signals=signals)
            )
        hand_out(items, caller, self._guards)
        return pb.ListItemsResponse(items=items, next_page_token=next_page, as_of=head.position().encode())


def _offer(sent: pb.Contribution) -> Offer:
    return Offer(
        [offered(signal) for signal in sent.signals],
        sent.labels,
        attestation_of(sent.attestation) if sent.HasField("attestation") else None,
        sent.attach_to,
    )


def attestation_of(sent: item_pb2.Attestation) -> Attestation:
    """An attestation as sent; a time that is none is before 1970."""
    observed = time_ms(sent.observed_time) if sent.HasField("observed_time") else 0
    return Attestation(sent.basis, -1 if observed is None else observed, sent.observer_role)


def _at(answer: pb.AmendResponse, as_of: str) -> pb.AmendResponse:
    answer.as_of = as_of
    return answer


def hand_of(caller: Caller) -> four_eyes.Hand:
    """Who calls, as far as four eyes are concerned."""
    return four_eyes.Hand(caller.pseudonym, caller.token.token_id if caller.token else 0, caller.roles)


def encode_outcome(outcome: Outcome) -> pb.ContributionOutcome:
    """What became of one contribution."""
    encoded = pb.ContributionOutcome(
        result=pb.ContributionOutcome.Result.ValueType(outcome.result),
        item=outcome.item,
        candidates=outcome.candidates,
        near_duplicates=[
            pb.NearDuplicate(item=near.item, signal_type=near.signal_type, distance=near.distance)
            for near in outcome.near_duplicates
        ],
        problems=encode_problems(outcome.problems),
        reason=outcome.reason,
        message=outcome.message,
        pending=outcome.pending,
    )
    if outcome.status is not None:
        encoded.status = encode_status(outcome.status)
    return encoded


def encode_problems(problems: Iterable[SignalProblem]) -> list[pb.SignalProblem]:
    """Signals that were not listed."""
    return [
        pb.SignalProblem(signal_index=problem.signal_index, reason=problem.reason, message=problem.message)
        for problem in problems
    ]


def _drills(claim: Claim | Outcome) -> bool:
    return isinstance(claim, Claim) and of_drill(claim.labels)
