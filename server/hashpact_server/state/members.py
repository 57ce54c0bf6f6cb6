"""Members beyond who they are: the tier, the record, what waits for a colleague, and what those on trial did today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import LayoutError, Reader, u8, u32, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.tables import Due, Table, due_key
from hashpact_server.state.view import View

DAY_MS: Final = 86_400_000


class Tier(IntEnum):
    """How far the forum trusts a member; numbers as ``MemberTier`` on the wire."""

    TRIAL = 1
    FULL = 2
    LEFT = 3


class Verdict(IntEnum):
    """What became of a contribution that waited for a colleague."""

    APPROVED = 1
    REJECTED = 2
    LAPSED = 3


class RecordRow(NamedTuple):
    """What stands of a member beyond its row. No row: a full member of which nothing else is recorded.

    Attributes:
        tier: how far it is trusted.
        sequence: the entry that states its record; 0: none does.
        four_eyes: whether its contributions wait for a colleague, whatever policy says.
        next_review_ms: when the record is to be looked at again, Unix time in ms; 0: not said.
        left_sequence: the entry by which it left; 0: it did not.
    """

    tier: Tier = Tier.FULL
    sequence: int = 0
    four_eyes: bool = False
    next_review_ms: int = 0
    left_sequence: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the pseudonym)."""
        return b"".join(
            (u8(self.tier), u64(self.sequence), u8(self.four_eyes), u64(self.next_review_ms), u64(self.left_sequence))
        )

    @classmethod
    def decode(cls, value: bytes) -> RecordRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        number, sequence, four_eyes = reader.u8(), reader.u64(), bool(reader.u8())
        next_review_ms, left = reader.u64(), reader.u64()
        reader.end()
        try:
            return cls(Tier(number), sequence, four_eyes, next_review_ms, left)
        except ValueError as error:
            raise LayoutError(f"there is no tier {number}") from error


class TallyRow(NamedTuple):
    """What a member on trial did on one day (UTC).

    Attributes:
        day: Unix time in days.
        entries: entries that it made, of any kind.
        contributions: those among them that are contributions.
    """

    day: int = 0
    entries: int = 0
    contributions: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the pseudonym)."""
        return u32(self.day) + u32(self.entries) + u32(self.contributions)

    @classmethod
    def decode(cls, value: bytes) -> TallyRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(reader.u32(), reader.u32(), reader.u32())
        reader.end()
        return row


class PendingRow(NamedTuple):
    """A contribution that waits for a colleague; what it says is read from its entry.

    Attributes:
        pending: its number: the sequence of the entry.
        pseudonym: whose contribution it will be.
        lapse_ms: when it lapses, Unix time in ms.
    """

    pending: int
    pseudonym: bytes
    lapse_ms: int

    def encode(self) -> bytes:
        """The row's value (its key is the number)."""
        return self.pseudonym + u64(self.lapse_ms)

    @classmethod
    def decode(cls, pending: int, value: bytes) -> PendingRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(pending, reader.take(16), reader.u64())
        reader.end()
        return row


_PLAIN: Final = RecordRow()


def record_of(view: View, pseudonym: bytes) -> RecordRow:
    """The record of a member; one read."""
    value = view.rows.get(Table.MEMBER_RECORDS, pseudonym)
    return _PLAIN if value is None else RecordRow.decode(value)


def tally_of(view: View, pseudonym: bytes, now_ms: int) -> TallyRow:
    """What a member on trial did on the day of ``now_ms``."""
    day = now_ms // DAY_MS
    value = view.rows.get(Table.TALLIES, pseudonym)
    row = None if value is None else TallyRow.decode(value)
    return row if row is not None and row.day == day else TallyRow(day)


def pending_of(view: View, pending: int) -> PendingRow | None:
    """The contribution with this number, while it waits."""
    value = view.rows.get(Table.PENDING, u64(pending))
    return None if value is None else PendingRow.decode(pending, value)


def every_pending(view: View, after: int = 0) -> Iterator[PendingRow]:
    """Contributions that wait, oldest first, from the first number after ``after`` on."""
    for key, value in view.rows.scan(Table.PENDING, start=u64(after + 1)):
        yield PendingRow.decode(int.from_bytes(key, "big"), value)


def _check_record(rows: RowReader, key: bytes, value: bytes) -> str | None:
    RecordRow.decode(value)
    return None if rows.get(Table.MEMBERS, key) else "is of a member that does not exist"


def _check_tally(rows: RowReader, key: bytes, value: bytes) -> str | None:
    if len(key) != PSEUDONYM_BYTES:
        return None if len(value) == 4 else "has another length than a count"  # of ``tallies``
    TallyRow.decode(value)
    record = rows.get(Table.MEMBER_RECORDS, key)
    on_trial = record is not None and RecordRow.decode(record).tier is Tier.TRIAL
    return None if on_trial else "is of a member that is not on trial"


def _check_pending(rows: RowReader, key: bytes, value: bytes) -> str | None:
    row = PendingRow.decode(int.from_bytes(key, "big"), value)
    if rows.get(Table.MEMBERS, row.pseudonym) is None:
        return "is of a member that does not exist"
    due = rows.get(Table.DUE, due_key(row.lapse_ms, Due.PENDING, row.pending))
    return None if due is not None else "would never lapse"


ROW_CHECKS: Final[Mapping[Table, Callable[[RowReader, bytes, bytes], str | None]]] = {
    Table.MEMBER_RECORDS: _check_record,
    Table.TALLIES: _check_tally,
    Table.PENDING: _check_pending,
}
"""What must be true of a row, for fsck: what is wrong with it, or None."""
