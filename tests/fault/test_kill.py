"""kill -9 in the middle of mixed writes: what was acknowledged is there, what was not is there whole or not at all.

    HASHPACT_TEST_EFFORT=20 .venv/bin/pytest tests/fault/test_kill.py -q -s        200 rounds; 10 without

A *chain* is a few rounds on the same list: start ``hashpact-server serve``, let four clients write (contribute,
corroborate, amend, withdraw, admit, suspend, resume, issue tokens), kill the server at a random moment, check the
store, start again. Clients then ask once more for what had no answer. ``HASHPACT_KILL_SEED`` repeats what they choose;
the moment of the kill is the machine's as well.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import grpc
import pytest
from hashpact_server import fsck, idempotency, replay
from hashpact_server.core import Core, open_store
from hashpact_server.services.writing import fingerprint

from tests.data import effort, run_seed
from tests.fault.mixed_writes import Client, Facts, Steward, Workload, pseudonyms
from tests.integration.harness import WAIT_S, Forum, ServerProcess, command, token_in

ROUNDS_PER_CHAIN = 5
CHAINS = effort(2)
ANSWERS_BEFORE_KILL = (0, 60)
DELAY_S_MAX = 0.02
SEED = run_seed("HASHPACT_KILL_SEED")


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Forum:
    """A forum with three contributors and its steward."""
    made = Forum.make(tmp_path_factory.mktemp("kill") / "data")
    tokens = dict(made.tokens)
    for name in ("beta", "gamma"):
        added = command("member", "add", name, "--role", "contribute", "--role", "check", "--data", made.data)
        tokens[name] = token_in(added.stdout)
    return Forum(made.data, tokens)


class Chain:
    """A list that is killed again and again, and everything that its clients know."""

    def __init__(self, forum: Forum, seed: int) -> None:
        self.forum = forum
        self.random = random.Random(seed)
        store = open_store(forum.data)
        with store.read() as tx:
            self.base = Facts.read(tx).count
            who = pseudonyms(tx)
        store.close()
        shared: list[tuple[int, bytes]] = []
        self.clients = [Client(name, who[name], seed, shared) for name in ("alpha", "beta", "gamma")]
        self.clients.append(Steward("steward", who["steward"], seed, shared))

    def round(self) -> int:
        """Serve, write, kill; the number of calls that were answered."""
        workload = Workload()
        with ServerProcess(self.forum) as server:
            server.ready()
            members = [server.member(client.name) for client in self.clients]
            for member in members:
                grpc.channel_ready_future(member.channel).result(WAIT_S)
                member.patient = False  # once the server is gone, it is gone
            threads = workload.start(list(zip(self.clients, members, strict=True)))
            reached = workload.wait_for(self.random.randint(*ANSWERS_BEFORE_KILL), WAIT_S)
            time.sleep(self.random.uniform(0, DELAY_S_MAX))  # a random moment is the point; nothing waits for it
            server.kill()
            for thread in threads:
                thread.join(WAIT_S)
        assert not workload.errors, workload.errors
        assert reached, "the server was gone before it was killed"
        return workload.answered

    def check(self) -> int:
        """Hold the store against what the clients were told; the number of entries there."""
        assert fsck.check(self.forum.data).problems == []
        assert replay.check(self.forum.data).problems == []
        store = open_store(self.forum.data)
        try:
            with store.read() as tx:
                facts = Facts.read(tx)
                deeds = [(client, deed) for client in self.clients for deed in client.deeds]
                written = sum(deed.check(facts) for _, deed in deeds)
                assert facts.count == self.base + written, "there are entries that nobody wrote"
                for client, deed in deeds:
                    if deed.answer is not None and deed.repeatable:
                        request_id, shape = deed.request.request_id, fingerprint(deed.request)
                        kept = idempotency.remembered(tx, client.pseudonym, request_id, shape)
                        assert kept is not None
                        assert type(deed.answer).FromString(kept) == deed.answer
            assert Core(store).published.head.sequence == facts.count - 1
        finally:
            store.close()
        return facts.count


@pytest.mark.timeout(60 + 30 * ROUNDS_PER_CHAIN)
@pytest.mark.parametrize("number", range(CHAINS))
def test_killed_while_four_clients_write(forum: Forum, tmp_path: Path, number: int) -> None:
    seed = SEED + number
    print(f"\nHASHPACT_KILL_SEED={seed}", end="")
    chain = Chain(forum.copy(tmp_path / "data"), seed)
    for _ in range(ROUNDS_PER_CHAIN):
        answered = chain.round()
        unanswered = sum(client.deeds[-1].answer is None for client in chain.clients if client.deeds)
        print(f" [{answered} answered, {unanswered} cut, {chain.check()} entries]", end="", flush=True)
