"""Filling the tables of a segment, as machine code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel
from hashpact_server.index.parts import WORDS_1D, quarter_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

BUCKETS: Final = 65536

OUT_U16: Final = types.Array(types.uint16, 1, "C")
OUT_U32: Final = types.Array(types.uint32, 1, "C")


@kernel(WORDS_1D, types.int64, types.int64, OUT_U32, OUT_U32, OUT_U16)
def build_word(
    values: Words,
    words: int,
    quarter: int,
    starts: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    nexts: NDArray[np.uint16],
) -> None:
    """Fill one word's part of the tables by a counting sort. ``multi_kernel`` describes the tables.

    Args:
        values: uint64 [n * words].
        words: machine words per value.
        quarter: which 16-bit word, 0..4 * words - 1.
        starts: uint32 [65537], written.
        rows: uint32 [n], written: row numbers by bucket, increasing within one.
        nexts: uint16 [n], written.
    """
    count = rows.shape[0]
    following = (quarter + 1) % (4 * words)
    starts[:] = 0
    for row in range(count):
        starts[quarter_at(values, row, words, quarter) + 1] += np.uint32(1)
    for bucket in range(BUCKETS):
        starts[bucket + 1] += starts[bucket]
    free = starts[:BUCKETS].copy()
    for row in range(count):
        bucket = quarter_at(values, row, words, quarter)
        at = free[bucket]
        free[bucket] = at + np.uint32(1)
        rows[at] = np.uint32(row)
        nexts[at] = np.uint16(quarter_at(values, row, words, following))
