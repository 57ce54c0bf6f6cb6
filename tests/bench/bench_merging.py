"""What a merge costs: the longest pause of a look-up beside it, and the most memory.

``python -m tests.bench.bench_merging SIGNALS`` measures in a process of its own and prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from hashpact_server.index import MultiIndex, warm

from tests.bench.calls import spread_ms
from tests.bench.values import random_values, signal_ids

ADDED_SHARE: Final = 8
"""One eighth as many signals are added before everything is merged into one segment."""
ADDED_AT_ONCE: Final = 1000
SAMPLE_S: Final = 0.01


def merged(signals: int) -> dict[str, Any]:
    """Measure in a child process, so that its memory is its own."""
    command = [sys.executable, "-m", "tests.bench.bench_merging", str(signals)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


class _Watch(threading.Thread):
    """The resident memory of this process, sampled until told to stop; file maps included."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.peak = resident_bytes()

    def run(self) -> None:
        while not self.stopping.wait(SAMPLE_S):
            self.peak = max(self.peak, resident_bytes())


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


class _Searcher(threading.Thread):
    """Searches one by one without pause, until told to stop."""

    def __init__(self, index: MultiIndex) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self._index = index
        self._spent: list[float] = []

    def run(self) -> None:
        queries = random_values(np.random.default_rng(2), 1000, 256)
        turn = 0
        while not turn or not self.stopping.is_set():
            began = time.perf_counter()
            self._index.range_search(queries[turn % 1000 : turn % 1000 + 1], 31)
            self._spent.append(time.perf_counter() - began)
            turn += 1

    def figures(self) -> dict[str, float]:
        """Latencies, once stopped."""
        return spread_ms([self._spent]) | {"searches": float(len(self._spent))}


T = TypeVar("T", _Searcher, _Watch)


def _beside(thread: T, work: Callable[[], object]) -> T:
    """Do something while the thread runs."""
    thread.start()
    work()
    thread.stopping.set()
    thread.join()
    return thread


def measure(signals: int) -> dict[str, Any]:
    """Build, search without pause, add, merge everything; what searches and memory saw of it."""
    warm()
    rng = np.random.default_rng(20260101)
    ids = signal_ids(signals + signals // ADDED_SHARE)[signals:].copy()
    values = random_values(rng, len(ids), 256)
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        before = resident_bytes()
        index = MultiIndex(256, Path(folder))
        index.add(signal_ids(signals), random_values(rng, signals, 256))

        def add() -> None:
            for begin in range(0, len(ids), ADDED_AT_ONCE):
                index.add(ids[begin : begin + ADDED_AT_ONCE], values[begin : begin + ADDED_AT_ONCE])
            index.wait()

        adding = _beside(_Searcher(index), add).figures()
        held = resident_bytes() - before
        watch = _Watch()
        began = time.perf_counter()
        merging = _beside(_Searcher(index), lambda: _beside(watch, index.merge_all)).figures()
        seconds = time.perf_counter() - began
        count = len(index)
        index.close()
    return {
        "signals": count,
        "merge_all_s": seconds,
        "resident_bytes_per_signal": held / count,
        "peak_bytes_per_signal": (watch.peak - before) / count,
        "peak_of_resident": (watch.peak - before) / held,
        "searches_while_adding": adding,
        "searches_while_merging": merging,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(float(sys.argv[1]))), indent=1))
