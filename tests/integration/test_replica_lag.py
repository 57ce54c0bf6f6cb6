"""How old a replica's list is, told truly; and an upstream that is silent, behind, or has seen other redactions."""

from __future__ import annotations

import contextlib
import queue
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hashpact import Client
from hashpact.v1 import feed_service_pb2 as feed
from hashpact_server.adopting import Parts, adopt
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.following import Following
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.state.rows import Role
from hashpact_server.trouble import Trouble
from hashpact_server.writer import Act

from tests.integration.harness import WAIT_S, Attached, Forum, ServerInside, ServerProcess
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory

EACH_SECOND = {"limits.watch_progress_s": 1}


@pytest.fixture(name="directories")
def made_directories(tmp_path: Path, forum: Forum) -> tuple[Forum, Forum]:
    """Two directories for replicas of the forum's list."""
    return empty_directory(tmp_path / "first", forum), empty_directory(tmp_path / "second", forum)


def archive(hub: ServerInside) -> str:
    """The token of a member that may hold the list."""
    return hub.member("steward").create("archive", Role.REPLICATE)


def status_of(server: Attached) -> Any:
    with Client(str(server.address), token=server.forum.tokens["acme"], ca=server.forum.ca) as client:
        return client.capabilities().replica


def test_a_replica_says_how_old_its_list_is(
    forum: Forum, directories: tuple[Forum, Forum], new_pdq: Callable[[], bytes]
) -> None:
    pdq = new_pdq()
    with contextlib.ExitStack() as stack:
        with ServerInside(forum, **EACH_SECOND) as hub:
            token = archive(hub)
            hub.member("alpha").contribute(pdq)
            replica = stack.enter_context(ReplicaInside(directories[0], hub, token, replica_lag_s_max=3))
            replica.until_serving("ready")
            status = status_of(replica)
            assert status.connected
            assert status.upstream_sequence == hub.node.engine.published.head.sequence
            assert status.lag_entries == 0
            assert status_of(hub) is None
            assert hub.health("ready") == "SERVING"
        replica.until_serving("ready", serving=False)
        assert replica.health() == "SERVING"
        assert replica.health("hashpact.v1.LookupService") == "SERVING"
        assert replica.member("acme").finds(pdq)
        status = status_of(replica)
        assert not status.connected
        assert status.lag_s > 3
        stack.enter_context(ServerInside(forum, listen=str(hub.address), **EACH_SECOND))
        replica.until_serving("ready")


def test_age_is_no_reason_where_none_is_set(forum: Forum, directories: tuple[Forum, Forum]) -> None:
    with ServerInside(forum) as hub, ReplicaInside(directories[0], hub, archive(hub), replica_lag_s_max=0) as replica:
        replica.until_serving()
        replica.following.level_at -= 1e6
        assert replica.node.replica is not None
        replica.node.replica._tell_lag()
        assert replica.health("ready") == "SERVING"


def test_an_upstream_that_says_nothing_is_away(
    forum: Forum, directories: tuple[Forum, Forum], new_pdq: Callable[[], bytes]
) -> None:
    pdq = new_pdq()
    with ServerInside(forum) as hub:
        token = archive(hub)
        hub.member("alpha").contribute(pdq)
        with ReplicaInside(directories[0], hub, token) as replica:
            replica.reach(hub)
        silent = Attached(forum, hub.address)
    with socket.socket() as hole:  # takes connections, and nothing that comes over them
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind((silent.address.host, silent.address.port))
        hole.listen()
        with ReplicaInside(directories[0], silent, token) as replica:
            replica.until_serving()
            assert replica.node.replica is not None
            assert not replica.node.replica._follower._call.done()  # it was not waited for
            assert replica.member("acme").finds(pdq)
            assert status_of(replica).upstream_sequence == 0


