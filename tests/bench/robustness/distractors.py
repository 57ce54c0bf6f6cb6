"""Ten thousand other listed pictures: frames of videos, disjoint regions of photographs, rendered scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image

from tests.bench.robustness.collection import Collection, Photo
from tests.bench.robustness.scenes import TEXTURE_PX, Pixels, scene

DISTRACTORS: Final = 10_000
FRAMES_PER_VIDEO_MAX: Final = 120
FRAME_GAP_S: Final = 0.5
REGION_SIDES_PX: Final = (256, 512, 1024)
UNLISTED_FIRST: Final = 1_000_000
"""Scenes from this number on are listed nowhere: they are checked."""


def distractors(collection: Collection, folder: Path, count: int = DISTRACTORS) -> list[Path]:
    """Files of ``count`` pictures, drawn once into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(int(done.stem) >= count for done in folder.glob("*.done")):
        for number, picture in zip(range(count), _pictures(collection), strict=False):
            picture.save(folder / f"{number:05}.jpg", quality=85)
        (folder / f"{count}.done").touch()
    return sorted(folder.glob("[0-9]*.jpg"))[:count]


def unlisted(collection: Collection, folder: Path, count: int) -> list[Path]:
    """Files of ``count`` pictures of the same kinds that are listed nowhere: of strangers only."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [region for photo in collection.strangers for region in regions(photo.open(), (256, 512))][: count // 2]
    textures = list(_textures(collection.strangers))
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        if not path.exists():
            drawn = Image.fromarray(scene(UNLISTED_FIRST + number, textures))
            (found[number] if number < len(found) else drawn).save(path, quality=85)
    return sorted(folder.glob("[0-9]*.jpg"))[:count]


def _pictures(collection: Collection) -> Iterator[Image.Image]:
    for path in collection.videos:
        yield from frames(path)
    for photo in collection.quarries:
        yield from regions(photo.open(), REGION_SIDES_PX)
    textures = list(_textures(collection.quarries))
    number = 0
    while True:
        yield Image.fromarray(scene(number, textures))
        number += 1


def frames(path: Path) -> Iterator[Image.Image]:
    """Frames of a video, half a second apart."""
    try:
        with av.open(str(path)) as container:
            last, kept = -FRAME_GAP_S, 0
            for frame in container.decode(video=0):
                if frame.time is None or frame.time - last < FRAME_GAP_S:
                    continue
                last, kept = frame.time, kept + 1
                yield frame.to_image()
                if kept == FRAMES_PER_VIDEO_MAX:
                    return
    except (FFmpegError, IndexError):  # a sample without a moving picture
        return


def regions(picture: Image.Image, sides: tuple[int, ...]) -> Iterator[Image.Image]:
    """Squares that tile the picture, for every side length; those with next to nothing in them are left out."""
    for side in sides:
        for top in range(0, picture.height - side + 1, side):
            for left in range(0, picture.width - side + 1, side):
                region = picture.crop((left, top, left + side, top + side))
                if np.asarray(region.convert("L").resize((32, 32))).std() > 12:
                    yield region if side <= 512 else region.resize((512, 512))


def _textures(photos: Sequence[Photo]) -> Iterator[Pixels]:
    """Patches of these photographs: what scenes are made of."""
    for photo in photos:
        picture = photo.open()
        picture.thumbnail((1600, 1600))
        for region in regions(picture, (TEXTURE_PX,)):
            yield np.asarray(region)
