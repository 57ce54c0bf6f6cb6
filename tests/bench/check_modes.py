"""What a check costs in each mode: ``python -m tests.bench.check_modes [--items N] [--write]``.

Hashing, wire, look-up, measuring and confirming, of photographs of about a megapixel against a list of items with
local signatures, on a real server inside this process. Processor time of the whole process, so that it is what one core
would need, on a busy machine too.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from hashpact import Client, hash_image
from hashpact.hashing.local import canvas, local_signature
from hashpact.hashing.pdq import pdq
from hashpact.local_signature import LocalSignature
from hashpact.modes import MODES, Mode
from hashpact.signals import SIGNAL_TYPES
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.writer import Act
from PIL import Image

from tests.bench.filling import _add
from tests.data import find_shared_data
from tests.integration.harness import Forum, ServerInside
from tests.pictures import PHOTOS, photo

OUTPUT: Final = Path(__file__).parents[2] / "docs" / "benchmarks" / "check-modes.json"
BOUNDS_MS: Final[dict[Mode, int]] = {"fast": 25, "standard": 60, "deep": 120}
PIXELS: Final = 1_050_000
BATCH: Final = 2_048
CHANGED: Final = 0.2
"""Part of the bits of real descriptors that are changed in made-up items: as crowded as real ones, and no copies."""
ROUNDS: Final = 3


def photographs(count: int) -> list[Image.Image]:
    """Of about a megapixel: the shared ones, else those of scikit-image."""
    root = find_shared_data()
    paths = sorted((root / "photos").glob("*.jpg")) if root else []
    pictures: list[Image.Image] = [Image.open(path) for path in paths[:count]]
    pictures = pictures or [photo(name) for name in PHOTOS]
    return [_sized(picture.convert("RGB")) for picture in pictures]


def _sized(picture: Image.Image) -> Image.Image:
    scale = (PIXELS / (picture.width * picture.height)) ** 0.5
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def items_like(signatures: list[LocalSignature], count: int) -> Iterator[tuple[ListedSignal, ...]]:
    """Made-up items: a random PDQ value, and a local signature as crowded with look-alikes as real ones."""
    chance = np.random.default_rng(1)
    pdq_kind, local = SIGNAL_TYPES["pdq"], SIGNAL_TYPES["local_sift"]
    for number in range(count):
        one = signatures[number % len(signatures)]
        flips = np.packbits(chance.random((len(one), 256)) < CHANGED, axis=1)
        value, quality = chance.bytes(pdq_kind.size_bytes), 100
        made = replace(one, descriptors=one.descriptors ^ flips, pdq=value, pdq_quality=quality)
        yield (
            ListedSignal(pdq_kind.code, value, quality),
            ListedSignal(local.code, made.encode(), None),
        )


def fill(data: Path, signatures: list[LocalSignature], count: int) -> None:
    """Add items to a list that no server has open."""
    engine = Engine.open(data, Config())
    try:
        member = next(iter(engine.published.roster.members))
        made = items_like(signatures, count)
        while batch := [item for item, _ in zip(made, range(BATCH), strict=False)]:
            engine.writer.submit(Act(partial(_add, member=member, items=batch), member))
    finally:
        engine.close()


def cost_ms(call: Callable[[], Any]) -> float:
    """Processor milliseconds of all threads: the least of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return min(spent) * 1000


def measure(items: int, count: int) -> dict[str, Any]:
    """Every mode: unlisted photographs, and crops of listed ones, which are measured and confirmed."""
    cv2.setNumThreads(1)
    pictures = photographs(count)
    listed, unlisted = pictures[: len(pictures) // 2], pictures[len(pictures) // 2 :]
    signatures = [each for picture in pictures if (each := _signature(picture)) is not None]
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        forum = Forum.make(Path(folder) / "data")
        fill(forum.data, signatures, items)
        with (
            ServerInside(forum) as server,
            Client(str(server.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=120) as client,
        ):
            for picture in listed:
                client.contribute(_file(picture), labels=["x"])
            for mode in MODES:
                files = {
                    "unlisted": [_file(each) for each in unlisted],
                    "crop": [_file(_crop(each)) for each in listed],
                }
                found = sum(bool(client.check(file, mode=mode).matches) for file in files["crop"])
                rows[mode] = {
                    "bound_ms": BOUNDS_MS[mode],
                    "hashing_ms": _median(partial(_hash, mode=mode), files["unlisted"]),
                    "unlisted_ms": _median(partial(client.check, mode=mode), files["unlisted"]),
                    "crop_ms": _median(partial(client.check, mode=mode), files["crop"]),
                    "crops_found": f"{found} of {len(listed)}",
                }
    return {"items": items, "photographs": len(pictures), "modes": rows}


def _hash(file: bytes, *, mode: Mode) -> object:
    return hash_image(file, dihedral=True, mode=mode)


def _median(call: Callable[[bytes], Any], files: list[bytes]) -> float:
    return round(statistics.median(cost_ms(partial(call, file)) for file in files), 1)


def _signature(picture: Image.Image) -> LocalSignature | None:
    luma = np.asarray(picture.convert("L"))
    whole = pdq(luma)
    value = local_signature(canvas(luma), whole.values[0], whole.quality)
    return None if value is None else LocalSignature.decode(value)


def _crop(picture: Image.Image) -> Image.Image:
    return _sized(picture.crop((picture.width // 5, picture.height // 5, picture.width, picture.height)))


def _file(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def table(result: dict[str, Any]) -> str:
    """As in docs/hashing.md."""
    lines = [
        "| mode | hashing | check, not listed | check of a 20 % crop | target | crops found |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{mode}` | {row['hashing_ms']:.0f} ms | {row['unlisted_ms']:.0f} ms | {row['crop_ms']:.0f} ms "
        f"| {row['bound_ms']} ms | {row['crops_found']} |"
        for mode, row in result["modes"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, show, and with ``--write`` keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--photographs", type=int, default=24)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    result = measure(options.items, options.photographs)
    sys.stdout.write(f"{options.items:,} listed items\n\n{table(result)}\n")
    if options.write:
        OUTPUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
