"""What apply may touch, and how it says that an entry cannot be applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hashpact_server.ledger.base import Reading
from hashpact_server.ledger.codec import u64
from hashpact_server.state.row_store import RowReader, WritableRows
from hashpact_server.state.tables import Due, Table, due_key


class UnknownEntryError(Exception):
    """An entry of a kind or with a signal type that this version does not know: upgrade; it is never skipped."""


class ContradictionError(Exception):
    """An entry that cannot follow the ones before it: a mistake of the rule that made it, or damage."""


@dataclass(slots=True)
class Changes:
    """What the memory has to follow after a commit.

    Attributes:
        added: (code, signal id, item, value) of perceptual values.
        removed: (code, signal id) of perceptual values.
        digests: (code, digest, whether it is listed now), in the order in which it happened.
        people: whether members or tokens changed.
        benign: whether the benign list changed.
        incidents: whether an incident was opened, prolonged or closed.
        incident_items: (incident, item) of what was put under one.
    """

    added: list[tuple[int, int, int, bytes]] = field(default_factory=list, repr=False)
    removed: list[tuple[int, int]] = field(default_factory=list)
    digests: list[tuple[int, bytes, bool]] = field(default_factory=list, repr=False)
    people: bool = False
    benign: bool = False
    incidents: bool = False
    incident_items: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scope:
    """What apply may touch: the rows, earlier entries, and the list of changes."""

    rows: WritableRows
    ledger: Reading
    changes: Changes

    def set_due(self, due_ms: int, due: Due, subject: int) -> None:
        """Note that something has to be decided at a time; 0: at none."""
        if due_ms:
            self.rows.put(Table.DUE, due_key(due_ms, due, subject), b"")

    def clear_due(self, due_ms: int, due: Due, subject: int) -> None:
        """It was decided, or need not be any more."""
        if due_ms:
            self.rows.delete(Table.DUE, due_key(due_ms, due, subject))


def signal_entries(item: int, rows: RowReader) -> Iterator[int]:
    """Sequences of the entries that may hold signals of an item, oldest first."""
    yield item
    for key, _ in list(rows.scan(Table.ITEM_ENTRIES, prefix=u64(item))):
        yield int.from_bytes(key[8:], "big")
