"""Filling a list as an import does: how fast, how much memory, how many bytes on disk.

``python -m tests.bench.bench_filling DATA ITEMS [FRAMES]`` fills a data directory in a process of its own and prints
JSON: with FRAMES, items are videos of so many PDQ values each; without, items of 2 digests and 4 perceptual signals.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.filling import fill
from tests.bench.running import size_bytes


def filled(data: Path, items: int, frames: int = 0) -> dict[str, Any]:
    """Fill in a child process, so that its memory is its own; what it measured."""
    arguments = [str(data), str(items), *([str(frames)] if frames else [])]
    command = [sys.executable, "-m", "tests.bench.bench_filling", *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


def main() -> None:
    """Fill, and print the figures."""
    data, items, frames = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    before = size_bytes(data)
    per_s = fill(data, items, frames)
    print(
        json.dumps(
            {
                "items": items,
                "items_per_s": per_s,
                "seconds": items / per_s,
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "disk_bytes_per_item": (size_bytes(data) - before) / items,
                "index_disk_bytes_per_item": size_bytes(data / "index") / items,
            }
        )
    )


if __name__ == "__main__":
    main()
