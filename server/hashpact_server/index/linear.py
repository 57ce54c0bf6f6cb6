"""The obviously right index: compare with every value.

It is the measure for the fast one, which answers the same for every size and radius, and it is what runs
where lists are small. Cost grows with the number of values: about 1.3 ms per million 256-bit values for
one query alone, 0.4 ms per query in batches of 64.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.base import (
    Bytes,
    Ids,
    IndexInputError,
    RangeResult,
    Words,
    check_bytes,
    check_ids,
    check_new,
    check_radius,
)
from hashpact_server.index.bitmap import Bitmap, alive_mask, alive_of, no_rows, with_rows
from hashpact_server.index.metrics import Metric, hamming_metric
from hashpact_server.index.results import arrange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

ROWS_START: Final = 1024
COMPACT_DEAD_ROWS_MIN: Final = 4096
ENTRIES_BLOCK_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class _View:
    """One moment of the index; never changed after it was published.

    ``ids`` and ``values`` are longer than ``rows``: the writer fills what lies behind, where no view that
    is out looks, and then publishes a longer view of the same arrays. The bitmap is copied at each removal.

    Attributes:
        ids: uint64 [>= rows], strictly increasing over the first ``rows``.
        values: uint64 [>= rows, words].
        rows: rows in use, removed ones included.
        dead: uint8 bitmap of removed rows; may end early.
        dead_rows: how many bits are set in it.
    """

    ids: Ids
    values: Words
    rows: int
    dead: Bitmap
    dead_rows: int

    def rows_of(self, ids: Ids) -> NDArray[np.int64]:
        """Rows of those ``ids`` that are present."""
        known = self.ids[: self.rows]
        places = np.searchsorted(known, ids)
        inside = places < self.rows
        rows: NDArray[np.int64] = places[inside][known[places[inside]] == ids[inside]]
        return alive_of(self.dead, rows)


class LinearIndex:
    """An :class:`~hashpact_server.index.base.Index` that compares each query with every value.

    Holds ``bits / 8 + 8`` bytes per value, up to twice that while growing. Adding ids below the largest one
    present rewrites everything once per call; ids that grow cost their own length only.

    Args:
        bits: length of a value, 64..1024 in steps of 64, to be compared by Hamming distance; or how values are compared
            otherwise.

    Raises:
        IndexInputError: another length.
    """

    def __init__(self, bits: int | Metric) -> None:
        self._metric = bits if isinstance(bits, Metric) else hamming_metric(bits)
        self._bits = self._metric.bits
        self._words = self._metric.words
        self._lock = threading.Lock()  # one mutation at a time; searches never wait for it
        self._view = self._empty_view(ROWS_START)

    def _empty_view(self, room: int) -> _View:
        values = np.empty((room, self._words), np.uint64)
        return _View(np.empty(room, np.uint64), values, 0, no_rows(), 0)

    @property
    def bits(self) -> int:
        """Length of a value in bits."""
        return self._bits

    def __len__(self) -> int:
        view = self._view
        return view.rows - view.dead_rows

    def add(self, ids: ArrayLike, values: ArrayLike) -> None:
        """Add values: see :meth:`Index.add <hashpact_server.index.base.Index.add>`."""
        self._add(*self._checked(ids, values))

    def _checked(self, ids: ArrayLike, values: ArrayLike) -> tuple[Ids, Words]:
        return check_new(ids, self._metric.pack(check_bytes(values, self._bits, "values")))

    def _add(self, new_ids: Ids, new_values: Words) -> None:
        if new_ids.shape[0] == 0:
            return
        with self._lock:
            view = self._view
            if view.rows_of(new_ids).shape[0]:
                raise IndexInputError("an id is already present; remove it first; nothing was added")
            if view.rows and new_ids[0] <= view.ids[view.rows - 1]:
                self._view = self._rewritten(view, new_ids, new_values)
            else:
                self._view = self._appended(view, new_ids, new_values)

    def add_blocks(self, blocks: Iterable[tuple[ArrayLike, ArrayLike]]) -> None:
        """Add many: see :meth:`Index.add_blocks <hashpact_server.index.base.Index.add_blocks>`."""
        checked = [self._checked(ids, values) for ids, values in blocks]
        if checked:
            ids = np.concatenate([block[0] for block in checked])
            self._add(*check_new(ids, np.concatenate([block[1] for block in checked])))

    def _appended(self, view: _View, ids: Ids, values: Words) -> _View:
        rows = view.rows + ids.shape[0]
        new_ids, new_values = view.ids, view.values
        if rows > new_ids.shape[0]:
            larger = self._empty_view(max(rows, new_ids.shape[0] * 3 // 2))
            new_ids, new_values = larger.ids, larger.values
            new_ids[: view.rows] = view.ids[: view.rows]
            new_values[: view.rows] = view.values[: view.rows]
        new_ids[view.rows : rows] = ids
        new_values[view.rows : rows] = values
        return _View(new_ids, new_values, rows, view.dead, view.dead_rows)

    def _rewritten(self, view: _View, ids: Ids, values: Words) -> _View:
        """The living rows and the new ones, in order of id, in arrays of their own."""
        alive = alive_mask(view.dead, view.rows)
        all_ids = np.concatenate((view.ids[: view.rows][alive], ids))
        order = np.argsort(all_ids, kind="stable")
        all_values = np.concatenate((view.values[: view.rows][alive], values))
        return _View(all_ids[order], all_values[order], all_ids.shape[0], no_rows(), 0)

    def remove(self, ids: ArrayLike) -> int:
        """Remove values: see :meth:`Index.remove <hashpact_server.index.base.Index.remove>`."""
        unwanted = np.unique(check_ids(ids))
        with self._lock:
            view = self._view
            rows = view.rows_of(unwanted)
            removed = int(rows.shape[0])
            if removed == 0:
                return 0
            dead = with_rows(view.dead, rows, view.rows)
            view = _View(view.ids, view.values, view.rows, dead, view.dead_rows + removed)
            if view.dead_rows >= COMPACT_DEAD_ROWS_MIN and view.dead_rows * 4 >= view.rows:
                view = self._rewritten(view, view.ids[:0], view.values[:0])
            self._view = view
            return removed

    def range_search(self, queries: ArrayLike, radius: int) -> RangeResult:
        """Search: see :meth:`Index.range_search <hashpact_server.index.base.Index.range_search>`."""
        asked = self._metric.pack(check_bytes(queries, self._bits, "queries"))
        reach = check_radius(radius, self._metric.radius_max)
        view = self._view
        hit_query, hit_distance, hit_row = self._metric.scan(
            asked, reach, view.values.reshape(-1), view.rows, view.dead
        )
        found = [(hit_query, hit_distance, view.ids[hit_row])] if hit_row.shape[0] else []
        return arrange(asked.shape[0], found)

    def entries(self) -> Iterator[tuple[Ids, Bytes]]:
        """All that is present: see :meth:`Index.entries <hashpact_server.index.base.Index.entries>`."""
        view = self._view
        alive = alive_mask(view.dead, view.rows)
        for begin in range(0, view.rows, ENTRIES_BLOCK_ROWS):
            block = slice(begin, min(begin + ENTRIES_BLOCK_ROWS, view.rows))
            yield view.ids[block][alive[block]], self._metric.unpack(view.values[block][alive[block]])

    def memory_bytes(self) -> int:
        """Bytes that hold values, ids and the bitmap, spare room not counted."""
        view = self._view
        return view.rows * (8 * self._words + 8) + view.dead.nbytes

    def close(self) -> None:
        """Let go of the values."""
        with self._lock:
            self._view = self._empty_view(0)
