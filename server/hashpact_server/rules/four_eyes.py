"""Four eyes inside a member: what it contributes waits until a colleague approves it.

::

    contribute --> waits --approve--> decided as if it had been contributed now
                     |----reject----> gone
                     '--its time----> gone

Two people are told by two tokens: one that may contribute and not approve, another that may approve and not
contribute. A token that may do both would be one person's who approves itself by a second token that it made, so it
does neither; and none of the two kinds can make one of the other (``grants``). Who holds a token with both rights is
the member's administrator, and can always make both: that the member has to keep apart itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.ledger.payloads_members import DecidedClear, PendingClear
from hashpact_server.matcher import Neighbours
from hashpact_server.refusal import Refusal
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation, check_time
from hashpact_server.rules.claims import Claim, Offer, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.outcomes import Outcome, Result, refused
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.signals import FitSignal, OfferedSignal
from hashpact_server.rules.statements import existing_item, not_contributor, open_item
from hashpact_server.rules.texts import clean_text
from hashpact_server.rules.trials import check_contributions
from hashpact_server.scene import Scene
from hashpact_server.state.members import DAY_MS, PendingRow, Verdict, pending_of, record_of
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

REASON_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Hand:
    """Who acts, as far as four eyes are concerned.

    Attributes:
        pseudonym: the member.
        token: id of the token in the call; 0: none, the service itself.
        roles: the rights of the call.
    """

    pseudonym: bytes
    token: int
    roles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contribution that waits, read back.

    Attributes:
        row: its number, whose it is, when it lapses.
        clear: the token by which it was made, and what it names.
        said: its content; None after redaction.
    """

    row: PendingRow
    clear: PendingClear
    said: ContributionPayload | None

    @property
    def offered(self) -> list[OfferedSignal]:
        """Its signals, as they were offered."""
        signals = () if self.said is None else self.said.signals
        return [
            OfferedSignal(SIGNAL_TYPES_BY_CODE[each.code].name, each.value, quality=each.quality, stretch=each.stretch)
            for each in signals
        ]

    @property
    def offer(self) -> Offer:
        """The contribution, as it was offered; of one that was not redacted."""
        assert self.said is not None  # noqa: S101 - callers look
        attestation = Attestation(self.said.basis, self.said.observed_ms, self.said.observer_role)
        return Offer(self.offered, self.said.labels, attestation, self.clear.attach_to)


def wanted(view: View, pseudonym: bytes) -> bool:
    """Whether a member's contributions wait for a colleague."""
    return policy_of(view).four_eyes or record_of(view, pseudonym).four_eyes


def waiting(view: View, pending: int, pseudonym: bytes) -> Waiting:
    """A contribution of a member that waits.

    Raises:
        Refusal: PENDING_NOT_FOUND; also for another member's, of which nothing is told.
    """
    row = pending_of(view, pending)
    if row is None or row.pseudonym != pseudonym:
        raise _not_found(pending)
    return read(view, row)


def read(view: View, row: PendingRow) -> Waiting:
    """What a waiting contribution says."""
    entry = view.entry(row.pending)
    said = None if entry.payload is None else ContributionPayload.decode(entry.payload)
    return Waiting(row, PendingClear.decode(entry.clear), said)


def check_alone(scene: Scene, pseudonym: bytes, instead: str) -> None:
    """Before something that cannot wait for a colleague.

    Raises:
        Refusal: FOUR_EYES: the member's contributions wait for one.
    """
    if wanted(scene, pseudonym):
        raise _four_eyes(f"this member's contributions wait for a colleague, and this cannot: {instead}")


def put_off(scene: Scene, hand: Hand, claims: Sequence[Claim | Outcome]) -> list[Outcome]:
    """Keep a batch until a colleague approves it, one by one; outcomes stay as they are."""
    outcomes = []
    for claim in claims:
        if isinstance(claim, Outcome):
            outcomes.append(claim)
            continue
        try:
            _check_contributor(scene, hand)
            check_time(claim.attestation, scene.now_ms)
            check_contributions(scene, hand.pseudonym, claim.labels)
            if claim.attach_to:
                open_item(scene, claim.attach_to)
        except Refusal as refusal:
            outcomes.append(refused(refusal.reason, refusal.message, claim.problems))
            continue
        said = ContributionPayload(
            claim.attestation.basis,
            claim.attestation.observed_ms,
            claim.attestation.observer_role,
            claim.labels,
            tuple(signal.listed for signal in claim.signals),
        )
        pending = _keep(scene, hand, said, attach_to=claim.attach_to)
        outcomes.append(Outcome(Result.PENDING, problems=claim.problems, pending=pending))
    return outcomes


