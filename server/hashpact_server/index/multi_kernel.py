"""Searching a segment by multi-index hashing, as parts of the search kernel.

A segment of n rows cut into m words of 16 bits has these tables (flat arrays, built by ``building.py``):

    starts  uint32 [m * 65537]          where each bucket of word i begins and ends, counted within word i
    rows    uint32 [m * n]              row numbers, bucket after bucket
    nexts   uint16 [m * n + LANES]      beside each row number: the row's next word (i + 1 in the ring)

A search lists the buckets to read with their sizes, which tells its cost before anything was read; streams
over ``nexts`` of those buckets, 32 entries per instruction; and compares the few rows that remain in full.
Waiting for memory is nearly all that a search costs, so each step asks for what the next ones will read. The
arithmetic is in ``pigeonring.py``.

A query whose buckets promise more work than comparing every row is left to the linear scan, before or, when
the promise was false, shortly after the start: data that share their words cost what a linear scan costs.

numba checks no bounds: what is read from a table is clamped before it is used as a position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.compiling import part
from hashpact_server.index.parts import (
    LANES,
    distance_at,
    is_dead,
    near_lanes,
    popcount,
    prefetch,
    put,
    trailing_zeros,
)
from hashpact_server.index.pigeonring import BUCKETS, MASKS_WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

STARTS: Final = BUCKETS + 1
PREFETCH_BUCKETS: Final = 16
CANDIDATES_ROOM: Final = 512

# What the steps cost, in nanoseconds, on a 2023 server core at 1M-10M rows. Only the choice between plans
# depends on them, never an answer.
LISTING_NS: Final = 5.0
BUCKET_NS: Final = 20.0
ENTRY_NS: Final = 0.15
CANDIDATE_NS: Final = 35.0


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
    starts: NDArray[np.uint32],
    count: int,
    begins: NDArray[np.int64],
    tests: NDArray[np.int64],
) -> tuple[int, int]:
    """Write where each bucket that is not empty begins, its size, and how to test its entries.

    A test is the next word of the query in the low 16 bits, the distance allowed to it in the next 16, and
    the size of the bucket above.

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
        for number in range(MASKS_WITHIN[limits[quarter]]):
            if number >= MASKS_WITHIN[flips]:
                flips += 1
            # The same of the word after this one is a good time ahead: the table itself is waited for, too.
            prefetch(starts, following * STARTS + int(after ^ np.uint64(masks[number])))
            at = quarter * STARTS + int(word ^ np.uint64(masks[number]))
            begin = min(int(starts[at]), count)
            size = min(int(starts[at + 1]), count) - begin
            begins[listed] = quarter * count + begin
            tests[listed] = int(after) | (min(pair_max - flips, 16) << 16) | (size << 32)
            if size > 0:
                listed += 1
                entries += size
    for ahead in range(PREFETCH_BUCKETS + 1):
        begins[listed + ahead] = 0
        tests[listed + ahead] = 0
    return listed, entries


@part
def collect(
    nexts: NDArray[np.uint16],
    begins: NDArray[np.int64],
    tests: NDArray[np.int64],
    listed: int,
    number: int,
    position: int,
    rows: NDArray[np.uint32],
    found: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Stream over buckets from ``position`` in bucket ``number`` until all are read or ``found`` is full.

    Two cache lines a step, each read as a whole and none twice: most buckets of a million values lie in one or
    two, and a step without a branch for that is faster than one line a step.

    Returns:
        Bucket and position to go on from (bucket ``listed``: all read), how many entries passed, how many
        were read.
    """
    pending = 0
    read = 0
    while number < listed:
        ahead = begins[number + PREFETCH_BUCKETS]
        prefetch(nexts, ahead)
        prefetch(nexts, ahead + (tests[number + PREFETCH_BUCKETS] >> 32))
        end = begins[number] + (tests[number] >> 32)
        word = np.uint16(tests[number] & 0xFFFF)
        distance_max = np.uint16((tests[number] >> 16) & 0xFFFF)
        while position < end:
            if pending > found.shape[0] - 2 * LANES:
                return number, position, pending, read
            line = position & -LANES
            second = min(line + LANES, (end - 1) & -LANES)  # the same line again where there is no other
            lanes = min(end - position, line + 2 * LANES - position)
            wanted = (~np.uint64(0) >> np.uint64(64 - lanes)) << np.uint64(position - line)
            near = np.uint64(near_lanes(nexts, second, word, distance_max)) << np.uint64(LANES)
            near = (near | np.uint64(near_lanes(nexts, line, word, distance_max))) & wanted
            while near != np.uint64(0):
                at = line + int(trailing_zeros(near))
                near &= near - np.uint64(1)
                prefetch(rows, at)
                found[pending] = at
                pending += 1
            read += lanes
            position = line + 2 * LANES
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
def read_tables(
    queries: Words,
    query: int,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    values: Words,
    starts: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    nexts: NDArray[np.uint16],
    dead: NDArray[np.uint8],
    linear_ns: int,
    begins: NDArray[np.int64],
    tests: NDArray[np.int64],
    near: NDArray[np.int64],
    distances: NDArray[np.int32],
    found: NDArray[np.int64],
    hits: int,
) -> int:
    """Write the living rows within the radius behind the first ``hits``, as (query, distance, row).

    Args:
        queries: uint64 [q, words].
        query: which of them.
        radius: distance in bits, inclusive.
        limits: int64 [m], ``pigeonring.thresholds``.
        masks: uint16 [65536], ``pigeonring.FLIP_MASKS``.
        values: uint64 [n * words].
        starts: uint32 [m * 65537].
        rows: uint32 [m * n].
        nexts: uint16 [m * n + LANES].
        dead: uint8 bitmap of removed rows; may end early.
        linear_ns: what comparing one query with every row would cost, in nanoseconds.
        begins: scratch, int64, as long as ``scratch_room`` says; ``tests`` likewise.
        tests: scratch.
        near: scratch, int64 [CANDIDATES_ROOM]; ``distances`` likewise, int32.
        distances: scratch.
        found: see ``put``.
        hits: how many there are.

    Returns:
        How many there are now; -1 where a linear scan is cheaper.
    """
    count = values.shape[0] // queries.shape[1]
    listed, entries = list_buckets(queries, query, limits, masks, starts, count, begins, tests)
    spare_ns = linear_ns - BUCKET_NS * listed - ENTRY_NS * entries
    candidates = 0
    done = 0
    number = 0
    position = begins[0]
    while number < listed:
        spent_ns = CANDIDATE_NS * candidates
        # Once an eighth of a scan went into candidates, the rest of the buckets is judged by those read.
        if spare_ns < 0 or (8 * spent_ns > linear_ns and spent_ns * entries > spare_ns * done):
            return -1
        number, position, pending, read = collect(nexts, begins, tests, listed, number, position, rows, near)
        candidates += pending
        done += read
        kept = compare(queries, query, radius, limits, values, rows, count, dead, near, pending, distances)
        for i in range(kept):
            hits = put(found, hits, query, distances[i], near[i])
    return hits


@part
def scratch_room(limits: NDArray[np.int64]) -> int:
    """How many buckets a query may list, and what prefetching reads beyond them."""
    room = PREFETCH_BUCKETS + 2
    for quarter in range(limits.shape[0]):
        if limits[quarter] >= 0:
            room += MASKS_WITHIN[limits[quarter]]
    return room
