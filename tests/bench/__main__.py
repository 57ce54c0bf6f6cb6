"""``make bench``: measure everything in one run, keep the figures, and show them.

Writes ``docs/benchmarks/`` (figures, tables, plots) and the table in the README. ``ARGS=--quick`` measures for
seconds instead of minutes, with short lists, prints, and writes nothing. ``ARGS=--again`` renders the figures that
are there, without measuring.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.bench import (
    bench_contributions,
    bench_feed,
    bench_followers,
    bench_hashing,
    bench_index,
    bench_life,
    bench_lookups,
    bench_merging,
    bench_sidecar,
    machine,
    physical,
    report,
)
from tests.bench.bench_filling import filled
from tests.bench.building import built
from tests.bench.running import Prepared, prepared, serving
from tests.bench.targets import LARGE_SIGNALS, LIST_ITEMS


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    sizes: tuple[int, ...]
    crops: int
    items: int
    bulk_items: int
    large_signals: int
    seconds: float
    batch_seconds: float
    hashing_rounds: int


FULL: Final = Scale(bench_index.SIZES, bench_index.CROPS, LIST_ITEMS, 1_000_000, LARGE_SIGNALS, 10.0, 60.0, 2)
QUICK: Final = Scale((10_000,), 500, 12_000, 10_000, 50_000, 2.0, 2.0, 1)
VIDEO_FRAMES: Final = 100
PDQ_PER_ITEM: Final = 2


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def part(results: dict[str, Any], name: str, work: Callable[[], Any]) -> None:
    """Measure one part; one that fails is told and left out, so that half an hour is not lost with it."""
    say(name)
    try:
        results[name] = work()
    except Exception:  # noqa: BLE001 -- told below; the page says what was not measured
        traceback.print_exc()


def measure_service(scale: Scale, results: dict[str, Any]) -> None:
    """One list that grows: empty, a real forum's size, ten million PDQ values."""
    lookups: dict[str, Any] = {}
    contributions: dict[str, Any] = {}
    filling: dict[str, Any] = {}
    results |= {"lookups": lookups, "contributions": contributions, "filling": filling}
    with prepared() as place:
        _look_and_contribute(place, "0", scale, lookups, contributions)
        part(results, "sidecar", lambda: bench_sidecar.measure(place, scale.seconds))
    with prepared() as place:
        part(filling, "bulk", lambda: filled(place.data, scale.bulk_items))
        filled(place.data, scale.items - scale.bulk_items)
        _look_and_contribute(place, str(scale.items), scale, lookups, contributions)
        part(results, "feed", lambda: bench_feed.measure(place))
        part(results, "followers", lambda: bench_followers.measure(place, scale.seconds))
        videos = (scale.large_signals - PDQ_PER_ITEM * scale.items) // VIDEO_FRAMES
        part(filling, "videos", lambda: filled(place.data, videos, VIDEO_FRAMES))
        part(results, "building", lambda: built(place.data))
        part(results, "life", lambda: bench_life.measure(place, 3 * scale.seconds))


def _look_and_contribute(
    place: Prepared, name: str, scale: Scale, lookups: dict[str, Any], contributions: dict[str, Any]
) -> None:
    say(f"{name} items listed: look-ups and contributions")
    with serving(place) as running:
        part(
            lookups,
            name,
            lambda: {
                "unary": bench_lookups.measure_unary(running, scale.seconds),
                "batch": bench_lookups.measure_batches(running, scale.batch_seconds),
                "start_s": running.start_s,
            },
        )
        part(contributions, name, lambda: bench_contributions.measure(running, scale.seconds))


def measure(scale: Scale) -> dict[str, Any]:
    """Everything."""
    results: dict[str, Any] = {"machine": machine.describe()}
    part(results, "physical", lambda: physical.measure(np.random.default_rng(20260101)))
    part(results, "hashing", lambda: bench_hashing.run(rounds=scale.hashing_rounds))
    measure_service(scale, results)
    part(results, "index", lambda: bench_index.run(scale.sizes, crops=scale.crops))
    part(results, "merging", lambda: bench_merging.merged(scale.large_signals))
    return results


def main(arguments: list[str]) -> None:
    """Measure and report."""
    if "--again" in arguments:
        report.write(json.loads(report.RESULTS.read_text(encoding="utf-8")))
        return
    results = measure(QUICK if "--quick" in arguments else FULL)
    if "--quick" in arguments:
        print(report.page(results))
    else:
        report.RESULTS.parent.mkdir(exist_ok=True)
        text = json.dumps(results, indent=1, sort_keys=True)
        report.RESULTS.write_text(text + "\n", encoding="utf-8")
        report.write(json.loads(text))  # as whoever renders it again will


if __name__ == "__main__":
    main(sys.argv[1:])
