"""Motions: what a steward proposed, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from hashpact_server.ledger.codec import Reader, u8, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View


class MotionState(IntEnum):
    """Where a motion stands; numbers as on the wire."""

    OPEN = 1
    CARRIED = 2
    WITHDRAWN = 3
    LAPSED = 4


class MotionRow(NamedTuple):
    """One motion. Its number is the sequence that proposed it.

    Attributes:
        act: number of the act's field in ``StewardAct``.
        proposer: pseudonym.
        lapse_ms: when it lapses, in Unix ms.
        closed: sequence of the entry that ended it; 0 while it is open.
        closer: pseudonym of who seconded it or took it back; zero bytes while it is open, and when it lapsed.
    """

    motion: int
    state: MotionState
    act: int
    proposer: bytes
    lapse_ms: int
    closed: int = 0
    closer: bytes = bytes(PSEUDONYM_BYTES)

    def encode(self) -> bytes:
        """The row's value (its key is the motion)."""
        return u8(self.state) + u8(self.act) + self.proposer + u64(self.lapse_ms) + u64(self.closed) + self.closer

    @classmethod
    def decode(cls, motion: int, value: bytes) -> MotionRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        state, act, proposer = MotionState(reader.u8()), reader.u8(), reader.take(PSEUDONYM_BYTES)
        row = cls(motion, state, act, proposer, reader.u64(), reader.u64(), reader.take(PSEUDONYM_BYTES))
        reader.end()
        return row


def motion(view: View, number: int) -> MotionRow | None:
    """The motion with this number."""
    value = view.rows.get(Table.MOTIONS, u64(number))
    return None if value is None else MotionRow.decode(number, value)


def motions(view: View) -> Iterator[MotionRow]:
    """All motions, oldest first."""
    for key, value in view.rows.scan(Table.MOTIONS):
        yield MotionRow.decode(int.from_bytes(key, "big"), value)
