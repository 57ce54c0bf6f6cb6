"""Calling a service from several threads: as fast as it answers, or at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any, Self

Call = Callable[[int], int]
"""One call, given its number; returns how much was done."""


def timed(call: Call, seconds: float, threads: int) -> dict[str, float]:
    """Call from several threads for a while; rate of what the calls return, and latency of a call in ms."""
    latencies: list[list[float]] = [[] for _ in range(threads)]
    totals = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        turn = number
        while (begun := time.perf_counter()) < end:
            totals[number] += call(turn)
            latencies[number].append(time.perf_counter() - begun)
            turn += threads

    started = time.perf_counter()
    run_threads([threading.Thread(target=work, args=(number,)) for number in range(threads)])
    elapsed = time.perf_counter() - started
    return {"per_s": sum(totals) / elapsed, "threads": threads, "seconds": round(elapsed, 1)} | spread_ms(latencies)


class Steady:
    """Calls at a steady rate in the background, until told to stop.

    A call's latency counts from when it was due, so that a stalled service is charged for everybody who waits.

    Args:
        call: what to call.
        per_s: calls per second, of all threads together.
        threads: how many callers share them.
    """

    def __init__(self, call: Call, per_s: float, threads: int) -> None:
        self._call = call
        self._every = threads / per_s
        self._stopping = threading.Event()
        self._latencies: list[list[float]] = [[] for _ in range(threads)]
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(threads)]
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _work(self, number: int) -> None:
        due = time.perf_counter() + self._every * number / len(self._threads)
        turn = number
        try:
            while not self._stopping.wait(max(0.0, due - time.perf_counter())):
                self._call(turn)
                self._latencies[number].append(time.perf_counter() - due)
                due += self._every
                turn += len(self._threads)
        except Exception as error:  # noqa: BLE001 -- raised again by the thread that waits for this one
            self._errors.append(error)

    def figures(self) -> dict[str, float]:
        """Rate and latencies, once it has stopped."""
        calls = sum(map(len, self._latencies))
        return {"per_s": calls / (time.perf_counter() - self._began), "calls": calls} | spread_ms(self._latencies)


def run_threads(threads: list[threading.Thread]) -> None:
    """Start all, and wait for all."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spread_ms(latencies_s: list[list[float]]) -> dict[str, float]:
    """Median, 99th percentile and worst, in milliseconds."""
    together = sorted(value for each in latencies_s for value in each)
    cuts = quantiles(together, n=100) if len(together) > 1 else [together[0]] * 99
    return {"p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000, "worst_ms": together[-1] * 1000}


def figures_of(spent_s: list[float]) -> dict[str, Any]:
    """The same for durations of one thread, with their number."""
    return {"count": len(spent_s)} | spread_ms([spent_s])
