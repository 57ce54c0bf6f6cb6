"""What is seen around given points: SIFT's histograms, of all points at once.

OpenCV computes them point by point from every pixel around, and builds its pyramid anew each time it is asked. Here
the surroundings of a point are 14 x 14 samples one sigma apart, of a copy that is blurred as much: the same points are
found again by them, in half the time, and anywhere.

After D. Lowe, "Distinctive image features from scale-invariant keypoints", 2004, section 6.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.local_signature import Places

SIGMA: Final = 1.6
"""Blur of the first level in pixels; a point's sigma is half its size."""

_PER_OCTAVE: Final = 3
_FIRST: Final = -4
"""Finest level: a blur of 0.63 pixels, which is about what pictures come with."""

_GIVEN: Final = 0.5
"""Blur that a picture is taken to come with."""

_SIDE_MIN_PX: Final = 8
_CELLS: Final = 4
_CELL: Final = 3.0
"""Side of a cell in sigmas, and so in samples."""

_SAMPLES: Final = 12
_DIRECTIONS: Final = 8
_CUT: Final = 0.2
"""No number of a histogram counts for more than this share of its length: light from one side changes the largest."""


class Pyramid:
    """Copies of a picture, each blurred a third of an octave more than the one before; made when they are asked for."""

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        """Of uint8[height, width]."""
        self._grey = grey.astype(np.float32)
        self._made: dict[int, NDArray[np.float32]] = {}
        octaves = max(0, int(np.log2(max(1, min(grey.shape) // _SIDE_MIN_PX))))
        self.last = _PER_OCTAVE * (octaves + 1) - 1

    def level(self, number: int) -> tuple[NDArray[np.float32], float]:
        """A copy, and how many of its pixels make up one of the picture's.

        Args:
            number: its blur is ``SIGMA`` times 2 to the power of a third of this; from -4 to ``last``.
        """
        octave = max(0, number // _PER_OCTAVE)
        if number not in self._made:
            self._made[number] = self._make(number, octave)
        return self._made[number], 0.5**octave

    def _make(self, number: int, octave: int) -> NDArray[np.float32]:
        wanted = _blur(number - _PER_OCTAVE * octave)
        if number <= 0:
            return _blurred(self._grey, _GIVEN, wanted)
        before, _ = self.level(number - 1)
        if number % _PER_OCTAVE:
            return _blurred(before, _blur(number - 1 - _PER_OCTAVE * octave), wanted)
        return np.ascontiguousarray(_blurred(before, _blur(_PER_OCTAVE - 1), 2 * SIGMA)[::2, ::2])


def describe(pyramid: Pyramid, places: Places) -> NDArray[np.float32]:
    """float32[n, 128]: 4 x 4 cells (rows first) of 8 directions around each point, turned with it.

    Args:
        pyramid: of the picture.
        places: in its pixels. What lies beyond its edge is taken to be as the edge is.
    """
    count = len(places)
    if not count:
        return np.zeros((0, _CELLS * _CELLS * _DIRECTIONS), np.float32)
    seen = _surroundings(pyramid, places)
    across = np.ascontiguousarray(seen[:, 1:-1, 2:] - seen[:, 1:-1, :-2]).reshape(count, -1)
    down = np.ascontiguousarray(seen[:, 2:, 1:-1] - seen[:, :-2, 1:-1]).reshape(count, -1)
    strength, angle = cv2.cartToPolar(across, down)
    angle *= np.float32(_DIRECTIONS / (2 * np.pi))
    parts = np.empty((count, _DIRECTIONS, _SAMPLES * _SAMPLES), np.float32)
    for direction in range(_DIRECTIONS):
        # A sample counts for the two directions between which its own lies, for the nearer one more.
        apart = np.abs(angle - np.float32(direction))
        np.minimum(apart, _DIRECTIONS - apart, out=apart)
        np.multiply(np.maximum(1 - apart, 0), strength, out=parts[:, direction])
    cells = np.matmul(parts, _WEIGHTS)  # point by point, and so the same whatever else is described
    histograms = cells.transpose(0, 2, 1).reshape(count, -1)
    length = np.maximum(np.linalg.norm(histograms, axis=1, keepdims=True), np.float32(1e-6))
    cut: NDArray[np.float32] = np.minimum(histograms / length, np.float32(_CUT)) * np.float32(512)
    return cut


def _surroundings(pyramid: Pyramid, places: Places) -> NDArray[np.float32]:
    """float32[n, 14, 14]: samples one sigma apart, the point in the middle, its direction to the right."""
    sigma = places.size / 2
    turn = np.radians(places.direction)
    ahead_x, ahead_y = np.cos(turn) * sigma, np.sin(turn) * sigma
    exact = _PER_OCTAVE * np.log2(np.maximum(sigma, np.float32(1e-3)) / SIGMA)
    numbers = np.clip(np.rint(exact).astype(np.int64), _FIRST, pyramid.last)
    side = _SAMPLES + 2
    seen = np.empty((len(places), side, side), np.float32)
    for number in np.unique(numbers).tolist():
        rows = np.nonzero(numbers == number)[0]
        copy, factor = pyramid.level(number)
        cos, sin = ahead_x[rows, None], ahead_y[rows, None]
        # The middle of a copy's first pixel is the middle of the picture's: every second one was kept.
        x = (places.xy[rows, 0, None] - 0.5 + cos * _RIGHT - sin * _DOWN) * np.float32(factor)
        y = (places.xy[rows, 1, None] - 0.5 + sin * _RIGHT + cos * _DOWN) * np.float32(factor)
        found = cv2.remap(
            copy, x.reshape(-1, side), y.reshape(-1, side), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        seen[rows] = np.asarray(found).reshape(-1, side, side)
    return seen


def _blur(number: int) -> float:
    return float(SIGMA * 2.0 ** (number / _PER_OCTAVE))


def _blurred(picture: NDArray[np.float32], has: float, wanted: float) -> NDArray[np.float32]:
    more = float(np.sqrt(wanted**2 - has**2))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), more, borderType=cv2.BORDER_REPLICATE))


def _weights() -> NDArray[np.float32]:
    """float32[144, 16]: how much each sample counts for each cell: less the further from it, and from the point."""
    at = np.arange(_SAMPLES) - (_SAMPLES - 1) / 2
    middles = at / _CELL + (_CELLS - 1) / 2
    near = np.maximum(0.0, 1.0 - np.abs(middles[:, None] - np.arange(_CELLS)))
    near *= np.exp(-((at / _CELL) ** 2) / (2 * (_CELLS / 2) ** 2))[:, None]
    both: NDArray[np.float64] = np.einsum("ya,xb->yxab", near, near)
    return both.reshape(_SAMPLES * _SAMPLES, _CELLS * _CELLS).astype(np.float32)


_WEIGHTS: Final = _weights()
_STEPS: Final = (np.arange(_SAMPLES + 2) - (_SAMPLES + 1) / 2).astype(np.float32)
_RIGHT: Final = np.tile(_STEPS, _SAMPLES + 2)[None]
_DOWN: Final = np.repeat(_STEPS, _SAMPLES + 2)[None]
