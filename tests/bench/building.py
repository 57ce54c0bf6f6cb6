"""Building the indexes of a list from its state, on one core, as a start without usable index files does.

``python -m tests.bench.building DATA`` measures in a process of its own and prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hashpact_server.config import Limits
from hashpact_server.core import Core, open_store
from hashpact_server.index import warm

from tests.bench.pinned import one_core


def built(data: Path) -> dict[str, Any]:
    """Measure in a child process."""
    command = [sys.executable, "-m", "tests.bench.building", str(data)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


def main() -> None:
    """Open the list with an empty index folder, and print what that took."""
    warm()
    store = open_store(Path(sys.argv[1]), store_bytes_max=Limits().store_bytes_max)
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder, one_core():
        wall, cpu = time.perf_counter(), time.process_time()
        core = Core(store, index_folder=Path(folder))
        figures = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        figures |= {"signals": sum(core.matcher.counts().values())}
        core.matcher.close()
    store.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
