"""One moment of the index of local points, and how the next one is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hashpact_server.index.base import Bytes, Ids, Words
from hashpact_server.index.points_kernel import CHUNK_BITS, TABLES, WORDS, Sizes, Tables, chain_rows, sort_rows

CHAINED_MIN: Final = 16_384
CHAINED_SHARE: Final = 16
"""So many points hang in chains at most, or this share of the sorted ones."""

PLACE_UNITS: Final = np.array([64, 64, 64, 0x10000 / (2 * np.pi)], np.float32)
"""Places are kept in 16 bits each: in 1/64 pixel, and 1/65536 of a turn."""

BITS_MIN: Final = 8
_SMALL: Final = 1024

Floats: TypeAlias = NDArray[np.float32]


class Pictures(NamedTuple):
    """Listed pictures; n of them with p points in all.

    Attributes:
        ids: uint64 [n], signal ids.
        items: uint64 [n], the items that they belong to.
        wholes: uint8 [n, 32], PDQ of each whole picture.
        whole_known: bool [n], whether that says enough to tell copies by it.
        counts: int64 [n], points of each.
        descriptors: uint8 [p, 32].
        places: float32 [p, 4]: x, y and size in pixels, direction in radians.
    """

    ids: Ids
    items: Ids
    wholes: Bytes
    whole_known: NDArray[np.bool_]
    counts: NDArray[np.int64]
    descriptors: Bytes
    places: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PointsView:
    """One moment. Arrays are longer than what is used; what lies behind belongs to later moments."""

    descriptors: Words
    owners: NDArray[np.uint32]
    places: NDArray[np.uint16]
    rows: int
    ids: Ids
    items: Ids
    wholes: Words
    whole_known: NDArray[np.uint8]
    alive: NDArray[np.uint8]
    counts: NDArray[np.uint32]
    pictures: int
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]
    sorted_rows: int
    sorted_bits: int
    heads: NDArray[np.uint32]
    links: NDArray[np.uint32]
    chain_bits: int
    chained_max: int

    def chain(self, begin: int) -> None:
        """Enter the rows from ``begin`` on into the chains."""
        chain_rows(self.descriptors, self.sorted_rows, begin, self.rows, self.chain_bits, self.heads, self.links)

    def with_tables_of(self, earlier: PointsView) -> PointsView:
        """This moment with the tables of an earlier one that is sorted; what came later hangs in its chains."""
        view = replace(
            self,
            starts=earlier.starts,
            entries=earlier.entries,
            sorted_rows=earlier.sorted_rows,
            sorted_bits=earlier.sorted_bits,
            heads=earlier.heads,
            links=earlier.links,
            chain_bits=earlier.chain_bits,
            chained_max=earlier.chained_max,
        )
        if view.rows - view.sorted_rows > view.chained_max:
            return sorted_view(view)
        view.chain(view.sorted_rows)
        return view

    @property
    def tables(self) -> Tables:
        """As kernels want them."""
        return self.starts, self.entries, self.heads, self.links

    @property
    def sizes(self) -> Sizes:
        """As kernels want them."""
        return self.sorted_rows, self.sorted_bits, self.chain_bits, self.rows


def _bits_for(rows: int) -> int:
    return max(BITS_MIN, min(CHUNK_BITS, int(rows).bit_length()))


def empty_view() -> PointsView:
    """A moment without pictures."""
    return sorted_view(
        PointsView(
            np.empty(_SMALL * WORDS, np.uint64), np.empty(_SMALL, np.uint32), np.empty((_SMALL, 4), np.uint16), 0,
            np.empty(_SMALL, np.uint64), np.empty(_SMALL, np.uint64),
            np.empty(_SMALL * WORDS, np.uint64), np.empty(_SMALL, np.uint8), np.empty(_SMALL, np.uint8),
            np.empty(_SMALL, np.uint32), 0,
            *(np.empty(0, np.uint32),) * 2, 0, BITS_MIN, *(np.empty(0, np.uint32),) * 2, BITS_MIN, 0,
        )
    )  # fmt: skip


def _room(array: NDArray[Any], used: int, needed: int) -> NDArray[Any]:
    """The array itself where it is long enough, else a copy that is; views that are out keep the old one."""
    if needed <= len(array):
        return array
    larger: NDArray[Any] = np.empty((max(needed, len(array) + len(array) // 2), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


def with_pictures(view: PointsView, new: Pictures) -> PointsView:
    """The moment with more pictures, whose points are in no table yet."""
    rows, end = view.rows, view.rows + len(new.descriptors)
    first, last = view.pictures, view.pictures + len(new.ids)
    grown: dict[str, Any] = {
        "descriptors": _room(view.descriptors, rows * WORDS, end * WORDS),
        "owners": _room(view.owners, rows, end),
        "places": _room(view.places, rows, end),
        "ids": _room(view.ids, first, last),
        "items": _room(view.items, first, last),
        "wholes": _room(view.wholes, first * WORDS, last * WORDS),
        "whole_known": _room(view.whole_known, first, last),
        "alive": _room(view.alive, first, last),
        "counts": _room(view.counts, first, last),
    }
    grown["descriptors"][rows * WORDS : end * WORDS] = words_of(new.descriptors)
    grown["owners"][rows:end] = np.repeat(np.arange(first, last), new.counts)
    grown["places"][rows:end] = np.clip(np.rint(new.places * PLACE_UNITS), 0, 0xFFFF)
    grown["ids"][first:last], grown["items"][first:last] = new.ids, new.items
    grown["whole_known"][first:last] = new.whole_known
    grown["wholes"][first * WORDS : last * WORDS] = words_of(new.wholes)
    grown["alive"][first:last], grown["counts"][first:last] = 1, new.counts
    return replace(view, rows=end, pictures=last, **grown)


def sorted_view(view: PointsView) -> PointsView:
    """The moment with all rows sorted and empty chains."""
    rows, bits = view.rows, _bits_for(view.rows)
    starts, entries = np.empty(TABLES * ((1 << bits) + 1), np.uint32), np.empty(TABLES * rows, np.uint32)
    sort_rows(view.descriptors, rows, bits, starts, entries)
    room = max(CHAINED_MIN, rows // CHAINED_SHARE)
    chain_bits = _bits_for(room) - 1
    return replace(
        view,
        starts=starts,
        entries=entries,
        sorted_rows=rows,
        sorted_bits=bits,
        heads=np.zeros(TABLES << chain_bits, np.uint32),
        links=np.empty(TABLES * room, np.uint32),
        chain_bits=chain_bits,
        chained_max=room,
    )


def compacted(view: PointsView) -> PointsView:
    """The moment without what was removed; nothing of it is in a table."""
    living = np.flatnonzero(view.alive[: view.pictures])
    rows = np.flatnonzero(view.alive[view.owners[: view.rows]])
    numbers = np.cumsum(view.alive[: view.pictures], dtype=np.int64) - 1
    return replace(
        view,
        descriptors=view.descriptors.reshape(-1, WORDS)[rows].reshape(-1),
        owners=numbers[view.owners[rows]].astype(np.uint32),
        places=view.places[rows],
        rows=len(rows),
        ids=view.ids[living],
        items=view.items[living],
        wholes=view.wholes.reshape(-1, WORDS)[living].reshape(-1),
        whole_known=view.whole_known[living],
        alive=view.alive[living],
        counts=view.counts[living],
        pictures=len(living),
    )


def words_of(values: Bytes) -> Words:
    """Descriptors as machine words, one after the other: uint8 [n, 32] -> uint64 [n * 4]."""
    return np.ascontiguousarray(values).view(np.uint64).reshape(-1)
