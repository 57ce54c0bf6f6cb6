"""``make bench-check``: fails when a ratio has fallen by more than 30 % since the committed run.

Only ratios to something measured in the same minutes are compared: they survive a change of machine much better than
seconds do. A few minutes instead of half an hour: one size, fewer repetitions.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from tests.bench import bench_hashing, bench_index
from tests.bench.bench_lookups import measure_unary
from tests.bench.report import FOLDER
from tests.bench.running import prepared, serving
from tests.bench.targets import at

FALL_MAX: Final = 0.3
SIZE: Final = 1_000_000
UNARY_S: Final = 10.0

PEERS: Final = ("linear", "faiss_flat", "faiss_multi_hash")
TIMINGS: Final = (
    *(f"index.sizes.{SIZE}.radius_{radius}_{kind}" for radius in (31, 47, 63) for kind in ("miss", "hit")),
    *(f"index.short.radius_{radius}_{kind}" for radius in (8, 10) for kind in ("miss", "hit")),
)
RATIOS: Final = (
    "lookups.0.unary.unary_of_echo_1",
    "lookups.0.unary.unary_of_echo_4",
    "hashing.large_jpeg.times_faster_than_threatexchange.hashpact_pdq_only",
    "hashing.small_jpeg.times_faster_than_threatexchange.hashpact_pdq_only",
)


def measured() -> dict[str, Any]:
    """The part of a bench run that ratios are taken from."""
    with prepared() as place, serving(place) as running:
        unary = measure_unary(running, UNARY_S)
    return {
        "index": bench_index.run_size(SIZE),
        "hashing": bench_hashing.run(rounds=1),
        "lookups": {"0": {"unary": unary}},
    }


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """Every ratio that a run's results hold, by name."""
    found: dict[str, float] = {}
    for path in TIMINGS:
        timing = _at(results, path) or {}
        for peer in PEERS:
            if peer in timing:
                found[f"{path}, times {peer}"] = timing[peer]["median_us"] / timing["multi"]["median_us"]
    found |= {path: float(ratio) for path in RATIOS if (ratio := _at(results, path)) is not None}
    return found


def _at(results: dict[str, Any], path: str) -> Any:
    try:
        return at(results, path)
    except KeyError:
        return None


def fallen(before: dict[str, float], now: dict[str, float]) -> list[str]:
    """A line for each ratio of both runs that is now more than :data:`FALL_MAX` below what it was."""
    return [
        f"{name}: {now[name]:.2f}, committed {before[name]:.2f}"
        for name in before
        if name in now and now[name] < (1 - FALL_MAX) * before[name]
    ]


def main() -> int:
    """Measure, compare, say; 1 when something fell."""
    before = ratios(json.loads((FOLDER / "results.json").read_text(encoding="utf-8")))
    now = ratios(measured())
    for name in before.keys() & now.keys():
        print(f"{now[name] / before[name]:6.0%} of the committed ratio: {name} ({now[name]:.2f} / {before[name]:.2f})")
    lines = fallen(before, now)
    print("\n".join(["fell by more than 30 %:", *lines]) if lines else f"{len(now)} ratios hold")
    return 1 if lines or not now else 0


if __name__ == "__main__":
    sys.exit(main())
