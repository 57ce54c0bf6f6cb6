"""Contributions through a real client: durable before they are acknowledged."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from hashpact import Contribution, Signal

from tests.bench.calls import timed
from tests.bench.filling import LABELS, PERCEPTUAL
from tests.bench.running import Running

BATCH_CONTRIBUTIONS: Final = 500
READY_BATCHES: Final = 160


def contribution() -> Contribution:
    """2 digests and 4 perceptual signals, all of them new."""
    named = [("sha256", 32), ("md5", 16), *((name, 8 if name == "phash" else 32) for name in PERCEPTUAL)]
    signals = [Signal(name, os.urandom(size), 100 if name == "pdq" else None) for name, size in named]
    return Contribution(signals, LABELS)


def measure(running: Running, seconds: float) -> dict[str, Any]:
    """In batches and one by one, for as long as is said each."""
    batches = [[contribution() for _ in range(BATCH_CONTRIBUTIONS)] for _ in range(READY_BATCHES)]
    lock = threading.Lock()

    with running.contributing() as client:

        def batch(_turn: int) -> int:
            with lock:
                wanted = batches.pop() if batches else [contribution() for _ in range(BATCH_CONTRIBUTIONS)]
            outcomes = client.contribute_many(wanted)
            if any(outcome.outcome != "created" for outcome in outcomes):
                raise AssertionError("a fresh contribution was not created")
            return len(wanted)

        def single(_turn: int) -> int:
            client.contribute_many([contribution()])
            return 1

        single(0)
        return {
            "batch_2": timed(batch, seconds, 2),
            "single_1": timed(single, seconds, 1),
            "single_8": timed(single, seconds, 8),
        }
