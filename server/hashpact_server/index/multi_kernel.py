"""Searching a segment by multi-index hashing, as machine code.

A segment of n rows cut into m words of 16 bits has these tables (flat arrays, built by ``building.py``):

    starts  uint32 [m * 65537]          where each bucket of word i begins and ends, counted within word i
    rows    uint32 [m * n]              row numbers, bucket after bucket
    nexts   uint16 [m * n + LANES]      beside each row number: the row's next word (i + 1 in the ring)

A search lists the buckets to read with their sizes, which tells its cost before anything was read; streams
over ``nexts`` of those buckets, 32 entries per instruction, asking for memory some buckets ahead (waiting
for memory is nearly all that a search costs); and compares the few rows that remain in full. The
arithmetic is in ``pigeonring.py``.

A query whose buckets promise more work than comparing every row is left to the linear scan, before or, when
the promise was false, shortly after the start: data that share their words cost what a linear scan costs.

numba checks no bounds: what is read from a table is clamped before it is used as a position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.parts import (
    BITMAP,
    LANES,
    WORDS_1D,
    WORDS_2D,
    distance_at,
    grown,
    is_dead,
    near_lanes,
    popcount,
    prefetch,
    trailing_zeros,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

BUCKETS: Final = 65536
STARTS: Final = BUCKETS + 1
PREFETCH_BUCKETS: Final = 12
CANDIDATES_ROOM: Final = 512
HITS_START: Final = 64

# What the steps cost, in nanoseconds, on a 2023 server core at 1M-10M rows. Only the choice between plans
# depends on them, never an answer.
LISTING_NS: Final = 5.0
BUCKET_NS: Final = 20.0
ENTRY_NS: Final = 0.15
CANDIDATE_NS: Final = 35.0

U16: Final = types.Array(types.uint16, 1, "C", readonly=True)
U32: Final = types.Array(types.uint32, 1, "C", readonly=True)
I64: Final = types.Array(types.int64, 1, "C", readonly=True)


@part
def query_word(queries: Words, query: int, quarter: int) -> np.uint64:
    """16-bit word number ``quarter`` of a query."""
    word: np.uint64 = (queries[query, quarter >> 2] >> np.uint64(16 * (quarter & 3))) & np.uint64(0xFFFF)
    return word


@part
def word_distance(values: Words, row: int, queries: Words, query: int, quarter: int) -> int:
    """Distance in bits of one 16-bit word of a row and a query."""
    at = np.uint64(row) * np.uint64(queries.shape[1]) + np.uint64(quarter >> 2)
    difference = (values[at] ^ queries[query, quarter >> 2]) >> np.uint64(16 * (quarter & 3))
    return int(popcount(difference & np.uint64(0xFFFF)))


@part
def found_earlier(values: Words, row: int, queries: Words, query: int, limits: NDArray[np.int64], quarter: int) -> bool:
    """Whether a word before ``quarter`` leads to this row as well: each row is reported by its first."""
    for earlier in range(quarter):
        distance = word_distance(values, row, queries, query, earlier)
        if distance <= limits[earlier]:
            following = (earlier + 1) % limits.shape[0]
            pair = distance + word_distance(values, row, queries, query, following)
            if pair <= limits[earlier] + limits[following] + 1:
                return True
    return False


@part
def list_buckets(
    queries: Words,
    query: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    masks_within: NDArray[np.int64],
    starts: NDArray[np.uint32],
    count: int,
    begins: NDArray[np.int64],
    sizes: NDArray[np.int32],
    tests: NDArray[np.int32],
) -> tuple[int, int]:
    """Write where each bucket that is not empty begins, its size, and how to test its entries.

    A test is the next word of the query in the low 16 bits and the distance allowed to it above.

    Returns:
        Number of buckets written, and the sum of their sizes.
    """
    listed = 0
    entries = 0
    quarters = limits.shape[0]
    for quarter in range(quarters):
        if limits[quarter] < 0:
            continue
        following = (quarter + 1) % quarters
        word = query_word(queries, query, quarter)
        after = query_word(queries, query, following)
        pair_max = limits[quarter] + limits[following] + 1
        flips = 0
        for number in range(masks_within[limits[quarter]]):
            if number >= masks_within[flips]:
                flips += 1
            at = quarter * STARTS + int(word ^ np.uint64(masks[number]))
            begin = min(int(starts[at]), count)
            size = min(int(starts[at + 1]), count) - begin
            begins[listed] = quarter * count + begin
            sizes[listed] = size
            tests[listed] = int(after) | (min(pair_max - flips, 16) << 16)
            if size > 0:
                listed += 1
                entries += size
    for ahead in range(PREFETCH_BUCKETS + 1):
        begins[listed + ahead] = 0
    return listed, entries


@part
def collect(
    nexts: NDArray[np.uint16],
    begins: NDArray[np.int64],
    sizes: NDArray[np.int32],
    tests: NDArray[np.int32],
    listed: int,
    number: int,
    position: int,
    rows: NDArray[np.uint32],
    found: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Stream over buckets from ``position`` in bucket ``number`` until all are read or ``found`` is full.

    Returns:
        Bucket and position to go on from (bucket ``listed``: all read), how many entries passed, how many
        were read.
    """
    pending = 0
    read = 0
    while number < listed:
        prefetch(nexts, begins[number + PREFETCH_BUCKETS])
        prefetch(nexts, begins[number + PREFETCH_BUCKETS] + LANES - 1)
        end = begins[number] + sizes[number]
        word = np.uint16(tests[number] & 0xFFFF)
        distance_max = np.uint16(tests[number] >> 16)
        while position < end:
            if pending > found.shape[0] - LANES:
                return number, position, pending, read
            near = near_lanes(nexts, position, word, distance_max)
            if end - position < LANES:
                near &= (np.uint32(1) << np.uint32(end - position)) - np.uint32(1)
            while near != 0:
                at = position + int(trailing_zeros(near))
                near &= near - np.uint32(1)
                prefetch(rows, at)
                found[pending] = at
                pending += 1
            read += min(LANES, int(end) - position)
            position += LANES
        number += 1
        position = begins[number]
    return number, position, pending, read


