"""A list that is served, written to and killed, round by round, and the judgement of what is left."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import grpc
from hashpact_server import fsck, idempotency, replay
from hashpact_server.core import Core, open_store
from hashpact_server.services.writing import fingerprint

from tests.fault.mixed_writes import Client, Facts, Steward, Workload, pseudonyms
from tests.integration.harness import WAIT_S, Forum, Member, ServerProcess, command, token_in


def make_forum(data: Path) -> Forum:
    """A forum with three contributors and its steward."""
    made = Forum.make(data)
    tokens = dict(made.tokens)
    for name in ("beta", "gamma"):
        added = command("member", "add", name, "--role", "contribute", "--role", "check", "--data", made.data)
        tokens[name] = token_in(added.stdout)
    return Forum(made.data, tokens)


class Chain:
    """A list that is killed again and again, and everything that its clients know.

    Args:
        forum: as :func:`make_forum` made it.
        seed: of everything that is chosen.
    """

    def __init__(self, forum: Forum, seed: int) -> None:
        self.forum = forum
        self.random = random.Random(seed)
        store = open_store(forum.data)
        with store.read() as tx:
            self.base = Facts.read(tx).count
            who = pseudonyms(tx)
        store.close()
        shared: list[tuple[int, bytes]] = []
        self.clients: list[Client] = [Client(name, who[name], seed, shared) for name in ("alpha", "beta", "gamma")]
        self.clients.append(Steward("steward", who["steward"], seed, shared))

    def round(self, moment: Callable[[ServerProcess, Workload], bool]) -> int:
        """Serve, write, kill; the number of calls that were answered.

        Args:
            moment: returns when the server is to be killed; False: it waited in vain.
        """
        workload = Workload()
        with ServerProcess(self.forum) as server:
            server.ready()
            members = [server.member(client.name) for client in self.clients]
            for member in members:
                grpc.channel_ready_future(member.channel).result(WAIT_S)
                member.patient = False  # once the server is gone, it is gone
            self.look(server, members)
            threads = workload.start(list(zip(self.clients, members, strict=True)))
            reached = moment(server, workload)
            server.kill()
            for thread in threads:
                thread.join(WAIT_S)
        assert not workload.errors, workload.errors
        assert reached, "the server was gone before it was killed"
        return workload.answered

    def look(self, server: ServerProcess, members: list[Member]) -> None:
        """What to look at in a server that has just started, before it is written to."""

    def check(self) -> int:
        """Hold the store, and the indexes, against what the clients were told; the number of entries there."""
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
