"""64 x 64 grey values for PDQ: the two-pass Jarosz filter and the decimation, in exact integers.

The reference runs two box filters of window ceil(n / 128) along each axis over the whole picture and then
keeps one pixel per cell (PDQ paper, "Downsampling"; W. Jarosz, "Fast image convolutions", 2001). All of
that is linear and separable, and only 64 x 64 of the filtered pixels are ever looked at: so each kept
pixel is a weighted mean of a few rows, then of a few columns, and the picture is read exactly once.

**The same bits on every machine.** Floating-point sums depend on the order that a BLAS library or a
vector unit chooses, and PDQ cuts at a median: a difference in the last place can turn bits. Here weights
are integers (units of 2^-20) and luma is 0-255, so every partial sum is an integer below 2^53, which
float64 holds exactly: any order, with or without fused multiply-add, gives the same number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 64
WEIGHT_BITS: Final = 20
LUMA_BITS: Final = 10
"""The result is in units of 2^-10 grey level."""

Weights = tuple[tuple[int, NDArray[np.float64]], ...]


def downscale(luma: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Filter and decimate.

    Args:
        luma: uint8[height, width], each side at least 1.

    Returns:
        int64[64, 64] in units of 2^-``LUMA_BITS`` grey level.
    """
    height, width = luma.shape
    rows = _weigh_rows(luma, kept_weights(height))
    cells = _weigh_rows(np.ascontiguousarray(rows.T), kept_weights(width)).T
    shift = 2 * WEIGHT_BITS - LUMA_BITS
    return (cells.astype(np.int64) + (1 << (shift - 1))) >> shift


@lru_cache(maxsize=512)
def kept_weights(length: int) -> Weights:
    """What each of the 64 kept positions along one axis is made of: first source index, integer weights.

    Args:
        length: pixels along the axis.

    Returns:
        64 pairs (start, float64[n] of integer values); the weights of each sum up to exactly 2^20, so
        that a flat picture stays flat.
    """
    pairs = []
    for cell in range(SIDE):
        # Centre of the cell, not its corner: floor((cell + 1/2) * length / 64).
        start, weights = _twice_boxed((2 * cell + 1) * length // (2 * SIDE), length)
        fixed = np.floor(weights * (1 << WEIGHT_BITS) + 0.5)
        fixed[fixed.size // 2] += (1 << WEIGHT_BITS) - fixed.sum()
        fixed.flags.writeable = False
        pairs.append((start, fixed))
    return tuple(pairs)


def window(at: int, length: int) -> tuple[int, int]:
    """First and last index that the reference's box filter averages for one output position.

    An even window reaches one further to the right than to the left; windows are cut at the borders.
    """
    size = (length + 2 * SIDE - 1) // (2 * SIDE)
    return max(0, at - (size - 1) // 2), min(length - 1, at + size // 2)


def _twice_boxed(centre: int, length: int) -> tuple[int, NDArray[np.float64]]:
    """The impulse response of two box passes at one position: (first index, weights)."""
    outer_first, outer_last = window(centre, length)
    first, last = window(outer_first, length)[0], window(outer_last, length)[1]
    weights = np.zeros(last - first + 1)
    for middle in range(outer_first, outer_last + 1):
        inner_first, inner_last = window(middle, length)
        share = 1.0 / ((outer_last - outer_first + 1) * (inner_last - inner_first + 1))
        weights[inner_first - first : inner_last - first + 1] += share
    return first, weights


def _weigh_rows(values: NDArray[np.uint8] | NDArray[np.float64], kept: Weights) -> NDArray[np.float64]:
    """[length, n] -> float64[64, n]: one weighted sum of neighbouring rows per kept position."""
    result = np.empty((SIDE, values.shape[1]))
    for cell, (start, weights) in enumerate(kept):
        # Converted slice by slice: the whole picture as float64 would not fit into the cache.
        np.dot(weights, values[start : start + weights.size].astype(np.float64), out=result[cell])
    return result
