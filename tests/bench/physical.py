"""What this machine's memory can do, and how near a look-up comes to it.

A look-up that misses is bound by memory: it touches a few thousand cache lines that it has not seen before. The least
time for that is the number of lines, over the lines that one core fetches per second when it asks for many at once.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
from hashpact_server.index.compiling import part
from hashpact_server.index.pigeonring import BUCKETS, buckets_read, thresholds
from numpy.typing import NDArray

LINE_BYTES: Final = 64
TABLE_BYTES: Final = 1 << 30
STEPS: Final = 2_000_000
REPEATS: Final = 3


@part
def _chase(table: NDArray[np.int64], steps: int) -> int:
    """Each place names the next: one cache miss after the other."""
    at = 0
    for _ in range(steps):
        at = table[at * 8]
    return at


@part
def _gather(table: NDArray[np.int64], places: NDArray[np.int64]) -> int:
    """Places known beforehand: the core has many misses under way."""
    total = 0
    for place in places:
        total += table[place * 8]
    return total


@part
def _sum(table: NDArray[np.int64]) -> int:
    total = 0
    for value in table:
        total += value
    return total


def measure(rng: np.random.Generator) -> dict[str, float]:
    """Bandwidth in GB/s; nanoseconds per cache line, one after the other and many at once; of one core."""
    lines = TABLE_BYTES // LINE_BYTES
    table = np.zeros(lines * 8, np.int64)
    order = rng.permutation(lines)
    table[order * 8] = np.roll(order, -1)
    places = rng.integers(0, lines, STEPS)
    chase = _best_s(lambda: _chase(table, STEPS))
    gather = _best_s(lambda: _gather(table, places))
    stream = _best_s(lambda: _sum(table))
    return {
        "bandwidth_gb_per_s": TABLE_BYTES / stream / 1e9,
        "line_after_line_ns": chase / STEPS * 1e9,
        "lines_at_once_ns": gather / STEPS * 1e9,
    }


def _best_s(work: Any) -> float:
    work()  # compiles, and warms
    spent = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


def lines_per_lookup(signals: int, bits: int, radius: int) -> dict[str, float]:
    """Cache lines that a look-up in one segment touches, on average, for random values.

    Per bucket its begin and end (nearly always one line) and its next words (2 bytes an entry).
    """

    buckets = buckets_read(bits, radius)
    entries = signals / BUCKETS
    entry_bytes = 2 * entries
    per_bucket = 1 + (1 + max(0.0, entry_bytes - 2) / LINE_BYTES if entries >= 1 else entries)
    return {
        "words": float((thresholds(bits, radius) >= 0).sum()),
        "buckets": float(buckets),
        "lines": buckets * per_bucket,
        "bytes": buckets * (8 + entry_bytes),
    }


def bound_us(memory: dict[str, float], signals: int, radius: int = 31) -> float:
    """The least microseconds for these lines on this machine, were nothing in a cache."""
    return lines_per_lookup(signals, 256, radius)["lines"] * memory["lines_at_once_ns"] / 1000
