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
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids, Words
    from hashpact_server.index.bitmap import Bitmap
    from hashpact_server.index.kernel import Hits
    from hashpact_server.index.results import Found

# Nanoseconds per row and machine word of a linear scan, measured at 1M rows of 256 bits on a 2023 server
# core: one query waits for memory, a batch computes. Only the choice between plans depends on them.
SCAN_ALONE_NS: Final = 0.27
SCAN_BATCH_NS: Final = 0.10

HITS_ROOM: Final = 4096
HITS_ROOM_PER_QUERY: Final = 16
HITS_ROOM_SCANNED: Final = 16_384
HITS_ROOM_SCANNED_SHARE: Final = 16
"""There is room for so many hits; beside them, where a body is scanned, for all of it or for this share, whatever
is more. A call that finds more is searched twice: sorting so many hits takes longer than finding them."""

_INT32: Final = np.dtype(np.int32)
_UINT64: Final = np.dtype(np.uint64)


class Body(Protocol):
    """Rows that can be searched either way: a segment, or the tail."""

    def tables_ns(self, radius: int, rows: int) -> float:
        """What one query costs through the tables, in nanoseconds, if the values' bits are random."""
        ...

    def record(self, rows: int, dead: Bitmap, budget_ns: float | None) -> tuple[int, ...]:
        """The body as ``search_kernel`` wants it: valid as long as body and ``dead`` are kept alive.

        Args:
            rows: how many to search.
            dead: bitmap of removed rows.
            budget_ns: what a scan costs, beyond which the tables are left; None: scan at once.
        """
        ...

    def scan(self, queries: Words, radius: int, rows: int, dead: Bitmap) -> Hits:
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
        searched: bodies that the search kernel goes through.
        records: the same for the kernel, int64 [searched * FIELDS].
        room: how many hits are expected at most, beside those of a batch.
        scanned: bodies that are compared with many queries at once.
    """

    radius: int
    limits: NDArray[np.int64]
    searched: tuple[Moment, ...]
    records: NDArray[np.int64]
    room: int
    scanned: tuple[Moment, ...]

    def search(self, queries: Words) -> list[Found]:
        """Every living row within the radius of each query: uint64 [q, words]."""
        found = [moment.scan(queries, self.radius) for moment in self.scanned]
        room = self.room + HITS_ROOM_PER_QUERY * queries.shape[0]
        while self.searched:
            rows = np.empty((3, room), np.int64)
            outcome = search_bodies(queries, self.radius, self.limits, FLIP_MASKS, self.records, rows)
            hits = outcome if outcome >= 0 else -1 - outcome
            if hits <= room:
                if hits:
                    query, distance, ids = rows[:, :hits]
                    if outcome < 0:
                        left = distance == LEFT
                        found += self._scan_left(queries, query[left], ids[left])
                        query, distance, ids = query[~left], distance[~left], ids[~left]
                    found.append((query, distance.astype(_INT32), ids.astype(_UINT64)))
                break
            room = hits
        return found

    def _scan_left(self, queries: Words, left: NDArray[np.int64], bodies: NDArray[np.int64]) -> Iterator[Found]:
        """The hits of queries that were left to a scan, ``left[i]`` of the body ``bodies[i]``."""
        for number in np.unique(bodies).tolist():
            asked = left[bodies == number]
            query, distance, ids = self.searched[number].scan(queries[asked], self.radius)
            yield (asked[query] if asked.shape[0] < queries.shape[0] else query), distance, ids


def plan_search(moments: Sequence[Moment], bits: int, radius: int, many: bool) -> Plan:
    """The cheaper plan for each body.

    Args:
        moments: what to search, of values of ``bits`` bits.
        bits: length of a value.
        radius: distance in bits, inclusive.
        many: whether queries come by the dozen.
    """
    searched: list[Moment] = []
    scanned: list[Moment] = []
    records: list[int] = []
    room = HITS_ROOM
    for moment in moments:
        body, rows, dead = moment
        budget_ns = linear_ns(rows, bits // 64, many)
        if body.tables_ns(radius, rows) < budget_ns:
            searched.append(moment)
            records += body.record(rows, dead, budget_ns)
        elif many:
            scanned.append(moment)
        else:
            searched.append(moment)
            records += body.record(rows, dead, None)
            room += max(min(rows, HITS_ROOM_SCANNED), rows // HITS_ROOM_SCANNED_SHARE)
    everything = np.array(records, np.int64)
    return Plan(radius, thresholds(bits, radius), tuple(searched), everything, room, tuple(scanned))


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
