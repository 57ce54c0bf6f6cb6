"""The linear scan as machine code: every query against every row.

Rows are read in blocks that stay in the first-level cache while all queries pass over them. Each block
is gone through in two passes: the first only counts rows within the radius, a loop without branches that
LLVM turns into vector instructions (``vpopcntq`` where the processor has it); the second, which nearly
never runs, collects them. From 8 queries on a block is first turned into columns, one per machine word,
which makes the counting pass three times faster and pays for the turning.

numba checks no bounds: every row number used here comes from a loop over the array's own length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.parts import BITMAP, WORDS_1D, WORDS_2D, distance_at, grown, is_dead, popcount, put

if TYPE_CHECKING:
    from hashpact_server.index.base import Words

BLOCK_ROWS: Final = 512
"""16 KiB of 256-bit values: half of a first-level cache."""

TURNED_QUERIES_MIN: Final = 8
"""From this many queries on, turning a block into columns pays."""

HITS_START: Final = 64

Hits = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]
"""Query number, distance in bits, row number: int32 [k], int32 [k], int64 [k]."""


@part
def count_rows_4(values: Words, begin: int, end: int, queries: Words, query: int, radius: int) -> np.uint64:
    """Rows of 256 bits within the radius. Flat addressing: a stride LLVM cannot see is not vectorised."""
    q0, q1, q2, q3 = queries[query, 0], queries[query, 1], queries[query, 2], queries[query, 3]
    count = np.uint64(0)
    for row in range(np.uint64(begin), np.uint64(end)):
        at = row * np.uint64(4)
        distance = popcount(values[at] ^ q0) + popcount(values[at + np.uint64(1)] ^ q1)
        distance += popcount(values[at + np.uint64(2)] ^ q2) + popcount(values[at + np.uint64(3)] ^ q3)
        count += np.uint64(distance <= np.uint64(radius))
    return count


@part
def count_rows_1(values: Words, begin: int, end: int, queries: Words, query: int, radius: int) -> np.uint64:
    """Rows of 64 bits within the radius."""
    asked = queries[query, 0]
    count = np.uint64(0)
    for row in range(np.uint64(begin), np.uint64(end)):
        count += np.uint64(popcount(values[row] ^ asked) <= np.uint64(radius))
    return count


@part
def count_rows_any(values: Words, begin: int, end: int, queries: Words, query: int, radius: int) -> np.uint64:
    """Rows of any length within the radius."""
    words = np.uint64(queries.shape[1])
    count = np.uint64(0)
    for row in range(np.uint64(begin), np.uint64(end)):
        distance = np.uint64(0)
        for word in range(words):
            distance += popcount(values[row * words + word] ^ queries[query, word])
        count += np.uint64(distance <= np.uint64(radius))
    return count


@part
def count_rows(values: Words, begin: int, end: int, queries: Words, query: int, radius: int) -> np.uint64:
    """Rows from ``begin`` to ``end`` within the radius."""
    if queries.shape[1] == 1:
        return count_rows_1(values, begin, end, queries, query, radius)
    if queries.shape[1] == 4:
        return count_rows_4(values, begin, end, queries, query, radius)
    return count_rows_any(values, begin, end, queries, query, radius)


@part
def turn_block(values: Words, begin: int, end: int, words: int, columns: Words) -> None:
    """Write the block's rows into ``columns`` [words * BLOCK_ROWS], one column per machine word."""
    for row in range(np.uint64(end - begin)):
        for word in range(np.uint64(words)):
            source = (np.uint64(begin) + row) * np.uint64(words) + word
            columns[word * np.uint64(BLOCK_ROWS) + row] = values[source]


@part
def count_turned(
    columns: Words, rows: int, queries: Words, query: int, radius: int, distances: NDArray[np.uint64]
) -> np.uint64:
    """Rows of a turned block within the radius; ``distances`` [BLOCK_ROWS] is scratch."""
    for row in range(np.uint64(rows)):
        distances[row] = popcount(columns[row] ^ queries[query, 0])
    for word in range(np.uint64(1), np.uint64(queries.shape[1])):
        column = columns[word * np.uint64(BLOCK_ROWS) : (word + np.uint64(1)) * np.uint64(BLOCK_ROWS)]
        part_of_query = queries[query, word]
        for row in range(np.uint64(rows)):
            distances[row] += popcount(column[row] ^ part_of_query)
    count = np.uint64(0)
    for row in range(np.uint64(rows)):
        count += np.uint64(distances[row] <= np.uint64(radius))
    return count


@part
def gather(
    values: Words,
    begin: int,
    end: int,
    queries: Words,
    query: int,
    radius: int,
    dead: NDArray[np.uint8],
    hit_query: NDArray[np.int32],
    hit_distance: NDArray[np.int32],
    hit_row: NDArray[np.int64],
    hits: int,
) -> int:
    """Write the living rows of a block within the radius behind the first ``hits``; returns how many there are."""
    for row in range(begin, end):
        distance = distance_at(values, row, queries, query)
        if distance <= np.uint64(radius) and not is_dead(dead, row):
            hit_query[hits], hit_distance[hits], hit_row[hits] = query, distance, row
            hits += 1
    return hits


