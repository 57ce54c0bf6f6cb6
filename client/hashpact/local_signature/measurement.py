"""What a member measures in its upload where a candidate says: ``Measurement.measured``."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from hashpact.errors import InvalidSignalError
from hashpact.local_signature.signature import DESCRIPTOR_BYTES, PDQ_BYTES, POINTS_MAX, THUMBNAIL_BYTES
from hashpact.signals import QUALITY_MAX

_VERSION: Final = 1
_NO_PDQ: Final = 255
_HEAD: Final = struct.Struct(">BBBB")  # version, visible per cent, quality of the PDQ (255: there is none), zero
_PDQ: Final = _HEAD.size
_THUMBNAIL: Final = _PDQ + PDQ_BYTES
_CLEAR: Final = _THUMBNAIL + THUMBNAIL_BYTES
_VISIBLE: Final = _CLEAR + THUMBNAIL_BYTES
_DESCRIPTORS: Final = _VISIBLE + POINTS_MAX // 8
MEASUREMENT_BYTES: Final = _DESCRIPTORS + POINTS_MAX * DESCRIPTOR_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """An upload, seen through the frame of a listed picture.

    Attributes:
        visible_percent: part of the listed frame that lies within the upload.
        visible: bool[96], which of the listed points lie within it, and are large enough there to be described.
        descriptors: uint8[96, 32], what is there; zero where ``visible`` is False.
        thumbnail: uint8[248], signs of the differences between neighbouring cells.
        clear: uint8[248], one bit per sign: both cells lie within the upload and differ enough to say something.
        pdq: of the part of the upload that the frame covers; None unless all of the frame lies within it.
        pdq_quality: 0-100; 0 without PDQ.
    """

    visible_percent: int
    visible: NDArray[np.bool_]
    descriptors: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    clear: NDArray[np.uint8]
    pdq: bytes | None
    pdq_quality: int

    def __repr__(self) -> str:
        return f"Measurement({self.visible_percent} % in view)"

    def encode(self) -> bytes:
        """``MEASUREMENT_BYTES`` bytes."""
        data = bytearray(MEASUREMENT_BYTES)
        quality = _NO_PDQ if self.pdq is None else self.pdq_quality
        _HEAD.pack_into(data, 0, _VERSION, self.visible_percent, quality, 0)
        data[_PDQ:_THUMBNAIL] = self.pdq or bytes(PDQ_BYTES)
        data[_THUMBNAIL:_CLEAR] = self.thumbnail.tobytes()
        data[_CLEAR:_VISIBLE] = self.clear.tobytes()
        data[_VISIBLE:_DESCRIPTORS] = np.packbits(self.visible).tobytes()
        data[_DESCRIPTORS:] = self.descriptors.tobytes()
        return bytes(data)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read ``Measurement.measured``. The arrays cannot be written.

        Raises:
            InvalidSignalError: wrong length or version, or numbers out of range.
        """
        if len(data) != MEASUREMENT_BYTES:
            raise InvalidSignalError(f"a measurement has {MEASUREMENT_BYTES} bytes, this one has {len(data)} bytes")
        version, percent, quality, zero = _HEAD.unpack_from(data)
        if version != _VERSION or zero:
            raise InvalidSignalError(f"a measurement of layout {version}: this version reads {_VERSION}")
        if percent > 100 or (quality > QUALITY_MAX and quality != _NO_PDQ):
            raise InvalidSignalError("a measurement whose part in view or quality is out of range")
        bits = np.frombuffer(data, dtype=np.uint8)
        there = quality != _NO_PDQ
        return cls(
            percent,
            np.unpackbits(bits[_VISIBLE:_DESCRIPTORS]).astype(np.bool_),
            bits[_DESCRIPTORS:].reshape(POINTS_MAX, DESCRIPTOR_BYTES),
            bits[_THUMBNAIL:_CLEAR],
            bits[_CLEAR:_VISIBLE],
            data[_PDQ:_THUMBNAIL] if there else None,
            quality if there else 0,
        )
