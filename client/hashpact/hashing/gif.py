"""Counting the frames of a GIF, and measuring its first one, without decoding any.

Pillow counts by seeking, which parses (and may draw) every frame; a hostile file has millions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

_GIF_EXTENSION, _GIF_IMAGE, _GIF_TRAILER = 0x21, 0x2C, 0x3B
_COLOUR_TABLE_FLAG: Final = 0x80


def gif_frames(data: bytes, frames_max: int) -> int:
    """Frames in a GIF, counted up to ``frames_max``; at least 1."""
    return max(1, sum(1 for _ in islice(_gif_images(data), frames_max)))


def gif_canvas(data: bytes) -> tuple[int, int]:
    """Width and height that a GIF's first frame needs: the screen, or more when the frame sticks out."""
    width, height = _word(data, 6), _word(data, 8)
    for at in islice(_gif_images(data), 1):
        width = max(width, _word(data, at + 1) + _word(data, at + 5))
        height = max(height, _word(data, at + 3) + _word(data, at + 7))
    return width, height


def _gif_images(data: bytes) -> Iterator[int]:
    """Where each image descriptor stands (GIF89a specification, section 12 on)."""
    at = 13 + _colour_table_bytes(data[10:11])
    while at < len(data):
        block = data[at]
        if block == _GIF_EXTENSION:
            at = _after_sub_blocks(data, at + 2)
        elif block == _GIF_IMAGE:
            yield at
            # 10 bytes of descriptor, its colour table, one byte of code size, then the data.
            at = _after_sub_blocks(data, at + 10 + _colour_table_bytes(data[at + 9 : at + 10]) + 1)
        elif block == _GIF_TRAILER:
            return
        else:  # stray bytes between blocks: readers skip them
            at += 1


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _colour_table_bytes(flags: bytes) -> int:
    if not flags or not flags[0] & _COLOUR_TABLE_FLAG:
        return 0
    return 3 << ((flags[0] & 7) + 1)


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
