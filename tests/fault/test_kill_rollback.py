"""kill -9 in the middle of a rollback: it goes on where it was, and ends with the same list as without."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hashpact import Client, Contribution
from hashpact.signals import Signal
from hashpact_server import fsck, replay

from tests.integration.harness import WAIT_S, Forum, ServerProcess, command, token_in

ITEMS = 600
BATCH = 300
KILLS = 2


def contribution(number: int) -> Contribution:
    digest = hashlib.sha256(str(number).encode()).digest()
    return Contribution([Signal("sha256", digest)], labels=["x"])


def client(server: ServerProcess, member: str) -> Client:
    forum = server.forum
    return Client(str(server.address), token=forum.tokens[member], ca=forum.ca, timeout_s=WAIT_S)


def undone(steward: Client) -> int:
    return next(iter(steward.list_rollbacks())).undone


@pytest.mark.timeout(600)
def test_a_rollback_survives_being_killed(four_writers: Forum, tmp_path: Path) -> None:
    forum = four_writers.copy(tmp_path / "data")
    added = command("member", "add", "second", "--role", "steward", "--data", forum.data)
    forum = Forum(forum.data, {**forum.tokens, "second": token_in(added.stdout)})
    with ServerProcess(forum) as server:
        server.ready()
        with client(server, "alpha") as alpha, client(server, "steward") as first, client(server, "second") as second:
            kept = alpha.contribute_many([contribution(10**6)]).outcomes[0].item
            time.sleep(0.01)
            since = datetime.now(UTC)
            items = [
                outcome.item
                for start in range(0, ITEMS, BATCH)
                for outcome in alpha.contribute_many(map(contribution, range(start, start + BATCH))).outcomes
            ]
            motion = first.propose("roll_back", {"member": "alpha", "since_time": since}).motion.motion
            second.second(motion)
            server.kill()
    reached = [0]
    for _ in range(KILLS):
        with ServerProcess(forum) as server:
            server.ready()
            with client(server, "steward") as steward:
                give_up = time.monotonic() + WAIT_S
                while (now := undone(steward)) <= reached[-1] and now < ITEMS:
                    assert time.monotonic() < give_up
                server.kill()
        assert fsck.check(forum.data).problems == []
        reached.append(now)
    with ServerProcess(forum) as server:
        server.ready()
        with client(server, "steward") as steward, client(server, "alpha") as alpha:
            give_up = time.monotonic() + WAIT_S
            while next(iter(steward.list_rollbacks())).finish_time is None:
                assert time.monotonic() < give_up
                time.sleep(0.05)
            assert undone(steward) == ITEMS
            assert {alpha.get_item(item).status for item in items[:: ITEMS // 50]} == {"withdrawn"}
            assert [item.item for item in alpha.list_items(statuses=["provisional"])] == [kept]
    assert reached == sorted(reached)
    assert replay.check(forum.data).problems == []
