"""Where the details of a picture are: the points of OpenCV's SIFT."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.local_signature import Places

SIDE_MIN_PX: Final = 16
"""Shorter sides hold no point: their surroundings would be mostly beyond the edge."""


def detect(frame: NDArray[np.uint8], most: int) -> Places:
    """The most marked points of a picture, the most marked first.

    Args:
        frame: uint8[height, width].
        most: how many at most.
    """
    if min(frame.shape) < SIDE_MIN_PX:
        return _places(np.zeros((0, 4), np.float32))
    # Made per call: nothing says that one object may be used by several threads, and making it costs microseconds.
    points = cv2.SIFT_create(nfeatures=most).detect(frame)
    rows = np.array([(*point.pt, point.size, point.angle, -point.response) for point in points], np.float32)
    rows = rows.reshape(-1, 5)
    # A total order: how OpenCV's threads share the work must not show.
    rows = rows[np.lexsort(rows.T[[3, 2, 0, 1, 4]])][:most]
    return _places(rows)


def _places(rows: NDArray[np.float32]) -> Places:
    # OpenCV counts from the middle of the first pixel.
    return Places(rows[:, :2] + np.float32(0.5), rows[:, 2].copy(), np.mod(rows[:, 3], np.float32(360.0)))
