"""kill -9 while uploads are remembered and matches reported: what was acknowledged is there, and is told."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hashpact import Client, Signal
from hashpact.errors import ServiceError
from hashpact.uploads import ActedItem, MatchReport, UploadAction
from hashpact_server.state.rows import Role

from tests.data import effort, run_seed
from tests.integration.harness import WAIT_S, Forum, ServerInside, ServerProcess
from tests.integration.replicas import empty_directory

ROUNDS = effort(2)
BATCH = 4
SEED = run_seed("HASHPACT_KILL_SEED")


@dataclass
class Platform:
    """A member that remembers, acts and forgets until its replica is gone, and knows what was acknowledged."""

    hub: Client
    random: random.Random
    number: int = 0
    expected: set[str] = field(default_factory=set)  # remembered, and their picture is listed
    forgotten: set[str] = field(default_factory=set)
    undo: set[str] = field(default_factory=set)  # acted upon, and the item is withdrawn
    answers: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)

    def work(self, replica: Client) -> None:
        try:
            while True:
                self.round(replica)
                with self.news:
                    self.answers += 1
                    self.news.notify_all()
        except ServiceError:
            with self.news:
                self.answers = 1 << 30
                self.news.notify_all()

    def round(self, replica: Client) -> None:
        pdqs = [Signal("pdq", self.random.randbytes(32), 100) for _ in range(BATCH)]
        names = [f"upload-{self.number + place}" for place in range(BATCH)]
        self.number += BATCH
        as_of = replica.lookup([[pdq] for pdq in pdqs]).as_of
        early = self.hub.contribute([pdqs[0]], labels=["test"])  # between look-up and remembering
        assert (
            replica.remember_uploads([(name, [pdq]) for name, pdq in zip(names, pdqs, strict=True)], as_of=as_of) == ()
        )
        self.expected.add(names[0])
        self.hub.contribute([pdqs[1]], labels=["test"])
        self.expected.add(names[1])
        replica.forget_uploads([names[2]])
        self.forgotten.add(names[2])
        self.hub.contribute([pdqs[2]], labels=["test"])
        replica.get_item(early.item, at_least_as_fresh=self.hub.as_of)  # until the replica knows the item
        action = UploadAction(names[3], "removed", [ActedItem(early.item, "provisional", ("test",))])
        assert replica.record_actions([action]) == ()
        if self.random.random() < 0.5:
            self.hub.withdraw(early.item)
            self.expected.discard(names[0])
            self.undo.add(names[3])


@pytest.fixture(name="forum")
def made_forum(four_writers: Forum, tmp_path: Path) -> Forum:
    return four_writers.copy(tmp_path / "data")


@pytest.fixture(name="replica_forum")
def made_replica_forum(forum: Forum, tmp_path: Path) -> Forum:
    made = empty_directory(tmp_path / "replica", forum)
    made.configure("[uploads]\nenabled = true\n[limits]\nwatch_progress_s = 1\n")
    return made


@pytest.mark.timeout(60 + 60 * ROUNDS)
def test_a_replica_killed_while_it_remembers(forum: Forum, replica_forum: Forum) -> None:
    print(f"\nHASHPACT_KILL_SEED={SEED}", end="")
    source = random.Random(SEED)
    with ServerInside(forum) as inside:
        token = inside.member("steward").create("archive", Role.REPLICATE)
        environment = {"HASHPACT_TOKEN": token, "HASHPACT_CA": str(forum.data / "ca.pem")}
        with Client(str(inside.address), token=forum.tokens["alpha"], ca=forum.ca) as hub:
            platform = Platform(hub, source)
            for _ in range(ROUNDS):
                with ServerProcess(replica_forum, "--follow", str(inside.address), environment=environment) as server:
                    server.ready().until_serving()
                    with client_of(server) as replica:
                        working = threading.Thread(target=platform.work, args=(replica,))
                        aim = platform.answers + source.randint(1, 8)
                        working.start()
                        with platform.news:
                            assert platform.news.wait_for(lambda: platform.answers >= aim, WAIT_S)  # noqa: B023
                        server.kill()
                        working.join(WAIT_S)
                platform.answers = 0
            with ServerProcess(replica_forum, "--follow", str(inside.address), environment=environment) as server:
                server.ready().until_serving()
                with client_of(server) as replica:
                    judge(replica, platform)


def judge(replica: Client, platform: Platform) -> None:
    """Everything that was acknowledged comes out; nothing that was forgotten does."""
    told: set[str] = set()
    for message in replica.watch_retro_matches():
        told |= {each.reference for each in message.matches}
        assert not told & platform.forgotten
        if told >= platform.expected:
            break
    undone: set[str] = set()
    for undo in replica.watch_corrections():
        undone |= {each.reference for each in undo.corrections if each.changes == ("off_list",)}
        if undone >= platform.undo:
            break
    print(f" [{len(told)} matches, {len(undone)} corrections, {len(platform.forgotten)} forgotten]", end="")
    assert platform.expected


def client_of(server: ServerProcess) -> Client:
    """A client that gives up at once when its server is gone."""
    return Client(str(server.address), token=server.forum.tokens["alpha"], ca=server.forum.ca, timeout_s=5)


def test_a_hub_killed_while_matches_are_reported(forum: Forum) -> None:
    source = random.Random(SEED)
    acknowledged, asked = 0, 0
    item = 0
    now = datetime.now(UTC)
    for _ in range(ROUNDS):
        with ServerProcess(forum) as server, client_of(server.ready()) as client:
            item = item or client.contribute([Signal("pdq", source.randbytes(32), 100)], labels=["test"]).item
            found = client.match_statistics(item).items
            kept = found[0].matches if found else 0
            assert acknowledged <= kept <= asked
            killer = threading.Timer(source.uniform(0.01, 0.2), server.process.kill)
            killer.start()
            try:
                while True:
                    asked += 1
                    client.report_matches([MatchReport(item, now, "observed", asked)])
                    acknowledged = asked
            except ServiceError:
                killer.join()
            server.wait()
    assert acknowledged
