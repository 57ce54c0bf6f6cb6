"""Local points: when what was measured in an upload confirms that it shows a listed picture.

What each threshold loses and lets through is measured: ``docs/robustness.md``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from hashpact.local_signature import LocalSignature, Measurement, compare
from hashpact.signals import SIGNAL_TYPES
from numpy.typing import NDArray

POINTS_MIN: Final = 8
"""Listed points that have to be found again where they belong."""

CELLS_MIN: Final = 4
"""Of 4 x 4 parts of the listed picture, so many have to hold one: a caption or a logo is not the picture."""

CELL_PERCENT_MIN: Final = 50.0
"""Share of the points that should be visible, averaged over those parts."""

THUMBNAIL_PERCENT_MIN: Final = 80.0
"""Agreement of the thumbnails where both are in view. Half of the signs agree by chance."""

THUMBNAIL_SIGNS_MIN: Final = 64
"""So many signs have to be clear, or the thumbnail says nothing."""

CLOSE_CELLS_MIN: Final = 2
CLOSE_CELL_PERCENT_MIN: Final = 75.0
CLOSE_THUMBNAIL_PERCENT_MIN: Final = 90.0
CLOSE_THUMBNAIL_SIGNS_MIN: Final = 300
"""Fewer parts are enough where nearly everything else agrees: of a crop's points many may lie together."""

SHARED_ITEMS_MAX: Final = 1
"""Other items that may have a point, too; what more have is the template's and not the picture's. Items of one incident
do not count: they may be parts of one picture, each listed for itself."""

ALIGNED_RADIUS: Final = SIGNAL_TYPES["pdq"].radius_default


class Confirmed(NamedTuple):
    """What was confirmed of one listed signature.

    Attributes:
        points: listed points that were found again.
        points_visible: of so many.
        visible_percent: part of the listed picture that is in view.
        thumbnail_percent: agreement of the thumbnails.
        aligned_distance: PDQ distance between the listed picture and the upload laid over it; None: not comparable.
    """

    points: int
    points_visible: int
    visible_percent: int
    thumbnail_percent: float
    aligned_distance: int | None

    @property
    def aligned(self) -> bool:
        """Whether the whole picture agrees, too."""
        return self.aligned_distance is not None and self.aligned_distance <= ALIGNED_RADIUS

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the signal types whose evidence this is."""
        return ("local_sift", "pdq") if self.aligned else ("local_sift",)


def confirmed(signature: LocalSignature, measured: Measurement, counting: NDArray[np.bool_]) -> Confirmed | None:
    """What a measurement confirms: that the upload shows the picture, or a part of it. None: nothing.

    Args:
        signature: what is listed.
        measured: what was measured for it.
        counting: bool [points], which of its points are its own. What known good media have, too, or several other
            items (the interface of an app, a title card, a logo), says nothing.
    """
    found = compare(signature, measured, counting)
    spread = (
        found.cells >= CELLS_MIN
        and found.cell_percent >= CELL_PERCENT_MIN
        and found.thumbnail_percent >= THUMBNAIL_PERCENT_MIN
        and found.thumbnail_signs >= THUMBNAIL_SIGNS_MIN
    )
    close = (
        found.cells >= CLOSE_CELLS_MIN
        and found.cell_percent >= CLOSE_CELL_PERCENT_MIN
        and found.thumbnail_percent >= CLOSE_THUMBNAIL_PERCENT_MIN
        and found.thumbnail_signs >= CLOSE_THUMBNAIL_SIGNS_MIN
    )
    if found.points < POINTS_MIN or not (spread or close):
        return None
    return Confirmed(
        found.points, found.points_visible, found.visible_percent, found.thumbnail_percent, found.pdq_distance
    )
