"""An upload, measured where a candidate says that the listed picture lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.local import projection, thumbnail
from hashpact.hashing.local.canvas import LocalCanvas, shrunk
from hashpact.hashing.local.patches import Pyramid, describe
from hashpact.hashing.pdq import pdq
from hashpact.local_signature import POINTS_MAX, Measurement, Placement, Places, joined, mirrored

_GRID: Final = 4 * thumbnail.CELLS
"""Side of the square in which the listed frame is looked at: 4 x 4 samples a cell."""

_PDQ_SIDE: Final = 256
_STEP_MAX_PX: Final = 1.8
_WHOLE: Final = 0.02
"""The listed frame is wholly in view when no corner lies further outside than this share of its sides."""

_SIZE_MIN_PX: Final = 1.0
"""Smaller points, in pixels of the canvas, are beyond what it resolves."""

_MEASURED_MAX: Final = 48
"""Points that are measured of one candidate: more would say the same and cost as much again."""


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """Where to measure.

    Attributes:
        placement: where the listed frame lies.
        places: the listed points in their frame, at most 96.
        width_px: of the listed frame.
        height_px: of the listed frame.
    """

    placement: Placement
    places: Places
    width_px: int
    height_px: int


def measure(canvas: LocalCanvas, candidates: Sequence[LocalCandidate]) -> list[Measurement]:
    """What the upload shows where each candidate should lie.

    Args:
        canvas: of the upload, the one that its points were taken from.
        candidates: as the look-up answered them.

    Returns:
        One per candidate, in their order.
    """
    copies = _Copies(canvas.grey)
    views = [_View(canvas, copies, candidate) for candidate in candidates]
    places = [view.places for view in views]
    if not places:
        return []
    descriptors = projection.bits(describe(Pyramid(canvas.grey), joined(places)))
    parts = np.split(descriptors, np.cumsum([len(some) for some in places])[:-1])
    return [view.measurement(part) for view, part in zip(views, parts, strict=True)]


class _Copies:
    """An upload at half its size, at half of that, and so on; shared by all candidates."""

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        self._made = [grey]

    def for_step(self, step: float) -> NDArray[np.uint8]:
        """The copy for looking at one in ``step`` pixels: the mean of those between counts, not any one of them."""
        halvings = max(0, math.ceil(math.log2(max(step, 1.0) / _STEP_MAX_PX)))
        while len(self._made) <= halvings:
            height, width = self._made[-1].shape
            self._made.append(shrunk(self._made[-1], max(1, width // 2), max(1, height // 2)))
        return self._made[halvings]


class _View:
    """An upload seen through the frame of one candidate. Pixels are those of the canvas."""

    def __init__(self, canvas: LocalCanvas, copies: _Copies, candidate: LocalCandidate) -> None:
        self._grey = canvas.grey
        self._copies = copies
        height, width = canvas.grey.shape
        self._factor = np.array([width / canvas.width_px, height / canvas.height_px])
        self._candidate = candidate
        self._mirrored = candidate.placement.mirrored
        placed = candidate.placement.places(candidate.places)
        if self._mirrored:
            placed = placed.mirrored(canvas.width_px)
        shown = canvas.places(placed)
        within = (shown.xy >= 0) & (shown.xy < [width, height])
        self.visible = within[:, 0] & within[:, 1]
        self.visible &= (shown.size >= _SIZE_MIN_PX) & (shown.size < min(width, height))
        if (count := int(self.visible.sum())) > _MEASURED_MAX:
            self.visible[np.nonzero(self.visible)[0][_spared(count)]] = False
        self.places = shown.some(self.visible)

    def measurement(self, found: NDArray[np.uint8]) -> Measurement:
        visible = np.zeros(POINTS_MAX, np.bool_)
        visible[: len(self.visible)] = self.visible
        descriptors = np.zeros((POINTS_MAX, 32), np.uint8)
        descriptors[visible] = mirrored(found) if self._mirrored else found
        means, seen, share = self._cells()
        value, quality = self._pdq()
        return Measurement(
            visible_percent=int(100 * share),
            visible=visible,
            descriptors=descriptors,
            thumbnail=thumbnail.signs(means),
            clear=thumbnail.clear(means, seen),
            pdq=value,
            pdq_quality=quality,
        )

    def _cells(self) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
        """float32[32, 32] means, bool[32, 32] wholly in view, share of the frame in view."""
        laid, matrix, (width, height) = self._laid(_GRID)
        steps = np.arange(_GRID)
        x, y = (matrix[axis, 0] * steps[None] + matrix[axis, 1] * steps[:, None] + matrix[axis, 2] for axis in (0, 1))
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        per = _GRID // thumbnail.CELLS
        whole = inside.reshape(thumbnail.CELLS, per, thumbnail.CELLS, per).all(axis=(1, 3))
        return thumbnail.cells(laid), whole, float(inside.mean())

    def _pdq(self) -> tuple[bytes | None, int]:
        corners = self._placed(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        height, width = self._grey.shape
        sides = np.abs(corners - corners[3]).max(axis=0)
        outside = np.maximum(-corners, corners - [width, height]).max(axis=0)
        if (outside > _WHOLE * sides).any():
            return None, 0
        result = pdq(self._laid(_PDQ_SIDE)[0])
        return result.values[0], result.quality

    def _placed(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points of the listed frame, as shares of its sides, lie in the canvas."""
        candidate = self._candidate
        at = candidate.placement.points(shares * [candidate.width_px, candidate.height_px]) * self._factor
        if self._mirrored:
            at[:, 0] = self._grey.shape[1] - at[:, 0]
        return np.asarray(at)

    def _laid(self, side: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], tuple[int, int]]:
        """uint8[side, side], the upload laid into the listed frame; by which map, of a picture of which sides."""
        corners = self._placed(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        linear = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1) / side
        step = math.sqrt(abs(linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]))
        source = self._copies.for_step(step)
        factor = np.array(source.shape[::-1]) / self._grey.shape[::-1]
        linear = linear * factor[:, None]
        # Middles of pixels: half a pixel in, half a pixel out.
        matrix = np.column_stack([linear, corners[0] * factor + linear @ [0.5, 0.5] - 0.5])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid = cv2.warpAffine(source, matrix, (side, side), flags=how, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(laid), matrix, (source.shape[1], source.shape[0])


def _spared(count: int) -> NDArray[np.int64]:
    """Of ``count`` points those that are not measured, evenly."""
    taken = np.arange(_MEASURED_MAX) * count // _MEASURED_MAX
    return np.setdiff1d(np.arange(count), taken)
