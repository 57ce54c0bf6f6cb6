"""``hashpact`` against ``hashpact-server serve``, as members use it: two processes, TLS, environment variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import Forum, ServerProcess
from tests.integration.test_client import photograph

TIMEOUT_S = 120

Hashpact = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hashpact(server: ServerProcess, forum: Forum, tmp_path: Path) -> Hashpact:
    """Runs ``hashpact`` as a member."""

    def run(member: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from hashpact.cli import main; main()", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={
                **os.environ,
                "HASHPACT_TARGET": str(server.address),
                "HASHPACT_TOKEN": forum.tokens.get(member, member),
                "HASHPACT_CA": str(forum.data / "ca.pem"),
                "HASHPACT_CONFIG": "",
                "XDG_CONFIG_HOME": str(tmp_path / "no-config"),
            },
        )

    return run


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_from_the_list_to_a_match_and_back(hashpact: Hashpact, tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    cat = photograph("chelsea")
    cat.save(tmp_path / "cat.png")
    cat.resize((300, 200)).save(uploads / "a-cat.jpg", quality=60)
    photograph("coffee").save(uploads / "b-coffee.png")
    (uploads / "c-notes.txt").write_text("no picture")

    assert hashpact("acme", "doctor").returncode == 0
    nothing = hashpact("acme", "check", "--json", uploads / "a-cat.jpg")
    assert (nothing.returncode, lines(nothing)[0]["verdict"]) == (0, "none")

    dry = hashpact("alpha", "contribute", "--json", "--dry-run", tmp_path / "cat.png", "--label", "test")
    assert (dry.returncode, lines(dry)[0]["outcome"]) == (0, "created")
    contributed = hashpact("alpha", "contribute", "--json", tmp_path / "cat.png", "--label", "test")
    assert contributed.returncode == 0
    (outcome,) = lines(contributed)
    assert outcome["outcome"] == "created"

    checked = hashpact("acme", "check", "--json", uploads / "a-cat.jpg", uploads / "b-coffee.png")
    assert checked.returncode == 10
    found, innocent = lines(checked)
    assert (found["verdict"], found["advice"]) == ("match", "review")
    assert found["matches"][0]["item"] == outcome["item"]
    assert found["matches"][0]["signal_type"] == "pdq"
    assert found["matches"][0]["status"] == "provisional"
    assert found["matches"][0]["labels"] == ["test"]
    assert innocent["verdict"] == "none"

    folder = hashpact("acme", "check", "--json", uploads)
    assert folder.returncode == 3, "one of three is no picture"
    assert [line.get("verdict", "error") for line in lines(folder)] == ["match", "none", "error"]
    address = hashpact("alpha", "contribute", "--url", "https://example.org/a", "--label", "test")
    assert "1 created (1 address)" in address.stdout, address.stderr
    spelled = hashpact("acme", "check", "--json", uploads / "b-coffee.png", "--url", "hxxp://example[.]org/a#top")
    assert [(line["path"], line["kind"], line["verdict"]) for line in lines(spelled)] == [
        (str(uploads / "b-coffee.png"), "picture", "none"),
        ("hxxp://example[.]org/a#top", "address", "match"),
    ]
    assert hashpact("acme", "check").returncode == 2
    people = hashpact("acme", "check", uploads)
    assert "1 matched" in people.stdout
    assert "c-notes.txt" in people.stderr

    shown = hashpact("alpha", "item", "--json", outcome["item"])
    assert lines(shown)[0]["contributions"][0]["member"] == "alpha"
    assert hashpact("alpha", "items").stdout.rstrip().endswith("2 items")
    assert hashpact("acme", "withdraw", outcome["item"]).returncode == 4
    withdrawn = hashpact("alpha", "withdraw", "--json", outcome["item"], "--reason", "mistake")
    assert lines(withdrawn) == [{"item": outcome["item"], "status": "withdrawn", "contributions_left": 0}]
    assert hashpact("acme", "check", uploads / "a-cat.jpg").returncode == 0


def test_a_steward_admits_and_suspends(hashpact: Hashpact) -> None:
    added = hashpact("steward", "member", "add", "gamma", "--role", "check")
    assert added.returncode == 0, added.stderr
    token = added.stdout.strip()
    assert token.startswith("hpt_")
    assert token not in added.stderr
    assert lines(hashpact(token, "capabilities", "--json"))[0]["caller"] == "gamma"
    own = hashpact(token, "member", "token", "--json", "--expires-days", "1")
    assert lines(own)[0]["expire_time"]
    assert hashpact("steward", "member", "suspend", "gamma").returncode == 0
    assert hashpact(token, "items").returncode == 4
    assert hashpact("steward", "member", "resume", "gamma").returncode == 0
    assert hashpact("steward", "member", "revoke", lines(own)[0]["token_id"]).returncode == 0
    listed = {line["name"]: line for line in lines(hashpact("steward", "member", "list", "--json"))}
    assert listed["gamma"]["suspended"] is False
    assert len(listed["gamma"]["tokens"]) == 1
    assert hashpact("steward", "member", "suspend", "steward").returncode == 3
    assert hashpact("acme", "member", "list").returncode == 4


def test_a_stopped_server(hashpact: Hashpact, server: ServerProcess) -> None:
    assert hashpact("acme", "capabilities").returncode == 0
    assert server.stop() == 0
    ran = hashpact("acme", "capabilities")
    assert ran.returncode == 5
    assert ran.stderr.count("\n") == 1
    assert "nothing listens" in ran.stderr
