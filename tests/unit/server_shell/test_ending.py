"""A signal ends the server whenever it comes: also in the moment before the server begins to wait for it."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from hashpact_server.config import Config
from hashpact_server.datadir import DataDirectory
from hashpact_server.node import Node

from tests.data import effort, run_seed

SEED = run_seed("HASHPACT_SIGNAL_SEED")


@pytest.mark.timeout(120)
def test_a_signal_at_any_moment_is_noticed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"HASHPACT_SIGNAL_SEED={SEED}")
    nodes: list[Node] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: nodes[-1]._on_signal(number))
    try:
        for _ in range(effort(250)):
            node = Node(DataDirectory(tmp_path), Config())
            node._engine = object()  # type: ignore[assignment]
            nodes[:] = [node]
            signal.setitimer(signal.ITIMER_REAL, chance.random() * 3e-5 + 1e-6)
            while not node._ending(0.05):
                pass
            node._gate.patience.close()
    finally:
        signal.signal(signal.SIGALRM, before)
