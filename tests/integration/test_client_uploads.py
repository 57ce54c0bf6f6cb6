"""The clients' calls about uploads and reports: reads and uploads at a replica, reports at the hub, by one client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hashpact import AsyncClient, Client, Signal
from hashpact.cli.app import app
from hashpact.errors import ConflictError, InvalidRequestError
from hashpact.uploads import ActedItem, MatchReport, UploadAction
from hashpact_server.state.rows import Role
from typer.testing import CliRunner

from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.integration.replicas import ReplicaInside, empty_directory


@dataclass(frozen=True)
class Place:
    """A hub, a replica that remembers uploads, and clients that know both."""

    hub: ServerInside
    forum: Forum
    replica_forum: Forum
    token: str

    @contextmanager
    def serving(self) -> Iterator[ReplicaInside]:
        with ReplicaInside(self.replica_forum, self.hub, self.token) as replica:
            replica.reach(self.hub)
            yield replica

    def settings(self, replica: ReplicaInside, member: str) -> dict[str, Any]:
        return {
            "target": str(replica.address),
            "token": self.forum.tokens[member],
            "ca": replica.forum.ca,
            "write_target": str(self.hub.address),
            "write_ca": self.forum.ca,
        }


@pytest.fixture
def place(inside: ServerInside, forum: Forum, tmp_path: Path) -> Place:
    made = empty_directory(tmp_path / "replica", forum)
    made.configure("[uploads]\nenabled = true\n[limits]\nwatch_progress_s = 1\nlookup_probes_max = 2\n")
    return Place(inside, forum, made, inside.member("steward").create("archive", Role.REPLICATE))


def test_what_a_platform_does(place: Place, new_pdq: Callable[[], bytes]) -> None:
    pdqs = [Signal("pdq", new_pdq(), 100) for _ in range(3)]
    with place.serving() as replica, Client(**place.settings(replica, "alpha")) as client:
        found = client.lookup([[pdq] for pdq in pdqs])
        uploads = [(f"upload-{number}", [pdq]) for number, pdq in enumerate(pdqs)]
        problems = client.remember_uploads([*uploads, ("", [pdqs[0]])], as_of=found.as_of)
        assert [(each.index, each.reason) for each in problems] == [(3, "REFERENCE_INVALID")]  # of the second part
        item = client.contribute([pdqs[2]], labels=["test"]).item
        told = next(each for each in client.watch_retro_matches() if each.matches)
        (retro,) = told.matches
        assert (retro.reference, retro.match.item, retro.match.advice) == ("upload-2", item, "review")
        assert retro.to_dict()["match"]["distance"] == 0
        assert "upload-2" not in repr(retro)
        action = UploadAction("upload-2", "removed", [retro.match])
        unknown = UploadAction("upload-2", "removed", [ActedItem(10**9)])
        assert [each.reason for each in client.record_actions([action, action, unknown])] == ["ITEM_NOT_FOUND"]
        now = datetime.now(UTC)
        reports = [MatchReport(item, now, "removed", 3), MatchReport(item, now + timedelta(days=1), "removed", 3)]
        assert [(each.index, each.reason) for each in client.report_matches(reports)] == [(1, "HOUR_OUT_OF_RANGE")]
        client.withdraw(item)
        undo = next(each for each in client.watch_corrections() if each.corrections)
        (correction,) = undo.corrections
        assert (correction.reference, correction.changes, correction.action) == ("upload-2", ("off_list",), "removed")
        assert (correction.acted.status, correction.now.status) == ("provisional", "withdrawn")
        assert correction.to_dict()["acted"]["labels"] == ["test"]
        assert not next(client.watch_corrections(undo.as_of)).corrections
        (statistics,) = client.match_statistics(item).items
        assert (statistics.matches, statistics.members) == (3, ("alpha",))
        assert [(each.action, each.count) for each in statistics.hours] == [("removed", 3)]
        assert client.match_statistics(end_time=now - timedelta(days=1)).items == ()
        forgotten = client.forget_uploads(["upload-0"], before_time=now + timedelta(minutes=1))
        assert (forgotten.uploads, forgotten.actions) == (3, 1)
        assert client.delete_reports() == 1
        with pytest.raises(InvalidRequestError, match="one of"):
            client.record_actions([UploadAction("a", "shrugged", [])])
        with pytest.raises(InvalidRequestError, match="list"):
            client.forget_uploads("upload-0")
        with pytest.raises(InvalidRequestError, match="time zone"):
            client.report_matches([MatchReport(1, datetime(2026, 1, 1), "none", 1)])  # noqa: DTZ001 - the point
        assert client.remember_uploads([], as_of="") == client.record_actions([]) == client.report_matches([]) == ()


def test_the_same_to_be_awaited(place: Place, new_pdq: Callable[[], bytes]) -> None:
    pdq = Signal("pdq", new_pdq(), 100)

    async def scenario(settings: dict[str, Any]) -> None:
        async with AsyncClient(**settings) as client:
            found = await client.lookup([[pdq]])
            assert await client.remember_uploads([("first", [pdq])], as_of=found.as_of) == ()
            item = (await client.contribute([pdq], labels=["test"])).item
            async for told in client.watch_retro_matches():
                if told.matches:
                    break
            assert [each.match.item for each in told.matches] == [item]
            assert await client.record_actions([UploadAction("first", "none", [])]) != ()  # because of nothing
            assert await client.record_actions([UploadAction("first", "none", [told.matches[0].match])]) == ()
            assert await client.report_matches([MatchReport(item, datetime.now(UTC), "none", 1)]) == ()
            await client.withdraw(item)
            async for undo in client.watch_corrections():
                if undo.corrections:
                    break
            assert undo.corrections[0].changes == ("off_list",)
            assert (await client.match_statistics()).items[0].matches == 1
            assert await client.delete_reports(before_time=datetime.now(UTC) - timedelta(days=1)) == 0
            assert (await client.forget_uploads(["first"])).actions == 1

    with place.serving() as replica:
        asyncio.run(scenario(place.settings(replica, "alpha")))


def test_a_watch_comes_back_and_acknowledges_what_was_read(place: Place, new_pdq: Callable[[], bytes]) -> None:
    first, second = (Signal("pdq", new_pdq(), 100) for _ in range(2))
    away = threading.Event()
    with place.serving() as replica:
        place.replica_forum.configure(
            f'listen = "{replica.address}"\n' + (place.replica_forum.data / "config.toml").read_text()
        )
        with Client(**place.settings(replica, "alpha"), timeout_s=WAIT_S) as client:
            as_of = client.lookup([[first]]).as_of
            client.remember_uploads([("first", [first]), ("second", [second])], as_of=as_of)
            place.hub.member("alpha").contribute(first.value)
            watch = client.watch_retro_matches(on_away=lambda _: away.set())
            told = next(each for each in watch if each.matches)
            assert [each.reference for each in told.matches] == ["first"]
            replica.node.stop()
            place.hub.member("alpha").contribute(second.value)
            memory = []

            def again() -> None:
                memory.append(next(each for each in watch if each.matches))

            reading = threading.Thread(target=again)
            reading.start()
            assert away.wait(WAIT_S)
            listen = {"listen": str(replica.address)}
            with ReplicaInside(place.replica_forum, place.hub, place.token, **listen):
                reading.join(WAIT_S)
                assert [each.reference for each in memory[0].matches] == ["second"]


def test_a_hub_says_no(place: Place, new_pdq: Callable[[], bytes]) -> None:
    settings: dict[str, Any] = {
        "target": str(place.hub.address),
        "token": place.forum.tokens["acme"],
        "ca": place.forum.ca,
    }
    with Client(**settings) as client:
        as_of = client.capabilities().as_of
        with pytest.raises(ConflictError) as caught:
            client.remember_uploads([("first", [Signal("pdq", new_pdq(), 100)])], as_of=as_of)
        assert caught.value.reason == "UPLOADS_NOT_REMEMBERED"


def test_statistics_on_the_command_line(
    inside: ServerInside, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(inside.forum.ca)
    items = [each.item for each in inside.member("alpha").contribute(new_pdq(), new_pdq()).outcomes]
    settings: dict[str, Any] = {"target": str(inside.address), "ca": inside.forum.ca}
    with Client(**settings, token=inside.forum.tokens["acme"]) as client:
        now = datetime.now(UTC)
        client.report_matches([MatchReport(items[0], now, "observed", 2), MatchReport(items[1], now, "removed", 5)])
    monkeypatch.setenv("HASHPACT_TARGET", str(inside.address))
    monkeypatch.setenv("HASHPACT_CA", str(ca))
    monkeypatch.setenv("HASHPACT_TOKEN", inside.forum.tokens["steward"])

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["statistics", *words])
        assert done.exit_code == 0, done.stderr
        return done.stdout

    shown = [json.loads(line) for line in run("--json").splitlines()]
    assert [(each["item"], each["matches"]) for each in shown] == [(items[1], 5), (items[0], 2)]
    assert "and more" in run("--first", "1")
    assert "2 in all, reported by acme" in run(str(items[0]), "--hours", "2")
