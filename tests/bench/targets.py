"""What Hashpact set out to reach, and whether a run reached it. Ratios are to peers measured in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Results = dict[str, Any]

LIST_ITEMS: Final = 1_150_000
"""Items of the list that look-ups and contributions are measured with: 2.3 million PDQ values, a real forum's size."""

LARGE_SIGNALS: Final = 10_000_000


@dataclass(frozen=True)
class Target:
    """A figure, and the bound that it should keep.

    Attributes:
        what: in words.
        read: takes the figure out of a run's results; KeyError when the run did not measure it.
        bound: the least, or with ``most`` the largest, figure that reaches the target.
        unit: behind the number; ``x`` is a ratio.
        most: whether the bound is an upper one.
    """

    what: str
    read: Callable[[Results], float]
    bound: float
    unit: str
    most: bool = False

    def reached(self, figure: float) -> bool:
        """Whether a figure reaches it."""
        return figure <= self.bound if self.most else figure >= self.bound

    def row(self, results: Results) -> tuple[str, str, str, str]:
        """What, bound, figure, and whether it is reached."""
        bound = f"{'<=' if self.most else '>='} {shown(self.bound, self.unit)}"
        try:
            figure = self.read(results)
        except KeyError:
            return self.what, bound, "not measured", "-"
        return self.what, bound, shown(figure, self.unit), "reached" if self.reached(figure) else "missed"


def shown(figure: float, unit: str) -> str:
    """A number with as many digits as say something."""
    digits = 0 if abs(figure) >= 100 or figure == int(figure) else 1 if abs(figure) >= 10 else 2
    return f"{figure:,.{digits}f}{'' if unit in {'x', '%'} else ' '}{unit}"


def at(results: Results, path: str) -> Any:
    """The figure at a dotted path."""
    found: Any = results
    for name in path.split("."):
        found = found[name]
    return found


def _figure(path: str, times: float = 1.0) -> Callable[[Results], float]:
    return lambda results: float(at(results, path)) * times


def _times(path: str, peer: str) -> Callable[[Results], float]:
    """How many times faster than a peer one query per call is."""

    def read(results: Results) -> float:
        timing = at(results, path)
        return float(timing[peer]["median_us"] / timing["multi"]["median_us"])

    return read


def _least(what: str, path: str, bound: float, unit: str, times: float = 1.0) -> Target:
    return Target(what, _figure(path, times), bound, unit)


def _most(what: str, path: str, bound: float, unit: str) -> Target:
    return Target(what, _figure(path), bound, unit, most=True)


def _beside_faiss() -> list[Target]:
    found = []
    for size, name, flat, multi in ((1_000_000, "1M", 80, 80), (LARGE_SIGNALS, "10M", 160, 500)):
        for kind in ("miss", "hit"):
            path = f"index.sizes.{size}.radius_31_{kind}"
            what = f"one query, radius 31, {kind}, {name} signals of 256 bits, beside faiss"
            found.append(Target(f"{what} IndexBinaryFlat", _times(path, "faiss_flat"), flat, "x"))
            found.append(Target(f"{what} IndexBinaryMultiHash", _times(path, "faiss_multi_hash"), multi, "x"))
    for bits, radius, bound in ((256, 47, 12.0), (256, 63, 2.5), (64, 8, 25), (64, 10, 25)):
        for kind in ("miss", "hit"):
            path = f"index.{'sizes.1000000' if bits == 256 else 'short'}.radius_{radius}_{kind}"
            what = f"one query, radius {radius}, {kind}, 1M signals of {bits} bits, beside faiss IndexBinaryFlat"
            found.append(Target(what, _times(path, "faiss_flat"), bound, "x"))
    return found


def _worst(results: Results) -> float:
    """The least ratio to the linear twin, over all cases made to defeat the tables."""
    return min(
        float(min(timing["times_linear"], timing["times_linear_batch"]))
        for case in results["index"]["worst_cases"].values()
        for name, timing in case.items()
        if name.startswith("radius_")
    )


def _service() -> list[Target]:
    looked, given = f"lookups.{LIST_ITEMS}", f"contributions.{LIST_ITEMS}"
    return [
        _most("one addition through RPC at 10M, under load, until found: p99", "life.updates.listed.p99_ms", 50, "ms"),
        _most(
            "one withdrawal through RPC at 10M, under load, until gone: p99", "life.updates.unlisted.p99_ms", 50, "ms"
        ),
        _most(
            "longest look-up through RPC while contributions make segments merge, at 10M",
            "life.merging.load.unary.worst_ms",
            50,
            "ms",
        ),
        _most(
            "longest search in process while 10M are merged into one segment",
            "merging.searches_while_merging.worst_ms",
            50,
            "ms",
        ),
        _most("restart at 10M after a clean stop", "life.restarts.clean_s", 3, "s"),
        _most("restart at 10M after kill -9", "life.restarts.killed_s", 10, "s"),
        _least(
            "frames in batches of 256 for 60 s, 2.3M PDQ listed, both ends on 2 cores",
            f"{looked}.batch.per_s",
            30_000,
            "frames/s",
        ),
        _most("the same: p99 of a call", f"{looked}.batch.p99_ms", 60, "ms"),
        _least("unary checks beside an empty echo RPC, 1 thread", f"{looked}.unary.unary_of_echo_1", 65, "%", 100),
        _least("unary checks beside an empty echo RPC, 4 threads", f"{looked}.unary.unary_of_echo_4", 65, "%", 100),
        _most("unary checks at 500/s: p99", f"{looked}.unary.unary_steady.p99_ms", 10, "ms"),
        _most("bulk import of 1M items (2 digests and 4 perceptual signals each)", "filling.bulk.seconds", 60, "s"),
        _least("contributions through RPC in batches, at 1.15M items", f"{given}.batch_2.per_s", 5_000, "items/s"),
    ]


TARGETS: Final = [
    *_beside_faiss(),
    Target("never slower than our linear twin: the least ratio of all worst cases", _worst, 1, "x"),
    _most("memory of the index at 10M", "index.sizes.10000000.bytes_per_signal", 140, "bytes/signal"),
    _most("memory while merging, of memory held", "merging.peak_of_resident", 2, "x"),
    _most("build 10M from state, one core", "building.cpu_s", 12, "s"),
    _most("reopen 10M, warm", "index.sizes.10000000.reopen_s", 1, "s"),
    *_service(),
    _least(
        "PDQ of a large JPEG, one core, beside threatexchange",
        "hashing.large_jpeg.times_faster_than_threatexchange.hashpact_pdq_only",
        12,
        "x",
    ),
    _most("a replica of 1.15M items, from nothing until it has everything", "feed.begin_s", 60, "s"),
    _most("from a contribution at the hub to a match at a replica: p99", "feed.lag.p99_ms", 250, "ms"),
    _most("the same with 50 watchers connected: p99", "feed.lag_with_watchers.p99_ms", 1000, "ms"),
    _least("entries to 10 watchers that catch up, in all", "feed.catching_up.entries_per_s", 200_000, "entries/s"),
]
