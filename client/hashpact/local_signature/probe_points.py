"""The local points of an upload: ``Probe.points``."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from hashpact.errors import InvalidSignalError
from hashpact.local_signature.places import PLACE_BYTES, Places, check_frame, check_within
from hashpact.local_signature.signature import DESCRIPTOR_BYTES, mirrored
from hashpact.signals import PROBE_POINT_BYTES

PROBE_POINTS_MAX: Final = 1200
_VERSION: Final = 1
_HEAD: Final = struct.Struct(">BxHHH")  # version, zero, points, width, height


@dataclass(frozen=True, slots=True, eq=False)
class ProbePoints:
    """The points of an upload.

    Attributes:
        width_px: of the frame: the upload, brought to the size at which its points were taken.
        height_px: of the frame.
        places: at most ``PROBE_POINTS_MAX`` points, in the frame as it is.
        descriptors: uint8[n, 32], one per place.
    """

    width_px: int
    height_px: int
    places: Places
    descriptors: NDArray[np.uint8]

    @property
    def mirrored(self) -> NDArray[np.uint8]:
        """uint8[n, 32], of the same points in the frame mirrored left to right.

        There they lie at ``places.mirrored(width_px)``.
        """
        return mirrored(self.descriptors)

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        return f"ProbePoints({self.width_px} x {self.height_px}, <{len(self)} points>)"

    def encode(self) -> bytes:
        """8 bytes and ``PROBE_POINT_BYTES`` per point: all places, then all descriptors."""
        return b"".join(
            (
                _HEAD.pack(_VERSION, len(self), self.width_px, self.height_px),
                self.places.encode(),
                self.descriptors.tobytes(),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read ``Probe.points``. The arrays refer to ``data`` and cannot be written.

        Raises:
            InvalidSignalError: wrong length or version, or numbers out of range.
        """
        if len(data) < _HEAD.size:
            raise InvalidSignalError(f"local points begin with {_HEAD.size} bytes, these are {len(data)}")
        version, count, width, height = _HEAD.unpack_from(data)
        if version != _VERSION or data[1]:
            raise InvalidSignalError(f"local points of layout {version}: this version reads {_VERSION}")
        if count > PROBE_POINTS_MAX or len(data) != _HEAD.size + count * PROBE_POINT_BYTES:
            raise InvalidSignalError(
                f"local points have {_HEAD.size} bytes and {PROBE_POINT_BYTES} for each of at most {PROBE_POINTS_MAX}, "
                f"not {len(data)} bytes"
            )
        check_frame(width, height)
        places_end = _HEAD.size + count * PLACE_BYTES
        places = Places.decode(data[_HEAD.size : places_end])
        check_within(places, width, height)
        bits = np.frombuffer(data, dtype=np.uint8)[places_end:]
        return cls(width, height, places, bits.reshape(count, DESCRIPTOR_BYTES))
