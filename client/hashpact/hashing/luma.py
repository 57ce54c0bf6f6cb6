"""Any Pillow picture -> one plane of 8-bit luma, which is what every perceptual hash is computed from.

Part of the preprocessing contract (``docs/hashing.md``): Rec. 601 luma, rounded to 8 bits; wide integer
and float pictures are brought to 0-255 first; transparent pictures are laid on white.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE, BLACK = 255, 0

_ROWS_AT_ONCE: Final = 64

_VIA: Final = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "BGR;15": "RGB", "BGR;16": "RGB", "BGR;24": "RGB"}
"""Modes that Pillow converts only along a fixed road."""


def has_transparency(picture: Image.Image) -> bool:
    """Whether some pixel of the picture may be see-through (alpha channel or a transparent colour)."""
    return picture.mode in {"La", "RGBa"} or picture.has_transparency_data


def to_luma(picture: Image.Image, background: int = WHITE) -> Image.Image:
    """The picture in mode ``L``.

    Args:
        picture: of any Pillow mode. It is not changed, but loaded when it was not yet.
        background: luma 0-255 behind transparent parts. The hidden colours there are never used: they
            are invisible, so whoever uploads could choose them freely.
    """
    if picture.mode in _VIA:
        picture = picture.convert(_VIA[picture.mode])
    if picture.mode.startswith("I") or picture.mode == "F":
        return _wide_to_luma(picture)
    if picture.mode == "LAB":
        return picture.getchannel("L")  # lightness: there is no conversion to RGB without a colour profile
    if has_transparency(picture):
        return _flatten(picture, background)
    if picture.mode == "HSV":
        picture = picture.convert("RGB")
    return picture if picture.mode == "L" else picture.convert("L")


def _flatten(picture: Image.Image, background: int) -> Image.Image:
    layered = picture if picture.mode in {"LA", "RGBA"} else picture.convert("RGBA")
    alpha = layered.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return layered.convert("L")
    return Image.composite(layered.convert("L"), Image.new("L", layered.size, background), alpha)


def _wide_to_luma(picture: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey values, brought to 0-255.

    16-bit modes have a fixed white of 65535. For 32-bit integers and floats white is not written down
    anywhere: it is taken as the smallest of 1 (floats only), 255 and 65535 that no value exceeds;
    negative or still larger values are stretched from their own minimum to their own maximum.
    """
    values: NDArray[Any] = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        low, high = _range(values, whites=(1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0))
    result = np.empty(values.shape, dtype=np.uint8)
    for first in range(0, len(values), _ROWS_AT_ONCE):
        # Some rows at a time: the whole picture in float64 would be eight times its size.
        scaled = (_finite(values[first : first + _ROWS_AT_ONCE]) - low) * (255.0 / max(high - low, 1e-9))
        result[first : first + _ROWS_AT_ONCE] = np.clip(np.floor(scaled + 0.5), 0, 255)
    return Image.fromarray(result)


def _range(values: NDArray[Any], whites: tuple[float, ...]) -> tuple[float, float]:
    """(black, white) of values whose file does not say."""
    lows, highs = [], []
    for first in range(0, len(values), _ROWS_AT_ONCE):
        block = _finite(values[first : first + _ROWS_AT_ONCE])
        lows.append(float(block.min()))
        highs.append(float(block.max()))
    low, high = min(lows), max(highs)
    if low >= 0 and high <= whites[-1]:
        return 0.0, next(white for white in whites if high <= white)
    return low, high


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
