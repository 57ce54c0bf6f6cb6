"""Lists of any size for benchmarks: random signals, written through the engine as a server would write them."""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from pathlib import Path

from hashpact.signals import SIGNAL_TYPES
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.index import MultiIndex
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Basis, Status
from hashpact_server.writer import Act, Encode

BATCH_ITEMS = 32_768
LABELS = ("behaviour:glorification_of_terrorist_acts",)
PERCEPTUAL = ("pdq", "pdq", "phash", "phash256")


Signals = tuple[ListedSignal, ...]


def random_items(size: int) -> list[Signals]:
    """2 digests and 4 perceptual signals each, as an item of a real list has about 6."""
    columns = [_column(name, size) for name in ("sha256", "md5", *PERCEPTUAL)]
    return list(zip(*columns, strict=True))


def random_videos(size: int, frames: int) -> list[Signals]:
    """Videos: one PDQ value a frame."""
    signals = _column("pdq", size * frames)
    return [tuple(signals[at : at + frames]) for at in range(0, size * frames, frames)]


def _column(name: str, size: int) -> list[ListedSignal]:
    kind = SIGNAL_TYPES[name]
    quality, length, values = 100 if name == "pdq" else None, kind.size_bytes, os.urandom(size * kind.size_bytes)
    return [ListedSignal(kind.code, values[at : at + length], quality) for at in range(0, size * length, length)]


def fill(data_dir: Path, items: int, frames: int = 0) -> float:
    """Add ``items`` items to the list of a data directory that no server has open; returns items per second.

    An import reads its values from a file: making random ones is left out of the time. Everything else is in it.

    Args:
        data_dir: the data directory.
        items: how many.
        frames: PDQ values of each, as a video has; 0 for 2 digests and 4 perceptual signals.
    """
    engine = Engine.open(data_dir, Config())
    member = next(iter(engine.published.roster.members))
    seconds = 0.0
    try:
        batch = max(1, BATCH_ITEMS // max(1, frames // 6))
        for begin in range(0, items, batch):
            size = min(batch, items - begin)
            made = random_videos(size, frames) if frames else random_items(size)
            started = time.perf_counter()
            engine.writer.submit(Act(partial(_add, member=member, items=made), member))
            seconds += time.perf_counter() - started
        # Closing would break a merge off, and the next server would do it beside what is measured there.
        for index in engine.matcher._indexes._by_code.values():
            if isinstance(index, MultiIndex):
                index.wait()
        return items / max(seconds, 1e-9)
    finally:
        engine.close()


def _add(scene: Scene, *, member: bytes, items: list[Signals]) -> Encode:
    for signals in items:
        payload = ContributionPayload(Basis.IMPORT, 0, "", LABELS, signals)
        scene.record(
            Draft(
                Kind.ITEM_CREATED,
                member,
                classes=LABELS,
                clear=bytes([Status.INHERITED]),
                payload=payload.encode(),
            )
        )
    return lambda as_of: as_of.encode()


def digest_of(number: int) -> bytes:
    """A digest that no list of :func:`fill` has."""
    return hashlib.sha256(b"bench" + number.to_bytes(8, "big")).digest()
