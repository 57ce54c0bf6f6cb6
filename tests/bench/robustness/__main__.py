"""``make bench-robustness``: what is still found after what uploaders do, and what is found falsely.

Writes the figures to ``docs/benchmarks/robustness-*.json``, and from them the tables of ``docs/robustness.md`` and the
pictures of ``docs/robustness/``. ``ARGS=--quick`` tries a dozen photographs, prints, and writes nothing; ``--again``
renders the figures that are there; ``--only`` measures one part. ``--work FOLDER`` keeps what was drawn, what was
hashed for the list, and what the peers said, for the next run; ``--minutes N`` bounds the checks of edited copies.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.bench import machine
from tests.bench.robustness import documents, gallery, report, video
from tests.bench.robustness.measuring import FULL, QUICK, measure


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="make bench-robustness")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", choices=report.KINDS)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    chosen = parser.parse_args()
    if not chosen.again:
        with tempfile.TemporaryDirectory(prefix="hashpact-robustness-") as temporary:
            for kind in [chosen.only] if chosen.only else report.KINDS:
                figures = _measured(kind, chosen, chosen.work or Path(temporary))
                if not chosen.quick:
                    report.keep(kind, figures)
    if not chosen.quick:
        report.write()


def _measured(kind: str, chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    if kind != report.PICTURES:
        figures = _APART[kind](quick=chosen.quick) | {"day": machine.describe()["day"]}
        print(json.dumps(figures, indent=1))
        return figures
    scale = QUICK if chosen.quick else FULL
    figures = measure(dataclasses.replace(scale, copies_seconds_max=60 * chosen.minutes), work)
    print(report.page(figures))
    if not chosen.quick:
        figures["examples"] = gallery.write(work / "gallery")
    return figures


_APART: Final[dict[str, Callable[..., dict[str, Any]]]] = {"video": video.measure, "documents": documents.measure}

if __name__ == "__main__":
    main()