def put_off_amendment(
    scene: Scene, hand: Hand, item: int, labels: tuple[str, ...], signals: Sequence[FitSignal]
) -> int:
    """Keep an amendment until a colleague approves it; returns its number.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, NOT_CONTRIBUTOR, FOUR_EYES; nothing was written.
    """
    _check_contributor(scene, hand)
    open_item(scene, item)
    if scene.contribution(item, hand.pseudonym) is None:
        raise not_contributor(item)
    said = ContributionPayload(0, 0, "", labels, tuple(signal.listed for signal in signals))
    return _keep(scene, hand, said, amends=item)


def approve(scene: Scene, hand: Hand, pending: int, limits: Limits, hint: Neighbours | None) -> Outcome:
    """Approve what waits: it is decided now, as if it had been contributed now.

    Raises:
        Refusal: PENDING_NOT_FOUND, FOUR_EYES; for an amendment, what :func:`amend` raises. Nothing was written.
    """
    found = waiting(scene, pending, hand.pseudonym)
    if found.said is None:
        raise _not_found(pending)
    if Role.CONTRIBUTE in hand.roles or hand.token == found.clear.token:
        raise _four_eyes("a token that may contribute approves nothing: use one with the role approve alone")
    member = scene.member(hand.pseudonym)
    if member is None or Role.CONTRIBUTE not in member.roles:
        raise _four_eyes("the member may not contribute any more")
    outcome = _decide(scene, hand.pseudonym, found, limits, hint)
    clear = DecidedClear(Verdict.APPROVED, hand.token, outcome.result, outcome.item)
    scene.record(Draft(Kind.CONTRIBUTION_DECIDED, hand.pseudonym, pending, clear=clear.encode()))
    return outcome


def reject(scene: Scene, hand: Hand, pending: int, reason: str) -> None:
    """Reject what waits, or take it back.

    Raises:
        Refusal: PENDING_NOT_FOUND, FIELD_INVALID.
    """
    waiting(scene, pending, hand.pseudonym)
    clear, said = DecidedClear(Verdict.REJECTED, hand.token), clean_text("reason", reason, REASON_CHARACTERS_MAX)
    draft = Draft(Kind.CONTRIBUTION_DECIDED, hand.pseudonym, pending, clear=clear.encode(), payload=said.encode())
    scene.record(draft)


def lapse(scene: Scene, pending: int) -> None:
    """Its time has come and no colleague decided."""
    scene.record(Draft(Kind.CONTRIBUTION_DECIDED, SERVICE, pending, clear=DecidedClear(Verdict.LAPSED).encode()))


def _decide(scene: Scene, member: bytes, found: Waiting, limits: Limits, hint: Neighbours | None) -> Outcome:
    if not found.clear.amends:
        (outcome,) = contribute(scene, member, [check(found.offer, limits)], limits, hint)
        return outcome
    item = found.clear.amends
    said = found.said
    labels, signals, problems = check_amendment(() if said is None else said.labels, found.offered, limits)
    amend(scene, member, item, labels, signals, hint)
    return Outcome(Result.ATTACHED, item, existing_item(scene, item).status, problems=problems)


def _keep(scene: Scene, hand: Hand, said: ContributionPayload, *, attach_to: int = 0, amends: int = 0) -> int:
    clear = PendingClear(hand.token, scene.now_ms + policy_of(scene).pending_days * DAY_MS, amends, attach_to)
    draft = Draft(Kind.CONTRIBUTION_PENDING, hand.pseudonym, clear=clear.encode(), payload=said.encode())
    return scene.record(draft).sequence


def _check_contributor(scene: Scene, hand: Hand) -> None:
    if Role.APPROVE in hand.roles:
        raise _four_eyes(
            "this token may approve as well, so nothing is contributed by it: use one with the role contribute alone"
        )
    member = scene.member(hand.pseudonym)
    if member is None or Role.APPROVE not in member.roles:
        raise _four_eyes("nobody at this member may approve: ask the stewards to give it the role approve")


def _four_eyes(message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_FOUR_EYES, message)


def _not_found(pending: int) -> Refusal:
    return Refusal(
        error_reason_pb2.ERROR_REASON_PENDING_NOT_FOUND,
        f"nothing of this member waits under {pending}: it was decided, has lapsed, or its content was redacted",
        metadata={"pending": str(pending)},
    )
