"""Which photographs are listed, which are never listed, and which only fill listed screens and distractors.

Four groups that share no scene, or a match that is counted as false might be a true one:

- ``listed``: what the edits are made of;
- ``strangers``: on no list in any form: grounds of a picture in a picture, second photographs of a feed, negatives;
- ``fillers``: inside listed screens, memes and news frames;
- ``quarries``: large ones that listed regions are cut from.

Series of nearly equal scenes (``hard``) are listed as well, and only ever checked against each other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from tests.data import find_shared_data
from tests.pictures import PHOTOS, photo

LISTED_MAX: Final = 150
QUARRIES: Final = 6

_LICENCES: Final = {
    "astronaut": "public domain (NASA)",
    "chelsea": "CC0-1.0 (Stefan van der Walt)",
    "coffee": "CC0-1.0 (Rachel Michetti)",
    "rocket": "CC0-1.0 (SpaceX)",
}
"""Of the photographs inside scikit-image, as its documentation states them."""


@dataclass(frozen=True)
class Photo:
    """A photograph in a file."""

    name: str
    path: Path
    licence: str = ""
    origin: str = ""

    def open(self) -> Image.Image:
        """Decoded."""
        with Image.open(self.path) as picture:
            return picture.convert("RGB")


@dataclass(frozen=True)
class Collection:
    """The groups; ``real`` is False where the shared photographs are absent and scikit-image's take their place."""

    listed: list[Photo]
    strangers: list[Photo]
    fillers: list[Photo]
    quarries: list[Photo]
    hard: list[Photo]
    videos: list[Path]
    real: bool


def collect(work: Path, count: int = LISTED_MAX, *, shared: bool = True) -> Collection:
    """The groups, with ``count`` listed photographs at most; drawn-up files go to ``work``.

    ``shared`` says whether the shared photographs are taken where they are present; they are never shown.
    """
    own = _inside_scikit_image(work)
    data = find_shared_data() if shared else None
    if data is None:
        return Collection(own[:3][:count], own[3:5], own[5:6], own[6:], [], [], real=False)
    manifest = json.loads((data / "photos" / "manifest.json").read_text(encoding="utf-8"))
    entries = [entry for entry in manifest if (data / "photos" / entry["file"]).is_file()]
    photos = {
        entry["file"]: Photo(entry["file"], data / "photos" / entry["file"], entry["licence"], entry["origin"])
        for entry in entries
    }
    hard = [photos[entry["file"]] for entry in entries if entry["hard_negative"]]
    plain = [photos[entry["file"]] for entry in entries if not entry["hard_negative"]]
    full = {path.name for path in (data / "photos" / "full").iterdir()}
    large = [each for each in plain if each.name in full]
    small = [each for each in plain if each.name not in full]
    quarries = [Photo(each.name, data / "photos" / "full" / each.name) for each in large[:QUARRIES]]
    strangers = [*large[QUARRIES:], *small[LISTED_MAX:]]
    videos = sorted([*(data / "videos").iterdir(), *(data / "vpdq" / "videos").iterdir()])
    return Collection(small[:LISTED_MAX][:count], strangers, own, quarries, hard, videos, real=True)


def _inside_scikit_image(work: Path) -> list[Photo]:
    folder = work / "scikit-image"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in PHOTOS:
        path = folder / f"{Path(name).stem}.jpg"
        if not path.exists():
            photo(name).convert("RGB").save(path, quality=92)
        found.append(Photo(path.name, path, _LICENCES.get(path.stem, ""), "inside scikit-image"))
    return found
