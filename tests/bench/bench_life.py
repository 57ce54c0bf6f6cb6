"""A large list that lives: additions and withdrawals under a look-up load, restarts, crashes, rebuilds."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any, Final, Self

from hashpact import Client, Probe, Signal

from tests.bench.bench_contributions import contribution
from tests.bench.bench_lookups import BATCH_PROBES, frame, probe
from tests.bench.calls import Steady, figures_of
from tests.bench.contributor import contributing
from tests.bench.filling import LABELS
from tests.bench.running import Prepared, Running, serving

STEADY_PER_S: Final = 500
STEADY_BATCHES_PER_S: Final = 20
"""20 batches of 256 frames a second: 5,120 frames/s beside 500 uploads/s."""

PACE_S: Final = 0.02
CRASH_BATCHES: Final = 20
CRASH_BATCH: Final = 250


class _Load:
    """A steady look-up load: uploads one by one, and frames in batches.

    Args:
        client: who asks.
    """

    def __init__(self, client: Client) -> None:
        probes = [probe(number) for number in range(256)]
        frames = [[frame(number) for number in range(BATCH_PROBES)] for _ in range(8)]

        def unary(turn: int) -> int:
            return len(client.lookup([probes[turn % len(probes)]]))

        def batch(turn: int) -> int:
            return len(client.lookup(frames[turn % len(frames)]))

        self.unary = Steady(unary, STEADY_PER_S, 4)
        self.batches = Steady(batch, STEADY_BATCHES_PER_S, 2)

    def __enter__(self) -> Self:
        self.unary.__enter__()
        self.batches.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.unary.__exit__(*error)
        self.batches.__exit__(*error)

    def figures(self) -> dict[str, Any]:
        """Latencies of both, once stopped."""
        return {"unary": self.unary.figures(), "batches": self.batches.figures()}


def measure(place: Prepared, seconds: float) -> dict[str, Any]:
    """All of it, over one list."""
    with serving(place) as running:
        found = {
            "start_s": running.start_s,
            "updates": measure_updates(running, seconds),
            "merging": measure_merging(running, seconds),
        }
    return found | {"restarts": measure_restarts(place)}


def measure_updates(running: Running, seconds: float) -> dict[str, Any]:
    """One addition and one withdrawal after the other; each timed from the call until a look-up shows it."""
    listing: list[float] = []
    unlisting: list[float] = []
    with running.checking() as checker, running.contributing() as contributor, _Load(checker) as load:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            value = Signal("pdq", os.urandom(32), 100)
            began = time.perf_counter()
            item = contributor.contribute([value], labels=LABELS).item
            _until(checker, value, listed=True)
            listing.append(time.perf_counter() - began)
            began = time.perf_counter()
            contributor.withdraw(item, reason="mistake")
            _until(checker, value, listed=False)
            unlisting.append(time.perf_counter() - began)
            time.sleep(PACE_S)  # the pace of the load, not a wait for anything
    return {"listed": figures_of(listing), "unlisted": figures_of(unlisting), "load": load.figures()}


def _until(checker: Client, value: Signal, *, listed: bool) -> None:
    while bool(checker.lookup([Probe.of([value])])[0].matches) is not listed:
        pass


def measure_merging(running: Running, seconds: float) -> dict[str, Any]:
    """The same load while another member's contributions make the index seal and merge."""
    before = _segments(running)
    with running.checking() as checker, contributing(running) as added, _Load(checker) as load:
        time.sleep(seconds)
    return {
        "signals_added": sum(added),
        "segments_written": _segments(running) - before,
        "load": load.figures(),
    }


def _segments(running: Running) -> int:
    """Numbers given to segment files so far, over all signal types."""
    newest: dict[str, int] = {}
    for path in (running.prepared.data / "index").glob("*/*/segment-*"):
        newest[path.parent.name] = max(newest.get(path.parent.name, 0), int(path.name.partition("-")[2]))
    return sum(newest.values())


def measure_restarts(place: Prepared) -> dict[str, float]:
    """Seconds from starting the process until it is ready: after a clean stop, a crash, and without an index."""
    with serving(place):
        pass
    with serving(place) as running:
        clean = running.start_s
        probed = _first_lookup_ms(running)
        with running.contributing() as contributor:
            for _ in range(CRASH_BATCHES):
                contributor.contribute_many([contribution() for _ in range(CRASH_BATCH)])
        running.process.kill()
        running.process.wait()
    with serving(place) as running:
        killed = running.start_s
    shutil.rmtree(place.data / "index")
    with serving(place) as running:
        rebuilt = running.start_s
    return {
        "clean_s": clean,
        "killed_s": killed,
        "killed_after_items": float(CRASH_BATCHES * CRASH_BATCH),
        "without_index_s": rebuilt,
        "first_lookup_ms": probed,
    }


def _first_lookup_ms(running: Running) -> float:
    with running.checking() as checker:
        checker.capabilities()  # the connection is not the look-up's
        began = time.perf_counter()
        checker.lookup([probe(0)])
        return (time.perf_counter() - began) * 1000
