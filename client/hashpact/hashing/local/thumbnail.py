"""The thumbnail of a picture: 32 x 32 cells, and of each pair of neighbours which one is brighter."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS: Final = 32
CLEAR_GREY: Final = 1.0
"""Neighbouring cells of an upload that differ by less than this say nothing: what they say is noise."""


def cells(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[32, 32]: mean grey of the cells of a picture."""
    return np.asarray(cv2.resize(grey.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA))


def signs(means: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8[248]: 32 rows of 31 differences to the right, then 31 rows of 32 downwards; 1 where it gets brighter."""
    across, down = _differences(means)
    return np.packbits(np.concatenate([(across > 0).ravel(), (down > 0).ravel()]))


def clear(means: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """uint8[248]: which of the signs say something.

    Args:
        means: float32[32, 32].
        seen: bool[32, 32], cells that are wholly in view.
    """
    across, down = _differences(means)
    both_across = seen[:, 1:] & seen[:, :-1] & (np.abs(across) >= CLEAR_GREY)
    both_down = seen[1:] & seen[:-1] & (np.abs(down) >= CLEAR_GREY)
    return np.packbits(np.concatenate([both_across.ravel(), both_down.ravel()]))


def _differences(means: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.diff(means, axis=1), np.diff(means, axis=0)
