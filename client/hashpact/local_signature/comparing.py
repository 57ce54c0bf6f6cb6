"""A listed picture's signature against what was measured in an upload: the facts that a rule decides upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashpact.local_signature.measurement import Measurement
from hashpact.local_signature.signature import LocalSignature
from hashpact.signals import PDQ_QUALITY_MIN, hamming

CONFIRMED_DISTANCE: Final = 70
"""Bits of 256 up to which a listed point counts as found again at the place where it belongs."""

_GRID: Final = 4


@dataclass(frozen=True, slots=True)
class LocalComparison:
    """What agrees. No number of it is a descriptor or says what one looks like.

    Attributes:
        points: listed points (of those that count) that were found again where they belong.
        points_visible: of those that count, how many could be seen there.
        cells: of 4 x 4 parts of the listed frame, how many hold a confirmed point.
        cell_percent: share of visible points that are confirmed, averaged over the parts that hold a visible one: so
            that many points on one caption do not speak for the whole.
        thumbnail_percent: signs of the thumbnail that agree, of those that are clear; 0 without any.
        thumbnail_signs: how many signs are clear.
        visible_percent: part of the listed frame that lies within the upload.
        pdq_distance: bits between PDQ of the listed picture and of what the upload shows in its place; None unless all
            of it is in view and both say enough (PDQ quality of at least 50).
    """

    points: int
    points_visible: int
    cells: int
    cell_percent: float
    thumbnail_percent: float
    thumbnail_signs: int
    visible_percent: int
    pdq_distance: int | None


def compare(
    signature: LocalSignature,
    measured: Measurement,
    counting: NDArray[np.bool_] | None = None,
    *,
    confirmed_distance: int = CONFIRMED_DISTANCE,
) -> LocalComparison:
    """Compare.

    Args:
        signature: what is listed.
        measured: what a member measured for it.
        counting: bool[n], which of the listed points count; the others are as if they were not listed: points that
            many listed pictures share say nothing. None: all.
        confirmed_distance: up to how many bits a point counts as found.
    """
    count = len(signature)
    counts = measured.visible[:count] if counting is None else measured.visible[:count] & counting
    differing = np.bitwise_count(signature.descriptors ^ measured.descriptors[:count]).sum(axis=1, dtype=np.int64)
    confirmed = counts & (differing <= confirmed_distance)
    side = np.array([signature.width_px, signature.height_px], dtype=np.float32)
    at = np.minimum((signature.places.xy * _GRID / side).astype(np.int64), _GRID - 1)
    cell = at[:, 1] * _GRID + at[:, 0]
    seen = np.bincount(cell[counts], minlength=_GRID * _GRID)
    found = np.bincount(cell[confirmed], minlength=_GRID * _GRID)
    clear = int(np.bitwise_count(measured.clear).sum())
    differ = int(np.bitwise_count((signature.thumbnail ^ measured.thumbnail) & measured.clear).sum())
    return LocalComparison(
        points=int(confirmed.sum()),
        points_visible=int(counts.sum()),
        cells=int((found > 0).sum()),
        cell_percent=float((100.0 * found[seen > 0] / seen[seen > 0]).mean()) if counts.any() else 0.0,
        thumbnail_percent=100.0 * (clear - differ) / clear if clear else 0.0,
        thumbnail_signs=clear,
        visible_percent=measured.visible_percent,
        pdq_distance=_pdq_distance(signature, measured),
    )


def _pdq_distance(signature: LocalSignature, measured: Measurement) -> int | None:
    if measured.pdq is None or min(signature.pdq_quality, measured.pdq_quality) < PDQ_QUALITY_MIN:
        return None
    return hamming(signature.pdq, measured.pdq)