@part
def compare(
    queries: Words,
    query: int,
    radius: int,
    limits: NDArray[np.int64],
    values: Words,
    rows: NDArray[np.uint32],
    count: int,
    dead: NDArray[np.uint8],
    found: NDArray[np.int64],
    pending: int,
    distances: NDArray[np.int32],
) -> int:
    """Replace the positions in ``found`` by the rows within the radius; returns how many."""
    words = queries.shape[1]
    for i in range(pending):
        prefetch(values, min(int(rows[found[i]]), count - 1) * words)
    kept = 0
    for i in range(pending):
        row = min(int(rows[found[i]]), count - 1)
        distance = distance_at(values, row, queries, query)
        if distance <= np.uint64(radius):
            quarter = found[i] // count
            if not is_dead(dead, row) and not found_earlier(values, row, queries, query, limits, quarter):
                found[kept] = row
                distances[kept] = np.int32(distance)
                kept += 1
    return kept


@part
def buckets_of(limits: NDArray[np.int64], masks_within: NDArray[np.int64]) -> int:
    """How many buckets a query reads at most."""
    total = 0
    for quarter in range(limits.shape[0]):
        if limits[quarter] >= 0:
            total += masks_within[limits[quarter]]
    return total


@kernel(WORDS_2D, types.int64, I64, U16, I64, WORDS_1D, U32, U32, U16, BITMAP, types.float64)
def search_segment(
    queries: Words,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    masks_within: NDArray[np.int64],
    values: Words,
    starts: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    nexts: NDArray[np.uint16],
    dead: NDArray[np.uint8],
    linear_ns: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Every living row within the radius of each query, for the queries where that is cheaper than a scan.

    Args:
        queries: uint64 [q, words].
        radius: distance in bits, inclusive.
        limits: int64 [m], ``pigeonring.thresholds``.
        masks: uint16 [65536], ``pigeonring.FLIP_MASKS``.
        masks_within: int64 [17], ``pigeonring.MASKS_WITHIN``.
        values: uint64 [n * words].
        starts: uint32 [m * 65537].
        rows: uint32 [m * n].
        nexts: uint16 [m * n + LANES].
        dead: uint8 bitmap of removed rows; may end early.
        linear_ns: what comparing one query with every row would cost, in nanoseconds.

    Returns:
        Hits as ``kernel.scan`` gives them (rows of one query in no order), and int32 [l], the numbers of
        the queries that are left to a linear scan; none of their rows is among the hits.
    """
    count = values.shape[0] // queries.shape[1]
    room = buckets_of(limits, masks_within)
    begins = np.empty(room + PREFETCH_BUCKETS + 1, np.int64)
    sizes = np.empty(room + PREFETCH_BUCKETS + 1, np.int32)
    tests = np.empty(room + PREFETCH_BUCKETS + 1, np.int32)
    found = np.empty(CANDIDATES_ROOM, np.int64)
    distances = np.empty(CANDIDATES_ROOM, np.int32)
    left = np.empty(queries.shape[0], np.int32)
    lefts = 0
    hit_query = np.empty(HITS_START, np.int32)
    hit_distance = np.empty(HITS_START, np.int32)
    hit_row = np.empty(HITS_START, np.int64)
    hits = 0
    for query in range(queries.shape[0]):
        listed, entries = list_buckets(queries, query, limits, masks, masks_within, starts, count, begins, sizes, tests)
        spare_ns = linear_ns - BUCKET_NS * listed - ENTRY_NS * entries
        hits_before = hits
        candidates = 0
        done = 0
        number = 0
        position = begins[0]
        while number < listed:
            spent_ns = CANDIDATE_NS * candidates
            # Once an eighth of a scan went into candidates, the rest of the buckets is judged by those read.
            if spare_ns < 0 or (8 * spent_ns > linear_ns and spent_ns * entries > spare_ns * done):
                hits = hits_before
                left[lefts] = query
                lefts += 1
                break
            number, position, pending, read = collect(
                nexts, begins, sizes, tests, listed, number, position, rows, found
            )
            candidates += pending
            done += read
            kept = compare(queries, query, radius, limits, values, rows, count, dead, found, pending, distances)
            if kept == 0:
                continue
            if hits + kept > hit_row.shape[0]:
                size = 2 * hits + kept
                hit_query, hit_distance = grown(hit_query, size), grown(hit_distance, size)
                hit_row = grown(hit_row, size)
            for i in range(kept):
                hit_query[hits], hit_distance[hits], hit_row[hits] = query, distances[i], found[i]
                hits += 1
    return hit_query[:hits], hit_distance[:hits], hit_row[:hits], left[:lefts]
