"""Turning upright what lies askew on even ground: a picture that was rotated, with its corners filled up."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.regions.ground import EVEN_LEVELS, Sketch

_CORNER_PX: Final = 3
_FILL_MIN: Final = 0.35
_RECTANGLE_MIN: Final = 0.95
"""Part of the rectangle around it that its hull covers: what covers less is of another shape."""
_ANGLE_MIN: Final = math.radians(0.4)
_EDGE_TRIM: Final = 0.12
"""Part of a side left out at each of its ends, where two sides meet."""
_INSET_PX: Final = 0.7
"""What interpolation mixed with the ground while it was rotated."""


def tilted(sketch: Sketch) -> NDArray[np.float64] | None:
    """The rectangle that lies askew on the ground of a picture, uint8[height, width]; None: there is none.

    Returns:
        float64[4, 2], (x, y) of its corners in pixels: top left, top right, bottom right and bottom left as they would
        be upright.
    """
    level = _corner_level(sketch)
    if level is None:
        return None
    shown = (np.abs(sketch.astype(np.int16) - level) > EVEN_LEVELS).astype(np.uint8)
    if np.count_nonzero(shown) < _FILL_MIN / 2 * shown.size:
        return None
    shown = cv2.morphologyEx(shown, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    points = cv2.findNonZero(_outline(shown))
    if points is None:
        return None
    hull = cv2.convexHull(points)
    _, (width, height), _ = box = cv2.minAreaRect(hull)
    area = width * height
    if area < _FILL_MIN * sketch.size or cv2.contourArea(hull) < _RECTANGLE_MIN * area:
        return None
    rough = _upright_order(cv2.boxPoints(box).astype(np.float64))
    if _angle(rough) < _ANGLE_MIN:
        return None
    return _refined(rough, points.reshape(-1, 2).astype(np.float64))


def turned_upright(sheet: Sketch, corners: NDArray[np.float64]) -> Sketch:
    """What lies between four corners of a picture, in pixels of it, as a picture of its own."""
    width = round((math.dist(corners[0], corners[1]) + math.dist(corners[3], corners[2])) / 2)
    height = round((math.dist(corners[0], corners[3]) + math.dist(corners[1], corners[2])) / 2)
    wanted = np.array([(0, 0), (width - 1, 0), (0, height - 1)], np.float32)
    given = np.array([corners[0], corners[1], corners[3]], np.float32)
    result: Sketch = cv2.warpAffine(
        sheet,
        cv2.getAffineTransform(given, wanted),
        (max(1, width), max(1, height)),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.uint8)
    return result


def _corner_level(sketch: Sketch) -> int | None:
    """The level of all four corners; None where they differ."""
    side = _CORNER_PX
    patches = [
        sketch[rows, columns]
        for rows in (slice(0, side), slice(-side, None))
        for columns in (slice(0, side), slice(-side, None))
    ]
    levels = [int(np.median(each)) for each in patches]
    level = sorted(levels)[1]
    together = np.concatenate([each.ravel() for each in patches]).astype(np.int16)
    return level if np.count_nonzero(np.abs(together - level) > EVEN_LEVELS) <= side else None


def _outline(shown: Sketch) -> Sketch:
    """The first and last pixel shown of each row and column: what a hull and the sides are told from."""
    result = np.zeros_like(shown)
    rows = np.flatnonzero(shown.any(axis=1))
    columns = np.flatnonzero(shown.any(axis=0))
    result[rows, shown[rows].argmax(axis=1)] = 1
    result[rows, shown.shape[1] - 1 - shown[rows, ::-1].argmax(axis=1)] = 1
    result[shown[:, columns].argmax(axis=0), columns] = 1
    result[shown.shape[0] - 1 - shown[::-1, columns].argmax(axis=0), columns] = 1
    return result


def _upright_order(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners clockwise from the top left of the nearest upright rectangle."""
    centre = corners.mean(axis=0)
    corners = corners[np.argsort(np.arctan2(*(corners - centre).T[::-1]))]  # clockwise on the screen, from the left
    edges = np.roll(corners, -1, axis=0) - corners
    rightward = int(np.argmax(edges[:, 0] / np.linalg.norm(edges, axis=1)))
    return np.roll(corners, -rightward, axis=0)


def _angle(corners: NDArray[np.float64]) -> float:
    across = corners[1] - corners[0]
    return abs(math.atan2(across[1], across[0]))


def _refined(rough: NDArray[np.float64], outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners where lines through the outline's points meet: better than a pixel, and one stray does not turn them."""
    lines = []
    for at in range(4):
        start, end = rough[at], rough[(at + 1) % 4]
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        normal = np.array([-along[1], along[0]])
        offset = outline - start
        places, away = offset @ along, offset @ normal
        near = (
            (np.abs(away) < max(3.0, 0.02 * length))
            & (places > _EDGE_TRIM * length)
            & (places < (1 - _EDGE_TRIM) * length)
        )
        if np.count_nonzero(near) < 8:
            lines.append((start + _INSET_PX * normal, along))
            continue
        vx, vy, x, y = cv2.fitLine(outline[near].astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist()
        lines.append((np.array([x, y]) + _INSET_PX * normal, np.array([vx, vy])))
    return np.array([_crossing(lines[at - 1], lines[at]) for at in range(4)])


def _crossing(
    one: tuple[NDArray[np.float64], NDArray[np.float64]], other: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    matrix = np.stack([one[1], -other[1]], axis=1)
    step = np.linalg.solve(matrix, other[0] - one[0])
    result: NDArray[np.float64] = one[0] + step[0] * one[1]
    return result
