"""Who stands behind which signal of an item: told from what members said, entry by entry.

A member *backs* a signal when an entry of its standing contribution adds the signal, or confirms it after it was
listed. It *vouches* for it when it says there that a person looked. Whoever takes its contribution back begins anew
when it contributes again; what a rollback undid was never said; and nobody stands behind a signal that was taken off
and listed again by somebody else later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload, ListedSignal
from hashpact_server.state.rollbacks import is_undone
from hashpact_server.state.rows import Basis, ContributionRow, signal_id
from hashpact_server.state.view import View

_FIRST_WORDS: Final = (Kind.ITEM_CREATED, Kind.ITEM_CORROBORATED)
_NEVER: Final = -1

Value = tuple[int, bytes]
"""Signal type code and value."""


class Vouched(NamedTuple):
    """A signal that an item has.

    Attributes:
        identity: its signal id.
        sequence: the entry that listed it.
        signal: the signal.
        voices: pseudonyms of the members that vouch for it.
        backers: pseudonyms of the members that back it.
    """

    identity: int
    sequence: int
    signal: ListedSignal
    voices: frozenset[bytes]
    backers: frozenset[bytes]

    def __repr__(self) -> str:
        return f"Vouched(identity={self.identity}, voices={len(self.voices)}, backers={len(self.backers)})"


class _Words:
    """What one member says in its standing contribution: the newest entry that backs each value, and that vouches."""

    __slots__ = ("backed", "looked", "until", "vouched")

    def __init__(self, row: ContributionRow) -> None:
        self.until = row.sequence
        self.looked = row.basis == Basis.PERSON_LOOKED
        self.backed: dict[Value, int] = {}
        self.vouched: dict[Value, int] = {}

    def take(self, sequence: int, kind: int, said: ContributionPayload | None) -> None:
        """Take in the member's next entry; None: its private part is gone."""
        if kind in _FIRST_WORDS:
            self.backed.clear()
            self.vouched.clear()
        if said is None or sequence > self.until:
            return
        vouches = self.looked and said.basis == Basis.PERSON_LOOKED
        for signal in said.signals:
            self.backed[signal.code, signal.value] = sequence
            if vouches and not signal.unseen:
                self.vouched[signal.code, signal.value] = sequence


def vouched_signals(view: View, item: int, rows: Iterable[ContributionRow]) -> list[Vouched]:
    """The signals of a live item, oldest first, each with those who stand behind it. Arguments as below."""
    return [each for each in stated_signals(view, item, rows) if view.lists_signal(each.identity, each.signal)]


def stated_signals(view: View, item: int, rows: Iterable[ContributionRow]) -> list[Vouched]:
    """The signals that a live item ever had, oldest first, each with those who stand behind it; none is asked for.

    Args:
        view: where they stand.
        item: the item.
        rows: its standing contributions.
    """
    words = {row.pseudonym: _Words(row) for row in rows}
    listed: list[tuple[int, int, ListedSignal]] = []
    for sequence in view.signal_entries(item):
        entry = view.entry(sequence)
        if entry.kind not in CONTRIBUTING:
            continue
        said = None if entry.payload is None else ContributionPayload.decode(entry.payload)
        if entry.member in words and not is_undone(view.rows, item, sequence):
            words[entry.member].take(sequence, entry.kind, said)
        if said is not None:
            listed += (
                (signal_id(sequence, place), sequence, signal)
                for place, signal in enumerate(said.signals)
                if not signal.confirms
            )
    found = []
    members = list(words.items())
    sets: dict[tuple[bytes, ...], frozenset[bytes]] = {}  # the same few stand behind most signals
    for identity, sequence, signal in listed:
        value = signal.code, signal.value
        backers = tuple([who for who, each in members if each.backed.get(value, _NEVER) >= sequence])
        voices = tuple([who for who in backers if words[who].vouched.get(value, _NEVER) >= sequence])
        for each in (voices, backers):
            if each not in sets:
                sets[each] = frozenset(each)
        found.append(Vouched(identity, sequence, signal, sets[voices], sets[backers]))
    return found


def not_vouched_for(
    view: View, row: ContributionRow, newest: ContributionPayload | None, values: Iterable[Value]
) -> frozenset[Value]:
    """Of some values, those that a member's standing contribution does not vouch for yet.

    Args:
        view: where it stands.
        row: the contribution.
        newest: the payload of its entry; None: it was redacted.
        values: the values.
    """
    left = frozenset(values)
    if row.basis != Basis.PERSON_LOOKED:
        return left
    left -= _vouched_in(newest)  # nearly always: it says the same once more
    if not left:
        return left
    found: set[Value] = set()
    for sequence in view.signal_entries(row.item):
        if sequence > row.sequence:
            break
        entry = view.entry(sequence)
        undone = is_undone(view.rows, row.item, sequence)
        if entry.member == row.pseudonym and entry.kind in CONTRIBUTING and not undone:
            if entry.kind in _FIRST_WORDS:
                found.clear()
            found |= _vouched_in(said_in(view, sequence))
    return left - found


def said_in(view: View, sequence: int) -> ContributionPayload | None:
    """What a contributing entry says; None after its redaction."""
    payload = view.entry(sequence).payload
    return None if payload is None else ContributionPayload.decode(payload)


def _vouched_in(said: ContributionPayload | None) -> frozenset[Value]:
    if said is None or said.basis != Basis.PERSON_LOOKED:
        return frozenset()
    return frozenset((signal.code, signal.value) for signal in said.signals if not signal.unseen)
