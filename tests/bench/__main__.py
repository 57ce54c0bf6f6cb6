"""``make bench``: measure everything in one run, keep the figures, and show them.

Writes ``docs/benchmarks/`` (figures, tables, plots) and the table in the README. ``ARGS=--quick`` measures for
seconds instead of minutes, with short lists, prints, and writes nothing. ``ARGS=--again`` renders the figures that
are there, without measuring.
"""

from __future__ import annotations

import json
import sys
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


def measure_service(scale: Scale) -> dict[str, Any]:
    """One list that grows: empty, a real forum's size, ten million PDQ values."""
    figures: dict[str, Any] = {"filling": {}, "lookups": {}, "contributions": {}}
    with prepared() as place:
        _look_and_contribute(place, "0", scale, figures)
    with prepared() as place:
        say("filling a list")
        figures["filling"]["bulk"] = filled(place.data, scale.bulk_items)
        filled(place.data, scale.items - scale.bulk_items)
        _look_and_contribute(place, str(scale.items), scale, figures)
        say("the feed")
        with serving(place) as running:
            figures["feed"] = {
                "catching_up": bench_feed.measure_catching_up(running),
                **bench_feed.measure_beginning_and_lag(running),
            }
        say("one server, and two")
        figures["followers"] = bench_followers.measure(place, scale.seconds)
        say("filling a large list")
        videos = (scale.large_signals - PDQ_PER_ITEM * scale.items) // VIDEO_FRAMES
        figures["filling"]["videos"] = filled(place.data, videos, VIDEO_FRAMES)
        figures["building"] = built(place.data)
        say("a large list that lives")
        with serving(place) as running:
            figures["life"] = {
                "start_s": running.start_s,
                "updates": bench_life.measure_updates(running, 3 * scale.seconds),
                "merging": bench_life.measure_merging(running, 3 * scale.seconds),
            }
        figures["life"]["restarts"] = bench_life.measure_restarts(place)
    return figures


def _look_and_contribute(place: Prepared, name: str, scale: Scale, figures: dict[str, Any]) -> None:
    with serving(place) as running:
        say(f"look-ups, {name} items listed")
        figures["lookups"][name] = {
            "unary": bench_lookups.measure_unary(running, scale.seconds),
            "batch": bench_lookups.measure_batches(running, scale.batch_seconds),
            "start_s": running.start_s,
        }
        say(f"contributions, {name} items listed")
        figures["contributions"][name] = bench_contributions.measure(running, scale.seconds)


def measure(scale: Scale) -> dict[str, Any]:
    """Everything."""
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "physical": physical.measure(np.random.default_rng(20260101)),
    }
    say("hashing")
    results["hashing"] = bench_hashing.run(rounds=scale.hashing_rounds)
    results |= measure_service(scale)
    say("the index")
    results["index"] = bench_index.run(scale.sizes, crops=scale.crops)
    say("merging")
    results["merging"] = bench_merging.merged(scale.large_signals)
    return results


def main(arguments: list[str]) -> None:
    """Measure and report."""
    if "--again" in arguments:
        report.write(json.loads(report.RESULTS.read_text(encoding="utf-8")))
        return
    results = measure(QUICK if "--quick" in arguments else FULL)
    print(report.page(results))
    if "--quick" not in arguments:
        report.RESULTS.parent.mkdir(exist_ok=True)
        report.RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        report.write(results)


if __name__ == "__main__":
    main(sys.argv[1:])
