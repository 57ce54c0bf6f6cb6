"""Words, fonts and shapes that the drawn pictures share."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

_WORDS: Final = """
north river market stone early window garden letter bridge silver harbour morning winter station paper open field travel
music kitchen coffee summer forest island report street corner light yellow quiet evening ticket museum mountain weather
village people family picture library school country future number science history engine water glass bread apple orange
train plane house tower friend dinner doctor teacher football holiday
"""
WORDS: Final = tuple(_WORDS.split())


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font inside Pillow, of a size in pixels."""
    return ImageFont.load_default(size=max(6, size))


def words(rng: np.random.Generator, count: int) -> str:
    """So many words, with a capital in front."""
    return " ".join(str(rng.choice(WORDS)) for _ in range(count)).capitalize()


def colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    """Any colour whose parts are at least ``low`` and below ``high``."""
    red, green, blue = (int(each) for each in rng.integers(low, high, 3))
    return red, green, blue


def write(
    picture: Image.Image, place: tuple[float, float], text: str, size: int, fill: Colour, anchor: str = "la"
) -> None:
    """One line of text."""
    ImageDraw.Draw(picture).text(place, text, font=font(size), fill=fill, anchor=anchor)


def paragraph(
    picture: Image.Image,
    box: tuple[int, int, int],
    lines: int,
    size: int,
    rng: np.random.Generator,
    fill: Colour = (40, 40, 44),
) -> int:
    """Lines of words, left-aligned from (x, y) within a width; the height below the last one."""
    x, y, width = box
    for line in range(lines):
        count = max(2, int(width / (size * 3.4)) - (line == lines - 1))
        write(picture, (x, y), words(rng, count), size, fill)
        y += round(size * 1.45)
    return y


def cover(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scaled and cut to fill a box, as a feed shows pictures."""
    scale = max(width / picture.width, height / picture.height)
    grown = picture.resize((max(width, round(picture.width * scale)), max(height, round(picture.height * scale))))
    left, top = (grown.width - width) // 2, (grown.height - height) // 2
    return grown.crop((left, top, left + width, top + height))


def fit(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scaled to be wholly inside a box."""
    scale = min(width / picture.width, height / picture.height)
    return picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.BICUBIC
    )
