"""Uniform borders around the frames of a video: bars of players and of other shapes, padding.

Borders stay while the picture changes, so the median of what the last frames show is taken: a dark scene does not look
narrower than it is, and a caption in a bar does not make the bar a part of the picture.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAMES: Final = 15
"""Frames whose median is taken."""

LINES: Final = 256
"""Rows and columns that are looked at: 0.4 % of a side is near enough for PDQ, which loses 4 to 10 bits to 1 %."""

SPREAD_MAX: Final = 16
STEP_MAX: Final = 12
"""In grey levels: how far 96 % of a border's pixels lie from each other in a row, and its rows from the outermost.
Compression leaves noise of a few levels even in black."""

CUT_MIN: Final = 0.02
LEFT_MIN: Final = 0.25
"""Parts of a side: borders narrower together are none, and of what would be left so little, there is no picture."""

Box = tuple[slice, slice]


class Borders:
    """Where the picture is, in frames that come one after the other."""

    def __init__(self) -> None:
        self._sides: deque[tuple[float, float, float, float]] = deque(maxlen=FRAMES)

    def inside(self, plane: NDArray[np.uint8]) -> Box | None:
        """The picture within the next frame, uint8[height, width]; None: it has no borders worth the name."""
        self._sides.append(_sides(plane))
        top, bottom, left, right = np.median(np.array(self._sides), axis=0).tolist()
        if min(bottom - top, right - left) < LEFT_MIN or max(top + 1 - bottom, left + 1 - right) < CUT_MIN:
            return None
        height, width = plane.shape
        return (
            slice(round(top * height), round(bottom * height)),
            slice(round(left * width), round(right * width)),
        )


def _sides(plane: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Where the picture begins and ends, as parts of the height and of the width."""
    height, width = plane.shape
    down, across = max(1, height // LINES), max(1, width // LINES)
    small = plane[::down, ::across].astype(np.int16)
    top, bottom = _ends(small)
    left, right = _ends(small[top:bottom].T) if bottom > top else (0, small.shape[1])
    return (
        top * down / height,
        min(1.0, bottom * down / height),
        left * across / width,
        min(1.0, right * across / width),
    )


def _ends(rows: NDArray[np.int16]) -> tuple[int, int]:
    """The first row that is no border, and the one after the last."""
    ordered = np.sort(rows, axis=1)
    tail = max(1, ordered.shape[1] // 50)
    spread = ordered[:, -1 - tail] - ordered[:, tail] if ordered.shape[1] > 2 * tail else ordered[:, -1] - ordered[:, 0]
    level = ordered[:, ordered.shape[1] // 2]
    flat = spread <= SPREAD_MAX
    begins = _border(flat, level)
    ends = _border(flat[::-1], level[::-1])
    return (0, len(rows)) if begins + ends >= len(rows) else (begins, len(rows) - ends)


def _border(flat: NDArray[np.bool_], level: NDArray[np.int16]) -> int:
    """How many rows from the outermost on are flat and of its grey."""
    same = flat & (np.abs(level - level[0]) <= STEP_MAX)
    return len(same) if same.all() else int(same.argmin())
