"""Counting frames of a GIF and pages of a TIFF without decoding any of them.

Pillow counts by seeking, which parses (and for GIF may draw) every frame; a hostile file has millions.
"""

from __future__ import annotations

from typing import Final, Literal

_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_COLOUR_TABLE_FLAG: Final = 0x80


def gif_frames(data: bytes, frames_max: int) -> int:
    """Frames in a GIF, counted up to ``frames_max``; at least 1 (GIF89a specification, section 12 on)."""
    at = 13 + _colour_table_bytes(data[10:11])
    frames = 0
    while at < len(data) and frames < frames_max:
        block = data[at]
        if block == _GIF_EXTENSION:
            at = _after_sub_blocks(data, at + 2)
        elif block == _GIF_IMAGE:
            frames += 1
            # 10 bytes of descriptor, its colour table, one byte of code size, then the data.
            at = _after_sub_blocks(data, at + 10 + _colour_table_bytes(data[at + 9 : at + 10]) + 1)
        elif block == 0:  # stray terminators are common and harmless
            at += 1
        else:
            break
    return max(frames, 1)


def tiff_pages(data: bytes, frames_max: int) -> int:
    """Pages in a TIFF, counted up to ``frames_max``; at least 1. Circular page chains end the count."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    if int.from_bytes(data[2:4], order) == 43:  # BigTIFF
        at, count_bytes, entry_bytes, link_bytes = int.from_bytes(data[8:16], order), 8, 20, 8
    else:
        at, count_bytes, entry_bytes, link_bytes = int.from_bytes(data[4:8], order), 2, 12, 4
    seen: set[int] = set()
    while 0 < at < len(data) and at not in seen and len(seen) < frames_max:
        seen.add(at)
        link = at + count_bytes + int.from_bytes(data[at : at + count_bytes], order) * entry_bytes
        at = int.from_bytes(data[link : link + link_bytes], order)
    return max(len(seen), 1)


def _colour_table_bytes(flags: bytes) -> int:
    if not flags or not flags[0] & _COLOUR_TABLE_FLAG:
        return 0
    return 3 << ((flags[0] & 7) + 1)


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
