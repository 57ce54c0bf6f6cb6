"""Rollbacks: which ones were ordered, how far each is, and which entries were undone.

Four kinds of rows in one table, told apart by their first byte: the rollbacks; a mark for each entry that was undone,
by the item that it was about; the rollbacks that go on; and the opinions that later ones took the place of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import Reader, u8, u16, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload
from hashpact_server.state.judgement_rows import OpinionRow
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.rows import Basis, ContributionRow
from hashpact_server.state.scope import Scope
from hashpact_server.state.tables import Table

_ORDERED: Final = u8(0)
_UNDONE: Final = u8(1)
_RUNNING: Final = u8(2)
_REPLACED: Final = u8(3)

UNDOABLE: Final = frozenset(
    (
        *CONTRIBUTING,
        Kind.CONTRIBUTION_WITHDRAWN,
        Kind.OPINION_GIVEN,
        Kind.OPINION_REVOKED,
        Kind.DISPUTE_OPENED,
        Kind.DISPUTE_VOTED,
    )
)
"""Kinds of acts on items that a rollback undoes."""


class RollbackRow(NamedTuple):
    """One rollback. Its number is the sequence that ordered it.

    Attributes:
        pseudonym: whose acts are undone.
        orderer: pseudonym of the steward that seconded it.
        since_ms: since when, in Unix ms.
        first: sequence of the first entry of that time or later.
        upper: all that the member did from this entry on, up to the order, was undone.
        undone: entries undone so far.
        finished: sequence of the entry that ended it; 0 while it goes on.
    """

    rollback: int
    pseudonym: bytes
    orderer: bytes
    since_ms: int
    first: int
    upper: int
    undone: int = 0
    finished: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the rollback)."""
        numbers = (self.since_ms, self.first, self.upper, self.undone, self.finished)
        return self.pseudonym + self.orderer + b"".join(map(u64, numbers))

    @classmethod
    def decode(cls, rollback: int, value: bytes) -> RollbackRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        pseudonym, orderer = reader.take(PSEUDONYM_BYTES), reader.take(PSEUDONYM_BYTES)
        row = cls(rollback, pseudonym, orderer, *(reader.u64() for _ in range(5)))
        reader.end()
        return row


def rollback_key(rollback: int) -> bytes:
    """Key of a rollback."""
    return _ORDERED + u64(rollback)


def running_key(rollback: int) -> bytes:
    """Key of the row that says that a rollback goes on."""
    return _RUNNING + u64(rollback)


def undone_key(item: int, sequence: int) -> bytes:
    """Key of the mark of an entry that was undone."""
    return _UNDONE + u64(item) + u64(sequence)


def undone_value(rollback: int, kept: tuple[int, ...]) -> bytes:
    """Value of such a mark: which rollback, and the positions of the signals that stayed."""
    return u64(rollback) + u16(len(kept)) + b"".join(map(u16, kept))


def rollback(rows: RowReader, number: int) -> RollbackRow | None:
    """The rollback with this number."""
    value = rows.get(Table.ROLLBACKS, rollback_key(number))
    return None if value is None else RollbackRow.decode(number, value)


def rollbacks(rows: RowReader) -> Iterator[RollbackRow]:
    """All rollbacks, oldest first."""
    for key, value in rows.scan(Table.ROLLBACKS, prefix=_ORDERED):
        yield RollbackRow.decode(int.from_bytes(key[1:], "big"), value)


def running(rows: RowReader) -> Iterator[RollbackRow]:
    """Rollbacks that go on, oldest first. One read when there is none, which is nearly always."""
    for key, _ in list(rows.scan(Table.ROLLBACKS, prefix=_RUNNING)):
        if (row := rollback(rows, int.from_bytes(key[1:], "big"))) is not None:
            yield row


def undone_entries(rows: RowReader, item: int) -> Mapping[int, tuple[int, ...]]:
    """Entries about an item that were undone, with the positions of their signals that stayed on the list."""
    found = {}
    for key, value in rows.scan(Table.ROLLBACKS, prefix=_UNDONE + u64(item)):
        reader = Reader(value)
        reader.u64()
        found[int.from_bytes(key[9:], "big")] = tuple(reader.u16() for _ in range(reader.u16()))
    return found


def is_undone(rows: RowReader, item: int, sequence: int) -> bool:
    """Whether an entry about an item was undone."""
    return rows.get(Table.ROLLBACKS, undone_key(item, sequence)) is not None


def contribution_stated(entry: Entry) -> ContributionRow:
    """The row that a contributing entry states; after its redaction: who, where, and the classes of its labels."""
    if entry.payload is None:
        return ContributionRow(entry.subject, entry.member, entry.sequence, Basis.REDACTED, entry.classes)
    payload = ContributionPayload.decode(entry.payload)
    return ContributionRow(entry.subject, entry.member, entry.sequence, payload.basis, payload.labels)


def remember_opinion(scope: Scope, sequence: int, before: bytes | None) -> None:
    """Keep the row that the opinion in entry ``sequence`` took the place of: it may have to come back."""
    if before is not None:
        scope.rows.put(Table.ROLLBACKS, _REPLACED + u64(sequence), before)


def opinion_before(rows: RowReader, entry: Entry) -> OpinionRow | None:
    """The member's opinion on the item before it gave, or revoked, one with this entry."""
    value = rows.get(Table.ROLLBACKS, _REPLACED + u64(entry.sequence))
    return None if value is None else OpinionRow.decode(entry.subject, entry.member, value)
