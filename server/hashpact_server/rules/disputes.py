"""Disputes: an item is for review only until members that are not involved decide on it, or time runs out.

::

    open --> OPEN --k groups want the same--> KEPT, REMOVED, RELABELLED
               |--its time-----------------> LAPSED: earlier judgements count no more, members have to agree anew
               '--the item goes-----------> ITEM_CLOSED

A resolver is a full member whose corporate group has nothing to do with the item: none of its members ever contributed
to it, judged it, or opened the dispute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hashpact.v1 import error_reason_pb2, opinion_service_pb2

from hashpact_server.ledger.codec import text
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_judgement import DisputeClear, LapseClear, VoteClear, VotePayload
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.day_limits import check_day
from hashpact_server.rules.labels import classes_of
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.standing import groups_of, status_of
from hashpact_server.rules.statements import existing_item, open_item
from hashpact_server.rules.texts import clean_text
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.judgement import challenge as challenge_of
from hashpact_server.state.judgement import condition, dispute, opinions, votes
from hashpact_server.state.judgement_rows import ConditionRow, DisputeOutcome, DisputeRow, Verdict
from hashpact_server.state.rows import Status
from hashpact_server.state.tallies import DAY_MS, Tally, counted_by_all
from hashpact_server.state.view import View

STATEMENT_CHARACTERS_MAX: Final = 2000
RESOLVING_GROUPS_MIN: Final = 2
"""No policy asks for fewer."""

_CHALLENGE_UNANSWERED: Final = opinion_service_pb2.DISPUTE_GROUNDS_CHALLENGE_UNANSWERED
_GROUNDS: Final = frozenset(opinion_service_pb2.DisputeGrounds.values()) - {
    opinion_service_pb2.DISPUTE_GROUNDS_UNSPECIFIED,
    _CHALLENGE_UNANSWERED,
}
_ENDS: Final = {
    Verdict.KEEP: DisputeOutcome.KEPT,
    Verdict.REMOVE: DisputeOutcome.REMOVED,
    Verdict.RELABEL: DisputeOutcome.RELABELLED,
}

Wish = tuple[Verdict, tuple[str, ...]]
"""What a resolver wants: the verdict, and the labels that go with RELABEL."""


def check_grounds(number: int) -> int:
    """The grounds that a member may have. Raises :class:`Refusal` FIELD_INVALID."""
    if number not in _GROUNDS:
        raise invalid_field("grounds", "are no DisputeGrounds that a member states")
    return number


def check_statement(statement: str, *, required: bool) -> str:
    """What a member says, as it is stored. Raises :class:`Refusal` FIELD_INVALID."""
    return clean_text("statement", statement, STATEMENT_CHARACTERS_MAX, required=required)


def check_verdict(number: int) -> Verdict:
    """The verdict. Raises :class:`Refusal` FIELD_INVALID."""
    try:
        return Verdict(number)
    except ValueError as error:
        raise invalid_field("verdict", "is no Verdict that this server knows, or unspecified") from error


def open_dispute(scene: Scene, member: bytes, item: int, grounds: int, statement: str) -> DisputeRow:
    """Open a dispute: until it ends, a match on the item asks for review only.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, DISPUTE_IS_OPEN, DAY_LIMIT_REACHED.
    """
    open_item(scene, item)
    now = condition(scene, item)
    if now is not None and now.dispute:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_DISPUTE_IS_OPEN,
            f"dispute {now.dispute} about item {item} is open: vote on that one",
            metadata={"dispute": str(now.dispute)},
        )
    check_day(scene, member, Tally.DISPUTES)
    return _open(scene, member, item, grounds, statement)


def open_for_challenge(scene: Scene, item: int, challenge: int) -> int:
    """The dispute that an unanswered challenge becomes, or joins; its id."""
    now = condition(scene, item)
    if now is not None and now.dispute:
        return now.dispute
    return _open(scene, SERVICE, item, _CHALLENGE_UNANSWERED, "", challenge).dispute


def _open(scene: Scene, member: bytes, item: int, grounds: int, statement: str, challenge: int = 0) -> DisputeRow:
    policy = policy_of(scene)
    clear = DisputeClear(Status.DISPUTED, grounds, scene.now_ms + policy.dispute_days * DAY_MS, challenge)
    entry = scene.record(Draft(Kind.DISPUTE_OPENED, member, item, clear=clear.encode(), payload=text(statement)))
    today = counted_by_all(scene, Tally.DISPUTES, scene.now_ms)
    if today % policy.disputes_alarm_per_day == 0:
        raise_alert(scene, AlertKind.DISPUTES, count=today, note="more disputes in a day than the policy's alarm")
    return existing_dispute(scene, entry.sequence)


def vote(
    scene: Scene, member: bytes, number: int, verdict: Verdict, labels: tuple[str, ...], statement: str
) -> DisputeRow:
    """Vote on a dispute, in the place of an earlier vote; decides it when enough groups want the same.

    Raises:
        Refusal: DISPUTE_NOT_FOUND, DISPUTE_IS_CLOSED, VOTE_NOT_ALLOWED.
    """
    row = existing_dispute(scene, number)
    if row.outcome is not DisputeOutcome.OPEN:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_DISPUTE_IS_CLOSED,
            f"dispute {number} is decided, or has lapsed: nobody votes on it any more",
            metadata={"dispute": str(number)},
        )
    involved = involved_groups(scene, row)
    _check_resolver(scene, member, involved)
    wish = (verdict, labels)
    wishes = [*((each, said) for each, said in _wishes(scene, number) if each != member), (member, wish)]
    needed = max(RESOLVING_GROUPS_MIN, policy_of(scene).resolvers_min)
    decided = len(_groups_for(scene, wish, wishes, involved)) >= needed
    outcome = _ENDS[verdict] if decided else DisputeOutcome.OPEN
    scene.record(
        Draft(
            Kind.DISPUTE_VOTED,
            member,
            row.item,
            classes_of(labels),
            clear=VoteClear(_status_after(scene, row.item, outcome, labels), number, verdict, outcome).encode(),
            payload=VotePayload(labels, statement).encode(),
        )
    )
    return existing_dispute(scene, number)


def lapse(scene: Scene, number: int) -> None:
    """Time is over: the dispute ends undecided, and earlier judgements count no more."""
    row = existing_dispute(scene, number)
    status = _status_after(scene, row.item, DisputeOutcome.LAPSED, ())
    scene.record(Draft(Kind.DISPUTE_LAPSED, SERVICE, row.item, clear=LapseClear(status, number).encode()))


def existing_dispute(view: View, number: int) -> DisputeRow:
    """The dispute. Raises :class:`Refusal` DISPUTE_NOT_FOUND."""
    row = dispute(view, number)
    if row is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_DISPUTE_NOT_FOUND, f"there is no dispute {number}")
    return row


def involved_groups(view: View, row: DisputeRow) -> frozenset[str]:
    """Groups of whoever ever contributed to the item, judged it, opened the dispute or lodged its challenge."""
    members = {view.entry(sequence).member for sequence in view.signal_entries(row.item)}
    members.update(each.pseudonym for each in opinions(view, row.item) if each.judged)
    members.add(row.opener)
    lodged = challenge_of(view, row.challenge) if row.challenge else None
    if lodged is not None:
        members.add(lodged.lodger)
    rows = (view.member(pseudonym) for pseudonym in members)
    return frozenset(each.group for each in rows if each is not None and each.group)


def _check_resolver(scene: Scene, member: bytes, involved: frozenset[str]) -> None:
    groups = groups_of(scene, (member,))
    if not groups:
        raise _not_allowed("unknown", "this member's corporate group is not known")
    if groups & involved:
        raise _not_allowed("involved", "this member's group contributed to the item, judged it, or opened the dispute")
    if not is_full(scene, member):
        raise _not_allowed("trial", "a member on trial resolves no disputes")


def _not_allowed(cause: str, message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_VOTE_NOT_ALLOWED, message, metadata={"cause": cause})


def _wishes(view: View, number: int) -> Iterator[tuple[bytes, Wish | None]]:
    """Who wants what so far; None: other labels, which were redacted since."""
    for row in votes(view, number):
        payload = view.entry(row.sequence).payload
        if row.verdict is not Verdict.RELABEL:
            yield row.pseudonym, (row.verdict, ())
        else:
            yield row.pseudonym, None if payload is None else (row.verdict, VotePayload.decode(payload).labels)


def _groups_for(
    view: View, wish: Wish, wishes: list[tuple[bytes, Wish | None]], involved: frozenset[str]
) -> frozenset[str]:
    """Groups whose resolvers all want this: those that became involved, or are full no more, count for nothing."""
    resolvers = [(member, wanted) for member, wanted in wishes if is_full(view, member)]
    wanting = groups_of(view, (member for member, wanted in resolvers if wanted == wish))
    torn = groups_of(view, (member for member, wanted in resolvers if wanted != wish))
    return wanting - torn - involved


def _status_after(scene: Scene, item: int, outcome: DisputeOutcome, labels: tuple[str, ...]) -> Status:
    """Where the item stands when its dispute has this outcome."""
    if outcome is DisputeOutcome.OPEN:
        return existing_item(scene, item).status
    if outcome is DisputeOutcome.REMOVED:
        return Status.WITHDRAWN
    now = (condition(scene, item) or ConditionRow(item))._replace(dispute=0)
    if outcome is DisputeOutcome.LAPSED:
        now = now._replace(void_to=scene.head.sequence + 1)
    relabelled = labels if outcome is DisputeOutcome.RELABELLED else None
    return status_of(scene, item, scene.contributions(item), now=now, labels=relabelled)
