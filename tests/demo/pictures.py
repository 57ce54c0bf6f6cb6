"""The demo's pictures: free photographs from scikit-image, drawn ones, and what uploaders do to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

PHOTOS = Path(skimage.data.__file__).parent
LISTED = {
    "astronaut": "astronaut.png",
    "coffee": "coffee.png",
    "cat": "chelsea.png",
    "galaxies": "hubble_deep_field.jpg",
}
INNOCENT = {
    "rocket": "rocket.jpg",
    "cameraman": "camera.png",
    "coins": "coins.png",
    "bricks": "brick.png",
    "motorcycle": "motorcycle_left.png",
    "tissue": "ihc.png",
}
LISTED_DRAWINGS, INNOCENT_DRAWINGS = ("poster-1", "poster-2"), ("poster-3", "poster-4", "poster-5")

Edit = Callable[[Image.Image, Path], None]


def save(picture: Image.Image, path: Path, quality: int = 90) -> None:
    """Write a picture; the ending of the name decides the format."""
    picture.save(path, quality=quality)


def screenshot(picture: Image.Image, path: Path) -> None:
    """A phone that shows the picture: status bar, name, buttons and text around it."""
    screen = Image.new("RGB", (720, 1280), "white")
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, 720, 44), fill="black")
    pen.text((24, 10), "12:41", fill="white", font=ImageFont.load_default(22))
    pen.ellipse((24, 70, 88, 134), fill="teal")
    pen.text((108, 84), "somebody  -  2 h", fill="black", font=ImageFont.load_default(24))
    shown = picture.resize((720, 720 * picture.height // picture.width))
    screen.paste(shown, (0, 160))
    below = 160 + shown.height + 24
    pen.text((24, below), "1,204 likes    87 replies", fill="gray", font=ImageFont.load_default(22))
    pen.text((24, below + 48), "look at this", fill="black", font=ImageFont.load_default(26))
    save(screen, path, quality=80)


EDITS: dict[str, tuple[str, Edit]] = {
    "as JPEG, quality 25": ("jpg", lambda picture, path: save(picture, path, quality=25)),
    "as WebP": ("webp", lambda picture, path: save(picture, path, quality=60)),
    "half the size": ("jpg", lambda picture, path: save(picture.reduce(2), path)),
    "thumbnail, 200 pixels": ("jpg", lambda picture, path: save(ImageOps.contain(picture, (200, 200)), path)),
    "stretched to a square": ("jpg", lambda picture, path: save(picture.resize((600, 600)), path)),
    "mirrored": ("jpg", lambda picture, path: save(ImageOps.mirror(picture), path)),
    "turned by 90 degrees": (
        "jpg",
        lambda picture, path: save(picture.transpose(Image.Transpose.ROTATE_90), path),
    ),
    "upside down": ("png", lambda picture, path: save(picture.transpose(Image.Transpose.ROTATE_180), path)),
    "black and white": ("jpg", lambda picture, path: save(picture.convert("L"), path)),
    "other colours": ("jpg", lambda picture, path: save(recoloured(picture), path)),
    "brighter": ("jpg", lambda picture, path: save(ImageEnhance.Brightness(picture).enhance(1.25), path)),
    "blurred": ("jpg", lambda picture, path: save(picture.filter(ImageFilter.GaussianBlur(2)), path)),
}

HARD: dict[str, tuple[str, Edit]] = {
    "a quarter cut off": (
        "jpg",
        lambda picture, path: save(ImageOps.crop(picture, picture.width // 8), path),
    ),
    "in a wide frame": (
        "jpg",
        lambda picture, path: save(ImageOps.expand(picture, picture.width // 8), path),
    ),
    "as a screenshot": ("jpg", screenshot),
}

OUT_OF_REACH: dict[str, tuple[str, Edit]] = {
    "a tenth of it": (
        "jpg",
        lambda picture, path: save(
            picture.crop((0, 0, picture.width // 3, picture.height // 3)).resize((96, 72)), path
        ),
    ),
}


def recoloured(picture: Image.Image) -> Image.Image:
    """Warmer, and more of every colour."""
    red, green, blue = ImageEnhance.Color(picture).enhance(1.5).split()
    return Image.merge("RGB", (red.point(lambda value: min(255, value + 20)), green, blue.point(lambda v: v * 4 // 5)))


def drawing(seed: int) -> Image.Image:
    """A poster: a coarse random background with shapes; every seed is another picture."""
    chance = random.Random(seed)
    noise = Image.frombytes("RGB", (16, 12), bytes(chance.randrange(40, 216) for _ in range(16 * 12 * 3)))
    picture = noise.resize((800, 600), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        left, top = chance.randrange(700), chance.randrange(500)
        box = (left, top, left + chance.randrange(40, 260), top + chance.randrange(40, 220))
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        chance.choice((pen.ellipse, pen.rectangle))(box, fill=colour)
    return picture


def make_known(folder: Path) -> list[Path]:
    """The pictures that get listed."""
    folder.mkdir()
    return [*copies(LISTED, folder), *drawings(LISTED_DRAWINGS, folder)]


def make_innocent(folder: Path) -> list[Path]:
    """Pictures that nobody listed."""
    folder.mkdir()
    return [*copies(INNOCENT, folder), *drawings(INNOCENT_DRAWINGS, folder)]


def copies(names: dict[str, str], folder: Path) -> list[Path]:
    """Photographs under the demo's names, byte by byte as they ship."""
    made = []
    for name, source in names.items():
        path = folder / (name + Path(source).suffix)
        path.write_bytes((PHOTOS / source).read_bytes())
        made.append(path)
    return made


def drawings(names: tuple[str, ...], folder: Path) -> list[Path]:
    """Drawn posters, as PNG files."""
    made = []
    for name in names:
        path = folder / f"{name}.png"
        drawing(int(name.rpartition("-")[2])).save(path)
        made.append(path)
    return made


def make_altered(known: list[Path], folder: Path, edits: dict[str, tuple[str, Edit]]) -> dict[tuple[str, str], Path]:
    """Each known picture under each edit: (picture, edit) -> file."""
    folder.mkdir()
    made = {}
    for source in known:
        with Image.open(source) as opened:
            picture = opened.convert("RGB")
        for number, (edit, (ending, apply)) in enumerate(edits.items()):
            path = folder / f"{source.stem}-{number:02}.{ending}"
            apply(picture, path)
            made[source.stem, edit] = path
    return made
