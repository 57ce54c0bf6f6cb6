"""Values to list and to ask for: random ones, near ones, and real ones that are a little clustered."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from hashpact.hashing.pdq import pdq
from numpy.typing import NDArray
from PIL import Image

from tests.data import find_shared_data
from tests.pictures import PHOTOS, photo

Values = NDArray[np.uint8]
CROP_SIDE = 192


def random_values(rng: np.random.Generator, count: int, bits: int) -> Values:
    """uint8 [count, bits // 8], every bit even."""
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def near_values(rng: np.random.Generator, values: Values, count: int, flips: int) -> Values:
    """Queries that hit: values at ``flips`` bits from listed ones."""
    chosen = np.unpackbits(values[rng.integers(0, len(values), count)], axis=1)
    for bits in chosen:
        bits[rng.choice(bits.shape[0], flips, replace=False)] ^= 1
    return np.packbits(chosen, axis=1)


def sharing_values(rng: np.random.Generator, count: int, of: int) -> Values:
    """256-bit values that share their words: each of the 16 words takes one of ``of`` values, uint8 [count, 32]."""
    words = rng.integers(0, 2**16, (of, 16), dtype=np.uint16)
    return np.ascontiguousarray(words[rng.integers(0, of, (count, 16)), np.arange(16)]).view(np.uint8)


def signal_ids(count: int) -> NDArray[np.uint64]:
    """Ids as the state numbers signals: they grow by 65,536."""
    return np.arange(1, count + 1, dtype=np.uint64) << np.uint64(16)


def crop_values(rng: np.random.Generator, count: int) -> Values:
    """PDQ of random crops of photographs, different from one another: uint8 [<= count, 32].

    The real photographs are taken where they are present, else the few that scikit-image ships.
    """
    pictures = _grey_pictures()
    found: set[bytes] = set()
    for number in range(count):
        picture = pictures[number % len(pictures)]
        side = int(rng.integers(CROP_SIDE, min(picture.shape) + 1)) if min(picture.shape) > CROP_SIDE else CROP_SIDE
        top, left = (int(rng.integers(0, max(1, length - side + 1))) for length in picture.shape)
        crop = picture[top : top + side, left : left + side]
        step = max(1, side // CROP_SIDE)  # small pictures hash quickly, and are pictures all the same
        found.add(pdq(np.ascontiguousarray(crop[::step, ::step])).values[0])
    return np.frombuffer(b"".join(sorted(found)), np.uint8).reshape(-1, 32)


def _grey_pictures() -> list[NDArray[np.uint8]]:
    data = find_shared_data()
    if data is None:
        pictures = [photo(name) for name in PHOTOS]
    else:
        pictures = [Image.open(BytesIO(path.read_bytes())) for path in sorted((data / "photos").glob("*.jpg"))]
    return [np.asarray(picture.convert("L"), np.uint8) for picture in pictures]
