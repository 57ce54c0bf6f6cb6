"""The cost of a look-up, of memory and of building, as the list grows: one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.physical import bound_us

LINES: Final = (
    ("multi", "Hashpact", "o-"),
    ("linear", "linear twin", "s--"),
    ("faiss_flat", "faiss IndexBinaryFlat", "^--"),
    ("faiss_multi_hash", "faiss IndexBinaryMultiHash", "v--"),
)


def growth(results: dict[str, Any], path: Path) -> None:
    """Draw microseconds a query, bytes a signal and seconds to build against the number of signals, as SVG."""
    found = sorted(results["index"]["sizes"].values(), key=lambda each: int(each["signals"]))
    sizes = [each["signals"] for each in found]
    mpl.rcParams["svg.hashsalt"] = "hashpact"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(13, 4), layout="constrained")
    query, memory, build = figure.subplots(1, 3)
    for name, label, style in LINES:
        timings = [(each["signals"], each["radius_31_miss"].get(name)) for each in found]
        points = [(size, timing["median_us"]) for size, timing in timings if timing]
        if points:
            query.loglog(*zip(*points, strict=True), style, label=label)
    bounds = [bound_us(results["physical"], size) for size in sizes]
    query.loglog(sizes, bounds, ":", color="grey", label="cache lines touched, at this machine's rate")
    query.set_title("one look-up, radius 31, miss (µs, median)")
    query.legend(fontsize=8)
    memory.semilogx(sizes, [each["bytes_per_signal"] for each in found], "o-")
    memory.set_title("memory (bytes a signal)")
    memory.set_ylim(bottom=0)
    build.loglog(sizes, [max(each["build_s"], 0.01) for each in found], "o-", label="build")
    build.loglog(sizes, [max(each["reopen_s"], 0.01) for each in found], "s--", label="reopen, warm")
    build.set_title("seconds")
    build.legend(fontsize=8)
    for axes in (query, memory, build):
        axes.set_xlabel("signals of 256 bits")
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, format="svg", metadata={"Date": None})
