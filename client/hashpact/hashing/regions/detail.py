"""How much there is to see: whether a picture is of the kind that is told apart by its coarse shape alone.

Text cards, logos, flags, interfaces and blank pictures share their coarse shape with many others; photographs do not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hashpact.hashing.regions.ground import Sketch

_CELL_PX: Final = 8
_SIDE_PX: Final = 128
_BUSY_LEVELS: Final = 2.0
"""Standard deviation in grey levels from which a cell shows something."""


class _Least(NamedTuple):
    """What a picture has to show."""

    busy: float
    """Part of the cells that show something, at least."""
    level: float
    """Part of the picture that has one level, give or take two, at most."""


_PICTURE: Final = _Least(0.35, 0.5)
"""Of 167 photographs 166, night and fog included; no drawn text card, page, logo, flag, title card or interface."""
_DETAILED: Final = _Least(0.5, 0.32)
"""Of 167 photographs 157."""


def is_picture(picture: Sketch) -> bool:
    """Whether uint8[height, width] may be a photograph, as opposed to text, a logo or an interface."""
    return _has(picture, _PICTURE)


def is_detailed(picture: Sketch) -> bool:
    """Whether uint8[height, width] is as varied as most photographs are: then little else resembles it."""
    return _has(picture, _DETAILED)


def _has(picture: Sketch, least: _Least) -> bool:
    if min(picture.shape) < 2 * _CELL_PX:
        return False
    busy, level = measures(picture)
    return busy >= least.busy and level <= least.level


def measures(picture: Sketch) -> tuple[float, float]:
    """Part of the cells that show something, and part of the pixels that have the commonest level."""
    step = max(1, min(max(picture.shape) // _SIDE_PX // 2, min(picture.shape) // _CELL_PX // 2))
    small = picture[::step, ::step]
    rows, columns = small.shape[0] // _CELL_PX, small.shape[1] // _CELL_PX
    cells = small[: rows * _CELL_PX, : columns * _CELL_PX].reshape(rows, _CELL_PX, columns, _CELL_PX)
    busy = cells.std(axis=(1, 3)) >= _BUSY_LEVELS
    counts = np.bincount(small.ravel(), minlength=256)
    near = np.convolve(counts, np.ones(5, np.int64), mode="same")
    return float(busy.mean()), float(near.max() / small.size)
