"""Bitmaps of removed rows: bit ``row % 8`` of byte ``row // 8``; rows beyond the end are alive.

A bitmap that a search may be reading is never changed: marking rows makes a copy.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bitmap: TypeAlias = NDArray[np.uint8]


def no_rows() -> Bitmap:
    """A bitmap in which every row is alive."""
    return np.empty(0, np.uint8)


def with_rows(dead: Bitmap, rows: NDArray[np.int64], count: int) -> Bitmap:
    """A copy of ``dead``, long enough for ``count`` rows, with ``rows`` marked."""
    marked = np.zeros((count + 7) // 8, np.uint8)
    marked[: dead.shape[0]] = dead
    np.bitwise_or.at(marked, rows >> 3, np.left_shift(1, rows & 7).astype(np.uint8))
    return marked


def alive_of(dead: Bitmap, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of ``rows`` that are not marked."""
    if dead.shape[0] == 0:
        return rows
    byte = np.minimum(rows >> 3, dead.shape[0] - 1)
    marked = (dead[byte] >> (rows & 7).astype(np.uint8)) & 1
    alive: NDArray[np.bool_] = (marked == 0) | (rows >> 3 != byte)
    return rows[alive]


def alive_mask(dead: Bitmap, count: int) -> NDArray[np.bool_]:
    """Which of ``count`` rows are not marked: bool [count]."""
    mask = np.ones(count, np.bool_)
    bits = np.unpackbits(dead, bitorder="little")[:count]
    mask[: bits.shape[0]] = bits == 0
    return mask


def count_rows(dead: Bitmap) -> int:
    """How many rows are marked."""
    return int(np.bitwise_count(dead).sum(dtype=np.int64))
