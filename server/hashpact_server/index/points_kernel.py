"""The table of local points, as machine code: which listed points lie near those of a probe, nearly all of them.

A descriptor of 256 bits is cut into 12 chunks of 21 bits; two descriptors meet where a chunk is equal. Of a chunk the
lowest ``bits`` are used, fewer in a small table, so that the table is no larger than what stands in it. A body of rows
is either *sorted*: ``starts[t * (2**bits + 1) + bucket]`` is where the bucket's rows begin in ``entries[t * rows:]``;
or *chained*, and grows while others search: ``heads[t * 2**bits + bucket]`` is 1 + the newest row of the bucket, 0 for
none, and ``links[(row - first) * 12 + t]`` is 1 + the next older one.

This is not exact, unlike all other indexes: equal chunks are likely for near descriptors, and not certain, and of
crowded buckets only the newest rows are looked at. ``docs/signatures.md`` says what is lost. Of a picture many points
are found again and a few are enough, so a lost point is not a lost picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.parts import WORDS_1D, popcount, prefetch, release_fence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

TABLES: Final = 12
CHUNK_BITS: Final = 21
PARTS_BITS: Final = 8
"""Highest bits by which rows are parted before they are sorted: 256 places to write to at a time."""

WORDS: Final = 4
"""Machine words of a descriptor."""

U8: Final = types.Array(types.uint8, 1, "C", readonly=True)
U32: Final = types.Array(types.uint32, 1, "C", readonly=True)
U64: Final = types.Array(types.uint64, 1, "C", readonly=True)
TABLES_TYPE: Final = types.UniTuple(U32, 4)  # type: ignore[no-untyped-call]
SIZES_TYPE: Final = types.UniTuple(types.int64, 4)  # type: ignore[no-untyped-call]
OUT_U32: Final = types.Array(types.uint32, 1, "C")
OUT_I32: Final = types.Array(types.int32, 2, "C")
OUT_U64: Final = types.Array(types.uint64, 2, "C")

Tables: TypeAlias = "tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]"
"""Starts and entries of the sorted body, heads and links of the chained one."""

Sizes: TypeAlias = tuple[int, int, int, int]
"""Rows and bits of the sorted body, bits of the chained one, rows of both."""


@part
def bucket_of(values: Words, row: int, table: int, bits: int) -> int:
    """The bucket of a row of ``values`` (flat) in a table."""
    bit = np.uint64(table * CHUNK_BITS)
    at = np.uint64(row) * np.uint64(WORDS) + (bit >> np.uint64(6))
    shift = bit & np.uint64(63)
    chunk = values[at] >> shift
    if shift > np.uint64(64 - CHUNK_BITS):
        chunk |= values[at + np.uint64(1)] << (np.uint64(64) - shift)
    return int(chunk & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1)))


@part
def distance_of(values: Words, row: int, queries: Words, query: int) -> int:
    """Hamming distance in bits of a row and a query (both flat)."""
    left, right = np.uint64(row) * np.uint64(WORDS), np.uint64(query) * np.uint64(WORDS)
    total = popcount(values[left] ^ queries[right])
    for word in range(np.uint64(1), np.uint64(WORDS)):
        total += popcount(values[left + word] ^ queries[right + word])
    return int(total)


@kernel(WORDS_1D, types.int64, types.int64, OUT_U32, OUT_U32)
def sort_rows(values: Words, rows: int, bits: int, starts: NDArray[np.uint32], entries: NDArray[np.uint32]) -> None:
    """Enter rows into a sorted body. In two steps, by the highest bits first: what is written at once stays in cache.

    Args:
        values: uint64 [>= rows * 4].
        rows: how many there are.
        bits: of a chunk, that choose a bucket; at least 8.
        starts: uint32 [12 * (2**bits + 1)], written.
        entries: uint32 [12 * rows], written.
    """
    buckets, low = 1 << bits, bits - PARTS_BITS
    parted = np.empty(rows, np.uint64)
    ends = np.empty((1 << PARTS_BITS) + 1, np.int64)
    for table in range(TABLES):
        first = table * (buckets + 1)
        ends[:] = 0
        for row in range(rows):
            ends[(bucket_of(values, row, table, bits) >> low) + 1] += 1
        for each in range(1 << PARTS_BITS):
            ends[each + 1] += ends[each]
        for row in range(rows):
            bucket = bucket_of(values, row, table, bits)
            parted[ends[bucket >> low]] = (np.uint64(bucket) << np.uint64(32)) | np.uint64(row)
            ends[bucket >> low] += 1
        for bucket in range(buckets + 1):
            starts[first + bucket] = 0
        for place in range(rows):
            starts[first + int(parted[place] >> np.uint64(32))] += np.uint32(1)
        total = np.uint32(0)
        for bucket in range(buckets + 1):
            total += starts[first + bucket]
            starts[first + bucket] = total
        # From the last one down, so that each bucket's rows grow and its start ends where it begins.
        for place in range(rows - 1, -1, -1):
            at = first + int(parted[place] >> np.uint64(32))
            starts[at] -= np.uint32(1)
            entries[table * rows + starts[at]] = parted[place] & np.uint64(0xFFFFFFFF)


@kernel(WORDS_1D, types.int64, types.int64, types.int64, types.int64, OUT_U32, OUT_U32)
def chain_rows(
    values: Words, first: int, begin: int, end: int, bits: int, heads: NDArray[np.uint32], links: NDArray[np.uint32]
) -> None:
    """Enter rows ``begin`` to ``end`` into a chained body that starts at row ``first``, while others search."""
    for row in range(begin, end):
        for table in range(TABLES):
            links[(row - first) * TABLES + table] = heads[(table << bits) + bucket_of(values, row, table, bits)]
        release_fence()  # a searcher that meets the row through a head must find its links in place
        for table in range(TABLES):
            heads[(table << bits) + bucket_of(values, row, table, bits)] = row + 1


@part
def gather_sorted(
    queries: Words, query: int, values: Words, tables: Tables, sizes: Sizes, crowd_max: int,
    met: NDArray[np.uint32], ends: NDArray[np.int64],
) -> int:  # fmt: skip
    """As :func:`gather`, of the sorted body."""
    starts, entries, _, _ = tables
    rows, bits, _, _ = sizes
    count, width = 0, (1 << bits) + 1
    for table in range(TABLES if rows else 0):
        prefetch(starts, table * width + bucket_of(queries, query, table, bits))
    for table in range(TABLES):
        first, end = 0, 0
        if rows:
            at = table * width + bucket_of(queries, query, table, bits)
            first, end = table * rows + int(starts[at]), table * rows + int(starts[at + 1])
        for place in range(max(first, end - crowd_max), end):
            met[count] = entries[place]
            prefetch(values, int(entries[place]) * WORDS)
            count += 1
        ends[table] = count
    return count


@part
def gather(
    queries: Words, query: int, values: Words, tables: Tables, sizes: Sizes, crowd_max: int,
    met: NDArray[np.uint32], ends: NDArray[np.int64],
) -> int:  # fmt: skip
    """The rows that share a bucket with a query, those of each table together, the sorted body's tables first.

    Args:
        queries: uint64 [n * 4].
        query: which of them.
        values: uint64 [rows * 4].
        tables: of both bodies.
        sizes: of both bodies.
        crowd_max: rows of one bucket; of one with more, the newest are taken. (The same ones in each table: of a
            thousand variants of one picture some are found by all of their points, and not all by a few.)
        met: uint32 [>= 24 * crowd_max], written: the rows.
        ends: int64 [24], written: where the rows of each table of each body end.

    Returns:
        How many rows there are.
    """
    count = gather_sorted(queries, query, values, tables, sizes, crowd_max, met, ends)
    _, _, heads, links = tables
    first, _, bits, rows = sizes
    for table in range(TABLES):
        steps, row = 0, 0
        if rows > first:
            row = int(heads[(table << bits) + bucket_of(queries, query, table, bits)])
        while row and steps < crowd_max:
            if row <= rows:  # newer rows are no part of this moment
                met[count] = row - 1
                prefetch(values, (row - 1) * WORDS)
                count += 1
            row = int(links[(row - 1 - first) * TABLES + table])
            steps += 1
        ends[TABLES + table] = count
    return count


@part
def met_before(met: NDArray[np.uint32], place: int, begin: int) -> bool:
    """Whether a row was met before, from place ``begin`` on: two descriptors may share several chunks."""
    found = False
    for earlier in range(begin, place):
        found |= met[earlier] == met[place]
    return found


@kernel(WORDS_1D, WORDS_1D, U32, U8, TABLES_TYPE, SIZES_TYPE, types.int64, types.int64, OUT_I32)
def search_points(
    queries: Words,
    values: Words,
    owners: NDArray[np.uint32],
    alive: NDArray[np.uint8],
    tables: Tables,
    sizes: Sizes,
    radius: int,
    crowd_max: int,
    found: NDArray[np.int32],
) -> int:
    """Rows of living pictures within the radius of each query, each once; of crowded buckets the newest.

    Args:
        queries: uint64 [n * 4].
        values: uint64 [rows * 4], listed descriptors.
        owners: uint32 [rows], the picture of each.
        alive: uint8 [pictures].
        tables: of both bodies.
        sizes: of both bodies.
        radius: in bits.
        crowd_max: rows of one bucket that are looked at: the newest.
        found: int32 [3, room], written: query, row and distance of each hit.

    Returns:
        How many hits there are; more than ``room``: the others were not written.
    """
    met = np.empty(2 * TABLES * crowd_max, np.uint32)
    ends = np.empty(2 * TABLES, np.int64)
    hits = 0
    for query in range(queries.shape[0] // WORDS):
        gather(queries, query, values, tables, sizes, crowd_max, met, ends)
        for place in range(ends[2 * TABLES - 1]):
            row = int(met[place])
            distance = distance_of(values, row, queries, query)
            if distance > radius or not alive[owners[row]]:
                continue
            if met_before(met, place, 0 if row < sizes[0] else ends[TABLES - 1]):
                continue
            if hits < found.shape[1]:
                found[0, hits], found[1, hits], found[2, hits] = query, row, distance
            hits += 1
    return hits


@part
def is_among(item: np.uint64, others: NDArray[np.uint64], query: int, count: int) -> bool:
    """Whether an item is one of the first ``count`` of a query's."""
    found = False
    for place in range(count):
        found |= others[query, place] == item
    return found


