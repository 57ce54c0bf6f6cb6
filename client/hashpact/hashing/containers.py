"""Which video containers we are willing to open, recognised by their first bytes and never by their name.

FFmpeg is told the container and never guesses. Guessing would let in the formats that are lists of other files and
addresses (HLS, DASH, concat, SDP): a way to make the machine that hashes fetch what a stranger wants.
"""

from __future__ import annotations

from typing import Final

CONTAINER_HEAD_BYTES: Final = 1024
"""How many first bytes :func:`container_format` wants to see."""

_MAGIC: Final = (
    (b"\x1aE\xdf\xa3", "matroska"),  # WebM too
    (b"FLV\x01", "flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),  # WMV
    (b"OggS", "ogg"),
    (b"\x06\x0e+4", "mxf"),
    (b".RMF", "rm"),
    (b"DKIF", "ivf"),
    (b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (b"nut/multimedia container", "nut"),
    (b"\x00\x00\x01\xba", "mpeg"),  # program stream: VOB, MPG
    (b"\x00\x00\x01\xb3", "mpegvideo"),
    (b"\x00\x00\x01\xb0", "m4v"),
    (b"\x00\x00\x00\x01\x67", "h264"),
    (b"\x00\x00\x00\x01\x40", "hevc"),
)
_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_PICTURE_BRANDS: Final = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_SYNC: Final = 0x47
_TRANSPORT_PACKETS: Final = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet and where its sync byte lies: broadcast, Blu-ray (a time code first), with error correction."""


def container_format(head: bytes) -> str | None:
    """FFmpeg's name of the container that a file's first bytes announce; None when it is not on the list.

    Args:
        head: the first ``CONTAINER_HEAD_BYTES`` bytes of the file; fewer when it is shorter.
    """
    if head[4:8] in _BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS else "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return "mpegts" if _is_transport_stream(head) else None


def _is_transport_stream(head: bytes) -> bool:
    """One sync byte is the letter G; four at the right distance are a transport stream."""
    return any(
        len(head) > 3 * size + at and all(head[packet * size + at] == _SYNC for packet in range(4))
        for size, at in _TRANSPORT_PACKETS
    )
