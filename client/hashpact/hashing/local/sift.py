"""OpenCV's SIFT, as this package calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.local_signature import Places

LAYERS: Final = 3
SIGMA: Final = 1.6
SIDE_MIN_PX: Final = 16
"""Shorter sides hold no point: their surroundings would be mostly beyond the edge."""

_CONTRAST: Final = 0.04
_EDGE: Final = 10.0


def detect(frame: NDArray[np.uint8], most: int) -> tuple[Places, NDArray[np.float32], NDArray[np.float32]]:
    """The most marked points of a picture, the most marked first.

    Args:
        frame: uint8[height, width].
        most: how many at most.

    Returns:
        places, float32[n, 128] histograms, float32[n] how marked they are.
    """
    if min(frame.shape) < SIDE_MIN_PX:
        return _places([]), np.zeros((0, 128), np.float32), np.zeros(0, np.float32)
    # Made per call: nothing says that one object may be used by several threads, and making it costs microseconds.
    finder = cv2.SIFT_create(
        nfeatures=most, nOctaveLayers=LAYERS, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE, sigma=SIGMA
    )
    points, histograms = finder.detectAndCompute(frame, None)
    if not points:
        return _places([]), np.zeros((0, 128), np.float32), np.zeros(0, np.float32)
    response = np.array([point.response for point in points], np.float32)
    places = _places(points)
    # A total order: how threads of OpenCV share the work must not show.
    order = np.lexsort((places.direction, places.xy[:, 0], places.xy[:, 1], -response))[:most]
    return (
        Places(places.xy[order], places.size[order], places.direction[order]),
        np.asarray(histograms, np.float32)[order],
        response[order],
    )


def describe(grey: NDArray[np.uint8], places: Places, *, enlarged: bool = False) -> NDArray[np.float32]:
    """What is seen at given places: float32[n, 128], whether or not SIFT would have found a point there.

    Args:
        grey: uint8[height, width].
        places: within it, in its pixels.
        enlarged: describe the smallest in a copy of twice the size. It costs four times as much.
    """
    if not len(places):
        return np.zeros((0, 128), np.float32)
    octave, layer = levels(places.size, -1 if enlarged else 0)
    points = [
        cv2.KeyPoint(float(x) - 0.5, float(y) - 0.5, float(size), float(direction), 0.0, int(packed), index)
        for index, ((x, y), size, direction, packed) in enumerate(
            zip(
                places.xy.tolist(),
                places.size.tolist(),
                places.direction.tolist(),
                ((octave & 255) | (layer << 8)).tolist(),
                strict=True,
            )
        )
    ]
    finder = cv2.SIFT_create(nOctaveLayers=LAYERS, sigma=SIGMA)
    kept, histograms = finder.compute(grey, points)
    found = np.zeros((len(places), 128), np.float32)
    if len(kept):
        found[[point.class_id for point in kept]] = histograms
    return found


def levels(size: NDArray[np.float32], first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in the pyramid a point of this size is described: (octave, layer), as OpenCV numbers them.

    Args:
        size: float32[n], diameters in pixels.
        first: octave that the pyramid begins with: -1 is the enlarged copy.
    """
    steps = np.rint(LAYERS * np.log2(np.maximum(size, 1e-3) / (2.0 * SIGMA))).astype(np.int64)
    # Layers 1 to 3 of an octave are those that points are found in.
    octave = np.maximum((steps - 1) // LAYERS, first)
    layer = np.maximum(steps - octave * LAYERS, 0)
    return octave, layer


def _places(points: Sequence[cv2.KeyPoint]) -> Places:
    rows = np.array([(*point.pt, point.size, point.angle) for point in points], np.float32).reshape(-1, 4)
    return Places(rows[:, :2] + np.float32(0.5), rows[:, 2].copy(), np.mod(rows[:, 3], np.float32(360.0)))