def test_a_replica_of_a_replica_that_is_cut_off_grows_old(
    inside: ServerInside, directories: tuple[Forum, Forum], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: queue.Queue[tuple[Following, float]] = queue.Queue()
    heard = Following.heard

    def noted(board: Following, head_sequence: int, lag_s: float) -> None:
        heard(board, head_sequence, lag_s)
        told.put((board, lag_s))

    token = archive(inside)
    first, second = directories
    with ReplicaInside(first, inside, token, **EACH_SECOND) as replica:
        replica.until_serving()
        with ReplicaInside(second, replica, token) as chained:
            monkeypatch.setattr(Following, "heard", noted)
            replica.following.level_at = time.monotonic() - 1000
            monkeypatch.setattr(inside.node.engine.feed, "progress", lambda _: feed.WatchResponse().SerializeToString())
            while (news := told.get(timeout=WAIT_S))[0] is not chained.following or news[1] < 1000:
                pass


def test_thousands_of_entries_are_caught_up_with(
    forum: Forum, directories: tuple[Forum, Forum], new_pdq: Callable[[], bytes]
) -> None:
    place = directories[0]
    with ServerInside(forum) as hub:
        token = archive(hub)
        with ReplicaInside(place, hub, token) as replica:
            assert_same(replica, hub)
        values = [new_pdq() for _ in range(4000)]
        for start in range(0, len(values), 1000):
            hub.member("alpha").contribute(*values[start : start + 1000])
        half = hub.node.engine.published.head.sequence - 2000
        with ReplicaInside(place, hub, token) as replica:
            assert replica.node.engine.state.wait_for(half, WAIT_S)
        with ReplicaInside(place, hub, token) as replica:
            replica.until_serving()
            assert replica.node.engine.published.head == hub.node.engine.published.head
            assert_same(replica, hub)
            assert all(replica.member("acme").finds(value) for value in values[::400])


def test_an_upstream_that_is_itself_behind_is_waited_for(
    forum: Forum, directories: tuple[Forum, Forum], new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_server.services.reading.FRESH_WAIT_S_MAX", 0.01)
    first, second = directories
    refusals: queue.Queue[str] = queue.Queue()
    with ServerInside(forum) as hub:
        token = archive(hub)
        with ReplicaInside(first, hub, token) as behind, ReplicaInside(second, hub, token) as ahead:
            behind.reach(hub)
            ahead.reach(hub)
        hub.member("alpha").contribute(new_pdq())
        with ReplicaInside(second, hub, token) as ahead:
            ahead.reach(hub)
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(ReplicaInside(first, Attached(forum, hub.address), token)).until_serving()
        monkeypatch.setattr("hashpact_server.follower._reason_of", noting(refusals))
        ahead = stack.enter_context(ReplicaInside(second, behind, token))
        assert "TOKEN_FROM_FUTURE" in iter(lambda: refusals.get(timeout=WAIT_S), None)
        ahead.until_serving()
        hub = stack.enter_context(ServerInside(forum, listen=str(hub.address)))
        hub.member("alpha").contribute(new_pdq())
        assert_same(behind, hub)
        assert_same(ahead, hub)
        assert ahead.following.diverged == ""


def noting(reasons: queue.Queue[str]) -> Callable[[Any], str]:
    from hashpact_server.follower import _reason_of  # noqa: PLC0415 - before it is replaced

    def noted(error: Any) -> str:
        reason = _reason_of(error)
        reasons.put(reason)
        return reason

    return noted


@pytest.mark.parametrize("whole_follows", [False, True])
def test_a_redaction_that_only_one_of_two_has_seen_is_no_difference(
    forum: Forum, directories: tuple[Forum, Forum], new_pdq: Callable[[], bytes], *, whole_follows: bool
) -> None:
    """One replica read an entry whole, another one without its private part; the redaction has reached neither."""
    whole, redacted = directories
    with ServerInside(forum) as hub:
        token = archive(hub)
        with ReplicaInside(redacted, hub, token) as replica:
            replica.reach(hub)
            start = replica.node.engine.published.head.sequence + 1
        item = hub.member("alpha").contribute(new_pdq()).outcomes[0].item
        with ReplicaInside(whole, hub, token) as replica:
            replica.reach(hub)

        def redact(scene: Any) -> Callable[[str], bytes]:
            scene.record(Draft(Kind.REDACTED, subject=item, clear=b"\x01"))
            return lambda _: b""

        hub.node.engine.writer.submit(Act(redact, bytes(16)))
        with hub.node.engine.state.store.read() as tx:
            arrived = [Parts(*parts) for parts in LedgerReader(tx).stored(start)][:-1]
    engine = Engine.open(redacted.data, Config())
    adopt(engine.writer, engine.state, arrived)
    engine.close()
    first, second = (redacted, whole) if whole_follows else (whole, redacted)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(ReplicaInside(first, Attached(forum, hub.address), token)).until_serving()
        replica = stack.enter_context(ReplicaInside(second, upstream, token)).until_serving()
        assert replica.following.diverged == ""
        hub = stack.enter_context(ServerInside(forum, listen=str(hub.address)))
        assert_same(upstream, hub)
        assert_same(replica, hub)


def test_the_log_says_how_it_goes(
    inside: ServerInside, directories: tuple[Forum, Forum], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, target = directories[0], str(inside.address)
    monkeypatch.setenv("HASHPACT_TOKEN", inside.forum.tokens["acme"])
    monkeypatch.setenv("HASHPACT_CA", str(inside.forum.data / "ca.pem"))
    with ServerProcess(place, "--follow", target) as replica:
        assert "replicate" in replica.wait_for("upstream refuses")["why"]
    monkeypatch.setenv("HASHPACT_TOKEN", archive(inside))
    monkeypatch.setenv("HASHPACT_CA", str(place.data / "ca.pem"))  # its own, by mistake
    with ServerProcess(place, "--follow", target) as replica:
        assert "HASHPACT_CA" in replica.wait_for("upstream away")["remedy"]
        assert all(line.startswith("{") for line in replica.lines)  # nothing but our own words
    monkeypatch.setenv("HASHPACT_CA", str(inside.forum.data / "ca.pem"))
    with ServerProcess(place, "--follow", target) as replica:
        entries = inside.node.engine.published.head.sequence + 1
        assert replica.wait_for("list taken over")["entries"] == entries
        assert replica.wait_for("following")["sequence"] == entries - 1
        assert replica.wait_for("level with the upstream")["sequence"] == entries - 1


def test_a_list_that_does_not_fit_is_refused(inside: ServerInside, directories: tuple[Forum, Forum]) -> None:
    with pytest.raises(Trouble, match=r"does not fit.*store_bytes_max"):
        ReplicaInside(directories[0], inside, archive(inside), **{"limits.store_bytes_max": 1})
