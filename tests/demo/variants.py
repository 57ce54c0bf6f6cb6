"""The pictures of an incident: one that spreads, what its spreaders do to it, and one that was listed by mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from tests.data import find_shared_data
from tests.demo.pictures import EDITS, PHOTOS, drawing, save

Edit = Callable[[Image.Image, Path], None]

MORE: dict[str, tuple[str, Edit]] = {
    "as JPEG, quality 10": ("jpg", lambda picture, path: save(picture, path, quality=10)),
    "as PNG": ("png", save),
    "darker": ("jpg", lambda picture, path: save(ImageEnhance.Brightness(picture).enhance(0.7), path)),
    "more contrast": ("jpg", lambda picture, path: save(ImageEnhance.Contrast(picture).enhance(1.5), path)),
    "sharpened": ("jpg", lambda picture, path: save(picture.filter(ImageFilter.SHARPEN), path)),
    "a caption below": ("jpg", lambda picture, path: save(captioned(picture), path)),
    "3% cut off": ("jpg", lambda picture, path: save(ImageOps.crop(picture, picture.width * 3 // 200), path)),
    "10% cut off": ("jpg", lambda picture, path: save(ImageOps.crop(picture, picture.width // 20), path)),
}
VARIANTS = EDITS | MORE
"""Name -> ending and edit: twenty."""


def captioned(picture: Image.Image) -> Image.Image:
    """A bar with text over the lowest tenth."""
    made = picture.copy()
    top = made.height * 9 // 10
    pen = ImageDraw.Draw(made)
    pen.rectangle((0, top, made.width, made.height), fill=(20, 20, 20))
    pen.text((10, top + 4), "watch before it is gone", fill=(230, 230, 230))
    return made


def sources() -> tuple[Image.Image, Image.Image, str]:
    """The picture that spreads, the one that is listed by mistake, and where both are from."""
    shared = find_shared_data()
    photos = sorted((shared / "photos").glob("*.jpg")) if shared else []
    if len(photos) > 1:
        return _opened(photos[0]), _opened(photos[1]), "photographs"
    if (PHOTOS / "astronaut.png").exists():
        return _opened(PHOTOS / "astronaut.png"), _opened(PHOTOS / "rocket.jpg"), "photographs"
    return drawing(1), drawing(3), "drawings"


def make_variants(picture: Image.Image, folder: Path, count: int) -> dict[str, Path]:
    """Edit -> file, the first ``count`` of them."""
    folder.mkdir()
    made = {}
    for number, (name, (ending, apply)) in enumerate(list(VARIANTS.items())[:count]):
        path = folder / f"variant-{number:02}.{ending}"
        apply(picture, path)
        made[name] = path
    return made


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return ImageOps.contain(opened.convert("RGB"), (1200, 1200))
