"""The one thing we want from EXIF: how the picture is to be turned.

Pillow can tell it too, but parses every tag of an untrusted block for it and warns about broken ones.
"""

from __future__ import annotations

from typing import Final, Literal

from PIL import Image

_ORIENTATION_TAG: Final = 0x0112
_SHORT: Final = 3
_ENTRY_BYTES: Final = 12
_ENTRIES_MAX: Final = 1_000

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(exif: bytes | None) -> int:
    """The orientation (1-8) that an EXIF block states; 1, upright, when it states none that makes sense."""
    block = (exif or b"").removeprefix(b"Exif\x00\x00")
    order: Literal["little", "big"]
    if block[:4] == b"II*\x00":
        order = "little"
    elif block[:4] == b"MM\x00*":
        order = "big"
    else:
        return 1
    start = int.from_bytes(block[4:8], order)
    count = int.from_bytes(block[start : start + 2], order)
    for number in range(min(count, _ENTRIES_MAX)):
        at = start + 2 + number * _ENTRY_BYTES
        entry = block[at : at + _ENTRY_BYTES]
        if len(entry) < _ENTRY_BYTES:
            break
        if int.from_bytes(entry[:2], order) == _ORIENTATION_TAG:
            value = int.from_bytes(entry[8:10], order)
            return value if int.from_bytes(entry[2:4], order) == _SHORT and value in _TURNS else 1
    return 1


def upright(picture: Image.Image, turn: int) -> Image.Image:
    """The picture as it is meant to be seen.

    Args:
        picture: as stored.
        turn: EXIF orientation, 1-8.
    """
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def swaps_sides(turn: int) -> bool:
    """Whether width and height change places at this orientation."""
    return turn >= 5
