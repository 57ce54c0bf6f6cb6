"""OpinionService: opinions on items, disputes about them, challenges from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from hashpact.v1 import error_reason_pb2, opinion_service_pb2_grpc
from hashpact.v1 import opinion_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import texts, u64
from hashpact_server.ledger.payloads_judgement import ChallengePayload
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules import challenges, disputes, opinions
from hashpact_server.rules.day_limits import Searches
from hashpact_server.rules.identity import look, wanted
from hashpact_server.rules.signals import offered, sort_out
from hashpact_server.rules.standing import groups_of, groups_wanted, judges
from hashpact_server.rules.statements import existing_item
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.contribution import attestation_of
from hashpact_server.services.items import encode_status
from hashpact_server.services.judgement import encode_challenge, encode_dispute, encode_opinion
from hashpact_server.services.reading import bad_page_token, fresh_head, page_key, page_size, page_token
from hashpact_server.services.writing import neighbours, write
from hashpact_server.state import judgement
from hashpact_server.state.judgement_rows import ChallengeOutcome, ChallengeRow, DisputeOutcome, DisputeRow, Verdict
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

SCAN_ROWS_MAX: Final = 20_000
"""Disputes or challenges that are looked at for a page."""

Row = TypeVar("Row", DisputeRow, ChallengeRow)
M = TypeVar("M", bound=Message)


class OpinionService(opinion_service_pb2_grpc.OpinionServiceServicer):
    """What members think of what others listed."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._searches = Searches()

    def GiveOpinion(  # noqa: N802 - the name in the wire
        self, request: pb.GiveOpinionRequest, context: Any
    ) -> pb.GiveOpinionResponse:
        """Let the caller's opinion stand."""
        caller = current_caller()
        said = attestation_of(request.attestation) if request.HasField("attestation") else None
        wish = opinions.check_opinion(request.code, said, request.labels, request.note, self._limits)

        def decide(scene: Scene) -> Callable[[str], pb.GiveOpinionResponse]:
            row = opinions.give(scene, caller.pseudonym, request.item, wish)
            given = encode_opinion(scene, row)
            status = encode_status(existing_item(scene, request.item).status)
            return lambda as_of: pb.GiveOpinionResponse(opinion=given, status=status, as_of=as_of)

        return write(self._engine, caller, request, pb.GiveOpinionResponse, decide)

    def RevokeOpinion(  # noqa: N802 - the name in the wire
        self, request: pb.RevokeOpinionRequest, context: Any
    ) -> pb.RevokeOpinionResponse:
        """Take the caller's opinion back."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.RevokeOpinionResponse]:
            status = encode_status(opinions.revoke(scene, caller.pseudonym, request.item))
            return lambda as_of: pb.RevokeOpinionResponse(status=status, as_of=as_of)

        return write(self._engine, caller, request, pb.RevokeOpinionResponse, decide)

    def ListOpinions(  # noqa: N802 - the name in the wire
        self, request: pb.ListOpinionsRequest, context: Any
    ) -> pb.ListOpinionsResponse:
        """Return the opinions on an item, and what holds for it."""
        head = fresh_head(self._engine, request.at_least_as_fresh)
        with self._engine.state.read() as view:
            row = existing_item(view, request.item)
            now = judgement.condition(view, row.item)
            given = judgement.opinions(view, row.item)
            return pb.ListOpinionsResponse(
                opinions=[encode_opinion(view, each) for each in sorted(given, key=lambda each: each.sequence)],
                status=encode_status(row.status),
                act_stopped=judgement.act_stopped(view, row.item),
                limit=pb.LimitCause.ValueType(now.limit if now else 0),
                dispute=now.dispute if now else 0,
                judging_groups=len(groups_of(view, judges(view, row.item))),
                groups_needed=groups_wanted(view, view.labels(row.item)),
                as_of=head.position().encode(),
            )

    def OpenDispute(  # noqa: N802 - the name in the wire
        self, request: pb.OpenDisputeRequest, context: Any
    ) -> pb.OpenDisputeResponse:
        """Open a dispute."""
        caller = current_caller()
        grounds = disputes.check_grounds(request.grounds)
        statement = disputes.check_statement(request.statement, required=True)

        def decide(scene: Scene) -> Callable[[str], pb.OpenDisputeResponse]:
            row = disputes.open_dispute(scene, caller.pseudonym, request.item, grounds, statement)
            opened = encode_dispute(scene, row)
            if request.validate_only:
                opened.dispute = 0
            return lambda as_of: pb.OpenDisputeResponse(dispute=opened, as_of=as_of)

        return write(self._engine, caller, request, pb.OpenDisputeResponse, decide)

    def VoteOnDispute(  # noqa: N802 - the name in the wire
        self, request: pb.VoteOnDisputeRequest, context: Any
    ) -> pb.VoteOnDisputeResponse:
        """Vote on a dispute."""
        caller = current_caller()
        verdict = disputes.check_verdict(request.verdict)
        labels = opinions.check_labels(
            request.labels, self._limits, wanted=verdict is Verdict.RELABEL, by="verdict RELABEL"
        )
        statement = disputes.check_statement(request.statement, required=False)

        def decide(scene: Scene) -> Callable[[str], pb.VoteOnDisputeResponse]:
            row = disputes.vote(scene, caller.pseudonym, request.dispute, verdict, labels, statement)
            voted = encode_dispute(scene, row)
            status = encode_status(existing_item(scene, row.item).status)
            return lambda as_of: pb.VoteOnDisputeResponse(dispute=voted, status=status, as_of=as_of)

        return write(self._engine, caller, request, pb.VoteOnDisputeResponse, decide)

    def ListDisputes(  # noqa: N802 - the name in the wire
        self, request: pb.ListDisputesRequest, context: Any
    ) -> pb.ListDisputesResponse:
        """Return a page of disputes, the oldest first."""
        head = fresh_head(self._engine, request.at_least_as_fresh)

        def passes(row: DisputeRow) -> bool:
            return (request.with_closed or row.outcome is DisputeOutcome.OPEN) and request.item in (0, row.item)

        scope = texts(("ListDisputes", str(request.with_closed), str(request.item)))
        with self._engine.state.read() as view:
            rows, more = self._page(
                lambda after: judgement.disputes(view, after), lambda row: row.dispute, passes, request, head, scope
            )
            encoded = [encode_dispute(view, row) for row in rows]
        return pb.ListDisputesResponse(disputes=encoded, next_page_token=more, as_of=head.position().encode())

    def LodgeChallenge(  # noqa: N802 - the name in the wire
        self, request: pb.LodgeChallengeRequest, context: Any
    ) -> pb.LodgeChallengeResponse:
        """Lodge a challenge for a person outside the forum."""
        caller = current_caller()
        grounds = challenges.check_grounds(request.grounds)
        said = ChallengePayload(
            disputes.check_statement(request.statement, required=True), challenges.check_reference(request.reference)
        )
        if bool(request.item) == bool(request.signals):
            raise invalid_field("item", "give the item of a decision notice, or signals: one of the two")
        if len(request.signals) > challenges.SIGNALS_MAX:
            raise over_limit("challenge_signals_max", challenges.SIGNALS_MAX, len(request.signals))
        if request.signals and not caller.has(Role.CHECK, Role.STEWARD):
            raise Refusal(
                error_reason_pb2.ERROR_REASON_ROLE_MISSING,
                "looking signals up takes the role check, or steward; name the item instead",
                metadata={"roles": "check, steward"},
            )
        signals, problems = sort_out([offered(signal) for signal in request.signals])
        if request.signals and not signals:
            raise invalid_field(f"signals[{problems[0].signal_index}]", problems[0].message)
        if signals:
            self._searches.count(caller.pseudonym, self._engine.state.now_ms())
        hint = neighbours(self._engine, caller, wanted(signals))

        def decide(scene: Scene) -> Callable[[str], pb.LodgeChallengeResponse]:
            items = [request.item] if request.item else challenges.found(look(scene, signals, hint))
            rows = challenges.lodge(scene, caller.pseudonym, items, grounds, said, by_signals=not request.item)
            lodged = [encode_challenge(scene, row, caller) for row in rows]
            if request.validate_only:
                for each in lodged:
                    each.challenge = 0
            return lambda as_of: pb.LodgeChallengeResponse(challenges=lodged, as_of=as_of)

        return write(self._engine, caller, request, pb.LodgeChallengeResponse, decide)

    def AnswerChallenge(  # noqa: N802 - the name in the wire
        self, request: pb.AnswerChallengeRequest, context: Any
    ) -> pb.AnswerChallengeResponse:
        """Answer a challenge as a holder of its item."""
        caller = current_caller()
        said = challenges.check_answer(request.answer)
        statement = disputes.check_statement(request.statement, required=True)
        labels = opinions.check_labels(
            request.labels, self._limits, wanted=said is ChallengeOutcome.RELABELLED, by="answer RELABELLED"
        )

        def decide(scene: Scene) -> Callable[[str], pb.AnswerChallengeResponse]:
            row = challenges.answer(scene, caller.pseudonym, request.challenge, said, statement, labels)
            answered = encode_challenge(scene, row, caller)
            status = encode_status(existing_item(scene, row.item).status)
            return lambda as_of: pb.AnswerChallengeResponse(challenge=answered, status=status, as_of=as_of)

        return write(self._engine, caller, request, pb.AnswerChallengeResponse, decide)

    def ListChallenges(  # noqa: N802 - the name in the wire
        self, request: pb.ListChallengesRequest, context: Any
    ) -> pb.ListChallengesResponse:
        """Return a page of challenges, the oldest first."""
        caller = current_caller()
        head = fresh_head(self._engine, request.at_least_as_fresh)
        scope = texts(("ListChallenges", str(request.with_closed), str(request.item), str(request.mine)))
        with self._engine.state.read() as view:

            def passes(row: ChallengeRow) -> bool:
                return (
                    (request.with_closed or row.outcome is ChallengeOutcome.OPEN)
                    and request.item in (0, row.item)
                    and (not request.mine or view.contribution(row.item, caller.pseudonym) is not None)
                )

            rows, more = self._page(
                lambda after: judgement.challenges(view, after), lambda row: row.challenge, passes, request, head, scope
            )
            encoded = [encode_challenge(view, row, caller) for row in rows]
        return pb.ListChallengesResponse(challenges=encoded, next_page_token=more, as_of=head.position().encode())

    def GetJudgementCounts(  # noqa: N802 - the name in the wire
        self, request: pb.GetJudgementCountsRequest, context: Any
    ) -> pb.GetJudgementCountsResponse:
        """Count them by outcome."""
        head = fresh_head(self._engine, request.at_least_as_fresh)
        with self._engine.state.read() as view:
            disputed, challenged = _counts(view)
        return pb.GetJudgementCountsResponse(
            disputes=[
                pb.DisputeCount(outcome=pb.DisputeOutcome.ValueType(outcome), count=disputed[outcome])
                for outcome in DisputeOutcome
            ],
            challenges=[
                pb.ChallengeCount(outcome=pb.ChallengeOutcome.ValueType(outcome), count=challenged[outcome])
                for outcome in ChallengeOutcome
            ],
            as_of=head.position().encode(),
        )

    def _page(
        self,
        scan: Callable[[int], Iterator[Row]],
        number: Callable[[Row], int],
        passes: Callable[[Row], bool],
        request: pb.ListDisputesRequest | pb.ListChallengesRequest,
        head: Head,
        scope: bytes,
    ) -> tuple[list[Row], str]:
        """The rows of a page, and the token of the next one ("" on the last)."""
        size = page_size(request.page_size, self._limits.page_size_max)
        after = _after(page_key(request.page_token, head, scope)) if request.page_token else 0
        rows: list[Row] = []
        found = scan(after)
        for row in islice(found, SCAN_ROWS_MAX):
            after = number(row)
            if passes(row):
                rows.append(row)
            if len(rows) == size:
                break
        more = next(found, None) is not None
        return rows, page_token(head, scope, u64(after)) if more else ""


def _counts(view: View) -> tuple[Counter[DisputeOutcome], Counter[ChallengeOutcome]]:
    return (
        Counter(row.outcome for row in judgement.disputes(view)),
        Counter(row.outcome for row in judgement.challenges(view)),
    )


def _after(key: bytes) -> int:
    number = int.from_bytes(key, "big")
    if len(key) != 8 or number == 2**64 - 1:
        raise bad_page_token()
    return number
