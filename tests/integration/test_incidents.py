"""Incidents on real servers: everybody is told, at the hub and at replicas; hooks until they confirm; the debrief."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hashpact import AsyncClient, Client, Signal
from hashpact.errors import ConflictError, HashpactError
from hashpact.incidents import Incident, IncidentRules, IncidentUpdate
from hashpact.uploads import MatchReport
from hashpact_server.state.incidents import acknowledgements
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Attached, Forum, ServerInside
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOUR = timedelta(hours=1)


def client_of(server: Attached | ServerInside, token: str, hub: ServerInside | None = None) -> Client:
    """A member's client, whose writes go to the hub."""
    written = {} if hub is None else {"write_target": str(hub.address), "write_ca": hub.forum.ca}
    return Client(str(server.address), token=token, ca=server.forum.ca, **written)  # type: ignore[arg-type]


class Receiver:
    """An address that is told: refuses once, then takes; keeps what came."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.ids: list[str] = []
        self.bad: list[str] = []
        self.news = threading.Condition()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        name, when = headers["webhook-id"], headers["webhook-timestamp"]
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, f"{name}.{when}.".encode() + body, hashlib.sha256).digest()).decode()
        with self.news:
            if headers["webhook-signature"] != f"v1,{right}":
                self.bad.append(name)
            self.ids.append(name)
            if len(self.ids) == 1:
                return 500
            self.events.append(json.loads(body))
            self.news.notify_all()
        return 204

    def wait_for(self, kind: str) -> dict[str, object]:
        def come() -> dict[str, object] | None:
            return next((event for event in self.events if event["type"] == kind), None)

        with self.news:
            assert self.news.wait_for(lambda: come() is not None, WAIT_S), self.events
            found = come()
        assert found is not None
        return found


@contextmanager
def receiving() -> Iterator[tuple[str, Receiver]]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code = told.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def acknowledged(hub: ServerInside, incident: int, receiver: int) -> int:
    with hub.node.engine.state.read() as view:
        return len(acknowledgements(view, incident, receiver))


def wait_acknowledged(hub: ServerInside, incident: int) -> None:
    core = hub.node.engine.state
    with core.moved:
        assert core.moved.wait_for(lambda: acknowledged(hub, incident, 1) == 1, WAIT_S)


@contextmanager
def watch(server: Attached, hub: ServerInside, token: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``hashpact incident watch`` beside a server."""
    ca = str(hub.forum.data / "ca.pem")
    process = subprocess.Popen(
        [sys.executable, "-c", "from hashpact.cli import main; main()", "incident", "watch", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "HASHPACT_TARGET": str(server.address),
            "HASHPACT_CA": str(server.forum.data / "ca.pem"),
            "HASHPACT_WRITE_TARGET": str(hub.address),
            "HASHPACT_WRITE_CA": ca,
            "HASHPACT_TOKEN": token,
            "HASHPACT_WEBHOOK_SECRET": SECRET,
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_hooks_at_a_replica_are_told_until_they_confirm(forum: Forum, tmp_path: Path) -> None:
    script, kept = tmp_path / "hook.py", tmp_path / "told.jsonl"
    script.write_text(
        "import os, sys, pathlib\n"
        f"kept = pathlib.Path({str(kept)!r})\n"
        "assert 'HASHPACT_TOKEN' not in os.environ and os.environ['HASHPACT_INCIDENT_NAME'] == 'harbour'\n"
        "first = not kept.exists()\n"
        "kept.open('a').write(sys.stdin.read() + '\\n')\n"
        "sys.exit(3 if first else 0)\n"
    )
    hook = shlex.join([sys.executable, str(script)])
    with ServerInside(forum) as hub, receiving() as (url, told):
        steward = hub.member("steward")
        archive = steward.create("archive", Role.REPLICATE)
        with (
            ReplicaInside(empty_directory(tmp_path / "replica", forum), hub, archive) as replica,
            client_of(hub, forum.tokens["steward"]) as governing,
            watch(replica, hub, forum.tokens["acme"], "--command", hook, "--url", url) as process,
        ):
            opened = governing.open_incident("harbour", "perpetrator_content", HOUR, summary="two videos")
            assert process.stdout is not None
            line = json.loads(process.stdout.readline())
            assert (line["incident"], line["state"], line["label"]) == (opened.incident, "open", "incident:harbour")
            event = told.wait_for("incident.open")
            assert isinstance(event["incident"], dict)
            assert event["incident"]["summary"] == "two videos"
            wait_acknowledged(hub, opened.incident)  # only after both confirmed
            assert len(kept.read_text().splitlines()) == 2
            assert (told.ids[0], told.bad) == (told.ids[1], [])
            governing.close_incident(opened.incident)
            told.wait_for("incident.closed")
            assert json.loads(process.stdout.readline())["state"] == "closed"
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT_S) == 0
            assert_same(replica, hub)


def test_a_watch_comes_back_and_misses_nothing(forum: Forum) -> None:
    away: list[HashpactError] = []

    def until(updates: Iterator[IncidentUpdate], state: str) -> Incident:
        for update in updates:
            for incident in update.incidents:
                if incident.state == state:
                    return incident
        raise AssertionError(state)

    with ServerInside(forum) as hub:
        with client_of(hub, forum.tokens["steward"]) as governing:
            early = governing.open_incident("early", "x", HOUR)
            member = client_of(hub, forum.tokens["acme"])
            updates = member.watch_incidents(on_away=away.append)
            assert until(updates, "open") == early  # it was open before anybody watched
        address = str(hub.address)
    with ServerInside(forum, listen=address) as hub, client_of(hub, forum.tokens["steward"]) as governing, member:
        governing.close_incident(early.incident)
        assert until(updates, "closed").incident == early.incident
        assert away
        assert [one.name for one in member.list_incidents()] == ["early"]
        assert not list(member.list_incidents(open_only=True))

        async def asynchronous() -> Incident:
            async with AsyncClient(address, token=forum.tokens["acme"], ca=forum.ca) as client:
                async for update in client.watch_incidents():
                    for incident in update.incidents:
                        return incident
            raise AssertionError

        later = governing.open_incident("later", "x", HOUR, rules=IncidentRules(radii={"pdq": 40}))
        assert asyncio.run(asynchronous()) == later
        with pytest.raises(ConflictError) as caught:
            governing.open_incident("long", "x", 3 * HOUR)
        assert caught.value.reason == "INCIDENT_NEEDS_SECOND"
        assert governing.open_incident("short", "x", HOUR, validate_only=True).incident == 0


def test_the_debrief_tells_who_did_what(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    with (
        ServerInside(forum) as hub,
        client_of(hub, forum.tokens["steward"]) as governing,
        client_of(hub, forum.tokens["alpha"]) as alpha,
        client_of(hub, forum.tokens["acme"]) as acme,
    ):
        incident = governing.open_incident("harbour", "x", HOUR, rules=IncidentRules(item_expiry=2 * HOUR))
        assert incident.rules.item_expiry == 2 * HOUR
        item = alpha.contribute([Signal("pdq", new_pdq(), 100)], labels=[incident.label]).item
        alpha.contribute([Signal("pdq", new_pdq(), 100)], labels=[incident.label], attach_to=item)
        alpha.contribute([Signal("pdq", new_pdq(), 100)], labels=["elsewhere"])
        acme.acknowledge_incident(incident.incident, "person")
        acme.acknowledge_incident(incident.incident, "software")
        hour = incident.create_time
        assert hour is not None
        acme.report_matches([MatchReport(item, hour.replace(minute=0, second=0, microsecond=0), "removed", 7)])
        told = governing.incident_debrief(incident.incident)
        assert all(one.matches == 0 for one in alpha.incident_debrief(incident.incident).members)
    assert (told.items, told.items_created, told.items_corroborated, told.items_closed) == (1, 1, 0, 0)
    assert sum(one.signals for one in told.hours) == 2
    assert {one.member: (one.contributions, one.signals, one.matches) for one in told.members} == {
        "alpha": (2, 2, 0),
        "acme": (0, 0, 7),
    }
    assert (told.software_acknowledged.count, told.person_acknowledged.count) == (1, 1)
    assert told.with_matches
