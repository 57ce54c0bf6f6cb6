"""A placement: where the frame of a listed picture lies in a probe's frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hashpact.errors import InvalidSignalError
from hashpact.local_signature.places import Places


@dataclass(frozen=True, slots=True)
class Placement:
    """An affine map from the listed frame to the probe's frame, pixels to pixels.

    A point (x, y) lies at (a x + b y + c, d x + e y + f). A similarity has e = a and d = -b; a squashed copy has not.

    Attributes:
        matrix: (a, b, c, d, e, f).
        mirrored: the map leads to the probe's frame mirrored left to right: what it gives as x counts from the right
            edge of the probe.
    """

    matrix: tuple[float, float, float, float, float, float]
    mirrored: bool = False

    @classmethod
    def of(cls, numbers: Sequence[float], *, mirrored: bool) -> Self:
        """A placement as it comes from outside.

        Raises:
            InvalidSignalError: not six finite numbers, or a map that flattens the frame or turns it over.
        """
        values = [float(number) for number in numbers]
        if len(values) != 6 or not all(math.isfinite(value) and abs(value) < 1e6 for value in values):
            raise InvalidSignalError("a placement is six finite numbers")
        a, b, c, d, e, f = values
        placement = cls((a, b, c, d, e, f), mirrored)
        if not 1e-3 < placement.scale < 1e3 or a * e - b * d <= 0:
            raise InvalidSignalError("a placement neither flattens a frame nor turns it over")
        return placement

    @property
    def scale(self) -> float:
        """Pixels of the probe's frame per pixel of the listed frame."""
        a, b, _, d, e, _ = self.matrix
        return math.sqrt(abs(a * e - b * d))

    def linear(self) -> NDArray[np.float64]:
        """float64[2, 2], without the shift."""
        a, b, _, d, e, _ = self.matrix
        return np.array([[a, b], [d, e]])

    def shift(self) -> NDArray[np.float64]:
        """float64[2]."""
        return np.array([self.matrix[2], self.matrix[5]])

    def points(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where points of the listed frame lie in the probe's (mirrored where ``mirrored`` says so) frame.

        Args:
            xy: [n, 2].

        Returns:
            float64[n, 2].
        """
        placed: NDArray[np.float64] = np.asarray(xy, dtype=np.float64) @ self.linear().T + self.shift()
        return placed

    def places(self, listed: Places) -> Places:
        """Listed points as they should be found in the probe's (mirrored where ``mirrored`` says so) frame."""
        linear = self.linear()
        angle = np.radians(listed.direction.astype(np.float64))
        ahead = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ linear.T
        direction = np.mod(np.degrees(np.arctan2(ahead[:, 1], ahead[:, 0])), 360.0)
        return Places(
            self.points(listed.xy).astype(np.float32),
            listed.size * np.float32(self.scale),
            direction.astype(np.float32),
        )
