"""Which segments to merge: few segments to search, and each row rewritten only so often.

Segments are kept by size, largest first. With n rows in all and seals of T rows, neighbours are kept apart by
a factor r = (n / T) ^ (1/3): at most four segments of sizes T, rT, r²T, r³T = n. A merge takes rows at least
one factor up, or brings r times the rows: a row is rewritten about 3 r times on its way from a seal of 16,384
rows into an index of 10 million (r = 9), and most of these rewrites are small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hashpact_server.index.tail import TAIL_ROWS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

SEGMENTS_MAX: Final = 4
DEAD_SHARE_MAX: Final = 0.25
DEAD_ROWS_MIN: Final = TAIL_ROWS_MAX


def due_merge(rows: Sequence[int], dead_rows: Sequence[int]) -> range | None:
    """The segments to merge next, or None when all is well.

    Args:
        rows: rows of each segment, largest first, removed ones included.
        dead_rows: removed rows of each.

    Returns:
        Numbers of neighbouring segments; a single one is rewritten to give back the room of its removed rows.
    """
    count = len(rows)
    for number in range(count):
        if dead_rows[number] >= max(DEAD_ROWS_MIN, DEAD_SHARE_MAX * rows[number]):
            return range(number, number + 1)
        if dead_rows[number] == rows[number]:
            return range(number, number + 1)
    factor = max(2.0, (sum(rows) / TAIL_ROWS_MAX) ** (1 / 3))
    begin = count
    gathered = 0
    while begin > 0 and (begin == count or rows[begin - 1] < factor * gathered):
        begin -= 1
        gathered += rows[begin]
    if count - begin >= 2:
        return range(begin, count)
    return range(count - 2, count) if count > SEGMENTS_MAX else None
