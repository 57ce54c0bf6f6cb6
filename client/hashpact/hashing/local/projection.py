"""128 numbers of SIFT -> 256 bits: signs of a published projection.

RootSIFT (Arandjelovic and Zisserman, 2012) takes the square roots of SIFT's numbers after they were made to sum up
to 1, so that the Euclidean distance says how alike two histograms are. Each bit is the side of a plane through that
space on which a point lies (Charikar, 2002): the more alike two points, the fewer bits differ.

In whole numbers, so that the order of a sum decides nothing: every machine gets the same bits from the same numbers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.local.thresholds import THRESHOLDS

SEED: Final = b"hashpact local_sift projection 1"
BITS: Final = 256
BINS: Final = 128
_DRAWN: Final = BITS // 2
_UNIT: Final = 4096.0
"""Square roots are kept in units of 2^-12: a sum of 128 of them stays below 2^24, which float32 holds exactly."""

MIRROR: Final = (
    np.arange(BINS).reshape(4, 4, 8)[::-1][:, :, (-np.arange(8)) % 8].ravel()  # rows of cells, directions
)
"""Where each of SIFT's numbers is found when the picture is mirrored: its 4 x 4 cells of 8 directions trade places."""


@lru_cache(maxsize=1)
def planes() -> NDArray[np.float32]:
    """float32[256, 128] of 1 and -1, as many of each in a row: what all histograms have in common falls out.

    For each of the first 128 rows, 128 numbers of 32 bits (big-endian) are drawn from SHAKE-256 of ``SEED``; 1 stands
    where a number is among the 64 largest of its row. The other 128 rows are the same planes for the mirrored picture.
    """
    drawn = np.frombuffer(hashlib.shake_256(SEED).digest(_DRAWN * BINS * 4), dtype=">u4").reshape(_DRAWN, BINS)
    rank = np.argsort(np.argsort(drawn, axis=1, kind="stable"), axis=1, kind="stable")
    half = np.where(rank >= BINS // 2, 1.0, -1.0).astype(np.float32)
    signs = np.concatenate([half, half[:, MIRROR]])
    signs.flags.writeable = False
    return signs


def sums(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n, 256] of whole numbers: where points lie along each row of ``planes``.

    Args:
        histograms: float32[n, 128], SIFT's numbers.
    """
    total = np.maximum(histograms.sum(axis=1, keepdims=True), 1.0)
    roots = np.rint(np.sqrt(histograms / total) * np.float32(_UNIT))
    if not len(roots):
        return np.zeros((0, BITS), np.float32)
    # Not by NumPy: its BLAS library wakes all cores for so small a product, which costs ten times as much.
    return np.asarray(cv2.gemm(roots, planes(), 1.0, None, 0.0, flags=cv2.GEMM_2_T))


def bits(histograms: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8[n, 32]: the descriptors; bit 0 is the highest bit of the first byte.

    Since the second half of the planes are the mirrored first, the descriptors of the mirrored picture are these with
    their halves exchanged: ``hashpact.local_signature.mirrored``.

    Args:
        histograms: float32[n, 128], SIFT's numbers.
    """
    return np.packbits(sums(histograms) > np.tile(THRESHOLDS, 2), axis=1)
