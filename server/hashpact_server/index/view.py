"""One moment of the fast index: what a search goes through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hashpact_server.index.bitmap import alive_of, with_rows
from hashpact_server.index.plans import Moment, are_many, plan_search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hashpact_server.index.base import Ids
    from hashpact_server.index.bitmap import Bitmap
    from hashpact_server.index.plans import Plan
    from hashpact_server.index.segments import Rows, Segment
    from hashpact_server.index.tail import Tail


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A segment and which of its rows are removed, at one moment."""

    segment: Segment
    dead: Bitmap
    dead_rows: int

    def without(self, ids: Ids) -> Piece:
        """The same with those of ``ids`` removed that it has."""
        rows = alive_of(self.dead, self.segment.rows_of(ids))
        if rows.shape[0] == 0:
            return self
        dead = with_rows(self.dead, rows, self.segment.count)
        return Piece(self.segment, dead, self.dead_rows + rows.shape[0])

    def contents(self) -> Rows:
        """All rows of the segment, and which are alive."""
        return self.segment.contents(self.dead)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One moment of the index; never changed after it was published, but for the plans that searches leave.

    Attributes:
        pieces: segments, largest first.
        tail: the tail; the writer appends to it behind ``tail_count``.
        tail_count: rows of the tail that are part of this moment.
        tail_dead: bitmap of removed rows of the tail.
        tail_dead_rows: how many.
    """

    pieces: tuple[Piece, ...]
    tail: Tail
    tail_count: int
    tail_dead: Bitmap
    tail_dead_rows: int
    _plans: dict[tuple[int, bool], Plan] = field(default_factory=dict, init=False, repr=False)

    def plan(self, bits: int, radius: int, queries: int) -> Plan:
        """How to search for some number of queries; whoever uses it keeps the view."""
        key = radius, are_many(queries)
        found = self._plans.get(key)
        if found is None:
            moments = [Moment(piece.segment, piece.segment.count, piece.dead) for piece in self.pieces]
            if self.tail_count:
                moments.append(Moment(self.tail, self.tail_count, self.tail_dead))
            # Two threads may both make it: they make the same.
            found = self._plans[key] = plan_search(moments, bits, *key)
        return found

    def __len__(self) -> int:
        living = sum(piece.segment.count - piece.dead_rows for piece in self.pieces)
        return living + self.tail_count - self.tail_dead_rows

    def tail_contents(self) -> Rows:
        """The rows of the tail, and which are alive."""
        return self.tail.contents(self.tail_count, self.tail_dead)

    def exchanged(self, old: Sequence[Segment], new: Sequence[Piece]) -> View:
        """The same moment with other segments: ``new`` hold what was alive in ``old``."""
        kept = [piece for piece in self.pieces if piece.segment not in old]
        return replace(self, pieces=tuple(sorted([*kept, *new], key=lambda piece: -piece.segment.count)))

    def has_any(self, ids: Ids) -> bool:
        """Whether one of ``ids`` is present."""
        if alive_of(self.tail_dead, self.tail.rows_of(ids)).shape[0]:
            return True
        return any(alive_of(piece.dead, piece.segment.rows_of(ids)).shape[0] for piece in self.pieces)
