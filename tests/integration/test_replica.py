"""A replica beside a real hub: the same rows, the same answers, whatever happens to either."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hashpact import AsyncClient, Client, Probe, Signal
from hashpact.v1 import contribution_service_pb2, lookup_service_pb2
from hashpact_server.core import open_store
from hashpact_server.datadir import DataDirectory
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.node import Node
from hashpact_server.snapshot import load
from hashpact_server.state.rows import Role
from hashpact_server.tokens import Position
from hashpact_server.trouble import Trouble
from hashpact_server.upstream import AwayError, Upstream, begin
from hashpact_server.writer import Act

from tests.integration.harness import (
    WAIT_S,
    Attached,
    Forum,
    ServerInside,
    command,
    lookup_request,
    refused,
    settings_of,
)
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory


@pytest.fixture(name="empty")
def made_empty(tmp_path: Path, forum: Forum) -> Forum:
    """A directory for a replica of the forum's list."""
    return empty_directory(tmp_path / "replica", forum)


@pytest.fixture(name="token")
def made_token(inside: ServerInside) -> str:
    """The token of a member that may hold the list."""
    return inside.member("steward").create("archive", Role.REPLICATE)


def test_a_replica_holds_what_the_hub_holds(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    alpha = inside.member("alpha")
    early, late = [new_pdq() for _ in range(30)], [new_pdq() for _ in range(30)]
    item = alpha.contribute(*early).outcomes[3].item
    with ReplicaInside(empty, inside, token) as replica:
        assert_same(replica, inside)
        acme = replica.member("acme")  # members are the same, and so are their tokens
        assert all(acme.finds(pdq) for pdq in early)
        alpha.contribute(*late)
        alpha.call(alpha.contributions.Withdraw, contribution_service_pb2.WithdrawRequest(item=item))
        assert_same(replica, inside)
        assert all(acme.finds(pdq) for pdq in late)
        assert not acme.finds(early[3])
        assert replica.node.engine.feed.closed is False


def test_redactions_reach_a_replica(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    pdq = new_pdq()
    item = inside.member("alpha").contribute(pdq).outcomes[0].item

    def redact(scene: Any) -> Callable[[str], bytes]:
        scene.record(Draft(Kind.REDACTED, subject=item, clear=b"\x01"))
        return lambda _: b""

    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
        assert replica.member("acme").finds(pdq)
        inside.node.engine.writer.submit(Act(redact, bytes(16)))
        assert_same(replica, inside)
        assert not replica.member("acme").finds(pdq)
        with replica.node.engine.state.read() as view:
            assert view.entry(item).redacted


def test_a_replica_goes_on_after_either_was_away(forum: Forum, empty: Forum, new_pdq: Callable[[], bytes]) -> None:
    values = [new_pdq() for _ in range(3)]
    with ServerInside(forum) as hub:
        token = hub.member("steward").create("archive", Role.REPLICATE)
        hub.member("alpha").contribute(values[0])
        with ReplicaInside(empty, hub, token) as replica:
            assert_same(replica, hub)
        hub.member("alpha").contribute(values[1])
    with contextlib.ExitStack() as stack:
        away = Attached(forum, hub.address)
        replica = stack.enter_context(ReplicaInside(empty, away, token))
        replica.until_serving()  # as of when the hub was last seen
        assert replica.member("acme").finds(values[0])
        hub = stack.enter_context(ServerInside(forum, listen=str(away.address)))
        hub.member("alpha").contribute(values[2])
        assert_same(replica, hub)
        assert all(replica.member("acme").finds(value) for value in values)


def test_replicas_chain(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes], tmp_path: Path, forum: Forum
) -> None:
    second = empty_directory(tmp_path / "second", forum)
    with ReplicaInside(empty, inside, token) as replica, ReplicaInside(second, replica, token) as chained:
        for _ in range(5):
            inside.member("alpha").contribute(new_pdq())
        assert_same(replica, inside)
        assert_same(chained, inside)


def test_a_member_reads_its_own_writes_at_a_replica(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    with ReplicaInside(empty, inside, token) as replica:
        alpha, there = inside.member("alpha"), replica.member("alpha")
        for _ in range(10):
            pdq = new_pdq()
            request = lookup_request(pdq)
            request.at_least_as_fresh = alpha.contribute(pdq).as_of
            answer: lookup_service_pb2.LookupResponse = there.call(there.lookup_stub.Lookup, request)
            assert answer.matched


def test_those_who_wait_for_the_hub_leave_room_for_others(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.configure("[limits]\nrequests_max = 2\n")
    monkeypatch.setattr("hashpact_server.services.reading.FRESH_WAIT_S_MAX", WAIT_S)
    pdq = new_pdq()
    request = lookup_request(pdq)
    with ReplicaInside(empty, inside, token) as replica, ThreadPoolExecutor(1) as aside:
        replica.reach(inside)
        head = inside.node.engine.published.head
        request.at_least_as_fresh = Position(head.ledger_id, head.epoch, head.sequence + 1).encode()
        acme, engine = replica.member("acme"), replica.node.engine
        acme.lookup(pdq)
        waiting, going = threading.Event(), engine.state.wait_for

        def told(sequence: int, timeout_s: float) -> bool:
            waiting.set()
            return going(sequence, timeout_s)

        monkeypatch.setattr(engine.state, "wait_for", told)
        first = aside.submit(acme.call, acme.lookup_stub.Lookup, request)
        assert waiting.wait(WAIT_S)
        with refused("TOKEN_FROM_FUTURE"):
            acme.call(acme.lookup_stub.Lookup, request)
        assert not first.done()
        assert not acme.finds(pdq)
        inside.member("alpha").contribute(pdq)
        first.result(WAIT_S)
        acme.call(acme.lookup_stub.Lookup, request)


def test_a_client_reads_from_the_replica_and_writes_to_the_hub(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    with ReplicaInside(empty, inside, token) as replica:
        places: Any = {"ca": replica.forum.ca, "write_target": str(inside.address), "write_ca": inside.forum.ca}
        with Client(str(replica.address), token=empty.tokens["alpha"], **places) as client:
            for _ in range(5):
                signal = Signal("pdq", new_pdq(), 100)
                item = client.contribute([signal], labels=["test"]).item
                assert [match.item for match in client.lookup([Probe.of([signal])])[0].matches] == [item]
            assert client.get_item(item).item == item

        async def read_own_write() -> int:
            signal = Signal("pdq", new_pdq(), 100)
            async with AsyncClient(str(replica.address), token=empty.tokens["alpha"], **places) as client:
                await client.contribute([signal], labels=["test"])
                return len((await client.lookup([Probe.of([signal])]))[0].matches)

        assert asyncio.run(read_own_write()) == 1


def test_a_replica_takes_no_writes(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    with ReplicaInside(empty, inside, token) as replica, refused("REPLICA_READ_ONLY"):
        replica.member("alpha").contribute(new_pdq())


def test_a_replica_of_another_list_stops_loudly(inside: ServerInside, empty: Forum, token: str, tmp_path: Path) -> None:
    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
    other = Forum.make(tmp_path / "other")
    with ServerInside(other) as hub:
        stranger = hub.member("steward").create("archive", Role.REPLICATE)
        with ReplicaInside(empty, hub, stranger) as replica:
            assert ended(replica)
            assert "history" in follower_of(replica).following.diverged


def test_a_hub_with_another_past_is_found_out_at_once(
    inside: ServerInside, forum: Forum, empty: Forum, token: str, tmp_path: Path, new_pdq: Callable[[], bytes]
) -> None:
    """Two lists that were one: the replica has entries that its new upstream wrote otherwise."""
    fork = forum.copy(tmp_path / "fork")
    with ReplicaInside(empty, inside, token) as replica:
        inside.member("alpha").contribute(new_pdq(), new_pdq())
        replica.reach(inside)
    with ServerInside(fork) as hub:
        stranger = hub.member("steward").create("archive-2", Role.REPLICATE)
        hub.member("alpha").contribute(*(new_pdq() for _ in range(8)))
        with ReplicaInside(empty, hub, stranger) as replica:
            assert ended(replica)
            assert "another one" in follower_of(replica).following.diverged


def test_a_replica_that_cannot_go_on_does_not_look_as_if_it_were_well(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
        monkeypatch.setattr("hashpact_server.follower.adopt", lambda *_: int("nobody thought of this"))
        inside.member("alpha").contribute(new_pdq())
        assert ended(replica)
        assert "ValueError" in follower_of(replica).following.diverged


def ended(replica: ReplicaInside) -> bool:
    """Whether the server ends of itself."""
    return replica.node._end.wait(WAIT_S)


def follower_of(replica: ReplicaInside) -> Any:
    return replica.node.replica


def test_a_list_is_followed_or_written_and_never_both(empty: Forum, forum: Forum) -> None:
    with pytest.raises(Trouble, match="is a replica"):
        Node(DataDirectory(empty.data), settings_of(empty)).start()
    with pytest.raises(Trouble, match="list of its own"):
        Node(
            DataDirectory(Forum.make(empty.data.parent / "own").data),
            settings_of(forum),
            upstream=Upstream("127.0.0.1:1", "hpt_" + "a" * 43),
        ).start()


def test_the_command_line_says_what_is_missing(empty: Forum) -> None:
    assert "promote" in command("serve", "--data", empty.data, code=3).stderr
    assert "HASHPACT_TOKEN" in command("serve", "--data", empty.data, "--follow", "127.0.0.1:1", code=3).stderr
    assert "--token" in command("serve", "--data", empty.data, "--token", "x", code=2).stderr  # for all users to read


def test_watching_needs_the_role(inside: ServerInside, empty: Forum) -> None:

    store = open_store(empty.data)
    try:
        with pytest.raises(AwayError) as caught:
            begin(store, Upstream(str(inside.address), inside.forum.tokens["acme"], inside.forum.ca))
    finally:
        store.close()
    assert caught.value.code == "PERMISSION_DENIED"


def test_promotion_begins_a_new_part_of_the_history(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes], tmp_path: Path, forum: Forum
) -> None:
    kept, lost, new = new_pdq(), new_pdq(), new_pdq()
    third = empty_directory(tmp_path / "third", forum)
    with ReplicaInside(empty, inside, token) as replica, ReplicaInside(third, inside, token) as other:
        inside.member("alpha").contribute(kept)
        for each in (replica, other):
            each.reach(inside)
    seen = inside.member("alpha").contribute(lost).as_of  # acknowledged, and never received
    assert "no writes" in command("member", "add", "x", "--role", "check", "--data", empty.data, code=3).stderr
    assert re.search(r"epoch \d{10} begins", command("promote", "--data", empty.data).stderr)
    assert "no replica" in command("promote", "--data", empty.data, code=3).stderr
    with ServerInside(empty) as hub:
        alpha = hub.member("alpha")
        alpha.contribute(new)
        assert [alpha.finds(pdq) for pdq in (kept, lost, new)] == [True, False, True]
        request = lookup_request(lost)
        request.at_least_as_fresh = seen
        with refused("TOKEN_UNKNOWN_HISTORY"):
            alpha.call(alpha.lookup_stub.Lookup, request)
        with ReplicaInside(third, hub, token) as follows:  # stood before the new epoch: goes on with the new hub
            assert_same(follows, hub)
        with ReplicaInside(third, inside, token) as astray:  # and is not taken back by the old one
            assert ended(astray)
            assert "history" in follower_of(astray).following.diverged
    command("fsck", "--data", empty.data)


def test_a_backup_is_made_beside_a_running_server(
    inside: ServerInside, forum: Forum, new_pdq: Callable[[], bytes], tmp_path: Path
) -> None:
    inside.member("alpha").contribute(*(new_pdq() for _ in range(50)))
    path = tmp_path / "backup"
    assert str(path) in command("backup", "--data", forum.data, "--to", path).stderr
    assert "exists already" in command("backup", "--data", forum.data, "--to", path, code=3).stderr
    (tmp_path / "second.partial").write_bytes(b"of a backup that was killed")
    left = command("backup", "--data", forum.data, "--to", tmp_path / "second", code=3).stderr
    assert f"{tmp_path / 'second.partial'} exists already" in left
    store = open_store(tmp_path / "copy")
    try:
        with path.open("rb") as file:
            assert load(file, store).head == inside.node.engine.published.head
    finally:
        store.close()


def test_a_backup_is_restored_as_a_new_part_of_the_history(
    inside: ServerInside, forum: Forum, new_pdq: Callable[[], bytes], tmp_path: Path
) -> None:
    kept, lost = new_pdq(), new_pdq()
    path, place = tmp_path / "backup", tmp_path / "restored"
    before = inside.member("alpha").contribute(kept).as_of
    command("backup", "--data", forum.data, "--to", path)
    after = inside.member("alpha").contribute(lost).as_of
    command("restore", path, "--data", place)
    assert "is a data directory already" in command("restore", path, "--data", place, code=3).stderr
    command("fsck", "--data", place)
    with ServerInside(Forum(place, forum.tokens)) as server:
        alpha = server.member("alpha")
        assert [alpha.finds(pdq) for pdq in (kept, lost)] == [True, False]
        request = lookup_request(kept)
        request.at_least_as_fresh = before
        assert alpha.call(alpha.lookup_stub.Lookup, request).matched
        request.at_least_as_fresh = after
        with refused("TOKEN_UNKNOWN_HISTORY"):
            alpha.call(alpha.lookup_stub.Lookup, request)
        of_the_first = alpha.contribute(new_pdq()).as_of
    again = tmp_path / "restored again"
    command("restore", path, "--data", again)
    with ServerInside(Forum(again, forum.tokens)) as server:
        alpha = server.member("alpha")
        alpha.contribute(new_pdq(), new_pdq())
        request.at_least_as_fresh = of_the_first
        with refused("TOKEN_UNKNOWN_HISTORY"):  # two lists went on from one place: neither knows the other's tokens
            alpha.call(alpha.lookup_stub.Lookup, request)
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut short" in command("restore", path, "--data", tmp_path / "second", code=3).stderr
