"""The tail: what was added last, in memory, found at once; sealed into a segment when it is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.bitmap import alive_mask
from hashpact_server.index.kernel import scan
from hashpact_server.index.pigeonring import BUCKETS, buckets_read
from hashpact_server.index.plans import address_of
from hashpact_server.index.search_kernel import CHAINS, PLAIN, SCAN
from hashpact_server.index.segments import Rows
from hashpact_server.index.tail_kernel import link_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids, Words
    from hashpact_server.index.bitmap import Bitmap
    from hashpact_server.index.kernel import Hits

TAIL_ROWS_MAX: Final = 16_384
"""Beyond it a sorted segment answers faster than chained buckets do."""

TAIL_BUCKET_NS: Final = 10.0
"""Nanoseconds to look into a bucket, on a 2023 server core."""

STEPS_SHARE: Final = 32
"""Following so many links as one in this many rows takes a third of the time of comparing with all."""


class Tail:
    """Up to ``TAIL_ROWS_MAX`` rows in chained buckets: one thread appends, many search.

    Rows only grow; a searcher says how many it may see. 128 KiB of tables per 16 bits of value length, and
    ids and values of at most 16,384 rows: 3.2 MiB at 256 bits, of which untouched pages are not resident.

    Args:
        bits: length of a value.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._words = bits // 64
        self._quarters = bits // 16
        self._ids: Ids = np.empty(TAIL_ROWS_MAX, np.uint64)
        self._values: Words = np.empty(TAIL_ROWS_MAX * self._words, np.uint64)
        self._heads = np.zeros(self._quarters * BUCKETS, np.uint16)
        self._links = np.zeros(TAIL_ROWS_MAX * self._quarters, np.uint16)
        self._addresses = [address_of(each) for each in (self._values, self._heads, self._links, self._ids)]
        self._row_of: dict[int, int] = {}  # the newest row of each id; only the writer looks at it
        self.count = 0

    def append(self, ids: Ids, values: Words) -> None:
        """Add rows; the caller leaves room and publishes the new count to searchers afterwards."""
        begin, end = self.count, self.count + ids.shape[0]
        self._ids[begin:end] = ids
        self._values[begin * self._words : end * self._words] = values.reshape(-1)
        link_rows(self._values, self._words, begin, end, self._heads, self._links)
        self._row_of.update(zip(ids.tolist(), range(begin, end), strict=True))
        self.count = end

    def rows_of(self, ids: Ids) -> NDArray[np.int64]:
        """The newest row of each id that was ever added, dead or alive."""
        if not self._row_of:
            return np.empty(0, np.int64)
        rows = [row for row in map(self._row_of.get, ids.tolist()) if row is not None]
        return np.array(rows, np.int64)

    def ids_of(self, rows: NDArray[np.int64]) -> Ids:
        """Ids of rows."""
        return self._ids[rows]

    def contents(self, count: int, dead: Bitmap) -> Rows:
        """The first ``count`` rows, and which of them are alive; nothing is copied."""
        values = self._values[: count * self._words].reshape(count, self._words)
        return Rows(self._ids[:count], values, alive_mask(dead, count))

    def tables_ns(self, radius: int, rows: int) -> float:  # noqa: ARG002 -- asked as segments are
        """What a search through the chained buckets costs."""
        return TAIL_BUCKET_NS * buckets_read(self._bits, radius)

    def record(self, rows: int, dead: Bitmap, budget_ns: float | None) -> tuple[int, ...]:
        """The first ``rows`` as the search kernel wants them: see :class:`~hashpact_server.index.plans.Body`."""
        plan = SCAN if budget_ns is None else CHAINS
        values, heads, links, ids = self._addresses
        return (
            plan, rows, rows // STEPS_SHARE, address_of(dead), dead.shape[0], values, heads, links, 0, ids, 0,
            PLAIN, TAIL_ROWS_MAX,
        )  # fmt: skip

    def scan(self, queries: Words, radius: int, rows: int, dead: Bitmap) -> Hits:
        """Every living row below ``rows`` within the radius of each query, by comparing with all."""
        return scan(queries, radius, self._values, rows, dead)

    def memory_bytes(self) -> int:
        """Bytes of tables and of the rows in use."""
        return self._heads.nbytes + self.count * (8 + self._bits // 8 + 2 * self._quarters)
