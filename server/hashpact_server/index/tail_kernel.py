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
    WORDS_1D,
    distance_at,
    is_dead,
    popcount,
    prefetch,
    put,
    quarter_at,
    release_fence,
)
from hashpact_server.index.pigeonring import BUCKETS, MASKS_WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

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
def walk_chains(
    queries: Words,
    query: int,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    values: Words,
    heads: NDArray[np.uint16],
    links: NDArray[np.uint16],
    dead: NDArray[np.uint8],
    steps_max: int,
    found: NDArray[np.int64],
    hits: int,
) -> int:
    """Write the living rows within the radius behind the first ``hits``, as (query, distance, row).

    Arguments as ``multi_kernel.read_tables`` has them, but ``values`` ends with the last row to be seen.

    Returns:
        How many there are now; -1 after ``steps_max`` links, where a linear scan is cheaper.
    """
    words = queries.shape[1]
    count = values.shape[0] // words
    quarters = limits.shape[0]
    steps = 0
    for quarter in range(quarters):
        if limits[quarter] < 0:
            continue
        following = (quarter + 1) % quarters
        pair_max = limits[quarter] + limits[following] + 1
        asked = (queries[query, quarter >> 2] >> np.uint64(16 * (quarter & 3))) & np.uint64(0xFFFF)
        after = (queries[query, following >> 2] >> np.uint64(16 * (following & 3))) & np.uint64(0xFFFF)
        for number in range(MASKS_WITHIN[limits[quarter]]):
            prefetch(heads, following * BUCKETS + int(after ^ np.uint64(masks[number])))
            head = int(heads[quarter * BUCKETS + int(asked ^ np.uint64(masks[number]))])
            while head > 0:
                row = head - 1
                older = int(links[row * quarters + quarter])
                if row < count and passes(values, row, words, queries, query, quarter, pair_max):
                    distance = distance_at(values, row, queries, query)
                    fits = distance <= np.uint64(radius) and not is_dead(dead, row)
                    if fits and not found_before(values, row, queries, query, limits, quarter):
                        hits = put(found, hits, query, int(distance), row)
                steps += 1
                if steps > steps_max:
                    return -1
                head = older if older < head else 0
    return hits
