"""Would more server processes on one machine answer more look-ups? Two servers over copies of one list, and one.

What two independent servers reach together on this machine is the most that read-only followers of one writer could.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hashpact import Client

from tests.bench.bench_lookups import BATCH_PROBES, frame, probe
from tests.bench.calls import timed
from tests.bench.running import Prepared, serving

THREADS = 4


def measure(place: Prepared, seconds: float) -> dict[str, Any]:
    """Look-ups per second through one server, and through two, by the same client process."""
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        copy = replace(place, data=Path(folder) / "data")
        shutil.copytree(place.data, copy.data)
        with ExitStack() as stack:
            first = stack.enter_context(serving(place))
            one = [stack.enter_context(first.checking())]
            figures = {"one": _rates(one, seconds)}
            second = stack.enter_context(serving(copy))
            figures["two"] = _rates([*one, stack.enter_context(second.checking())], seconds)
    return figures | {
        "times_unary": figures["two"]["unary"]["per_s"] / figures["one"]["unary"]["per_s"],
        "times_batch": figures["two"]["batch"]["per_s"] / figures["one"]["batch"]["per_s"],
    }


def _rates(clients: list[Client], seconds: float) -> dict[str, Any]:
    probes = [probe(number) for number in range(256)]
    frames = [[frame(number) for number in range(BATCH_PROBES)] for _ in range(8)]

    def unary(turn: int) -> int:
        clients[turn % len(clients)].lookup([probes[turn % len(probes)]])
        return 1

    def batch(turn: int) -> int:
        clients[turn % len(clients)].lookup(frames[turn % len(frames)])
        return BATCH_PROBES

    unary(0), unary(1), batch(0), batch(1)
    return {"unary": timed(unary, seconds, THREADS), "batch": timed(batch, seconds, THREADS)}
