"""kill -9 in the middle of mixed writes: what was acknowledged is there, what was not is there whole or not at all.

    HASHPACT_TEST_EFFORT=20 .venv/bin/pytest tests/fault/test_kill.py -q -s        200 rounds; 10 without

A *chain* is a few rounds on the same list: start ``hashpact-server serve``, let four clients write (contribute,
corroborate, amend, withdraw, admit, suspend, resume, issue tokens), kill the server at a random moment, check the
store, start again. Clients then ask once more for what had no answer. ``HASHPACT_KILL_SEED`` repeats what they choose;
the moment of the kill is the machine's as well.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.data import effort, run_seed
from tests.fault.killing import Chain
from tests.fault.mixed_writes import Workload
from tests.integration.harness import WAIT_S, Forum, ServerProcess

ROUNDS_PER_CHAIN = 5
CHAINS = effort(2)
ANSWERS_BEFORE_KILL = (0, 60)
DELAY_S_MAX = 0.02
SEED = run_seed("HASHPACT_KILL_SEED")


@pytest.mark.timeout(60 + 30 * ROUNDS_PER_CHAIN)
@pytest.mark.parametrize("number", range(CHAINS))
def test_killed_while_four_clients_write(four_writers: Forum, tmp_path: Path, number: int) -> None:
    seed = SEED + number
    print(f"\nHASHPACT_KILL_SEED={seed}", end="")
    chain = Chain(four_writers.copy(tmp_path / "data"), seed)

    def moment(_server: ServerProcess, workload: Workload) -> bool:
        reached = workload.wait_for(chain.random.randint(*ANSWERS_BEFORE_KILL), WAIT_S)
        time.sleep(chain.random.uniform(0, DELAY_S_MAX))  # a random moment is the point; nothing waits for it
        return reached

    for _ in range(ROUNDS_PER_CHAIN):
        answered = chain.round(moment)
        unanswered = sum(client.deeds[-1].answer is None for client in chain.clients if client.deeds)
        print(f" [{answered} answered, {unanswered} cut, {chain.check()} entries]", end="", flush=True)
