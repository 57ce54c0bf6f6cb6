"""Places: where the points of a picture lie, how large they are and which way they look. Six bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from hashpact.errors import InvalidSignalError

PLACE_BYTES: Final = 6
SIDE_MAX_PX: Final = 1023
"""Longest side of a frame: what 16 bits hold in units of 1/64 pixel."""

_UNITS_PER_PX: Final = 64
_SIZES_PER_OCTAVE: Final = 32
_DIRECTIONS: Final = 256
_ROW: Final = np.dtype([("x", ">u2"), ("y", ">u2"), ("size", "u1"), ("direction", "u1")])


@dataclass(frozen=True, slots=True)
class Places:
    """Where points lie in a frame.

    Attributes:
        xy: float32[n, 2], pixels right of and below the frame's upper left corner. The corner is the edge of the first
            pixel, not its middle: so mirroring is ``width - x``, and another scale is one factor.
        size: float32[n], diameter in pixels, 1 to 250.
        direction: float32[n], degrees from the x axis, clockwise as seen (y points down), 0 to below 360.
    """

    xy: NDArray[np.float32]
    size: NDArray[np.float32]
    direction: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.xy)

    def __repr__(self) -> str:
        return f"Places(<{len(self)} points>)"

    def encode(self) -> bytes:
        """``PLACE_BYTES`` per point: rounded to 1/64 pixel, 1/32 octave of size and 1/256 of a turn."""
        rows = np.zeros(len(self), dtype=_ROW)
        fixed = np.clip(np.rint(self.xy * _UNITS_PER_PX), 0, 65535)
        rows["x"], rows["y"] = fixed[:, 0], fixed[:, 1]
        rows["size"] = np.clip(np.rint(np.log2(np.maximum(self.size, 1.0)) * _SIZES_PER_OCTAVE), 0, 255)
        rows["direction"] = np.rint(self.direction * (_DIRECTIONS / 360.0)).astype(np.int64) % _DIRECTIONS
        return rows.tobytes()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what :meth:`encode` wrote.

        Raises:
            InvalidSignalError: the length is no multiple of ``PLACE_BYTES``.
        """
        if len(data) % PLACE_BYTES:
            raise InvalidSignalError(f"places have {PLACE_BYTES} bytes each: {len(data)} bytes are none")
        rows = np.frombuffer(data, dtype=_ROW)
        xy = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float32) / np.float32(_UNITS_PER_PX)
        size = np.exp2(rows["size"].astype(np.float32) / np.float32(_SIZES_PER_OCTAVE))
        direction = rows["direction"].astype(np.float32) * np.float32(360.0 / _DIRECTIONS)
        return cls(xy, size, direction)

    def some(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Places:
        """Those of the points that ``rows`` names, by number or by True."""
        return Places(self.xy[rows], self.size[rows], self.direction[rows])

    def mirrored(self, width_px: int) -> Places:
        """The same points in the frame mirrored left to right."""
        xy = self.xy.copy()
        xy[:, 0] = width_px - xy[:, 0]
        return Places(xy, self.size, np.mod(np.float32(540.0) - self.direction, np.float32(360.0)))


def joined(several: Sequence[Places]) -> Places:
    """All points of at least one set, in order."""
    return Places(
        np.concatenate([places.xy for places in several]),
        np.concatenate([places.size for places in several]),
        np.concatenate([places.direction for places in several]),
    )


def check_frame(width_px: int, height_px: int) -> None:
    """Refuse a frame that cannot be one.

    Raises:
        InvalidSignalError: a side of no pixels, or of more than ``SIDE_MAX_PX``.
    """
    if not (1 <= width_px <= SIDE_MAX_PX and 1 <= height_px <= SIDE_MAX_PX):
        raise InvalidSignalError(f"a frame has sides of 1 to {SIDE_MAX_PX} pixels, not {width_px} x {height_px}")


def check_within(places: Places, width_px: int, height_px: int) -> None:
    """Refuse points outside their frame.

    Raises:
        InvalidSignalError: some point lies outside.
    """
    if (places.xy > np.array([width_px, height_px], dtype=np.float32)).any():
        raise InvalidSignalError("a local point lies outside its frame")