@part
def scan_one(
    values: Words,
    queries: Words,
    query: int,
    radius: int,
    dead: NDArray[np.uint8],
    found: NDArray[np.int64],
    hits: int,
) -> int:
    """Write the living rows within the radius of one query behind the first ``hits``; returns how many there are."""
    rows = values.shape[0] // queries.shape[1]
    for begin in range(0, rows, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, rows)
        if count_rows(values, begin, end, queries, query, radius) == 0:
            continue
        for row in range(begin, end):
            distance = distance_at(values, row, queries, query)
            if distance <= np.uint64(radius) and not is_dead(dead, row):
                hits = put(found, hits, query, int(distance), row)
    return hits


@kernel(WORDS_2D, types.int64, WORDS_1D, types.int64, BITMAP)
def scan_few(queries: Words, radius: int, values: Words, rows: int, dead: NDArray[np.uint8]) -> Hits:
    """:func:`scan` for a few queries: rows are read as they lie."""
    rows = min(rows, values.shape[0] // queries.shape[1])
    hit_query = np.empty(HITS_START, np.int32)
    hit_distance = np.empty(HITS_START, np.int32)
    hit_row = np.empty(HITS_START, np.int64)
    hits = 0
    for begin in range(0, rows, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, rows)
        for query in range(queries.shape[0]):
            if count_rows(values, begin, end, queries, query, radius) == 0:
                continue
            if hits + BLOCK_ROWS > hit_row.shape[0]:
                size = 2 * hits + BLOCK_ROWS
                hit_query, hit_distance = grown(hit_query, size), grown(hit_distance, size)
                hit_row = grown(hit_row, size)
            hits = gather(values, begin, end, queries, query, radius, dead, hit_query, hit_distance, hit_row, hits)
    return hit_query[:hits], hit_distance[:hits], hit_row[:hits]


@kernel(WORDS_2D, types.int64, WORDS_1D, types.int64, BITMAP)
def scan_many(queries: Words, radius: int, values: Words, rows: int, dead: NDArray[np.uint8]) -> Hits:
    """:func:`scan` for many queries: each block is turned into columns first."""
    words = queries.shape[1]
    rows = min(rows, values.shape[0] // words)
    columns = np.empty(words * BLOCK_ROWS, np.uint64)
    scratch = np.empty(BLOCK_ROWS, np.uint64)
    hit_query = np.empty(HITS_START, np.int32)
    hit_distance = np.empty(HITS_START, np.int32)
    hit_row = np.empty(HITS_START, np.int64)
    hits = 0
    for begin in range(0, rows, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, rows)
        turn_block(values, begin, end, words, columns)
        for query in range(queries.shape[0]):
            if count_turned(columns, end - begin, queries, query, radius, scratch) == 0:
                continue
            if hits + BLOCK_ROWS > hit_row.shape[0]:
                size = 2 * hits + BLOCK_ROWS
                hit_query, hit_distance = grown(hit_query, size), grown(hit_distance, size)
                hit_row = grown(hit_row, size)
            hits = gather(values, begin, end, queries, query, radius, dead, hit_query, hit_distance, hit_row, hits)
    return hit_query[:hits], hit_distance[:hits], hit_row[:hits]


@kernel(WORDS_2D, types.int64, WORDS_1D, types.int64)
def count_near(queries: Words, radius: int, values: Words, rows: int) -> NDArray[np.int64]:
    """How many rows lie within the radius of each query, int64 [q]; arguments as of :func:`scan`, nothing removed."""
    words = queries.shape[1]
    rows = min(rows, values.shape[0] // words)
    columns = np.empty(words * BLOCK_ROWS, np.uint64)
    scratch = np.empty(BLOCK_ROWS, np.uint64)
    counts = np.zeros(queries.shape[0], np.int64)
    for begin in range(0, rows, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, rows)
        turn_block(values, begin, end, words, columns)
        for query in range(queries.shape[0]):
            counts[query] += np.int64(count_turned(columns, end - begin, queries, query, radius, scratch))
    return counts


def scan(queries: Words, radius: int, values: Words, rows: int, dead: NDArray[np.uint8]) -> Hits:
    """Every living row within the radius of each query.

    Two kernels, not one with a branch: LLVM would compile every loop for either side and take seconds.

    Args:
        queries: uint64 [q, words].
        radius: distance in bits, inclusive.
        values: uint64 [>= rows * words], row after row.
        rows: rows to read; those behind may be under construction by another thread.
        dead: uint8, bit ``row % 8`` of byte ``row // 8`` is set for a removed row; may end early.

    Returns:
        Hits; for each query its rows come in increasing order.
    """
    turn = queries.shape[0] >= TURNED_QUERIES_MIN and queries.shape[1] > 1
    return (scan_many if turn else scan_few)(queries, radius, values, rows, dead)
