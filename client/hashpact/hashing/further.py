"""What a look-up, and a listing, take beyond the hashes of the whole picture; in which mode: :mod:`hashpact.modes`."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.local import LocalCanvas, canvas, local_signature, probe_points
from hashpact.hashing.pdq import PdqResult, pdq
from hashpact.hashing.regions import find_regions, is_detailed, unframed
from hashpact.local_signature import PROBE_POINTS_MAX
from hashpact.modes import Mode
from hashpact.signals import PDQ_QUALITY_MIN, Signal, hamming

POINTS: Final = {"standard": 800, "deep": PROBE_POINTS_MAX}
"""Local points of a probe, by mode: each costs two searches. Below 500 small copies inside other pictures are lost."""

_DIFFERS_BITS: Final = 8
"""A picture without its frame that is nearer than this to the whole is found by the whole."""


class Further(NamedTuple):
    """Fields of :class:`hashpact.signals.ImageSignals`, by the same names."""

    pdq_regions: tuple[Signal, ...] = ()
    wide: bool = False
    points: bytes = b""
    canvas: LocalCanvas | None = None
    listing: tuple[Signal, ...] = ()


def look_further(luma: NDArray[np.uint8], whole: PdqResult, mode: Mode, *, listing: bool) -> Further:
    """Look into a picture.

    Args:
        luma: uint8[height, width], upright.
        whole: PDQ of it.
        mode: how far; ``fast``: not at all.
        listing: whether to compute what is listed of it, too.
    """
    if min(luma.shape) < 2 or (mode == "fast" and not listing):
        return Further()
    grey = canvas(luma)
    found = Further(listing=_listed(luma, whole, grey)) if listing else Further()
    if mode == "fast":
        return found
    regions: list[Signal] = []
    for part in find_regions(luma):
        result = pdq(part, dihedral=True)
        # What says little is near to much: the list refuses such values, so nothing good is found by them.
        if result.quality >= PDQ_QUALITY_MIN:
            regions.extend(Signal("pdq", value, result.quality) for value in result.values)
    points = probe_points(grey, POINTS[mode])
    return found._replace(
        pdq_regions=tuple(regions), wide=is_detailed(luma), points=points, canvas=grey if points else None
    )


def _listed(luma: NDArray[np.uint8], whole: PdqResult, grey: LocalCanvas) -> tuple[Signal, ...]:
    found = []
    inner = unframed(luma)
    if inner is not None:
        result = pdq(inner)
        if result.quality >= PDQ_QUALITY_MIN and hamming(result.values[0], whole.values[0]) >= _DIFFERS_BITS:
            found.append(Signal("pdq", result.values[0], result.quality))
    signature = local_signature(grey, whole.values[0], whole.quality)
    if signature is not None:
        found.append(Signal("local_sift", signature))
    return tuple(found)
