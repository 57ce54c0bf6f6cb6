"""What we look up in a JPEG ourselves before its decoder sees it (ITU-T T.81, annex B: markers)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

_FRAME_STARTS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_HUFFMAN_LOSSY: Final = frozenset({0xC0, 0xC1, 0xC2})
_SCAN, _END, _APP1, _APP14 = 0xDA, 0xD9, 0xE1, 0xEE
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_EXIF: Final = b"Exif\x00\x00"
_EXIF_SEGMENT: Final = re.compile(rb"\xff\xe1..Exif\x00\x00", re.DOTALL)
_ADOBE: Final = b"Adobe"
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
        colour: stretches of the file (first byte, byte after the last) that hold nothing but colour:
            without them, luma decodes to the same values, and sooner. Of buffered files only.
    """

    buffered: bool
    scans: int
    exif: bytes
    colour: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Scan:
    """One pass: its header (channels and which of their coefficients), and where it lies in the file."""

    header: bytes
    marker_at: int
    data_at: int
    end: int

    @property
    def channels(self) -> bytes:
        return self.header[1 : 1 + 2 * self.header[0] : 2] if self.header else b""

    @property
    def coefficients(self) -> range:
        first, last = self.header[-3:-1]
        return range(first, last + 1)

    @property
    def low_bit(self) -> int:
        return self.header[-1] & 15


def read_header(data: bytes, scans_max: int) -> JpegHeader:
    """Walk over the markers of a JPEG. Broken files give what could be found.

    Raises:
        ValueError: more segments before the picture than anybody writes. Millions of empty ones keep Pillow busy for
            minutes, and behind some thousands a picture of very many scans could hide from us.
    """
    frame, frame_marker, adobe, exif = b"", 0, b"", b""
    for marker, at, body in _segments(data):
        if marker in _FRAME_STARTS:
            frame, frame_marker = body, marker
        elif marker == _APP1 and body.startswith(_EXIF):
            exif = exif or body
        elif marker == _APP14 and body.startswith(_ADOBE):
            adobe = body
        elif marker == _SCAN:
            apart = bool(body) and body[:1] < frame[5:6]
            if frame_marker not in _PROGRESSIVE and not apart:
                return JpegHeader(False, 1, exif)
            scans = list(islice(_scans(data, at), scans_max + 1))
            colour = _colour_stretches(scans, frame[6]) if _is_luma_and_colour(frame_marker, frame, adobe) else ()
            return JpegHeader(True, len(scans), exif, colour)
    return JpegHeader(frame_marker in _PROGRESSIVE, 0, exif)


def without_exif(data: bytes) -> bytes:
    """The same file with its EXIF segments relabelled as segments that nobody reads.

    Pillow would parse the block while opening the file, and warn when it is broken. Every place that
    could be taken for such a segment is relabelled, not only those our walk over the markers finds:
    in a damaged file two walks need not agree. The bytes FF E1 stand for nothing else in a JPEG.
    """
    view, kept, at = memoryview(data), list[bytes | memoryview](), 0
    for found in _EXIF_SEGMENT.finditer(data):
        kept += view[at : found.start()], b"\xff\xe4"
        at = found.start() + 2
    return b"".join([*kept, view[at:]]) if kept else data


def without(data: bytes, stretches: Sequence[tuple[int, int]]) -> bytes:
    """The same file without some stretches of it, which are in order and do not overlap."""
    if not stretches:
        return data
    view, kept, at = memoryview(data), [], 0
    for first, end in stretches:
        kept.append(view[at:first])
        at = end
    return b"".join([*kept, view[at:]])


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


def _scans(data: bytes, at: int) -> Iterator[_Scan]:
    """Every scan from the one whose marker is at ``at``."""
    while (found := _NEXT_MARKER.search(data, at)) and data[found.start() + 1] != _END:
        at, marker = found.start(), data[found.start() + 1]
        # Skip the segment: its body may contain bytes that look like a marker.
        after = at + 2 if marker in _STANDALONE else at + 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
        if marker == _SCAN:
            following = _NEXT_MARKER.search(data, after)
            end = following.start() if following else len(data)
            yield _Scan(data[at + 4 : after], at, after, end)
        at = after


def _is_luma_and_colour(frame_marker: int, frame: bytes, adobe: bytes) -> bool:
    """Whether the first of three channels is luma: not where they are, or may be, red, green and blue.

    On the safe side of libjpeg's rule, by which an Adobe segment or the channels' letters say so.
    """
    channels = frame[6:15:3]
    rgb = channels == b"RGB" or (bool(adobe) and adobe[11:12] != b"\x01")
    return frame_marker in _HUFFMAN_LOSSY and frame[5:6] == b"\x03" and len(set(channels)) == 3 and not rgb


def _colour_stretches(scans: list[_Scan], luma: int) -> tuple[tuple[int, int], ...]:
    """What of the scans is colour alone; nothing where a scan is missing, since libjpeg then smooths what it has.

    Where luma shares a scan with colour, the other scans keep their headers for the same reason: every coefficient is
    then announced. Without such a scan colour can go as a whole.
    """
    if any(len(scan.channels) > 3 or len(scan.header) != 4 + 2 * len(scan.channels) for scan in scans):
        return ()
    announced = {(channel, at): scan.low_bit for scan in scans for channel in scan.channels for at in scan.coefficients}
    if len(announced) != 3 * 64 or any(announced.values()):
        return ()
    apart = all(len(scan.channels) == 1 for scan in scans if luma in scan.channels)
    return tuple((scan.marker_at if apart else scan.data_at, scan.end) for scan in scans if luma not in scan.channels)
