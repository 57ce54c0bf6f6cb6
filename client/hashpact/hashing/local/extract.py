"""The local signature of a picture, and the points of a probe."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.local import projection, sift, thumbnail
from hashpact.hashing.local.canvas import LocalCanvas
from hashpact.hashing.local.patches import Pyramid, describe
from hashpact.local_signature import POINTS_MAX, POINTS_MIN, PROBE_POINTS_MAX, LocalSignature, Places, ProbePoints

PROBE_POINTS: Final = 800
_LISTED_FROM: Final = 800
"""Of so many of the most marked points, those that are listed are chosen."""

_LARGE_PX: Final = 4.5
"""Points of this size are still seen where the picture is shown at a third: half of those listed are so large."""

_GRID: Final = 6
_VOTES_MIN: Final = 3


def local_signature(canvas: LocalCanvas, pdq: bytes, quality: int) -> bytes | None:
    """The value of ``local_sift`` of a picture.

    Args:
        canvas: of the picture.
        pdq: 32 bytes, PDQ of the whole picture as it is.
        quality: of it, 0-100.

    Returns:
        ``LOCAL_SIGNATURE_BYTES`` bytes; None for a picture with fewer than ``POINTS_MIN`` points: nothing of it could
        ever be confirmed.
    """
    frame = canvas.frame()
    places = sift.detect(frame, _LISTED_FROM)
    chosen = worth_listing(places, canvas.width_px, canvas.height_px)
    if len(chosen) < POINTS_MIN:
        return None
    listed = places.some(chosen)
    return LocalSignature(
        canvas.width_px,
        canvas.height_px,
        listed,
        _descriptors(canvas, listed),
        thumbnail.signs(thumbnail.cells(frame)),
        pdq,
        quality,
    ).encode()


def probe_points(canvas: LocalCanvas, most: int = PROBE_POINTS) -> bytes:
    """``Probe.points`` of an upload; empty where there are too few to find anything with.

    Args:
        canvas: of the upload.
        most: how many points at most.
    """
    places = sift.detect(canvas.frame(), min(most, PROBE_POINTS_MAX))
    if len(places) < _VOTES_MIN:
        return b""
    return ProbePoints(canvas.width_px, canvas.height_px, places, _descriptors(canvas, places)).encode()


def _descriptors(canvas: LocalCanvas, places: Places) -> NDArray[np.uint8]:
    return projection.bits(describe(Pyramid(canvas.grey), canvas.places(places)))


def worth_listing(places: Places, width: int, height: int) -> NDArray[np.int64]:
    """Which points to list: half of them large, all of them spread over the picture.

    A place that has several directions gives one: copies of one detail would stand for others.
    """
    _, first = np.unique(places.xy, axis=0, return_index=True)
    single = np.sort(first)
    large = single[places.size[single] >= _LARGE_PX]
    chosen = large[spread(places.some(large), width, height, POINTS_MAX // 2)]
    others = np.setdiff1d(single, chosen)
    more = others[spread(places.some(others), width, height, POINTS_MAX - len(chosen))]
    return np.sort(np.concatenate([chosen, more]))


def spread(places: Places, width: int, height: int, most: int) -> NDArray[np.int64]:
    """Which points to keep so that every part of the picture keeps some: the rows, in the order they came in.

    Part after part of a grid gives its most marked point, then its second, and so on.

    Args:
        places: the most marked first.
        width: of the frame in pixels.
        height: of the frame in pixels.
        most: how many to keep.
    """
    at = np.minimum((places.xy * _GRID / np.array([width, height])).astype(np.int64), _GRID - 1)
    part = at[:, 1] * _GRID + at[:, 0]
    order = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[order], np.arange(_GRID * _GRID))
    turn = np.empty(len(places), dtype=np.int64)
    turn[order] = np.arange(len(places)) - starts[part[order]]
    return np.sort(np.argsort(turn, kind="stable")[:most])
