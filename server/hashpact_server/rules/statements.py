"""Statements: a member's standing word on an item, read back from the list and written to it.

Every entry by which a member speaks states its whole word: attestation and labels; and the signals it adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal
from hashpact_server.refusal import Refusal
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.day_limits import watch_objections
from hashpact_server.rules.identity import new_signals
from hashpact_server.rules.labels import GENERIC_CLASSES, classes_of
from hashpact_server.rules.rulebook import taxonomy_of
from hashpact_server.rules.standing import status_of
from hashpact_server.scene import Scene
from hashpact_server.state.effects import context_among
from hashpact_server.state.incidents import open_by_label
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow, Status
from hashpact_server.state.view import View
from hashpact_server.state.vouches import not_vouched_for, said_in

WORDS_MAX: Final = 256
"""Entries in which one member speaks about one item."""

WORD_SIGNALS_MAX: Final = 8192
"""Signals that they state together, unless the first states more. Whoever looks an item up reads all that was said of
it: without a bound, one member could make every match of an item that is met often take seconds."""

_FEW: Final = 8
"""Entries about an item that a member who joins it may add to without being counted."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A member's word on an item: how it knows, and all labels that it gives."""

    attestation: Attestation
    labels: tuple[str, ...]


def standing_statement(view: View, row: ContributionRow) -> Statement:
    """What a member said last.

    After a redaction: nothing of how it knows, and those of its labels whose public class still tells them.
    """
    return statement_of(row, said_in(view, row.sequence))


def statement_of(row: ContributionRow, said: ContributionPayload | None) -> Statement:
    """The same, where the payload of the row's entry was read already; None: it was redacted."""
    if said is None:
        labels = tuple(label for label in row.labels if label not in GENERIC_CLASSES)
        return Statement(Attestation(row.basis), labels)
    return Statement(Attestation(said.basis, said.observed_ms, said.observer_role), said.labels)


def record_statement(
    scene: Scene,
    kind: Kind,
    member: bytes,
    item: int | None,
    said: Statement,
    *,
    signals: tuple[ListedSignal, ...],
    others: Iterable[ContributionRow] = (),
) -> tuple[int, Status]:
    """Record what a member says; status and label classes go in clear, the rest is private.

    Args:
        scene: where to record.
        kind: ITEM_CREATED, ITEM_CORROBORATED or CONTRIBUTION_AMENDED.
        member: its pseudonym.
        item: what it speaks about; None creates one.
        said: its whole word.
        signals: what this adds.
        others: other members' standing contributions, which count for the status.

    Returns:
        The item, and where it stands now.

    Raises:
        Refusal: LIMIT_EXCEEDED: the member has said too much of the item; nothing was written.
    """
    if item is not None:
        _check_room(scene, kind, member, item, len(signals))
    basis = said.attestation.basis
    mine = ContributionRow(item or 0, member, scene.head.sequence + 1, basis, said.labels)
    joining = b"" if kind is Kind.CONTRIBUTION_AMENDED else member
    others = list(others)
    status = status_of(scene, item or 0, [*others, mine], joining=joining)
    payload = ContributionPayload(
        basis, said.attestation.observed_ms, said.attestation.observer_role, said.labels, signals
    )
    clear = bytes((status,))
    for incident in open_by_label(scene, said.labels):
        # Which ones it is under stands in clear, so that every copy knows it without reading a label.
        if not incident.drill:
            clear += u64(incident.incident)
    classes = classes_of(said.labels, taxonomy_of(scene))
    draft = Draft(kind, member, item, classes, clear=clear, payload=payload.encode())
    fell = bool(others) and item is not None and _fell(scene, item, status)
    subject = scene.record(draft).subject
    if others and (fell or context_among(draft.classes)):
        watch_objections(scene, member)
    return subject, status


def _fell(view: View, item: int, status: Status) -> bool:
    """Whether an item that was corroborated would be so no longer: a label that takes more groups does it."""
    if status not in (Status.PROVISIONAL, Status.INHERITED):
        return False
    return existing_item(view, item).status is Status.CORROBORATED


def _check_room(view: View, kind: Kind, member: bytes, item: int, more: int) -> None:
    said = list(view.signal_entries(item))
    if kind is not Kind.CONTRIBUTION_AMENDED and len(said) < _FEW:
        return
    if not more and len(said) < WORDS_MAX:  # even if all of them are this member's
        return
    words, signals = 1, more
    for sequence in said:
        entry = view.entry(sequence)
        if entry.member == member:
            words += 1
            signals += 0 if entry.payload is None else len(ContributionPayload.decode(entry.payload).signals)
    if words > WORDS_MAX or (more and signals > max(WORD_SIGNALS_MAX, more)):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_LIMIT_EXCEEDED,
            f"of one item a member says at most {WORD_SIGNALS_MAX} signals, in {WORDS_MAX} entries: contribute what is "
            "over it as an item of its own",
            metadata={"limit": "item_signals_of_member_max", "limit_value": str(WORD_SIGNALS_MAX)},
        )


def unsaid_signals(
    view: View,
    mine: ContributionRow,
    newest: ContributionPayload | None,
    signals: Iterable[ListedSignal],
    now: Attestation,
    said: Attestation,
) -> tuple[ListedSignal, ...]:
    """Of the signals that a member states about an item once more, those that its entry has to say.

    Those that are new; and where a person looked, those that the member did not vouch for before. What comes without a
    look to an item at which a person looked before is marked: nobody vouches for it.

    Args:
        view: where the item stands.
        mine: the member's contribution until now.
        newest: the payload of its entry.
        signals: what it states; those that the item has are marked as confirmed.
        now: how it knows, this time.
        said: the attestation that stands from now on.
    """
    signals = tuple(signals)
    if said.basis != Basis.PERSON_LOOKED:
        return new_signals(signals)
    if now.basis != Basis.PERSON_LOOKED:
        return tuple(signal._replace(unseen=True) for signal in new_signals(signals))
    confirmed = [(signal.code, signal.value) for signal in signals if signal.confirms]
    fresh = not_vouched_for(view, mine, newest, confirmed) if confirmed else frozenset()
    return tuple(signal for signal in signals if not signal.confirms or (signal.code, signal.value) in fresh)


def existing_item(view: View, item: int) -> ItemRow:
    """The item.

    Raises:
        Refusal: ITEM_NOT_FOUND.
    """
    row = view.item(item)
    if row is None:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ITEM_NOT_FOUND,
            f"there is no item {item}",
            metadata={"item": str(item)},
        )
    return row


def open_item(view: View, item: int) -> ItemRow:
    """The item, unless it is closed.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED.
    """
    row = existing_item(view, item)
    if not row.status.matches:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ITEM_CLOSED,
            f"item {item} is withdrawn or expired, for good: contributed anew, its signals are another item",
            metadata={"item": str(item)},
        )
    return row


def not_contributor(item: int) -> Refusal:
    """The refusal for a member that says nothing about the item."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_NOT_CONTRIBUTOR,
        f"this member has no standing contribution to item {item}",
        metadata={"item": str(item)},
    )
