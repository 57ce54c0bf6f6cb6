"""``make bench``: measure everything in one run, keep the figures, and show them.

Writes ``docs/benchmarks/results.json`` and the tables made from it. ``ARGS=--quick`` measures for seconds instead of
minutes, with a short list, prints, and writes nothing.
"""

from __future__ import annotations

import json
import sys

from tests.bench import bench_hashing, bench_index, bench_service, machine, report


def main(quick: bool) -> None:
    """Measure and report."""
    sizes, seconds = ((0, 10_000), 2.0) if quick else ((0, 1_000_000), 10.0)
    results = {
        "machine": machine.describe(),
        "hashing": bench_hashing.run(rounds=1) if quick else bench_hashing.run(),
        "index": bench_index.run((10_000,)) if quick else bench_index.run(),
        "service": bench_service.run(sizes, seconds),
    }
    service, hashing = list(report.service_rows(results["service"])), list(report.hashing_rows(results["hashing"]))
    rows = [*service, *report.index_rows(results["index"]), *hashing]
    print(report.machine_line(results["machine"]))
    print(report.table(rows))
    if not quick:
        report.write(results, rows, [*service, *report.index_rows(results["index"], headlines=True), *hashing])
        text = json.dumps(results, indent=1, sort_keys=True)
        (report.FOLDER / "results.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
