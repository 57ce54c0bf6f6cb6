"""PDQ: 64 x 64 grey values -> 256 bits, quality, and the 8 dihedral variants.

Written from the published description: "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing
algorithm" (Facebook, 2019, sections on PDQ). Integers all the way, see :mod:`hashpact.hashing.downscale`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.downscale import LUMA_BITS, SIDE, downscale

SIDE_MIN_PX: Final = 5
"""Smaller pictures have no PDQ: all bits 0, quality 0, as the reference does."""

_FREQUENCIES: Final = 16
_DCT_BITS: Final = 19
"""Units of the cosine table: 18 bits of luma + 2 * 19 bits + 6 bits of sums stay below 2^63."""

_GRADIENT_DIVISOR: Final = 90
_MEDIAN_RANK: Final = 127
"""The lower median of 256 coefficients: at most 128 bits are set, exactly 128 unless values tie."""


@dataclass(frozen=True, slots=True)
class PdqResult:
    """PDQ of one picture.

    Attributes:
        values: 32 bytes each; the picture as it is and, when asked for, its 7 turned and mirrored
            variants, in the order of ``DIHEDRAL_ORDER``.
        quality: 0-100.
    """

    values: tuple[bytes, ...]
    quality: int

    def __repr__(self) -> str:
        return f"PdqResult(<{len(self.values)} values>, quality={self.quality})"


DIHEDRAL_ORDER: Final = (
    "original",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "flip_x",
    "flip_y",
    "flip_plus_1",
    "flip_minus_1",
)
"""The reference's order and names: rotations counter-clockwise; ``flip_x`` turns the picture upside down
(mirrors at the x axis), ``flip_y`` left to right, the last two mirror at the diagonals."""


def pdq(luma: NDArray[np.uint8], *, dihedral: bool = False) -> PdqResult:
    """PDQ of a plane of luma.

    Args:
        luma: uint8[height, width].
        dihedral: also the 7 other orientations, from the same cosine transform.
    """
    count = len(DIHEDRAL_ORDER) if dihedral else 1
    if min(luma.shape) < SIDE_MIN_PX:
        return PdqResult((bytes(32),) * count, 0)
    return pdq_of_cells(downscale(luma), dihedral=dihedral)


def pdq_of_cells(cells: NDArray[np.int64], *, dihedral: bool = False) -> PdqResult:
    """PDQ of a picture that is downscaled already.

    Args:
        cells: int64[64, 64] in units of 2^-10 grey level.
        dihedral: as for :func:`pdq`.
    """
    coefficients = _cosine_transform(cells)
    variants = dihedral_coefficients(coefficients) if dihedral else (coefficients,)
    return PdqResult(tuple(_bits(variant) for variant in variants), quality_of(cells))


def mirrored_pdq_of_cells(cells: NDArray[np.int64]) -> PdqResult:
    """PDQ of a picture that is downscaled already, and of what a mirror shows of it (``flip_y``).

    Args:
        cells: int64[64, 64] in units of 2^-10 grey level.
    """
    coefficients = _cosine_transform(cells)
    sign = np.where(np.arange(_FREQUENCIES) % 2 == 0, -1, 1)
    return PdqResult((_bits(coefficients), _bits(coefficients * sign[None, :])), quality_of(cells))


def quality_of(cells: NDArray[np.int64]) -> int:
    """How much there is to see: 0 (flat) to 100.

    Differences between neighbouring cells, each in whole hundredths of the range from black to white
    (towards zero: many tiny ones count nothing), are summed up and divided by 90.

    Args:
        cells: int64[64, 64] in units of 2^-10 grey level.
    """
    unit = 255 << LUMA_BITS
    total = 0
    for axis in (0, 1):
        total += int((np.abs(np.diff(cells, axis=axis)) * 100 // unit).sum())
    return min(total // _GRADIENT_DIVISOR, 100)


def dihedral_coefficients(original: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """The coefficients of the 8 orientations, in ``DIHEDRAL_ORDER``.

    Mirroring along an axis flips the sign of its odd frequencies (1, 3, ...: the table's even places);
    mirroring at the diagonal swaps the axes.
    """
    sign = np.where(np.arange(_FREQUENCIES) % 2 == 0, -1, 1)
    down, across = sign[:, None], sign[None, :]
    upside_down, mirrored = original * down, original * across
    half_turned = upside_down * across
    return (
        original,
        mirrored.T,
        half_turned,
        upside_down.T,
        upside_down,
        mirrored,
        original.T,
        half_turned.T,
    )


def _cosine_table() -> NDArray[np.int64]:
    """int64[16, 64]: frequencies 1-16 of the 64-point DCT-II, in units of 2^-19.

    The right half is made from the left one, so that mirrored pictures give exactly mirrored
    coefficients, and symmetric ones exact zeros instead of noise that would be cut at the median.
    """
    scale = math.sqrt(2.0 / SIDE) * (1 << _DCT_BITS)
    half = SIDE // 2
    table = np.zeros((_FREQUENCIES, SIDE), dtype=np.int64)
    for row in range(_FREQUENCIES):
        parity = 1 if row % 2 else -1
        for column in range(half):
            value = round(scale * math.cos(math.pi / (2 * SIDE) * (row + 1) * (2 * column + 1)))
            table[row, column] = value
            table[row, SIDE - 1 - column] = parity * value
    return table


_TABLE: Final = _cosine_table()


def _cosine_transform(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    product: NDArray[np.int64] = _TABLE @ cells @ _TABLE.T
    return product


def _bits(coefficients: NDArray[np.int64]) -> bytes:
    """One bit per coefficient: above the median or not. The reference writes the last coefficient first."""
    flat = coefficients.ravel()
    median = np.partition(flat, _MEDIAN_RANK)[_MEDIAN_RANK]
    return np.packbits((flat > median)[::-1]).tobytes()
