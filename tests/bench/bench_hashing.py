"""Pictures hashed per second on one core, beside the reference binding and `threatexchange`.

``python -m tests.bench.bench_hashing`` prints JSON. The peers (dependency group ``bench``) hash the same
files in the same run, turn by turn, so that a busy machine slows all of them; what is not installed is
left out. Without the real photographs, enlarged ones of scikit-image take their place.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from io import BytesIO
from statistics import median
from typing import Any

import numpy as np
from hashpact.hashing import hash_image
from hashpact.hashing.decode import decode
from hashpact.hashing.limits import DEFAULT_LIMITS
from hashpact.hashing.luma import to_luma
from hashpact.hashing.pdq import pdq
from PIL import Image

from tests.bench.pinned import one_core
from tests.data import find_shared_data
from tests.pictures import PHOTOS, encoded, photo

Hasher = Callable[[bytes], object]


def run(rounds: int = 2, large_max: int = 12, small_max: int = 24) -> dict[str, Any]:
    """Measure.

    Args:
        rounds: how often every file is hashed by everyone; the best time of each counts.
        large_max: how many 9 to 24 megapixel photographs.
        small_max: how many photographs of about one megapixel.

    Returns:
        ``{"large_jpeg": figures, "small_jpeg": figures}``; figures: files, megapixels (median), and
        for each hasher images per second, and how many times faster than each peer ours is.
    """
    with one_core():
        return {
            "large_jpeg": _measure(_large_files()[:large_max], rounds),
            "small_jpeg": _measure(small_files()[:small_max], rounds),
        }


def hashers() -> dict[str, Hasher]:
    """Ours, and the peers that are installed."""
    found: dict[str, Hasher] = {"hashpact_all_signals": hash_image, "hashpact_pdq_only": _our_pdq}
    if importlib.util.find_spec("threatexchange"):
        from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes  # noqa: PLC0415 - only where installed

        found["threatexchange"] = pdq_from_bytes
    if importlib.util.find_spec("pdqhash"):
        found["pdqhash"] = _binding
    return found


def _measure(files: list[bytes], rounds: int) -> dict[str, Any]:
    everyone = hashers()
    best = {name: [float("inf")] * len(files) for name in everyone}
    for name in everyone:  # first use: imports, tables
        everyone[name](files[0])
    for _ in range(rounds):
        for number, data in enumerate(files):
            for name, hasher in everyone.items():
                start = time.perf_counter()
                hasher(data)
                best[name][number] = min(best[name][number], time.perf_counter() - start)
    rates = {name: len(files) / sum(times) for name, times in best.items()}
    result: dict[str, Any] = {"files": len(files), "megapixels_median": round(median(map(_megapixels, files)), 1)}
    result["images_per_s"] = {name: round(rate, 2) for name, rate in rates.items()}
    for peer in rates.keys() - {"hashpact_all_signals", "hashpact_pdq_only"}:
        result[f"times_faster_than_{peer}"] = {
            name: round(rates[name] / rates[peer], 1) for name in ("hashpact_all_signals", "hashpact_pdq_only")
        }
    return result


def _our_pdq(data: bytes) -> object:
    return pdq(np.asarray(to_luma(decode(data, "picture", DEFAULT_LIMITS).image)))


def _binding(data: bytes) -> object:
    import pdqhash  # noqa: PLC0415 - only where installed

    with Image.open(BytesIO(data)) as picture:
        return pdqhash.compute(np.asarray(picture.convert("RGB")))


def _large_files() -> list[bytes]:
    data = find_shared_data()
    if data is not None:
        return [path.read_bytes() for path in sorted((data / "photos" / "full").glob("*.jpg"))]
    return [_enlarged(name, (4000, 3000)) for name in PHOTOS]


def small_files() -> list[bytes]:
    """Photographs of about one megapixel."""
    data = find_shared_data()
    if data is not None:
        return [path.read_bytes() for path in sorted((data / "photos").glob("*.jpg"))]
    return [_enlarged(name, (1200, 900)) for name in PHOTOS]


def _enlarged(name: str, size: tuple[int, int]) -> bytes:
    picture = photo(name).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return encoded(picture, "JPEG", quality=90)


def _megapixels(data: bytes) -> float:
    with Image.open(BytesIO(data)) as picture:
        return picture.width * picture.height / 1e6


def main() -> int:
    """Print the figures as JSON."""
    print(json.dumps(run(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
