"""One search through any number of bodies of rows (segments, and the tail) in one call of machine code.

What a call hands over and takes back costs as much as half the search. So a body is written down once, as a
record of numbers (addresses, sizes, costs), and the answer is a count beside an array that the caller brought.

::

    queries, radius, thresholds     [ search_bodies ] --> found: (query, distance, id) of each hit
    records of the bodies -------->                            or (query, LEFT, body): not searched, scan it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]  # numba does not list what it exports

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.kernel import TURNED_QUERIES_MIN, scan_one
from hashpact_server.index.multi_kernel import CANDIDATES_ROOM, STARTS, read_tables, scratch_room
from hashpact_server.index.parts import LANES, WORDS_2D, memory_at, put
from hashpact_server.index.pigeonring import BUCKETS
from hashpact_server.index.tail_kernel import walk_chains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

# A record, int64 [FIELDS]: what a body is, and the addresses of its arrays.
PLAN: Final = 0
"""How it is searched: one of the three that follow."""
TABLES: Final = 0
CHAINS: Final = 1
SCAN: Final = 2
COUNT: Final = 1
"""Rows to search, n."""
BUDGET: Final = 2
"""When to leave a query to a linear scan: links followed (chains), nanoseconds a scan takes (tables)."""
DEAD: Final = 3
DEAD_BYTES: Final = 4
"""uint8 bitmap of removed rows; may end early."""
VALUES: Final = 5
"""uint64 [n * words]."""
TABLE: Final = 6
"""Tail: heads, uint16 [m * 65536]. Segment: starts, uint32 [m * 65537]."""
ENTRIES: Final = 7
"""Tail: links, uint16 [n * m]. Segment: rows, uint32 [m * n]."""
NEXTS: Final = 8
"""Segment: nexts, uint16 [m * n + LANES]."""
IDS: Final = 9
"""Tail: ids, uint64 [n]. Segment: bases of packed ids, uint64 [n >> shift]."""
OFFSETS: Final = 10
"""Segment: offsets of packed ids, uint32 [n]."""
SHIFT: Final = 11
"""Segment: of the packed ids; PLAIN for the tail's."""
PLAIN: Final = -1
ROOM: Final = 12
"""Rows the body's arrays have room for: a chain of the tail may lead to rows newer than n."""
FIELDS: Final = 13

TRIED_MIN: Final = 8
"""After so many queries of a batch a body is judged: if most were left to a scan, so are the others."""

LEFT: Final = -1
"""In place of a distance: the query was left to a linear scan of the body whose number stands for the id."""

_U16: Final = types.Array(types.uint16, 1, "C", readonly=True)
_I64: Final = types.Array(types.int64, 1, "C", readonly=True)
_OUT: Final = types.Array(types.int64, 2, "C")


@part
def name_rows(record: NDArray[np.int64], found: NDArray[np.int64], begin: int, end: int) -> None:
    """Put ids in the place of row numbers."""
    count, shift = record[COUNT], record[SHIFT]
    for hit in range(begin, min(end, found.shape[1])):
        row = found[2, hit]
        if found[1, hit] == LEFT:
            continue
        if shift == PLAIN:
            found[2, hit] = np.int64(carray(memory_at(record[IDS]), count, np.uint64)[row])
        else:
            base = carray(memory_at(record[IDS]), (count >> shift) + 1, np.uint64)[row >> shift]
            offset = carray(memory_at(record[OFFSETS]), count, np.uint32)[row]
            found[2, hit] = np.int64(base + np.uint64(offset))


@kernel(WORDS_2D, types.int64, _I64, _U16, _I64, _OUT)
def search_bodies(
    queries: Words,
    radius: int,
    limits: NDArray[np.int64],
    masks: NDArray[np.uint16],
    records: NDArray[np.int64],
    found: NDArray[np.int64],
) -> int:
    """Every living row within the radius of each query, for the queries where that is cheaper than a scan.

    Args:
        queries: uint64 [q, words].
        radius: distance in bits, inclusive.
        limits: int64 [m], ``pigeonring.thresholds``.
        masks: uint16 [65536], ``pigeonring.FLIP_MASKS``.
        records: int64 [bodies * FIELDS]; the caller keeps alive what they point to.
        found: int64 [3, room], written: query, distance and id (its 64 bits) of each hit, in no order. A query
            whose distance is LEFT was not searched in the body that stands for the id.

    Returns:
        The number k of hits, or -1 - k when some of them are LEFT. More than there is room for: ask again.
    """
    words = queries.shape[1]
    quarters = 4 * words
    room = scratch_room(limits)
    begins = np.empty(room, np.int64)
    tests = np.empty(room, np.int64)
    near = np.empty(CANDIDATES_ROOM, np.int64)
    distances = np.empty(CANDIDATES_ROOM, np.int32)
    hits = 0
    lefts = 0
    for body in range(records.shape[0] // FIELDS):
        record = records[body * FIELDS : (body + 1) * FIELDS]
        count = record[COUNT]
        values = carray(memory_at(record[VALUES]), count * words, np.uint64)
        dead = carray(memory_at(record[DEAD]), record[DEAD_BYTES], np.uint8)
        before_body = hits
        left = 0
        for query in range(queries.shape[0]):
            before = hits
            if record[PLAN] == SCAN:
                hits = scan_one(values, queries, query, radius, dead, found, hits)
            elif query >= TRIED_MIN and 2 * left > query:
                hits = -1
            elif record[PLAN] == CHAINS:
                heads = carray(memory_at(record[TABLE]), quarters * BUCKETS, np.uint16)
                links = carray(memory_at(record[ENTRIES]), quarters * record[ROOM], np.uint16)
                hits = walk_chains(
                    queries, query, radius, limits, masks, values, heads, links, dead, record[BUDGET], found, hits
                )
            else:
                starts = carray(memory_at(record[TABLE]), quarters * STARTS, np.uint32)
                rows = carray(memory_at(record[ENTRIES]), quarters * count, np.uint32)
                nexts = carray(memory_at(record[NEXTS]), quarters * count + LANES, np.uint16)
                hits = read_tables(
                    queries, query, radius, limits, masks, values, starts, rows, nexts, dead, record[BUDGET],
                    begins, tests, near, distances, found, hits,
                )  # fmt: skip
            if hits < 0 and queries.shape[0] < TURNED_QUERIES_MIN and before + count <= found.shape[1]:
                hits = scan_one(values, queries, query, radius, dead, found, before)
            if hits < 0:
                left += 1
                hits = put(found, before, query, LEFT, body)
        lefts += left
        name_rows(record, found, before_body, hits)
    return hits if lefts == 0 else -1 - hits
