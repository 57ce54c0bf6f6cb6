"""Members on real servers: confirmation, four eyes and leaving, through the command line, at hub and replica."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hashpact import Client, Signal
from hashpact.cli.app import app
from hashpact.errors import ConflictError, LimitExceededError, NotAllowedError
from hashpact.v1 import steward_service_pb2, steward_service_pb2_grpc
from hashpact_server.state.rollbacks import running
from hashpact_server.state.rows import Role
from typer.testing import CliRunner

from tests.forum import value
from tests.integration.harness import WAIT_S, Attached, Forum, ServerInside, command, token_in
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory

PDQ = Signal("pdq", value("pdq", "four eyes"), 100)


@dataclass
class Shell:
    """The command line of somebody."""

    place: Attached
    token: str

    def run(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Run a command with ``--json``; what it printed, line by line."""
        environment = {
            "HASHPACT_TARGET": str(self.place.address),
            "HASHPACT_TOKEN": self.token,
            "HASHPACT_CA": str(self.place.forum.data / "ca.pem"),
        }
        done = CliRunner().invoke(app, [*words, "--json"], env=environment)
        assert done.exit_code == code, (words, done.output)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def client(self) -> Client:
        """A client with the same token."""
        return Client(str(self.place.address), token=self.token, ca=self.place.forum.ca)


@pytest.fixture
def hub(made_forum: Forum, tmp_path: Path) -> Iterator[ServerInside]:
    forum = made_forum.copy(tmp_path / "hub")
    added = command("member", "add", "deputy", "--role", "steward", "--data", forum.data)
    with ServerInside(Forum(forum.data, {**forum.tokens, "deputy": token_in(added.stdout)})) as server:
        yield server


def test_from_admission_to_leaving(hub: ServerInside, tmp_path: Path) -> None:
    office = Shell(hub, hub.forum.tokens["steward"])
    archive = hub.member("steward").create("archive", Role.REPLICATE)
    with ReplicaInside(empty_directory(tmp_path / "replica", hub.forum), hub, archive) as replica:
        handed = office.run("member", "add", "beta", "--role", "contribute", "--role", "approve", "--role", "check")[0]
        office.run("member", "confirm", "beta", code=3)  # a steward has its token
        beta = Shell(hub, handed["token"])
        writer = Shell(hub, beta.run("member", "token", "--role", "contribute", "--role", "check")[0]["token"])
        colleague = Shell(hub, beta.run("member", "token", "--role", "approve")[0]["token"])
        beta.run("member", "revoke", str(handed["token_id"]))
        motion = office.run("member", "confirm", "beta")[0]["motion"]
        second(hub, motion)
        told = office.run("member", "amend", "beta", "--contact-night", "+1 555 0101", "--four-eyes")[0]
        assert (told["tier"], told["four_eyes"], told["contact_night"]) == ("full", True, "+1 555 0101")

        with writer.client() as client:
            outcome = client.contribute([PDQ], labels=["list:un"])
            assert (outcome.outcome, outcome.item) == ("pending", 0)
            with pytest.raises(NotAllowedError):
                client.approve_contribution(outcome.pending)
        waiting = colleague.run("pending", "list")
        assert [(one["pending"], one["signal_types"]) for one in waiting] == [(outcome.pending, ["pdq"])]
        approved = colleague.run("pending", "approve", str(outcome.pending))[0]
        assert approved["outcome"] == "created"
        assert colleague.run("pending", "list") == []

        replica.reach(hub)
        there = Shell(replica, writer.token)
        assert there.run("member", "show")[0]["tier"] == "full"
        with there.client() as client:
            assert client.lookup([[PDQ]])[0].matches[0].item == approved["item"]
            with pytest.raises(ConflictError, match="replica"):
                client.reject_contribution(outcome.pending)

        motion = office.run("member", "leave", "beta", "--items", "withdraw", "--copies-deleted-by", "2027-01-31")[0]
        second(hub, motion["motion"])
        gone = office.run("member", "show", "beta")[0]
        assert (gone["tier"], gone["tokens"], gone["copies_deleted_time"][:10]) == ("left", [], "2027-01-31")
        writer.run("capabilities", code=4)
        until_rolled_back(hub)
        with office.client() as client:
            assert client.get_item(approved["item"]).status == "withdrawn"
        assert_same(replica, hub)


def second(hub: ServerInside, motion: int) -> None:
    """Second a motion as another steward."""
    deputy = hub.member("deputy")
    stub = steward_service_pb2_grpc.StewardServiceStub(deputy.channel)
    deputy.call(stub.Second, steward_service_pb2.SecondRequest(motion=motion))


def until_rolled_back(hub: ServerInside) -> None:
    """Wait for what a rollback has to do."""
    state = hub.node.engine.state
    give_up = time.monotonic() + WAIT_S
    while True:
        head = state.published.head.sequence
        with state.read() as view:
            if not list(running(view.rows)):
                return
        assert time.monotonic() < give_up
        state.wait_for(head + 1, WAIT_S)


def test_members_on_trial_are_told_when_to_come_back(hub: ServerInside, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace  # noqa: PLC0415 - for this policy alone

    from hashpact_server.rules import trials  # noqa: PLC0415 - as above
    from hashpact_server.rules.policy import DEFAULT  # noqa: PLC0415 - as above

    monkeypatch.setattr(trials, "policy_of", lambda _: replace(DEFAULT, trial_items_per_day=0, trial_writes_per_day=1))
    new = Shell(hub, hub.member("steward").create("new", Role.CONTRIBUTE))
    with new.client() as client:
        outcome = client.contribute([PDQ], labels=["list:un"])
        assert (outcome.outcome, outcome.reason) == ("refused", "TRIAL_QUOTA")
        client.issue_token()
        with pytest.raises(LimitExceededError) as refused:
            client.issue_token()
        assert (refused.value.limit_name, refused.value.limit) == ("trial_writes_per_day", 1)
        assert (refused.value.retry_after_s or 0) > 0
