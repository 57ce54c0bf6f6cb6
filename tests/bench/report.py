"""Turns measured figures into what people read: ``docs/benchmarks/README.md`` and the table in the README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.physical import bound_us, lines_per_lookup
from tests.bench.targets import LIST_ITEMS, TARGETS

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS: Final = FOLDER / "results.json"
START, END = "<!-- figures:start -->", "<!-- figures:end -->"
HEADLINE: Final = ("What", "Measured", "In the same run")

Results = dict[str, Any]
Row = Sequence[str]


def table(head: Row, rows: Iterator[Row] | list[Row]) -> str:
    """Rows in Markdown; a part that was not measured has none."""
    try:
        rows = list(rows)
    except KeyError as missing:
        return f"Not measured: {missing}."
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def lookup_rows(results: Results) -> Iterator[Row]:
    """Look-ups through a real client, per size of the list."""
    for items, found in results["lookups"].items():
        size, unary = f"{int(items):,} items listed", found["unary"]
        for threads in (1, 4):
            ours, echo = unary[f"unary_{threads}"], unary[f"echo_{threads}"]
            yield (
                f"unary look-ups, {threads} thread{'s' * (threads > 1)}, {size}",
                f"{ours['per_s']:,.0f}/s (p50 {ours['p50_ms']:.2f} ms, p99 {ours['p99_ms']:.2f} ms)",
                f"{unary[f'unary_of_echo_{threads}']:.0%} of an empty echo RPC ({echo['per_s']:,.0f}/s)",
            )
        steady, batch = unary["unary_steady"], found["batch"]
        yield (
            f"unary look-ups at a steady rate, {size}",
            f"p50 {steady['p50_ms']:.2f} ms, p99 {steady['p99_ms']:.2f} ms",
            f"{steady['per_s']:,.0f}/s asked for and answered",
        )
        yield (
            f"frames in batches of 256, 4 threads, {batch['seconds']:.0f} s, {size}",
            f"{batch['per_s']:,.0f} frames/s (p50 {batch['p50_ms']:.0f} ms, p99 {batch['p99_ms']:.0f} ms a call)",
            "",
        )


def writing_rows(results: Results) -> Iterator[Row]:
    """Contributions through RPC, and filling through the engine."""
    for items, found in results["contributions"].items():
        for name, about in (
            ("batch_2", "in batches of 500, 2 threads"),
            ("single_8", "one by one, 8 threads"),
            ("single_1", "one by one, 1 thread"),
        ):
            yield (
                f"contributions, durable, {about}, {int(items):,} items listed",
                f"{found[name]['per_s']:,.0f} items/s (p50 {found[name]['p50_ms']:.1f} ms a call)",
                "2 digests and 4 perceptual signals an item",
            )
    for name, about in (("bulk", "items of 2 digests and 4 perceptual signals"), ("videos", "videos of 100 frames")):
        found = results["filling"][name]
        yield (
            f"bulk fill, durable: {found['items']:,} {about}",
            f"{found['seconds']:.0f} s ({found['items_per_s']:,.0f} items/s)",
            (
                f"{found['disk_bytes_per_item']:,.0f} bytes on disk an item, "
                f"{found['index_disk_bytes_per_item']:,.0f} of them index; "
                f"peak memory {found['peak_memory_bytes'] / 2**30:.1f} GiB"
            ),
        )


def feed_rows(results: Results) -> Iterator[Row]:
    """Replicas and watchers."""
    feed = results["feed"]
    caught = feed["catching_up"]
    yield (
        f"a new replica of {LIST_ITEMS:,} items until it has everything",
        f"{feed['begin_s']:.1f} s",
        "hub and replica on the same 2 cores",
    )
    for key, about in (("lag", ""), ("lag_with_watchers", f", {feed['watchers']} watchers connected")):
        found = feed[key]
        yield (
            f"contribution at the hub until it matches at the replica{about}",
            f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, worst {found['worst_ms']:.0f} ms",
            f"{found['count']} of them, one after the other",
        )
    yield (
        f"{caught['watchers']} watchers in two processes catch up from the first entry",
        f"{caught['entries_per_s']:,.0f} entries/s in all",
        f"{caught['entries']:,} entries in {caught['seconds']:.0f} s",
    )


def life_rows(results: Results) -> Iterator[Row]:
    """The large list: updates, merges, starts."""
    life, merging = results["life"], results["merging"]
    for name, about in (("listed", "addition until found"), ("unlisted", "withdrawal until gone")):
        found = life["updates"][name]
        yield (
            f"one {about}, through RPC, at 10M PDQ values",
            f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, worst {found['worst_ms']:.0f} ms",
            f"{found['count']} of them, {_load_text(life['updates']['load'])}",
        )
    yield (
        f"look-ups while a member adds videos, {life['merging']['signals_added']:,} PDQ values in all",
        (
            f"unary p99 {life['merging']['load']['unary']['p99_ms']:.1f} ms, "
            f"worst {life['merging']['load']['unary']['worst_ms']:.0f} ms"
        ),
        f"{life['merging']['segments_written']} segments sealed or merged meanwhile",
    )
    for name, about in (("searches_while_adding", "adding 1.25M"), ("searches_while_merging", "merging all into one")):
        found = merging[name]
        p50, p99 = found["p50_ms"] * 1000, found["p99_ms"] * 1000
        yield (
            f"one search after the other in process, {about}, at {merging['signals']:,} signals",
            f"p50 {p50:.0f} us, p99 {p99:.0f} us, worst {found['worst_ms']:.1f} ms",
            f"{found['searches']:,.0f} searches",
        )
    yield (
        "memory of the process while merging",
        f"{merging['peak_bytes_per_signal']:.0f} bytes a signal at the peak",
        f"{merging['resident_bytes_per_signal']:.0f} before: {merging['peak_of_resident']:.2f} x",
    )
    restarts = life["restarts"]
    yield (
        "start at 10M PDQ values until ready",
        (
            f"{restarts['clean_s']:.1f} s after a clean stop, {restarts['killed_s']:.1f} s after kill -9, "
            f"{restarts['without_index_s']:.1f} s without index files"
        ),
        f"first look-up {restarts['first_lookup_ms']:.1f} ms",
    )
    building = results["building"]
    yield (
        f"indexes built from state, {building['signals']:,} signals, one core",
        f"{building['wall_s']:.1f} s ({building['cpu_s']:.1f} s of processor time)",
        "",
    )
    followers = results["followers"]
    yield (
        "two server processes instead of one, same machine, same client",
        f"{followers['times_unary']:.2f} x unary look-ups, {followers['times_batch']:.2f} x frames in batches",
        f"one: {followers['one']['unary']['per_s']:,.0f}/s and {followers['one']['batch']['per_s']:,.0f} frames/s",
    )


def _load_text(load: Results) -> str:
    return f"beside {load['unary']['per_s']:.0f} uploads/s and {load['batches']['per_s'] * 256:,.0f} frames/s"


PEERS: Final = (
    ("linear", "our linear twin"),
    ("faiss_flat", "faiss IndexBinaryFlat"),
    ("faiss_multi_hash", "faiss IndexBinaryMultiHash"),
)


def index_rows(results: Results) -> Iterator[Row]:
    """One query per call on one core, beside the linear twin and faiss."""
    for found in [*_by_size(results), results["index"]["short"]]:
        size = f"{found['signals']:,} signals of {found['bits']} bits"
        for key, timing in found.items():
            if not key.startswith("radius_"):
                continue
            _, radius, kind = key.split("_")
            ours, batch = timing["multi"], timing["multi_batch_us"]
            yield (
                f"radius {radius}, {kind}, {size}",
                f"{ours['median_us']:.0f} us (p99 {ours['p99_us']:.0f} us; {batch:.1f} us in a batch)",
                ", ".join(
                    f"{timing[peer]['median_us'] / ours['median_us']:.1f} x {name}"
                    for peer, name in PEERS
                    if peer in timing
                ),
            )


def _beside(timing: Results) -> str:
    ours = timing["multi"]["median_us"]
    return ", ".join(f"{timing[peer]['median_us'] / ours:.1f} x {name}" for peer, name in PEERS if peer in timing)


def growth_rows(results: Results) -> Iterator[Row]:
    """What a list costs as it grows."""
    memory = results["physical"]
    for found in _by_size(results):
        timing, size = found["radius_31_miss"], found["signals"]
        touched = lines_per_lookup(size, 256, 31)
        yield (
            f"{size:,}",
            f"{timing['multi']['median_us']:.0f}",
            f"{timing['multi_batch_us']:.1f}",
            f"{touched['lines']:,.0f} lines: {bound_us(memory, size):.1f}",
            f"{found['bytes_per_signal']:.0f}",
            f"{found['build_s']:.1f}",
            f"{found['reopen_s']:.2f}",
            f"{found['one']['add_p99_us']:,.0f} / {found['one']['remove_p99_us']:,.0f}",
            f"{found['equal']['pairs']:,}: {found['equal']['different_answers']}" if "equal" in found else "-",
        )


def worst_rows(results: Results) -> Iterator[Row]:
    """Lists that defeat the tables, and short ones, beside the linear twin."""
    for name, case in results["index"]["worst_cases"].items():
        for key, timing in case.items():
            if key.startswith("radius_"):
                yield (
                    f"{name.replace('_', ' ')}, {case['signals']:,} signals, radius {key.partition('_')[2]}",
                    f"{timing['multi']['median_us']:.0f} us, {timing['batch_us']['multi']:.1f} us in a batch",
                    f"{timing['times_linear']:.2f} x linear, {timing['times_linear_batch']:.2f} x in a batch",
                )
    real = results["index"]["clustered"]
    yield (
        f"PDQ of {real['signals']:,} different photo crops, radius 31",
        f"{real['real']['median_us']:.0f} us",
        f"{real['times']:.2f} x the time for as many random values",
    )


def _by_size(results: Results) -> list[Results]:
    return sorted(results["index"]["sizes"].values(), key=lambda found: int(found["signals"]))


def hashing_rows(results: Results) -> Iterator[Row]:
    """Pictures hashed on one core, beside the peers."""
    for key, about in (("large_jpeg", "large JPEG"), ("small_jpeg", "small JPEG")):
        found = results["hashing"][key]
        rates = found["images_per_s"]
        for name, what in (("hashpact_pdq_only", "PDQ"), ("hashpact_all_signals", "all signals")):
            beside = ", ".join(
                f"{found[f'times_faster_than_{peer}'][name]:.1f} x {peer} ({rates[peer]:.1f}/s)"
                for peer in ("threatexchange", "pdqhash")
                if peer in rates
            )
            size = f"{found['megapixels_median']:.1f} megapixels"
            yield f"{what} of a {about} ({size}), one core", f"{rates[name]:.1f} images/s", beside


def sidecar_rows(results: Results) -> Iterator[Row]:
    """Checks over HTTP, beside the library."""
    found = results["sidecar"]
    one, several = found["one"], found["several"]
    yield (
        "checks through the sidecar, one after the other",
        f"{one['sidecar']['per_s']:.1f} images/s (p50 {one['sidecar']['p50_ms']:.1f} ms)",
        (
            f"the library: {one['library_check']['per_s']:.1f}/s hashed and looked up, "
            f"{one['library_hash']['per_s']:.1f}/s hashed"
        ),
    )
    yield (
        f"checks through the sidecar, {several['sidecar']['threads']} at a time",
        f"{several['sidecar']['per_s']:.1f} images/s (p50 {several['sidecar']['p50_ms']:.1f} ms)",
        (
            f"the library: {several['library_hash']['per_s']:.1f}/s hashed "
            f"in {several['library_hash']['processes']} processes"
        ),
    )


def machine_line(results: Results) -> str:
    """One sentence about where the figures come from."""
    machine = results["machine"]
    return (
        f"Measured on {machine['day']} on {machine['cores']} cores of an {machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, commit `{machine['commit']}`; "
        "client and server share the cores, over TLS. `make bench` repeats it. "
        "Machines differ and are noisy: read the ratios."
    )


def threads_text(results: Results) -> Iterator[str]:
    """How well two threads share two cores."""
    if "index" in results:
        yield f"Two threads answer batches {results['index']['two_threads_speedup']:.2f} times as fast as one."


def physical_text(results: Results) -> str:
    """Where the time of a look-up goes, against what memory can do."""
    memory = results["physical"]
    return (
        f"One core of this machine reads {memory['bandwidth_gb_per_s']:.1f} GB/s in a row, waits "
        f"{memory['line_after_line_ns']:.0f} ns for a cache line that names the next one, and fetches a line every "
        f"{memory['lines_at_once_ns']:.1f} ns when it may ask for many at once (1 GiB, small pages). The column "
        "*least us* is the number of cache lines that a look-up touches, at that last rate: the time it would take if "
        "nothing were in a cache and arithmetic cost nothing. Small lists are below it because they stay in the cache."
    )


def page(results: Results) -> str:
    """The benchmarks page."""
    versions = ", ".join(f"{name} {number}" for name, number in results["machine"]["versions"].items())
    growth_head = (
        "signals", "us, one query", "us in a batch", "least us", "bytes/signal", "build s", "reopen s",
        "add / remove one, p99 us", "comparisons: differing answers",
    )  # fmt: skip
    parts = [
        "# Benchmarks",
        machine_line(results) + " What stands in the way where a target is missed: [analysis](analysis.md).",
        "## Targets",
        table(("What", "Target", "Measured", ""), (target.row(results) for target in TARGETS)),
        "## As the list grows",
        "256 bits, radius 31, miss, one core.",
        table(growth_head, growth_rows(results)),
        "![Cost of a look-up, memory and build time against the size of the list](growth.svg)",
        physical_text(results) if "physical" in results else "",
        "## The index, one query per call, one core",
        table(HEADLINE, index_rows(results)),
        *threads_text(results),
        "## Lists that defeat the tables, and short ones",
        table(HEADLINE, worst_rows(results)),
        "## Look-ups through a client",
        table(HEADLINE, lookup_rows(results)),
        "## Writing",
        table(HEADLINE, writing_rows(results)),
        "## A large list that lives",
        table(HEADLINE, life_rows(results)),
        "## Replicas and the feed",
        table(HEADLINE, feed_rows(results)),
        "## Hashing",
        table(HEADLINE, hashing_rows(results)),
        *(["## The sidecar", table(HEADLINE, sidecar_rows(results))] if "sidecar" in results else []),
        f"Versions: {versions}. All figures: [results.json](results.json).",
    ]
    return "\n\n".join(parts) + "\n"


def headlines(results: Results) -> str:
    """The short table of the README: the targets."""
    text = f"{machine_line(results)} [All figures](docs/benchmarks/README.md)."
    chosen = [row for row in lookup_rows(results) if f"{LIST_ITEMS:,}" in row[0]]
    chosen += [row for row in index_rows(results) if row[0].startswith("radius 31, miss") and "000,000" in row[0]]
    chosen += [row for row in writing_rows(results) if not row[0].endswith(" 0 items listed")]
    chosen += [*feed_rows(results), *hashing_rows(results)]
    chosen += sidecar_rows(results) if "sidecar" in results else []
    return f"{text}\n\n{table(HEADLINE, chosen)}\n"


def write(results: Results) -> None:
    """Write the benchmarks page, its plots, and the headlines between the marks of the README."""
    from tests.bench import plots  # noqa: PLC0415 -- the plotting library is there for benchmarks only

    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "README.md").write_text(page(results), encoding="utf-8")
    plots.growth(results, FOLDER / "growth.svg")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    readme.write_text(f"{before}{START}\n{headlines(results)}{END}{rest.split(END)[1]}", encoding="utf-8")
