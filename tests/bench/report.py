"""Turns measured figures into what people read: ``docs/benchmarks/README.md`` and the table in the README."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "benchmarks"
PDQ_BITS = 256
HEADLINE_SIGNALS_MIN = 1_000_000
START, END = "<!-- figures:start -->", "<!-- figures:end -->"

Row = tuple[str, str, str]
"""What was measured, the figure, what stands beside it in the same run."""


def service_rows(figures: dict[str, Any]) -> Iterator[Row]:
    """Look-ups and contributions through a real client, per size of the list."""
    for items, found in figures.items():
        size = f"{int(items):,} items listed"
        looked = found["lookups"]
        for threads in (1, 4):
            unary, echo = looked[f"unary_{threads}"], looked[f"echo_{threads}"]
            yield (
                f"unary look-ups, {threads} thread{'s' * (threads > 1)}, {size}",
                f"{unary['per_s']:,.0f}/s (p50 {unary['p50_ms']:.2f} ms, p99 {unary['p99_ms']:.2f} ms)",
                f"{looked[f'unary_of_echo_{threads}']:.0%} of an empty echo RPC ({echo['per_s']:,.0f}/s)",
            )
        batch = looked["batch_4"]
        yield (
            f"look-ups in batches of 256, 4 threads, {size}",
            f"{batch['per_s']:,.0f} probes/s (p99 {batch['p99_ms']:.0f} ms a call)",
            "",
        )
        given = found["contributions"]
        for name, about in (
            ("batch_2", "in batches of 500, 2 threads"),
            ("single_8", "one by one, 8 threads"),
            ("single_1", "one by one, 1 thread"),
        ):
            yield (
                f"contributions, durable, {about}, {size}",
                f"{given[name]['per_s']:,.0f} items/s (p50 {given[name]['p50_ms']:.1f} ms a call)",
                "2 digests and 4 perceptual signals an item",
            )


def index_rows(figures: dict[str, Any], *, headlines: bool = False) -> Iterator[Row]:
    """One query per call on one core, beside the linear twin and faiss; sizes, memory, start.

    Headlines: PDQ's own radius, in lists of a size that a forum has.
    """
    for found in [*figures["sizes"], figures["short"]]:
        if headlines and (found["bits"] != PDQ_BITS or found["signals"] < HEADLINE_SIGNALS_MIN):
            continue
        size = f"{found['signals']:,} signals of {found['bits']} bits"
        for key, timing in found.items():
            if not key.startswith("radius_31_miss" if headlines else "radius_"):
                continue
            _, radius, kind = key.split("_")
            ours = timing["multi"]["median_us"]
            beside = ", ".join(
                f"{timing[peer]['median_us'] / ours:.1f} x {name}"
                for peer, name in (
                    ("linear", "our linear twin"),
                    ("faiss_flat", "faiss IndexBinaryFlat"),
                    ("faiss_multi_hash", "faiss IndexBinaryMultiHash"),
                )
                if peer in timing
            )
            yield (
                f"one look-up in the index, radius {radius}, {kind}, {size}, one core",
                f"{ours:.0f} us (p99 {timing['multi']['p99_us']:.0f} us; {timing['multi_batch_us']:.0f} us in a batch)",
                beside,
            )
        yield (
            f"index of {size}: build, reopen, memory",
            f"{found['build_s']:.1f} s, {found['reopen_s']:.2f} s, {found['bytes_per_signal']:.0f} bytes a signal",
            (
                f"{found['equal']['different_answers']} answers differ from the linear twin's "
                f"in {found['equal']['pairs']:,} comparisons"
            ),
        )


def hashing_rows(figures: dict[str, Any]) -> Iterator[Row]:
    """Pictures hashed on one core, beside the peers."""
    for key, about in (("large_jpeg", "large JPEG"), ("small_jpeg", "small JPEG")):
        found = figures[key]
        rates = found["images_per_s"]
        for name, what in (("hashpact_pdq_only", "PDQ"), ("hashpact_all_signals", "all signals")):
            beside = ", ".join(
                f"{found[f'times_faster_than_{peer}'][name]:.1f} x {peer} ({rates[peer]:.1f}/s)"
                for peer in ("threatexchange", "pdqhash")
                if peer in rates
            )
            size = f"{found['megapixels_median']:.1f} megapixels"
            yield f"{what} of a {about} ({size}), one core", f"{rates[name]:.1f} images/s", beside


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | measured | in the same run |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def machine_line(machine: dict[str, Any]) -> str:
    """One sentence about where the figures come from."""
    return (
        f"Measured on {machine['day']} on {machine['cores']} cores of an {machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, commit `{machine['commit']}`; "
        "client and server share the cores, over TLS. `make bench` repeats it. "
        "Machines differ and are noisy: read the ratios."
    )


def write(results: dict[str, Any], rows: list[Row], headlines: list[Row]) -> None:
    """Write the benchmarks page, and the headlines between the marks of the README."""
    machine = machine_line(results["machine"])
    text = f"{machine}\n\n{table(rows)}\n"
    short = f"{machine} [All figures](docs/benchmarks/README.md).\n\n{table(headlines)}\n"
    versions = ", ".join(f"{name} {number}" for name, number in results["machine"]["versions"].items())
    page = f"# Benchmarks\n\n{text}\nVersions: {versions}. All figures: [results.json](results.json).\n"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "README.md").write_text(page, encoding="utf-8")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    readme.write_text(f"{before}{START}\n{short}{END}{rest.split(END)[1]}", encoding="utf-8")
