"""Searching one body of rows by the cheaper plan: through its tables, or row by row."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.kernel import TURNED_QUERIES_MIN, scan
from hashpact_server.index.multi_kernel import BUCKET_NS, CANDIDATE_NS, ENTRY_NS, LISTING_NS
from hashpact_server.index.pigeonring import BUCKETS, buckets_read, work_per_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words
    from hashpact_server.index.kernel import Hits

# Nanoseconds per row and machine word of a linear scan, measured at 1M rows of 256 bits on a 2023 server
# core: one query waits for memory, a batch computes. Only the choice between plans depends on them.
SCAN_ALONE_NS: Final = 0.27
SCAN_BATCH_NS: Final = 0.10


def linear_ns(queries: int, rows: int, words: int) -> float:
    """What comparing one of ``queries`` with every row costs, in nanoseconds."""
    return rows * words * (SCAN_BATCH_NS if queries >= TURNED_QUERIES_MIN else SCAN_ALONE_NS)


@lru_cache(maxsize=1024)
def tables_ns(bits: int, radius: int, rows: int) -> float:
    """What a search through a segment's tables costs if the values' bits are random, in nanoseconds.

    Real values share more words than random ones; that shows once the buckets are listed.
    """
    buckets = buckets_read(bits, radius)
    entries, compared = work_per_row(bits, radius)
    reading_ns = buckets * (LISTING_NS + BUCKET_NS * min(1.0, rows / BUCKETS))
    return reading_ns + rows * (entries * ENTRY_NS + compared * CANDIDATE_NS)


def scan_left(
    hits: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]],
    queries: Words,
    radius: int,
    values: Words,
    rows: int,
    dead: NDArray[np.uint8],
) -> Hits:
    """The hits of a search through tables, and of a linear scan for the queries that were left to one.

    Args:
        hits: as ``search_segment`` gives them: query, distance, row, and the queries left.
        queries: uint64 [q, words].
        radius: distance in bits, inclusive.
        values: uint64 [>= rows * words], flat.
        rows: rows to read.
        dead: bitmap of removed rows.
    """
    hit_query, hit_distance, hit_row, left = hits
    if left.shape[0] == 0:
        return hit_query, hit_distance, hit_row
    more_query, more_distance, more_row = scan(queries[left], radius, values, rows, dead)
    return (
        np.concatenate((hit_query, left[more_query])),
        np.concatenate((hit_distance, more_distance)),
        np.concatenate((hit_row, more_row)),
    )
