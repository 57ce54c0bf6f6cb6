"""What we look up in a JPEG ourselves before its decoder sees it (ITU-T T.81, annex B: markers)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FRAME_STARTS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN, _END, _APP1, _APP4 = 0xDA, 0xD9, 0xE1, 0xE4
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_EXIF: Final = b"Exif\x00\x00"
_HEADER_SEGMENTS_MAX: Final = 10_000

# Inside compressed data FF is followed by 00 (a stuffed byte), D0-D7 (restart) or FF (fill).
_NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the markers before the picture data say.

    Attributes:
        buffered: the decoder has to hold all coefficients of the picture: progressive, or colour
            channels in scans of their own.
        scans: passes over the picture, counted only when ``buffered`` (else 1), and only up to the
            asked limit + 1.
        exif: the first EXIF block, b"" without one.
    """

    buffered: bool
    scans: int
    exif: bytes


def read_header(data: bytes, scans_max: int) -> JpegHeader:
    """Walk over the markers of a JPEG. Broken files give what could be found.

    Raises:
        ValueError: more segments before the picture than anybody writes. Millions of empty ones keep Pillow busy for
            minutes, and behind some thousands a picture of very many scans could hide from us.
    """
    progressive, channels, exif = False, 0, b""
    for marker, at, body in _segments(data):
        if marker in _FRAME_STARTS:
            progressive = marker in _PROGRESSIVE
            channels = body[5] if len(body) > 5 else 0
        elif marker == _APP1 and body.startswith(_EXIF):
            exif = exif or body
        elif marker == _SCAN:
            buffered = progressive or (bool(body) and body[0] < channels)
            scans = _count_scans(data, at, scans_max) if buffered else 1
            return JpegHeader(buffered, scans, exif)
    return JpegHeader(progressive, 0, exif)


def without_exif(data: bytes) -> bytes:
    """The same file with its EXIF segments relabelled as segments that nobody reads.

    Pillow would parse the block while opening the file, and warn when it is broken. Every place that
    could be taken for such a segment is relabelled, not only those our walk over the markers finds:
    in a damaged file two walks need not agree. The bytes FF E1 stand for nothing else in a JPEG.
    """
    copy: bytearray | None = None
    at = data.find(_EXIF)
    while at >= 0:
        if at >= 4 and data[at - 4] == 0xFF and data[at - 3] == _APP1:
            copy = copy if copy is not None else bytearray(data)
            copy[at - 3] = _APP4
        at = data.find(_EXIF, at + 1)
    return data if copy is None else bytes(copy)


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, position of its FF, body) of each segment up to and including the first scan header."""
    at = 2
    for _ in range(_HEADER_SEGMENTS_MAX):
        at = data.find(b"\xff", at)
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        if at < 0 or at + 2 > len(data):
            return
        marker = data[at + 1]
        if marker in _STANDALONE or marker == 0:
            at += 2
            continue
        if marker == _END:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, data[at + 4 : at + 2 + length]
        if marker == _SCAN:
            return
        at += 2 + max(length, 2)
    raise ValueError(f"more than {_HEADER_SEGMENTS_MAX:,} segments before the picture")


def _count_scans(data: bytes, first_scan: int, scans_max: int) -> int:
    scans, at = 0, first_scan
    while scans <= scans_max:
        found = _NEXT_MARKER.search(data, at)
        if found is None or data[found.start() + 1] == _END:
            break
        at = found.start()
        marker = data[at + 1]
        scans += marker == _SCAN
        # Skip the segment: its body may contain bytes that look like a marker.
        at += 2 if marker in _STANDALONE else 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    return scans
