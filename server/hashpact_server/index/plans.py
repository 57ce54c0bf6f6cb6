"""Searching bodies of rows, each by the cheaper plan: through its tables, or row by row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from hashpact_server.index.kernel import TURNED_QUERIES_MIN
from hashpact_server.index.multi_kernel import BUCKET_NS, CANDIDATE_NS, ENTRY_NS, LISTING_NS
from hashpact_server.index.pigeonring import BUCKETS, FLIP_MASKS, buckets_read, thresholds, work_per_row
from hashpact_server.index.search_kernel import LEFT, search_bodies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids, Words
    from hashpact_server.index.bitmap import Bitmap
    from hashpact_server.index.kernel import Hits
    from hashpact_server.index.results import Found

# Nanoseconds per row and machine word of a linear scan, measured at 1M rows of 256 bits on a 2023 server
# core: one query waits for memory, a batch computes. Only the choice between plans depends on them.
SCAN_ALONE_NS: Final = 0.27
SCAN_BATCH_NS: Final = 0.10

HITS_ROOM: Final = 1024
HITS_ROOM_PER_QUERY: Final = 16
"""A call that finds more hits than that is searched twice."""


class Body(Protocol):
    """Rows that can be searched either way: a segment, or the tail."""

    def tables_ns(self, radius: int, count: int) -> float:
        """What one query costs through the tables, in nanoseconds, if the values' bits are random."""
        ...

    def record(self, count: int, dead: Bitmap, budget_ns: float) -> tuple[int, ...]:
        """The body as ``search_kernel`` wants it: valid as long as body and ``dead`` are kept alive."""
        ...

    def scan(self, queries: Words, radius: int, count: int, dead: Bitmap) -> Hits:
        """Every living row within the radius of each query, by comparing with all."""
        ...

    def ids_of(self, rows: NDArray[np.int64]) -> Ids:
        """Ids of rows."""
        ...


class Moment(NamedTuple):
    """What of a body is there at one moment: the first ``rows``, without those in the bitmap ``dead``."""

    body: Body
    rows: int
    dead: Bitmap

    def scan(self, queries: Words, radius: int) -> Found:
        """The hits of a linear scan."""
        query, distance, row = self.body.scan(queries, radius, self.rows, self.dead)
        return query, distance, self.body.ids_of(row)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to search some bodies: made once for each radius, and used until one of them changes.

    Attributes:
        radius: distance in bits, inclusive.
        limits: ``pigeonring.thresholds``.
        tables: bodies that are searched through their tables.
        records: the same for the kernel, int64 [tables * FIELDS].
        scanned: bodies that are scanned row by row.
    """

    radius: int
    limits: NDArray[np.int64]
    tables: tuple[Moment, ...]
    records: NDArray[np.int64]
    scanned: tuple[Moment, ...]

    def search(self, queries: Words) -> Sequence[Found]:
        """Every living row within the radius of each query: uint64 [q, words]."""
        found = [part for moment in self.scanned if (part := moment.scan(queries, self.radius))[2].shape[0]]
        if not self.tables:
            return found
        room = HITS_ROOM + HITS_ROOM_PER_QUERY * queries.shape[0]
        while True:
            rows = np.empty((3, room), np.int64)
            hits = search_bodies(queries, self.radius, self.limits, FLIP_MASKS, self.records, rows)
            if hits == 0:  # nearly every look-up
                return found
            if hits <= room:
                return [*found, *self._told(queries, rows[:, :hits].copy())]
            room = hits

    def _told(self, queries: Words, rows: NDArray[np.int64]) -> list[Found]:
        """What the kernel found, and what it left to a scan."""
        left = rows[1] == LEFT
        if not left.any():
            return [(rows[0], rows[1].astype(np.int32), rows[2].view(np.uint64))]
        told = self._told(queries, rows[:, ~left])
        for number, moment in enumerate(self.tables):
            asked = rows[0, left & (rows[2] == number)]
            if asked.shape[0]:
                query, distance, ids = moment.scan(queries[asked], self.radius)
                told.append((asked[query], distance, ids))
        return told


def plan_search(moments: Sequence[Moment], bits: int, radius: int, many: bool) -> Plan:
    """The cheaper plan for each body.

    Args:
        moments: what to search, of values of ``bits`` bits.
        bits: length of a value.
        radius: distance in bits, inclusive.
        many: whether queries come by the dozen.
    """
    tables: list[Moment] = []
    scanned: list[Moment] = []
    records: list[int] = []
    for moment in moments:
        body, rows, dead = moment
        budget_ns = linear_ns(rows, bits // 64, many)
        if body.tables_ns(radius, rows) < budget_ns:
            tables.append(moment)
            records += body.record(rows, dead, budget_ns)
        else:
            scanned.append(moment)
    return Plan(radius, thresholds(bits, radius), tuple(tables), np.array(records, np.int64), tuple(scanned))


def are_many(queries: int) -> bool:
    """Whether queries come by the dozen: a scan is cheaper for each of them then."""
    return queries >= TURNED_QUERIES_MIN


def linear_ns(rows: int, words: int, many: bool) -> float:
    """What comparing one query with every row costs, in nanoseconds."""
    return rows * words * (SCAN_BATCH_NS if many else SCAN_ALONE_NS)


@lru_cache(maxsize=1024)
def tables_ns(bits: int, radius: int, rows: int) -> float:
    """What a search through a segment's tables costs if the values' bits are random, in nanoseconds.

    Real values share more words than random ones; that shows once the buckets are listed.
    """
    buckets = buckets_read(bits, radius)
    entries, compared = work_per_row(bits, radius)
    reading_ns = buckets * (LISTING_NS + BUCKET_NS * min(1.0, rows / BUCKETS))
    return reading_ns + rows * (entries * ENTRY_NS + compared * CANDIDATE_NS)


def address_of(array: NDArray[Any]) -> int:
    """Where an array's data lie."""
    address: int = array.__array_interface__["data"][0]
    return address
