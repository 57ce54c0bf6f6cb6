"""Small pictures of hits and misses for ``docs/robustness/``: what was listed beside what was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from tests.bench.robustness import counting, material, report
from tests.bench.robustness.collection import Collection, collect
from tests.bench.robustness.drawing import fit
from tests.bench.robustness.edits import EDITS, HARMLESS, TURNS
from tests.bench.robustness.listing import new_listing
from tests.bench.robustness.measuring import QUICK, Run

FOLDER: Final = report.PAGE.parent / "robustness"
HEIGHT_PX, WIDTH_PX, GAP_PX = 200, 280, 8
BYTES_MAX: Final = 40_000
SHOWN: Final = 24


def write(work: Path) -> list[dict[str, str]]:
    """Check and draw them anew: misses, since they say most, then hits of hard edits.

    Of photographs that anybody has who has scikit-image, on a list of their own: those that are measured with stay
    where they are.

    Returns:
        What was checked, and how sure the match was.
    """
    collection = collect(work, shared=False)
    with new_listing() as listing:
        run = Run(QUICK, work, collection, listing)
        run.fill()
        answers = run.answers(material.edited(collection.listed, collection, work / "edits"))
    examples = counting.examples(answers, collection)
    _draw(examples, collection, work)
    return examples


def _draw(examples: Sequence[Mapping[str, str]], collection: Collection, work: Path) -> None:
    photos = {photo.name: photo for photo in collection.listed}
    edits = {edit.name: edit for edit in EDITS}
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    sources: dict[str, list[str]] = {}
    hard = [each for each in examples if edits[each["edit"]].row not in {HARMLESS, TURNS}]
    for example in sorted(hard, key=lambda example: example["level"] != "none")[:SHOWN]:
        photo, edit = photos[example["photo"]], edits[example["edit"]]
        file = next(each for each in material.edited([photo], collection, work / "edits", [edit]))
        pair = beside(photo.open(), Image.open(file.path).convert("RGB"))
        save(pair, FOLDER / report.name(example))
        sources[report.name(example)] = [
            f"{each.origin}, {each.licence}" for each in counting.shown(edit, photo.name, collection)
        ]
    (FOLDER / "sources.json").write_text(json.dumps(sources, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def beside(listed: Image.Image, checked: Image.Image) -> Image.Image:
    """Two pictures in one, small."""
    left, right = fit(listed, WIDTH_PX, HEIGHT_PX), fit(checked, WIDTH_PX, HEIGHT_PX)
    both = Image.new("RGB", (left.width + GAP_PX + right.width, HEIGHT_PX), "white")
    both.paste(left, (0, (HEIGHT_PX - left.height) // 2))
    both.paste(right, (left.width + GAP_PX, (HEIGHT_PX - right.height) // 2))
    return both


def save(picture: Image.Image, path: Path) -> None:
    """As a JPEG of no more than ``BYTES_MAX``."""
    for quality in (80, 65, 50, 35):
        picture.save(path, quality=quality)
        if path.stat().st_size <= BYTES_MAX:
            return
