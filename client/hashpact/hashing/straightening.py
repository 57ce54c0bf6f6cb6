"""A page as it was before it was printed and scanned: upright, and without its margins.

A scan is turned by half a degree and moved by some millimetres, and PDQ of a page of text is then another one: its
lines lie elsewhere. So each page has two values: as it is, and straightened. Both sides do the same; a page that never
was on paper is upright already, and only loses its margins.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

SKEW_LONG_SIDE_PX: Final = 768
"""On smaller pages a turn of a third of a degree is less than a line is high, and none wins."""
SKEW_STEPS: Final = ((0.5, 8), (0.125, 4), (0.03125, 4))
"""(degrees, steps to either side) of one search after the other: up to 4 degrees, to a thirtieth of one."""
SKEW_DEGREES_MIN: Final = 0.02
PAPER_PERCENT: Final = 90
INK_SHADES: Final = 48
"""Darker than the paper by so many shades: ink. Noise of scanners is not, once it is blurred."""
INK_SHARE_MIN: Final = 0.002
"""A row or column has ink when so much of it is."""
KEPT_SHARE_MIN: Final = 0.25
"""Pages with ink on less of their height or width keep their margins: a line of text is no page."""


def straightened(luma: Luma) -> Luma | None:
    """The page upright and without its margins; None when that is the whole page as it is, or next to nothing.

    Args:
        luma: uint8 [rows, columns], dark on light.
    """
    paper = float(np.percentile(luma[::4, ::4], PAPER_PERCENT))
    degrees = skew(luma, paper)
    upright = _turned(luma, degrees, paper) if abs(degrees) >= SKEW_DEGREES_MIN else luma
    ink = cv2.GaussianBlur(upright, (0, 0), 1.5) < paper - INK_SHADES
    top, bottom = _span(ink.sum(axis=1), ink.shape[1])
    left, right = _span(ink.sum(axis=0), ink.shape[0])
    rows, columns = luma.shape
    if bottom - top < KEPT_SHARE_MIN * rows or right - left < KEPT_SHARE_MIN * columns:
        return None
    if upright is luma and (bottom - top, right - left) == luma.shape:
        return None
    return np.ascontiguousarray(upright[top:bottom, left:right])


def skew(luma: Luma, paper: float) -> float:
    """By how many degrees, counter-clockwise, a page has to be turned for its lines to be level; 0.0 where none are.

    The turn at which rows of ink and rows of paper differ most from their neighbours.
    """
    scale = SKEW_LONG_SIDE_PX / max(luma.shape)
    size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    # Blurred, since a page that is not turned at all is sharper than any that is, and would win for that.
    ink = cv2.GaussianBlur(np.maximum(np.float32(paper - 20) - small, 0), (0, 0), 1.0)

    def contrast(degrees: float) -> float:
        lines = _turned(ink, degrees, 0.0).sum(axis=1)
        return float(np.square(np.diff(lines)).sum())

    best = 0.0
    for step, steps in SKEW_STEPS:
        best = max((best + step * place for place in range(-steps, steps + 1)), key=contrast)
    return best


def _turned(picture: NDArray[Any], degrees: float, ground: float) -> NDArray[Any]:
    rows, columns = picture.shape
    turn = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), degrees, 1.0)
    turned: NDArray[Any] = cv2.warpAffine(picture, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderValue=ground)
    return turned


def _span(ink: NDArray[np.int64], length: int) -> tuple[int, int]:
    """From the first row, or column, with ink to behind the last one."""
    inked = np.flatnonzero(ink >= max(2.0, INK_SHARE_MIN * length))
    return (int(inked[0]), int(inked[-1]) + 1) if inked.size else (0, 0)
