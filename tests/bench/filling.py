"""Lists of any size for benchmarks: random signals, written through the engine as a server would write them."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from hashpact.signals import SIGNAL_TYPES
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Basis, Status
from hashpact_server.writer import Act, Encode

BATCH_ITEMS = 2000
LABELS = ("behaviour:glorification_of_terrorist_acts",)
PERCEPTUAL = ("pdq", "pdq", "phash", "phash256")


def random_signals() -> tuple[ListedSignal, ...]:
    """2 digests and 4 perceptual signals, as one item of a real list has about 6."""
    named = [("sha256", os.urandom(32)), ("md5", os.urandom(16))]
    named += [(name, os.urandom(SIGNAL_TYPES[name].size_bytes)) for name in PERCEPTUAL]
    return tuple(ListedSignal(SIGNAL_TYPES[name].code, value, 100 if name == "pdq" else None) for name, value in named)


def video_signals(frames: int) -> tuple[ListedSignal, ...]:
    """A video: one PDQ value a frame."""
    kind = SIGNAL_TYPES["pdq"]
    return tuple(ListedSignal(kind.code, os.urandom(kind.size_bytes), 100) for _ in range(frames))


def fill(data_dir: Path, items: int, frames: int = 0) -> float:
    """Add ``items`` items to the list of a data directory that no server has open; returns items per second.

    Args:
        data_dir: the data directory.
        items: how many.
        frames: PDQ values of each, as a video has; 0 for 2 digests and 4 perceptual signals.
    """
    engine = Engine.open(data_dir, Config())
    member = next(iter(engine.published.roster.members))
    started = time.perf_counter()
    try:
        batch = max(1, BATCH_ITEMS // max(1, frames // 6))
        for begin in range(0, items, batch):
            size = min(batch, items - begin)
            engine.writer.submit(Act(lambda scene, size=size: _add(scene, member, size, frames), member))  # type: ignore[misc]
        return items / max(time.perf_counter() - started, 1e-9)
    finally:
        engine.close()


def _add(scene: Scene, member: bytes, size: int, frames: int) -> Encode:
    for _ in range(size):
        payload = ContributionPayload(
            Basis.IMPORT, 0, "", LABELS, video_signals(frames) if frames else random_signals()
        )
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
