"""The files of a run: drawn once into a folder, the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.robustness.collection import Collection, Photo
from tests.bench.robustness.edits import EDITS, Edit
from tests.bench.robustness.structured import SCREENS, TEMPLATES
from tests.pictures import encoded


@dataclass(frozen=True)
class File:
    """One picture of the run.

    Attributes:
        name: of the picture that it is, or is a copy of.
        kind: the edit, or the class of picture.
        path: where it is.
    """

    name: str
    kind: str
    path: Path


def edited(photos: Sequence[Photo], collection: Collection, folder: Path, edits: Sequence[Edit] = EDITS) -> list[File]:
    """Every edit of every photograph (of a part of them, where the edit's share says so)."""
    others = [photo.open() for photo in collection.strangers]
    files = [
        File(photo.name, edit.name, folder / f"{zlib.crc32(edit.name.encode()):08x}" / photo.name)
        for edit in edits
        for photo in _share(photos, edit.share)
    ]
    by_name, kinds = {photo.name: photo for photo in photos}, {edit.name: edit for edit in edits}
    for file in sorted(files, key=lambda each: each.name):  # one photograph after the other: each is decoded once
        if not file.path.exists():
            photo = by_name[file.name]
            mine = [other for other, stranger in zip(others, collection.strangers, strict=True) if stranger != photo]
            _write(file.path, kinds[file.kind].copy(photo.name, photo.open(), mine))
    return files


def _share(photos: Sequence[Photo], share: float) -> list[Photo]:
    """Every second or third of them, so that all kinds of photographs are among those taken."""
    count = max(1, round(len(photos) * share))
    return [photos[number * len(photos) // count] for number in range(count)]


def templates(folder: Path, count: int, first: int) -> list[File]:
    """``count`` of each kind that is drawn without a photograph, from number ``first`` on."""
    return [
        _drawn(folder, kind, number, draw) for kind, draw in TEMPLATES.items() for number in range(first, first + count)
    ]


def screens(photos: Sequence[Photo], folder: Path, count: int, first: int) -> list[File]:
    """``count`` of each kind that is drawn around a photograph."""
    pictures = [photo.open() for photo in photos]

    def draw(kind: str) -> Callable[[np.random.Generator], Image.Image]:
        def around(rng: np.random.Generator) -> Image.Image:
            shown, other = (pictures[int(each)] for each in rng.integers(len(pictures), size=2))
            return SCREENS[kind](shown, rng, other)

        return around

    return [_drawn(folder, kind, number, draw(kind)) for kind in SCREENS for number in range(first, first + count)]


def _drawn(folder: Path, kind: str, number: int, draw: Callable[[np.random.Generator], Image.Image]) -> File:
    name = f"{kind} {number}"
    path = folder / f"{name.replace(' ', '-')}.jpg"
    if not path.exists():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        _write(path, encoded(draw(rng), "JPEG", quality=88))
    return File(name, kind, path)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
