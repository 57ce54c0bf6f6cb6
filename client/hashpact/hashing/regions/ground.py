"""Ground: the even surface around a picture, and the lines of pixels that show nothing else.

A sketch is a small picture, uint8[height, width]. A box is (top, bottom, left, right) of it, ends exclusive.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

EVEN_LEVELS: Final = 7
"""Grey levels by which ground may differ from its own median: what JPEG leaves of one colour."""

STRAY_SHARE: Final = 0.025
"""Part of a line that may be something else: ringing beside an edge, a scratch, a signal bar."""

_RESEMBLING: Final = 0.01
_SAMPLES: Final = 64
"""Pixels of a line that its median is told from."""

Sketch = NDArray[np.uint8]


class Box(NamedTuple):
    """A rectangle of a sketch, ends exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def area(self) -> int:
        """In pixels."""
        return self.height * self.width

    def resembles(self, other: Box) -> bool:
        """Whether hash values could not tell what the two show."""
        apart = max(abs(one - two) for one, two in zip(self, other, strict=True))
        return apart <= _RESEMBLING * min(self.height, self.width)

    def of(self, sketch: Sketch) -> Sketch:
        """What it shows."""
        return sketch[self.top : self.bottom, self.left : self.right]


def even_lines(part: Sketch) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
    """Which rows show one level alone, and each row's level.

    Args:
        part: uint8[rows, columns], neither of them 0.
    """
    step = max(1, part.shape[1] // _SAMPLES)
    sampled = part[:, ::step]
    middle = sampled.shape[1] // 2
    levels = np.partition(sampled, middle, axis=1)[:, middle].astype(np.int16)
    low = np.clip(levels - EVEN_LEVELS, 0, 255).astype(np.uint8)
    high = np.clip(levels + EVEN_LEVELS, 0, 255).astype(np.uint8)
    strays = np.count_nonzero((part < low[:, None]) | (part > high[:, None]), axis=1)
    return strays <= STRAY_SHARE * part.shape[1], levels


def trimmed(sketch: Sketch, box: Box) -> Box:
    """The box without the ground along its sides; itself where it has none, or is nothing else."""
    for _ in range(2):  # a corner of another level hides the second side until the first is gone
        top, bottom = _ends(box.of(sketch))
        inner = Box(box.top + top, box.top + bottom, box.left, box.right)
        if inner.height <= 0:
            return box
        left, right = _ends(inner.of(sketch).T)
        if right <= left:
            return box
        inner = Box(inner.top, inner.bottom, inner.left + left, inner.left + right)
        if inner == box:
            break
        box = inner
    return box


def _ends(part: Sketch) -> tuple[int, int]:
    """First row after the ground at the top, and end before the ground at the bottom."""
    even, levels = even_lines(part)
    if not (even[0] or even[-1]):
        return 0, len(part)
    return _run(even, levels), len(part) - _run(even[::-1], levels[::-1])


def _run(even: NDArray[np.bool_], levels: NDArray[np.int16]) -> int:
    """Rows from the first on that are ground of the first one's level: a sky that fades into a picture is not."""
    if not even[0]:
        return 0
    other = ~even | (np.abs(levels - levels[0]) > EVEN_LEVELS)
    return int(np.argmax(other)) if other.any() else len(even)
