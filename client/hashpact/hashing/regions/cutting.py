"""Cutting a screenshot at the ground between what it shows: rows, then columns, then rows again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from hashpact.hashing.regions.ground import Box, Sketch, even_lines, trimmed

SIDE_MIN_PX: Final = 48
"""Shorter sides of what is cut out, in pixels of the sketch: below, it is an icon or a line of text."""

_GAP_MIN_PX: Final = 2
_DEPTH_MAX: Final = 5


def pieces(sketch: Sketch, box: Box, depth: int = 0) -> Iterator[Box]:
    """A box without its frame, and what is left of it when it is cut at every stretch of ground through it.

    What is cut is named as well as its pieces: nothing tells the sky of a photograph from the ground of a screen.
    """
    box = trimmed(sketch, box)
    if min(box.height, box.width) < SIDE_MIN_PX:
        return
    yield box
    if depth < _DEPTH_MAX:
        for turned in (False, True):
            part = box.of(sketch)
            bands = _bands(part.T if turned else part)
            if bands == [(0, box.width if turned else box.height)]:
                continue
            for start, end in bands:
                if end - start < SIDE_MIN_PX:
                    continue
                if turned:
                    inner = Box(box.top, box.bottom, box.left + start, box.left + end)
                else:
                    inner = Box(box.top + start, box.top + end, box.left, box.right)
                yield from pieces(sketch, inner, depth + 1)
            return


def _bands(part: Sketch) -> list[tuple[int, int]]:
    """(start, end) of the rows between stretches of ground."""
    even, _ = even_lines(part)
    if not even.any():
        return [(0, len(part))]
    gap = np.zeros(len(part) + 2, np.int8)
    gap[1:-1] = even
    starts, ends = np.flatnonzero(np.diff(gap) > 0), np.flatnonzero(np.diff(gap) < 0)
    bands, at = [], 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start < _GAP_MIN_PX:
            continue
        if start > at:
            bands.append((at, start))
        at = end
    if at < len(part):
        bands.append((at, len(part)))
    return bands
