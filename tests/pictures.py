"""Pictures for tests: the photographs inside the scikit-image wheel (nothing is downloaded) and generated ones."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "camera.png", "motorcycle_left.png", "ihc.png")


def photo(name: str = "astronaut.png") -> Image.Image:
    """One of ``PHOTOS``, decoded."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as picture:
        picture.load()
        return picture.copy()


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pattern(width: int = 97, height: int = 61) -> Image.Image:
    """A picture without symmetry, made by integer arithmetic: the same on every machine."""
    y, x = np.mgrid[0:height, 0:width]
    values = (x * x * 7 + y * y * 3 + x * y * 5 + (x // 9) * 31 + (y // 7) * 17) // 23 % 256
    return Image.fromarray(values.astype(np.uint8))


def exif_block(orientation: int) -> bytes:
    """An EXIF block that says nothing but this orientation."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


# How a picture has to be stored so that each EXIF orientation shows it upright.
STORED_FOR: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda picture: picture,
    2: lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    4: lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
    6: lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    7: lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
    8: lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
}
