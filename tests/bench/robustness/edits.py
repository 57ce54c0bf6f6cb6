"""What uploaders do to a photograph, each edit as ``docs/robustness.md`` defines it, the same on every machine.

An edit takes the picture, a generator that places and sizes what is left open, and another photograph for those that
need one; it never sees the list. What it gives is then saved as a JPEG of the edit's quality: no probe is lossless.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from tests.bench.robustness import screens
from tests.bench.robustness.drawing import font
from tests.pictures import encoded

Picture = Image.Image
Random = np.random.Generator
Change = Callable[[Picture, Random, Picture], Picture]

QUALITY: Final = 85
RESAMPLE: Final = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        name: what it is called in the tables.
        row: the row of the table that it counts for: several harmless edits share one.
        change: does it.
        target: share of copies that has to be found, near or better; None: reported only.
        quality: of the JPEG that is uploaded.
        share: share of the photographs that it is tried on.
    """

    name: str
    row: str
    change: Change
    target: float | None
    quality: int = QUALITY
    share: float = 1.0

    def copy(self, name: str, picture: Picture, others: list[Picture]) -> bytes:
        """The edited copy of the photograph of this name, as the bytes of a file."""
        rng = self._random(name)
        other = others[int(rng.integers(len(others)))]
        changed = self.change(picture.convert("RGB"), rng, other.convert("RGB"))
        return encoded(changed, "JPEG", quality=self.quality)

    def other(self, name: str, count: int) -> int:
        """Which of so many other photographs the copy of this one shows, where it shows one."""
        return int(self._random(name).integers(count))

    def _random(self, name: str) -> Random:
        return np.random.default_rng(zlib.crc32(f"{self.name}/{name}".encode()))


def crop(percent: float) -> Change:
    """Width and height both shortened, at a random corner."""

    def change(picture: Picture, rng: Random, _other: Picture) -> Picture:
        width, height = (round(side * (1 - percent / 100)) for side in picture.size)
        left = int(rng.integers(2)) * (picture.width - width)
        top = int(rng.integers(2)) * (picture.height - height)
        return picture.crop((left, top, left + width, top + height))

    return change


def border(percent: float) -> Change:
    """Of the longer side, on every side: black, white, or a colour."""

    def change(picture: Picture, rng: Random, _other: Picture) -> Picture:
        return ImageOps.expand(picture, round(max(picture.size) * percent / 100), _colour(rng))

    return change


def pad(percent: float) -> Change:
    """Of the width left and right, or of the height above and below."""

    def change(picture: Picture, rng: Random, _other: Picture) -> Picture:
        x, y = (
            (round(picture.width * percent / 100), 0) if rng.integers(2) else (0, round(picture.height * percent / 100))
        )
        return ImageOps.expand(picture, (x, y, x, y), _colour(rng))

    return change


