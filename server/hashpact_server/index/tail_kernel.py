"""The tail's chained buckets, as machine code: insert while others search.

Per word i of m, ``heads[i * 65536 + bucket]`` is 1 + the newest row of the bucket, 0 for none, and
``links[row * m + i]`` is 1 + the next older row of the same bucket. Rows only ever grow, so a chain only
leads down; a search skips rows newer than its moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.parts import (
    BITMAP,
    WORDS_1D,
    WORDS_2D,
    distance_at,
    grown,
    is_dead,
    popcount,
    quarter_at,
    release_fence,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

BUCKETS: Final = 65536
HITS_START: Final = 64

U16: Final = types.Array(types.uint16, 1, "C", readonly=True)
I64: Final = types.Array(types.int64, 1, "C", readonly=True)
OUT_U16: Final = types.Array(types.uint16, 1, "C")


@kernel(WORDS_1D, types.int64, types.int64, types.int64, OUT_U16, OUT_U16)
def link_rows(
    values: Words, words: int, begin: int, end: int, heads: NDArray[np.uint16], links: NDArray[np.uint16]
) -> None:
    """Enter rows ``begin`` to ``end`` into their buckets, while other threads search older rows.

    Args:
        values: uint64 [>= end * words], filled.
        words: machine words per value.
        begin: first new row; all rows below are entered.
        end: one past the last new row, at most 65535.
        heads: uint16 [4 * words * 65536], changed.
        links: uint16 [>= end * 4 * words], changed.
    """
    quarters = 4 * words
    for row in range(begin, end):
        for quarter in range(quarters):
            bucket = quarter_at(values, row, words, quarter)
            links[row * quarters + quarter] = heads[quarter * BUCKETS + bucket]
        release_fence()  # a searcher that meets the row through a head must find its links in place
        for quarter in range(quarters):
            bucket = quarter_at(values, row, words, quarter)
            heads[quarter * BUCKETS + bucket] = np.uint16(row + 1)


@part
def passes(values: Words, row: int, words: int, queries: Words, query: int, quarter: int, pair_max: int) -> bool:
    """Whether a word and the next one of a row are together within ``pair_max`` of the query's."""
    quarters = 4 * words
    total = 0
    for place in (quarter, (quarter + 1) % quarters):
        asked = (queries[query, place >> 2] >> np.uint64(16 * (place & 3))) & np.uint64(0xFFFF)
        total += int(popcount(np.uint64(quarter_at(values, row, words, place)) ^ asked))
    return total <= pair_max


@part
def found_before(values: Words, row: int, queries: Words, query: int, limits: NDArray[np.int64], quarter: int) -> bool:
    """Whether a word before ``quarter`` leads to this row as well: each row is reported by its first."""
    words = queries.shape[1]
    for earlier in range(quarter):
        if limits[earlier] < 0:
            continue
        asked = (queries[query, earlier >> 2] >> np.uint64(16 * (earlier & 3))) & np.uint64(0xFFFF)
        distance = int(popcount(np.uint64(quarter_at(values, row, words, earlier)) ^ asked))
        pair_max = limits[earlier] + limits[(earlier + 1) % limits.shape[0]] + 1
        if distance <= limits[earlier] and passes(values, row, words, queries, query, earlier, pair_max):
            return True
    return False


@part
def walk(
    queries: Words,
    query: int,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    masks_within: NDArray[np.int64],
    values: Words,
    heads: NDArray[np.uint16],
    links: NDArray[np.uint16],
    count: int,
    dead: NDArray[np.uint8],
    steps_max: int,
    near: NDArray[np.int64],
) -> int:
    """Write the living rows within the radius into ``near``; returns how many, -1 after ``steps_max`` steps."""
    words = queries.shape[1]
    quarters = limits.shape[0]
    kept = 0
    steps = 0
    for quarter in range(quarters):
        if limits[quarter] < 0:
            continue
        pair_max = limits[quarter] + limits[(quarter + 1) % quarters] + 1
        asked = (queries[query, quarter >> 2] >> np.uint64(16 * (quarter & 3))) & np.uint64(0xFFFF)
        for number in range(masks_within[limits[quarter]]):
            head = int(heads[quarter * BUCKETS + int(asked ^ np.uint64(masks[number]))])
            while head > 0:
                row = head - 1
                if row < count and passes(values, row, words, queries, query, quarter, pair_max):
                    distance = distance_at(values, row, queries, query)
                    fits = distance <= np.uint64(radius) and not is_dead(dead, row)
                    if fits and not found_before(values, row, queries, query, limits, quarter):
                        near[kept] = row
                        kept += 1
                steps += 1
                if steps > steps_max:
                    return -1
                older = int(links[row * quarters + quarter])
                head = older if older < head else 0
    return kept


@kernel(WORDS_2D, types.int64, I64, U16, I64, WORDS_1D, U16, U16, types.int64, BITMAP, types.int64)
def search_tail(
    queries: Words,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    masks_within: NDArray[np.int64],
    values: Words,
    heads: NDArray[np.uint16],
    links: NDArray[np.uint16],
    count: int,
    dead: NDArray[np.uint8],
    steps_max: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Every living row below ``count`` within the radius; arguments and answer as ``search_segment``'s.

    A query that would follow more than ``steps_max`` links is left to a linear scan.
    """
    count = min(count, values.shape[0] // queries.shape[1])
    near = np.empty(count, np.int64)
    left = np.empty(queries.shape[0], np.int32)
    lefts = 0
    hit_query = np.empty(HITS_START, np.int32)
    hit_distance = np.empty(HITS_START, np.int32)
    hit_row = np.empty(HITS_START, np.int64)
    hits = 0
    for query in range(queries.shape[0]):
        kept = walk(
            queries, query, radius, limits, masks, masks_within, values, heads, links, count, dead, steps_max, near
        )  # fmt: skip
        if kept < 0:
            left[lefts] = query
            lefts += 1
            continue
        if hits + kept > hit_row.shape[0]:
            size = 2 * hits + kept
            hit_query, hit_distance = grown(hit_query, size), grown(hit_distance, size)
            hit_row = grown(hit_row, size)
        for i in range(kept):
            hit_query[hits], hit_row[hits] = query, near[i]
            hit_distance[hits] = np.int32(distance_at(values, near[i], queries, query))
            hits += 1
    return hit_query[:hits], hit_distance[:hits], hit_row[:hits], left[:lefts]
