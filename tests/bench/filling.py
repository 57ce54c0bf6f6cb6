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


def fill(data_dir: Path, items: int) -> float:
    """Add ``items`` items to the list of a data directory that no server has open; returns items per second."""
    engine = Engine.open(data_dir, Config())
    member = next(iter(engine.published.roster.members))
    started = time.perf_counter()
    try:
        for begin in range(0, items, BATCH_ITEMS):
            size = min(BATCH_ITEMS, items - begin)
            engine.writer.submit(Act(lambda scene, size=size: _add(scene, member, size), member))  # type: ignore[misc]
        return items / max(time.perf_counter() - started, 1e-9)
    finally:
        engine.close()


def _add(scene: Scene, member: bytes, size: int) -> Encode:
    for _ in range(size):
        payload = ContributionPayload(Basis.IMPORT, 0, "", LABELS, random_signals())
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