def letterbox(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """Whole on a black ground of 16:9, or of 9:16 as in a story; never of nearly its own shape."""
    width, height = picture.size
    ratios = [ratio for ratio in (16 / 9, 9 / 16) if abs(math.log(ratio * height / width)) > 0.05]
    ratio = ratios[int(rng.integers(len(ratios)))]
    size = (round(height * ratio), height) if ratio > width / height else (width, round(width / ratio))
    ground = Image.new("RGB", size)
    ground.paste(picture, ((size[0] - width) // 2, (size[1] - height) // 2))
    return ground


def _colour(rng: Random) -> tuple[int, int, int]:
    colours = ((0, 0, 0), (255, 255, 255), tuple(int(each) for each in rng.integers(0, 256, 3)))
    red, green, blue = colours[int(rng.integers(3))]
    return red, green, blue


def rotated(degrees: float, *, cropped: bool) -> Change:
    """Turned one way or the other: on a grown black canvas, or the largest upright rectangle inside."""

    def change(picture: Picture, rng: Random, _other: Picture) -> Picture:
        angle = degrees if rng.integers(2) else -degrees
        turned = picture.rotate(angle, RESAMPLE, expand=True)
        if not cropped:
            return turned
        width, height = _inner(picture.width, picture.height, math.radians(degrees))
        left, top = (turned.width - width) / 2, (turned.height - height) / 2
        return turned.crop((math.ceil(left), math.ceil(top), math.floor(left + width), math.floor(top + height)))

    return change


def _inner(width: float, height: float, angle: float) -> tuple[float, float]:
    """Size of the largest upright rectangle inside one that is turned by less than 45 degrees."""
    sine, cosine = math.sin(angle), math.cos(angle)
    long, short = max(width, height), min(width, height)
    if short <= 2 * sine * cosine * long:
        half = short / 2
        return (half / sine, half / cosine) if width >= height else (half / cosine, half / sine)
    across = cosine * cosine - sine * sine
    return (width * cosine - height * sine) / across, (height * cosine - width * sine) / across


def resized(factor: float) -> Change:
    """Both sides times a factor."""

    def change(picture: Picture, _rng: Random, _other: Picture) -> Picture:
        return picture.resize((round(picture.width * factor), round(picture.height * factor)), RESAMPLE)

    return change


def squash(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """Pressed into a square."""
    side = min(picture.size)
    return picture.resize((side, side), RESAMPLE)


def gamma(exponent: float) -> Change:
    """Darker or lighter in the middle tones."""
    table = [round(255 * (level / 255) ** exponent) for level in range(256)] * 3
    return lambda picture, _rng, _other: picture.point(table)


def blur(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """Gaussian, 2 pixels."""
    return picture.filter(ImageFilter.GaussianBlur(2))


def noise(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """Gaussian, standard deviation 12."""
    values = np.asarray(picture) + rng.normal(0, 12, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def grey(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """Without colour."""
    return picture.convert("L").convert("RGB")


def saturation(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """Colours twice as strong."""
    return ImageEnhance.Color(picture).enhance(2.0)


def watermark(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """A half transparent line of text in the lower right."""
    layer = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    size = max(10, picture.height // 18)
    place = (picture.width * 0.96, picture.height * 0.95)
    ImageDraw.Draw(layer).text(place, "stock / sample 2214", font=font(size), fill=(255, 255, 255, 128), anchor="rs")
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def unchanged(picture: Picture, _rng: Random, _other: Picture) -> Picture:
    """Only saved again."""
    return picture


def turned(how: Image.Transpose) -> Change:
    """Mirrored, or turned by a right angle."""
    return lambda picture, _rng, _other: picture.transpose(how)


def squash_and_crop(picture: Picture, rng: Random, other: Picture) -> Picture:
    """25 % of the width pressed away, then a crop of 15 %: no similarity maps one on the other."""
    pressed = picture.resize((round(picture.width * 0.75), picture.height), RESAMPLE)
    return crop(15)(pressed, rng, other)


def keystone(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """Seen a little from the side: one edge 12 % shorter than the other, the rest black."""
    width, height = picture.size
    cut = 0.06 * height
    left, right = (cut, 0.0) if rng.integers(2) else (0.0, cut)
    corners = [(0.0, left), (float(width), right), (float(width), height - right), (0.0, height - left)]
    return screens.projected(picture, corners, (width, height), (0, 0, 0))


def then(*changes: Change) -> Change:
    """One after the other."""

    def change(picture: Picture, rng: Random, other: Picture) -> Picture:
        for each in changes:
            picture = each(picture, rng, other)
        return picture

    return change


_FLIP: Final = turned(Image.Transpose.FLIP_LEFT_RIGHT)
SHOW_ANOTHER: Final = frozenset(
    {"feed screenshot", "picture in picture, half width", "picture in picture, third width"}
)
"""Edits whose copies show another photograph, too."""
HARMLESS: Final = "re-encode, resize, squash, gamma, blur, noise, grey, watermark, saturation"
TURNS: Final = "flips, 90 / 180 degrees"


def _harmless() -> list[Edit]:
    changes: dict[str, Change] = {
        "resize 0.5": resized(0.5),
        "resize 0.25": resized(0.25),
        "squash": squash,
        "gamma 1.6": gamma(1.6),
        "gamma 0.6": gamma(0.6),
        "blur 2": blur,
        "noise 12": noise,
        "grey": grey,
        "watermark": watermark,
        "saturation": saturation,
    }
    edits = [Edit(name, HARMLESS, change, 0.995, share=0.4) for name, change in changes.items()]
    return [Edit("quality 20", HARMLESS, unchanged, 0.995, 20, 0.4), *edits]


def _turns() -> list[Edit]:
    hows = {
        "flip": Image.Transpose.FLIP_LEFT_RIGHT,
        "flip upside down": Image.Transpose.FLIP_TOP_BOTTOM,
        "90 degrees": Image.Transpose.ROTATE_90,
        "180 degrees": Image.Transpose.ROTATE_180,
    }
    return [Edit(name, TURNS, turned(how), 0.99, share=0.4) for name, how in hows.items()]


def _single(name: str, change: Change, target: float | None, quality: int = QUALITY) -> Edit:
    return Edit(name, name, change, target, quality)


EDITS: Final = (
    *_harmless(),
    *_turns(),
    *(_single(f"crop {p} %", crop(p), goal) for p, goal in ((5, 0.99), (10, 0.99), (25, 0.96), (40, 0.87))),
    _single("border 3 %", border(3), 0.99),
    _single("border 10 %", border(10), 0.99),
    _single("pad 20 %", pad(20), 0.99),
    _single("letterbox", letterbox, 0.99),
    *(_single(f"rotate {angle}, grown canvas", rotated(angle, cropped=False), 0.98) for angle in (2, 5, 15)),
    *(_single(f"rotate {angle}, cropped", rotated(angle, cropped=True), 0.98) for angle in (2, 5, 15)),
    _single("meme text, two lines", screens.meme, 0.99),
    _single("phone gallery screenshot", screens.gallery, 0.97, 90),
    _single("browser screenshot", screens.browser, 0.97, 90),
    _single("feed screenshot", screens.feed, 0.95, 80),
    _single("picture in picture, half width", screens.inset(512), 0.95),
    _single("picture in picture, third width", screens.inset(338), 0.88),
    _single("flip + quality 50 + 5 % crop", then(_FLIP, crop(5)), 0.98, 50),
    _single("flip + 25 % crop", then(_FLIP, crop(25)), 0.95, 70),
    _single("squash + crop", squash_and_crop, None),
    _single("keystone", keystone, None),
    _single("photo of a screen", screens.filmed, None, 80),
)
