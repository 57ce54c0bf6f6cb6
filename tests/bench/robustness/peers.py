"""The peers on the same files: PDQ by its most used binding, pHash, and the ``perception`` package.

Each says how near an edited copy is to every listed photograph. A peer's threshold is the published one where there is
one (PDQ 31); else the largest at which no two different listed photographs agree: the best that it could be set to
on this very data.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import imagehash
import numpy as np
from hashpact.hashing import hash_image
from numpy.typing import NDArray
from PIL import Image

from tests.bench.robustness.collection import Collection
from tests.bench.robustness.edits import EDITS
from tests.bench.robustness.material import File

Bits = NDArray[np.bool_]
PDQ_RADIUS: Final = 31


@dataclass(frozen=True)
class Peer:
    """Something that hashes a file to bits; ``radius``: the published one, or None."""

    name: str
    title: str
    bits: Callable[[bytes], Bits]
    radius: int | None


def peers() -> list[Peer]:
    """Those that are installed."""
    found = [
        Peer("pdq", "PDQ <= 31", _our_pdq, PDQ_RADIUS),
        Peer("phash", "pHash (imagehash)", _phash, None),
    ]
    if importlib.util.find_spec("pdqhash"):
        found.insert(1, Peer("pdqhash", "PDQ <= 31 (pdqhash)", _binding, PDQ_RADIUS))
    if importlib.util.find_spec("perception"):
        found += [
            Peer("perception_phash", "perception PHash", _perception("PHash"), None),
            Peer("perception_blockmean", "perception BlockMean", _perception("BlockMean"), None),
        ]
    return found


def _our_pdq(data: bytes) -> Bits:
    return np.unpackbits(np.frombuffer(hash_image(data).pdq.value, np.uint8)).astype(np.bool_)


def _rgb(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as picture:
        return picture.convert("RGB")


def _phash(data: bytes) -> Bits:
    return np.asarray(imagehash.phash(_rgb(data)).hash, np.bool_).ravel()


def _binding(data: bytes) -> Bits:
    import pdqhash  # noqa: PLC0415 - only where installed

    return np.asarray(pdqhash.compute(np.asarray(_rgb(data)))[0], np.bool_)


def _perception(name: str) -> Callable[[bytes], Bits]:
    from perception import hashers  # noqa: PLC0415 - only where installed

    hasher: Any = getattr(hashers, name)()

    def bits(data: bytes) -> Bits:
        vector = hasher.compute(np.asarray(_rgb(data)), hash_format="vector")
        values = np.asarray(vector).ravel()
        return (
            values.astype(np.bool_)
            if values.dtype == np.bool_ or values.max() <= 1
            else np.unpackbits(values.astype(np.uint8)).astype(np.bool_)
        )

    return bits


@dataclass(frozen=True)
class Hashed:
    """Bits of many files by one peer, and the median seconds of processor time for one."""

    bits: Bits
    seconds: float


def hashed(peer: Peer, files: Sequence[Path], cache: Path) -> Hashed:
    """Hash them, or read what an earlier run kept: peers do not change between two runs of ours."""
    path = cache / f"{peer.name}.npz"
    if path.exists():
        with np.load(path) as kept:
            if list(kept["files"]) == [str(each) for each in files]:
                return Hashed(kept["bits"], float(kept["seconds"]))
    bits, seconds = [], []
    for file in files:
        data = file.read_bytes()
        begun = time.thread_time()
        bits.append(peer.bits(data))
        seconds.append(time.thread_time() - begun)
    cache.mkdir(parents=True, exist_ok=True)
    result = Hashed(np.array(bits), float(np.median(seconds)))
    np.savez(path, bits=result.bits, seconds=result.seconds, files=[str(each) for each in files])
    return result


def distances(left: Bits, right: Bits) -> NDArray[np.int32]:
    """int32[n, m] of Hamming distances."""
    a, b = left.astype(np.int32), right.astype(np.int32)
    result: NDArray[np.int32] = a @ (1 - b.T) + (1 - a) @ b.T
    return result


def safe_radius(listed: Bits) -> int:
    """The largest radius at which no two of these agree."""
    apart = distances(listed, listed)[np.triu_indices(len(listed), 1)]
    return int(apart.min()) - 1 if len(apart) else 0


def beside(collection: Collection, copies: Sequence[File], cache: Path) -> dict[str, Any]:
    """What each peer finds of the same copies, and what it takes for the same that is not."""
    listed = [photo.path for photo in collection.listed]
    numbers = {photo.name: number for number, photo in enumerate(collection.listed)}
    own = np.array([numbers[file.name] for file in copies])
    rows = {edit.name: edit.row for edit in EDITS}
    found: dict[str, Any] = {}
    for peer in peers():
        known = hashed(peer, listed, cache / "listed").bits
        probes = hashed(peer, [file.path for file in copies], cache / "copies")
        radius = peer.radius if peer.radius is not None else safe_radius(known)
        near = distances(probes.bits, known) <= radius
        hit = near[np.arange(len(own)), own]
        counted: dict[str, list[int]] = {}
        for file, each in zip(copies, hit.tolist(), strict=True):
            tried = counted.setdefault(rows[file.kind], [0, 0])
            tried[0] += 1
            tried[1] += each
        found[peer.name] = {
            "title": peer.title,
            "radius": radius,
            "ms": round(1e3 * probes.seconds, 1),
            "rows": {row: {"tried": tried, "found": got} for row, (tried, got) in counted.items()},
            "false_pairs": int(near.sum() - hit.sum()),
            "pairs": int(near.size - len(own)),
        }
    return found