@kernel(
    WORDS_1D, types.int64, WORDS_1D, U32, U8, U64, WORDS_1D, U8, TABLES_TYPE, SIZES_TYPE, types.int64, types.int64,
    types.int64, OUT_U64,
)  # fmt: skip
def find_others(
    queries: Words,
    picture: int,
    values: Words,
    owners: NDArray[np.uint32],
    alive: NDArray[np.uint8],
    items: NDArray[np.uint64],
    wholes: Words,
    whole_known: NDArray[np.uint8],
    tables: Tables,
    sizes: Sizes,
    radius: int,
    whole_radius: int,
    crowd_max: int,
    others: NDArray[np.uint64],
) -> None:
    """For each query (a point of ``picture``): which other items have one within the radius.

    Items that look like the picture as a whole, within ``whole_radius`` bits of its PDQ, are copies of it and do not
    count: what copies share is not common.

    Args:
        queries: uint64 [n * 4].
        picture: number of the picture.
        values: uint64 [rows * 4], listed descriptors.
        owners: uint32 [rows], the picture of each.
        alive: uint8 [pictures].
        items: uint64 [pictures], the item of each.
        wholes: uint64 [pictures * 4], PDQ of each.
        whole_known: uint8 [pictures], whether that says enough.
        tables: of both bodies.
        sizes: of both bodies.
        radius: in bits.
        whole_radius: in bits.
        crowd_max: rows of one bucket that are looked at: the newest.
        others: uint64 [n, some], written: different items, as many as there is room for; 0 where there are no more.
    """
    met = np.empty(2 * TABLES * crowd_max, np.uint32)
    ends = np.empty(2 * TABLES, np.int64)
    for query in range(queries.shape[0] // WORDS):
        total = gather(queries, query, values, tables, sizes, crowd_max, met, ends)
        count = 0
        for place in range(total):
            row = int(met[place])
            owner = int(owners[row])
            if not alive[owner] or items[owner] == items[picture] or is_among(items[owner], others, query, count):
                continue
            if distance_of(values, row, queries, query) > radius:
                continue
            known = whole_known[owner] and whole_known[picture]
            if known and distance_of(wholes, owner, wholes, picture) <= whole_radius:
                continue
            others[query, count] = items[owner]
            count += 1
            if count == others.shape[1]:
                break
        others[query, count:] = 0
