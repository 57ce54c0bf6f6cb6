"""Challenges: a person outside the forum says, through a member, that an item is wrong; its holders have to answer.

::

    lodge --> OPEN --a holder answers--> KEPT, RELABELLED, or WITHDRAWN when no holder is left
                '--its time-----------> LAPSED: it becomes a dispute
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hashpact.v1 import contribution_service_pb2, error_reason_pb2, opinion_service_pb2

from hashpact_server.ledger.codec import text, u64
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_judgement import AnswerClear, ChallengeClear, ChallengePayload
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules import four_eyes
from hashpact_server.rules.advice import COARSE
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.amending import amend
from hashpact_server.rules.day_limits import check_day
from hashpact_server.rules.disputes import open_for_challenge
from hashpact_server.rules.identity import Sighting
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.statements import existing_item, not_contributor, open_item
from hashpact_server.rules.texts import clean_text
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.judgement import challenge
from hashpact_server.state.judgement_rows import ChallengeOutcome, ChallengeRow
from hashpact_server.state.tallies import DAY_MS, Tally
from hashpact_server.state.view import View

REFERENCE_CHARACTERS_MAX: Final = 200
SIGNALS_MAX: Final = 16
"""Signals of one challenge; items that they may find."""

_GROUNDS: Final = frozenset(opinion_service_pb2.ChallengeGrounds.values()) - {
    opinion_service_pb2.CHALLENGE_GROUNDS_UNSPECIFIED
}
_ANSWERS: Final = (ChallengeOutcome.WITHDRAWN, ChallengeOutcome.KEPT, ChallengeOutcome.RELABELLED)
_APPEALED: Final = contribution_service_pb2.WITHDRAWAL_REASON_OVERTURNED_ON_APPEAL


def check_grounds(number: int) -> int:
    """The grounds. Raises :class:`Refusal` FIELD_INVALID."""
    if number not in _GROUNDS:
        raise invalid_field("grounds", "are no ChallengeGrounds that this server knows, or unspecified")
    return number


def check_reference(reference: str) -> str:
    """What the challenge refers to, as it is stored. Raises :class:`Refusal` FIELD_INVALID."""
    return clean_text("reference", reference, REFERENCE_CHARACTERS_MAX)


def check_answer(number: int) -> ChallengeOutcome:
    """A holder's answer. Raises :class:`Refusal` FIELD_INVALID."""
    if number not in _ANSWERS:
        raise invalid_field("answer", "is one of WITHDRAWN, KEPT, RELABELLED")
    return ChallengeOutcome(number)


def found(sightings: Iterable[Sighting]) -> list[int]:
    """The items that signals match, the closest first; digests before perceptual hashes.

    The 64-bit pHash alone finds nothing: flat pictures share it.
    """
    best: dict[int, int] = {}
    for sighting in sightings:
        kind = sighting.signal.kind
        if kind.name not in COARSE:
            near = [(item, -1) for item in sighting.listed_on] if kind.exact else sighting.near
            for item, distance in near:
                best[item] = min(best.get(item, distance), distance)
    return sorted(best, key=lambda item: (best[item], item))[:SIGNALS_MAX]


def lodge(
    scene: Scene,
    member: bytes,
    items: Sequence[int],
    grounds: int,
    payload: ChallengePayload,
    *,
    by_signals: bool = False,
) -> list[ChallengeRow]:
    """Lodge a challenge about each of these items.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, DAY_LIMIT_REACHED; nothing was written.
    """
    for item in items:
        open_item(scene, item)
    if items:
        check_day(scene, member, Tally.CHALLENGES, len(items))
    due_ms = scene.now_ms + policy_of(scene).challenge_days * DAY_MS
    lodged = []
    for item in items:
        clear = ChallengeClear(item, grounds, due_ms, by_signals)
        entry = scene.record(Draft(Kind.CHALLENGE_LODGED, member, clear=clear.encode(), payload=payload.encode()))
        lodged.append(existing_challenge(scene, entry.sequence))
    return lodged


def answer(
    scene: Scene, member: bytes, number: int, said: ChallengeOutcome, statement: str, labels: tuple[str, ...]
) -> ChallengeRow:
    """Answer a challenge as a holder, and carry out what the answer says.

    Raises:
        Refusal: CHALLENGE_NOT_FOUND, CHALLENGE_IS_CLOSED, ITEM_CLOSED, NOT_CONTRIBUTOR, FIELD_INVALID for other labels
            that a colleague would have to approve.
    """
    row = existing_challenge(scene, number)
    if row.outcome is not ChallengeOutcome.OPEN:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_CHALLENGE_IS_CLOSED, f"challenge {number} was answered, or has lapsed"
        )
    open_item(scene, row.item)
    if scene.contribution(row.item, member) is None:
        raise not_contributor(row.item)
    outcome = said
    if said is ChallengeOutcome.RELABELLED:
        if four_eyes.wanted(scene, member):
            raise invalid_field("answer", "this member's amendments wait for a colleague: amend the item, answer KEPT")
        amend(scene, member, row.item, labels, (), None)
    elif said is ChallengeOutcome.WITHDRAWN:
        done = withdraw(scene, member, row.item, _APPEALED, steward=False)
        if done.contributions_left:
            outcome = ChallengeOutcome.OPEN  # the others hold the item still
    scene.record(
        Draft(
            Kind.CHALLENGE_ANSWERED,
            member,
            number,
            clear=AnswerClear(said, outcome).encode(),
            payload=text(statement),
        )
    )
    return existing_challenge(scene, number)


def lapse(scene: Scene, number: int) -> None:
    """Time is over, and nobody answered: it becomes a dispute, unless the item is off the list by now."""
    row = existing_challenge(scene, number)
    opened = 0
    if existing_item(scene, row.item).status.matches:
        opened = open_for_challenge(scene, row.item, number)
        raise_alert(scene, AlertKind.CHALLENGE, item=row.item, note=f"challenge {number} was not answered in time")
    scene.record(Draft(Kind.CHALLENGE_LAPSED, SERVICE, number, clear=u64(opened)))


def existing_challenge(view: View, number: int) -> ChallengeRow:
    """The challenge. Raises :class:`Refusal` CHALLENGE_NOT_FOUND."""
    row = challenge(view, number)
    if row is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_CHALLENGE_NOT_FOUND, f"there is no challenge {number}")
    return row
