"""Hashing what is listed on all cores, kept for the next run: ten thousand pictures take minutes, and rarely change."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import hashpact.hashing
import PIL
from hashpact import Signal, hash_image

Signals = tuple[Signal, ...]
POOL_MIN: Final = 100


def listed_signals(paths: Sequence[Path], work: Path) -> list[Signals]:
    """What a member would list of each picture, in order; kept in ``work`` for the same code and files."""
    kept = work / f"hashed-{_key(paths)}.pickle"
    if kept.exists():
        found: list[Signals] = pickle.loads(kept.read_bytes())
        return found
    if len(paths) < POOL_MIN:
        return [_hashed(path) for path in paths]
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(_hashed, paths, chunksize=64))
    kept.write_bytes(pickle.dumps(found))
    return found


def _hashed(path: Path) -> Signals:
    return tuple(hash_image(path, listing=True))


def _key(paths: Sequence[Path]) -> str:
    """Of the code that hashes, of the libraries below it, and of the names of the files."""
    digest = hashlib.sha256("\n".join([cv2.__version__, PIL.__version__, *map(str, paths)]).encode())
    for source in sorted(Path(hashpact.hashing.__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
