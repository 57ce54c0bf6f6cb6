"""The hub killed and started again under load, its replicas cut off and killed at random: nothing lost, nothing twice.

    HASHPACT_TEST_EFFORT=25 .venv/bin/pytest tests/fault/test_chaos.py -q -s       50 kills of the hub; 2 without

Four clients write to the hub; two replicas follow it and a third follows one of these. In each round the hub is killed
(SIGKILL) at a random moment, and before that, some replicas are cut off or killed. In the end all four hold the same
entries in the same order, add up to the same state, are whole, and have every write that was acknowledged.
``HASHPACT_CHAOS_SEED`` repeats what is chosen; moments are the machine's as well.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.data import effort, run_seed
from tests.fault.fleet import Fleet, Follower, assert_equal
from tests.fault.killing import Chain
from tests.fault.mixed_writes import Workload
from tests.integration.harness import WAIT_S, Forum, ServerProcess, command, token_in

ROUNDS = effort(2)
ANSWERS_BEFORE_KILL = (5, 60)
DELAY_S_MAX = 0.05
SEED = run_seed("HASHPACT_CHAOS_SEED")


@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_hub_and_replicas_are_killed_and_cut_off(four_writers: Forum, tmp_path: Path) -> None:
    print(f"\nHASHPACT_CHAOS_SEED={SEED}", end="")
    forum = four_writers.copy(tmp_path / "hub")
    token = token_in(command("member", "add", "archive", "--role", "replicate", "--data", forum.data).stdout)
    chain = Chain(forum, SEED)
    harm: dict[str, int] = {}
    with Fleet(forum, token, tmp_path) as fleet:

        def moment(server: ServerProcess, workload: Workload) -> bool:
            fleet.hub.to = server.address
            with ThreadPoolExecutor(len(fleet.replicas)) as together:
                list(together.map(Follower.start, [each for each in fleet.replicas if each.process is None]))
            reached = True
            for _ in range(chain.random.randint(0, 2)):
                reached &= workload.wait_for(workload.answered + chain.random.randint(1, 30), WAIT_S)
                what = do_harm(chain, fleet)
                harm[what] = harm.get(what, 0) + 1
            reached &= workload.wait_for(workload.answered + chain.random.randint(*ANSWERS_BEFORE_KILL), WAIT_S)
            time.sleep(chain.random.uniform(0, DELAY_S_MAX))  # a random moment is the point; nothing waits for it
            fleet.hub.to = None
            return reached

        for _ in range(ROUNDS):
            print(f" [{chain.round(moment)} answered]", end="", flush=True)
        with ServerProcess(forum) as server:
            fleet.hub.to = server.ready().address
            for client in chain.clients:
                client.settle(server.member(client.name))
            newest = server.member("alpha").contribute(bytes(range(32))).as_of
            chain.base += 1
            for replica in fleet.replicas:
                replica.reach(newest)
            assert [replica.server.stop() for replica in fleet.replicas] == [0, 0, 0]
            assert server.stop() == 0
    acknowledged = chain.check()
    entries = assert_equal([forum.data, *(replica.forum.data for replica in fleet.replicas)])
    assert acknowledged == entries
    print(f" {entries} entries in each of four lists; replicas: {harm or 'left alone'}", end="")


def do_harm(chain: Chain, fleet: Fleet) -> str:
    """Cut a cable, or kill a replica and start it again."""
    what = chain.random.choice(("cut from the hub", "cut in the chain", "killed"))
    if what == "cut from the hub":
        fleet.hub.cut()
    elif what == "cut in the chain":
        fleet.replicas[0].relay.cut()
    else:
        replica = chain.random.choice(fleet.replicas)
        assert replica.server.process.poll() is None, replica.server.lines[-20:]
        replica.kill()
        replica.start()
    return what
