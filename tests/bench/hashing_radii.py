"""How far apart different photographs are, and how close their edited copies: the figures behind the radii.

``python -m tests.bench.hashing_radii`` prints, for each perceptual signal type and radius, the share of
edited copies found and the number of different pictures that match by mistake (a minute or two).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import Final

import numpy as np
from hashpact.hashing import hash_image
from hashpact.signals import ImageSignals
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from tests.data import find_shared_data
from tests.pictures import encoded

LIST_SIZE: Final = 10_000_000
RADII: Final = {"pdq": (31, 48, 63), "phash": (4, 6, 8, 10, 12), "phash256": (40, 47, 50, 60, 63, 70)}

Edit = Callable[[Image.Image], Image.Image]


def edits(rng: np.random.Generator) -> dict[str, Edit]:
    """What happens to pictures on their way, by name; ``rng`` places crops and noise."""

    def crop(share: float) -> Edit:
        def cut(picture: Image.Image) -> Image.Image:
            width, height = (int(side * (1 - share)) for side in picture.size)
            left, top = (int(side * share * rng.random()) for side in picture.size)
            return picture.crop((left, top, left + width, top + height))

        return cut

    def noise(picture: Image.Image) -> Image.Image:
        values = np.asarray(picture) + rng.normal(0, 12, (picture.height, picture.width, 3))
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

    def shrink(factor: int) -> Edit:
        return lambda picture: picture.resize((picture.width // factor, picture.height // factor))

    def border(percent: int) -> Edit:
        return lambda picture: ImageOps.expand(picture, percent * picture.width // 100, "black")

    return {
        "jpeg 90": lambda picture: picture,
        "resize 0.5": shrink(2),
        "resize 0.25": shrink(4),
        "gamma 1.6": lambda picture: picture.point([round(255 * (v / 255) ** 1.6) for v in range(256)] * 3),
        "blur 2": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
        "noise 12": noise,
        "grey": lambda picture: picture.convert("L").convert("RGB"),
        "text": _meme,
        "crop 2 %": crop(0.02),
        "crop 5 %": crop(0.05),
        "crop 10 %": crop(0.1),
        "border 1 %": border(1),
        "border 3 %": border(3),
        "rotate 2": lambda picture: picture.rotate(2),
    }


def _meme(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    drawing, font = ImageDraw.Draw(copy), ImageFont.load_default(size=picture.height // 10)
    for height, text in ((0.03, "WHEN YOU SEE IT"), (0.85, "YOU CANNOT UNSEE")):
        place = (picture.width * 0.1, picture.height * height)
        drawing.text(place, text, font=font, fill="white", stroke_width=3, stroke_fill="black")
    return copy


def bits(signals: list[ImageSignals], name: str) -> NDArray[np.int32]:
    """int32[n, bits] of one signal type."""
    values = [np.frombuffer(getattr(signal, name).value, np.uint8) for signal in signals]
    return np.unpackbits(np.array(values), axis=1).astype(np.int32)


def distances(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32[n, m] Hamming distances."""
    result: NDArray[np.int32] = left @ (1 - right.T) + (1 - left) @ right.T
    return result


def chance(length: int, radius: int) -> float:
    """Expected number of random values within ``radius`` of one look-up in a list of ``LIST_SIZE``."""
    return float(LIST_SIZE * sum(comb(length, differing) for differing in range(radius + 1)) / 2**length)


def report(folder: Path) -> list[str]:
    """The lines to print for a folder of photographs with its ``manifest.json``."""
    listed = json.loads((folder / "manifest.json").read_text())
    ordinary_names = [e["file"] for e in listed if not e["hard_negative"] and (folder / e["file"]).is_file()]
    pictures = [Image.open(folder / name).convert("RGB") for name in ordinary_names]
    originals = [hash_image(folder / name) for name in ordinary_names]
    lines = [f"{len(originals)} ordinary photographs"]
    for name, radii in RADII.items():
        known = bits(originals, name)
        pairs = distances(known, known)[np.triu_indices(len(known), 1)]
        false = {radius: int((pairs <= radius).sum()) for radius in radii}
        odds = {radius: f"{chance(known.shape[1], radius):.1g}" for radius in radii}
        lines.append(f"{name}: closest {pairs.min()}, false pairs {false}, chance {odds}")
    for edit_name, edit in edits(np.random.default_rng(1)).items():
        probes = [hash_image(encoded(edit(picture), "JPEG", quality=90)) for picture in pictures]
        for name, radii in RADII.items():
            found = distances(bits(probes, name), bits(originals, name))
            own = found.diagonal().copy()
            np.fill_diagonal(found, 999)
            share = {radius: f"{(own <= radius).mean():.0%}" for radius in radii}
            lines.append(f"{edit_name:12} {name:9} found {share} closest other {found.min()}")
    return lines


def main() -> int:
    """Print the report."""
    data = find_shared_data()
    if data is None:
        print("the photographs are absent: set HASHPACT_SHARED_DATA to their folder", file=sys.stderr)
        return 2
    print("\n".join(report(data / "photos")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
