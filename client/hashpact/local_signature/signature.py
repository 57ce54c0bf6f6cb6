"""The local signature of a listed picture: a value of the signal type ``local_sift``."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from hashpact.errors import InvalidSignalError
from hashpact.local_signature.places import PLACE_BYTES, Places, check_frame, check_within
from hashpact.signals import LOCAL_SIGNATURE_BYTES, QUALITY_MAX

POINTS_MAX: Final = 96
POINTS_MIN: Final = 8
"""Fewer points than this cannot confirm anything: such a picture has no local signature."""

DESCRIPTOR_BYTES: Final = 32
THUMBNAIL_BYTES: Final = 248
PDQ_BYTES: Final = 32
_VERSION: Final = 1
_HEAD: Final = struct.Struct(">BBHHBx")  # version, points, width, height, quality of the PDQ, zero
_PDQ: Final = _HEAD.size
_THUMBNAIL: Final = _PDQ + PDQ_BYTES
_PLACES: Final = _THUMBNAIL + THUMBNAIL_BYTES
_DESCRIPTORS: Final = _PLACES + POINTS_MAX * PLACE_BYTES
_END: Final = _DESCRIPTORS + POINTS_MAX * DESCRIPTOR_BYTES


def mirrored(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[n, 32]: the descriptors of the same points in the mirrored picture: the halves trade places."""
    return np.roll(descriptors, DESCRIPTOR_BYTES // 2, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class LocalSignature:
    """The points of a listed picture, and what it takes to confirm that an upload shows it.

    Attributes:
        width_px: of the frame: the picture, brought to the size at which its points were taken.
        height_px: of the frame.
        places: ``POINTS_MIN`` to ``POINTS_MAX`` points.
        descriptors: uint8[n, 32], one per place.
        thumbnail: uint8[248], signs of the differences between neighbours of 32 x 32 cells.
        pdq: of the whole picture.
        pdq_quality: 0-100.
    """

    width_px: int
    height_px: int
    places: Places
    descriptors: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    pdq: bytes
    pdq_quality: int

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        return f"LocalSignature({self.width_px} x {self.height_px}, <{len(self)} points>)"

    def encode(self) -> bytes:
        """``LOCAL_SIGNATURE_BYTES`` bytes; what the points leave free is zero."""
        count = len(self)
        data = bytearray(LOCAL_SIGNATURE_BYTES)
        _HEAD.pack_into(data, 0, _VERSION, count, self.width_px, self.height_px, self.pdq_quality)
        data[_PDQ:_THUMBNAIL] = self.pdq
        data[_THUMBNAIL:_PLACES] = self.thumbnail.tobytes()
        data[_PLACES : _PLACES + count * PLACE_BYTES] = self.places.encode()
        data[_DESCRIPTORS : _DESCRIPTORS + count * DESCRIPTOR_BYTES] = self.descriptors.tobytes()
        return bytes(data)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a value of ``local_sift``. The arrays refer to ``data`` and cannot be written.

        Raises:
            InvalidSignalError: not one: wrong length or version, numbers out of range, or not zero where it has to be.
        """
        if len(data) != LOCAL_SIGNATURE_BYTES:
            raise InvalidSignalError(
                f"a local signature has {LOCAL_SIGNATURE_BYTES} bytes, this one has {len(data)} bytes"
            )
        version, count, width, height, quality = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise InvalidSignalError(f"a local signature of layout {version}: this version reads {_VERSION}")
        if not POINTS_MIN <= count <= POINTS_MAX or quality > QUALITY_MAX:
            raise InvalidSignalError("a local signature whose number of points or quality is out of range")
        check_frame(width, height)
        places_end = _PLACES + count * PLACE_BYTES
        descriptors_end = _DESCRIPTORS + count * DESCRIPTOR_BYTES
        if data[_HEAD.size - 1] or any(data[places_end:_DESCRIPTORS]) or any(data[descriptors_end:]):
            raise InvalidSignalError("a local signature that is not zero behind its points")
        places = Places.decode(data[_PLACES:places_end])
        check_within(places, width, height)
        bits = np.frombuffer(data, dtype=np.uint8)
        return cls(
            width,
            height,
            places,
            bits[_DESCRIPTORS:descriptors_end].reshape(count, DESCRIPTOR_BYTES),
            bits[_THUMBNAIL:_PLACES],
            data[_PDQ:_THUMBNAIL],
            quality,
        )
