"""The conformance figures of video frames, measured; printed, or written into ``docs/video.md``.

``python -m tests.conformance.vpdq_table`` prints the table, ``--write`` puts it into the page.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from hashpact.hashing.video import hash_video
from hashpact.signals import PDQ_QUALITY_MIN, hamming

from tests.data import find_shared_data

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "video.md"
BEGIN: Final = "<!-- measured: begin (python -m tests.conformance.vpdq_table --write) -->"
END: Final = "<!-- measured: end -->"


@dataclass(frozen=True)
class Row:
    """One sample video against its published hashes, frame by frame.

    Attributes:
        frames: published frames.
        ours: frames that we found.
        distances: bits, of the frames whose published quality is at least 50.
        distances_low: bits, of the others.
        quality_off: the largest difference in quality.
        time_off_s: the largest difference in time.
    """

    name: str
    frames: int
    ours: int
    distances: tuple[int, ...]
    distances_low: tuple[int, ...]
    quality_off: int
    time_off_s: float


def rows(data: Path) -> list[Row]:
    """Measure every sample video."""
    return [_row(path) for path in sorted((data / "vpdq" / "videos").iterdir())]


def _row(path: Path) -> Row:
    with (path.parent.parent / "hashes" / f"{path.stem}.txt").open() as file:
        published = [(int(quality), bytes.fromhex(value), float(at)) for _, quality, value, at in csv.reader(file)]
    ours = hash_video(path, interval_s=0, prune_bits=None).frames
    pairs = list(zip(ours, published, strict=False))
    distances = [(hamming(frame.pdq.value, value), quality) for frame, (quality, value, _) in pairs]
    return Row(
        path.stem,
        len(published),
        len(ours),
        tuple(distance for distance, quality in distances if quality >= PDQ_QUALITY_MIN),
        tuple(distance for distance, quality in distances if quality < PDQ_QUALITY_MIN),
        max(abs((frame.pdq.quality or 0) - quality) for frame, (quality, _, _) in pairs),
        max(abs(frame.time_s - at) for frame, (_, _, at) in pairs),
    )


def markdown(measured: list[Row]) -> str:
    """The table of the page."""
    lines = [
        "| video | frames (ours) | with quality >= 50 | median | 95 % | largest | quality off by | below 50: largest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in measured:
        low = str(max(row.distances_low)) if row.distances_low else "-"
        lines.append(
            f"| {row.name} | {row.frames} ({row.ours}) | {len(row.distances)} | {np.median(row.distances):.0f} "
            f"| {np.percentile(row.distances, 95):.0f} | {max(row.distances)} | {row.quality_off} | {low} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the measured part of docs/video.md")
    options = parser.parse_args(arguments)
    data = find_shared_data()
    if data is None:
        print("the sample videos are absent: set HASHPACT_SHARED_DATA to their folder", file=sys.stderr)
        return 2
    text = markdown(rows(data))
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
