"""What the index of local points costs, and what its table loses, at the size of a real list: docs/signatures.md.

    python -m tests.bench.local_points [PICTURES]

Listed are the local signatures of photographs, of random parts of them, and of these with 15 % of the bits of each
descriptor flipped, until there are enough: real descriptors crowd into buckets, and so do these. Asked are crops.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Final

import numpy as np
from hashpact.hashing.local import canvas, local_signature, probe_points
from hashpact.local_signature import ProbePoints
from hashpact_server import local_points
from hashpact_server.candidates import asked
from hashpact_server.index import Asked, Pictures, PointIndex
from PIL import Image

from tests.data import find_shared_data
from tests.pictures import PHOTOS, photo

REAL_PARTS: Final = 2_500
FLIPPED: Final = 0.15
CANDIDATES: Final = 8


def photographs() -> list[Image.Image]:
    """The shared photographs, or those of scikit-image."""
    root = find_shared_data()
    if root is None:
        return [photo(name).convert("L") for name in PHOTOS]
    return [Image.open(path).convert("L") for path in sorted((root / "photos").glob("*.jpg"))]


def part_of(rng: np.random.Generator, picture: Image.Image, share: float) -> Image.Image:
    """A random part, this share of each side."""
    width, height = round(picture.width * share), round(picture.height * share)
    x, y = int(rng.integers(0, picture.width - width + 1)), int(rng.integers(0, picture.height - height + 1))
    return picture.crop((x, y, x + width, y + height))


def listed(pictures: Iterable[Image.Image], first: int) -> Pictures:
    """Their points, numbered from ``first`` on; the PDQ does not matter here."""
    values = [value for each in pictures if (value := local_signature(canvas(each), bytes(32), 0)) is not None]
    ids = range(first, first + len(values))
    return local_points.pictures(ids, ids, values)


def flipped(rng: np.random.Generator, parts: Pictures, first: int) -> Pictures:
    """The same under other numbers, some bits of each descriptor flipped."""
    ids = np.arange(first, first + len(parts.ids), dtype=np.uint64)
    noise = np.packbits(rng.random((len(parts.descriptors), 256)) < FLIPPED, axis=1)
    return parts._replace(ids=ids, items=ids, descriptors=parts.descriptors ^ noise)


def main(size: int) -> None:
    """Build, ask, print."""
    rng = np.random.default_rng(1)
    photos = photographs()
    some = [each for each in photos if local_signature(canvas(each), bytes(32), 0) is not None]
    blocks = [listed(some, 1)]
    parts = listed(
        (part_of(rng, photos[n % len(photos)], rng.uniform(0.15, 0.6)) for n in range(min(REAL_PARTS, size))), 10_000
    )
    while sum(len(each.ids) for each in blocks) < size:
        blocks.append(flipped(rng, parts, 20_000 + 10_000 * len(blocks)))
    every = Pictures._make(np.concatenate(columns) for columns in zip(*blocks, strict=True))
    index = PointIndex()
    index.add(listed(some[:1], 5))  # compiles
    index.remove(index.ids())
    began = time.process_time()
    index.add(every)
    built = time.process_time() - began
    points = len(every.descriptors)
    per_picture = index.memory_bytes() / len(index)
    print(f"{len(index)} pictures, {points} points: built in {built:.1f} s, {per_picture:.0f} bytes each")
    ask(index, [(number + 1, part_of(rng, each, 0.6)) for number, each in enumerate(some)][::2])


def ask(index: PointIndex, crops: list[tuple[int, Image.Image]]) -> None:
    """How many crops are found, and what a look-up takes."""
    probes: list[tuple[int, Asked]] = []
    for signal, each in crops:
        data = probe_points(canvas(each))
        if data:
            probes.append((signal, asked(ProbePoints.decode(data))))
    index.sightings(probes[0][1], CANDIDATES)
    took: list[float] = []
    found = named = 0
    for signal, probe in probes:
        began = time.thread_time()
        sightings = index.sightings(probe, CANDIDATES)
        took.append(time.thread_time() - began)
        found += any(each.signal == signal for each in sightings)
        named += len(sightings)
    per = np.median([len(probe.descriptors) for _, probe in probes])
    half, most = np.percentile(took, [50, 95]) * 1e3
    print(f"{len(probes)} crops of 36 % of the area, {per:.0f} descriptors each (half of them mirrored):")
    print(f"{found} found, {named / len(probes):.1f} candidates, {half:.1f} ms (95 %: {most:.1f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
