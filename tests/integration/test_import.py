"""Lists in and out of a live service: killed at the worst moments and gone on with, and out and in again."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hashpact import Client
from hashpact.v1 import member_service_pb2

from tests.integration.harness import WAIT_S, Forum, ServerInside

ROLES = (member_service_pb2.ROLE_CONTRIBUTE, member_service_pb2.ROLE_REPLICATE, member_service_pb2.ROLE_CHECK)
MD5, SHA256 = hashlib.md5(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
ROWS = 120
BATCH = 10

RUN = """
import os, signal, sys
from hashpact.exchange import importing, items, journal
items.BATCH = int(sys.argv.pop(1))
moment = sys.argv.pop(1)
done, send = journal.Journal.done, importing.Importer._send
def die(when):
    if moment == when:
        os.kill(os.getpid(), signal.SIGKILL)
def dying_done(self, batches, *more):
    if batches == 5: die("before it is remembered")
    done(self, batches, *more)
    if batches == 5: die("after it is remembered")
def dying_send(self, number, contributions):
    answer = send(self, number, contributions)
    if number == 3: die("after the service answered")
    return answer
journal.Journal.done, importing.Importer._send = dying_done, dying_send
from hashpact.cli import main
main()
"""


@pytest.fixture
def holder(inside: ServerInside) -> str:
    """Token of a member that may hold the list and contribute to it."""
    return inside.member("steward").create("holder", *ROLES)


class Shell:
    """The command line as a member."""

    def __init__(self, server: ServerInside, token: str) -> None:
        self.client = Client(str(server.address), token=token, ca=server.forum.ca)
        self._environment = {
            **os.environ,
            "HASHPACT_TARGET": str(server.address),
            "HASHPACT_TOKEN": token,
            "HASHPACT_CA": str(server.forum.data / "ca.pem"),
            "HASHPACT_CONFIG": "",
            "HOME": str(server.forum.data),
            "NO_COLOR": "1",
        }

    def run(self, *words: str | Path, code: int, moment: str = "", stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(BATCH), moment, *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            env=self._environment,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def server_away(self, *words: str | Path, code: int) -> None:
        """The same while nobody answers."""
        away = {**self._environment, "HASHPACT_TARGET": "127.0.0.1:1"}
        here, self._environment = self._environment, away
        try:
            self.run(*words, code=code)
        finally:
            self._environment = here

    def summary(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.run("import", *words, "--json", code=code)))

    def items(self) -> dict[str, tuple[frozenset[tuple[str, bytes | None, int | None]], tuple[str, ...]]]:
        """What is on the list by its PDQ value: ids are given in the order in which calls arrive."""
        return {
            next(one.value or b"" for one in item.signals if one.signal_type == "pdq").hex(): (
                frozenset((one.signal_type, one.value, one.quality) for one in item.signals),
                item.labels,
            )
            for item in self.client.list_items(signals=True)
        }


@pytest.fixture
def shell(inside: ServerInside, holder: str) -> Iterator[Shell]:
    made = Shell(inside, holder)
    yield made
    made.client.close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A list with groups, rows of a group far apart, doubles, bad rows and unknown types."""
    rng = random.Random(4)
    pdqs = [rng.randbytes(32).hex() for _ in range(ROWS)]
    rows = ["id,type,value,quality,tags"]
    for number, pdq in enumerate(pdqs):
        rows.append(f"{number},HASH_PDQ,{pdq.upper()},{50 + number % 50},x")
        if number % 3 == 0:
            rows.append(f"{number},HASH_MD5,{rng.randbytes(16).hex()},,y")
        if number % 10 == 5:
            rows += [f"{number},pdq,nonsense,90,x", f"{number},tmk,blob{number},,", "too,few"]
        if number % 40 == 39:
            rows.append(f"{number - 39},sha256,{rng.randbytes(32).hex()},,y")  # of a group long ago
            rows.append(f"again-{number},pdq,{pdqs[number - 20]},90,y")  # known by its value
    path = tmp_path / "list.csv"
    path.write_text("\n".join(rows) + "\n")
    (tmp_path / "tags.toml").write_text('[tags]\nx = ["art"]\ny = ["research", "list:un"]\n')
    return path


# Batches are sent side by side: when the fourth one's answer kills the first run, up to three are remembered. The other
# two runs therefore die at the fifth, which no run before can have remembered.
MOMENTS = ("after the service answered", "before it is remembered", "after it is remembered")


def test_killed_and_gone_on_with(table: Path, shell: Shell, inside: ServerInside, tmp_path: Path) -> None:
    """However often it dies: the same list, the same report, nothing twice."""
    options: list[str | Path] = ["--map", tmp_path / "tags.toml"]

    def files(name: str) -> list[str | Path]:
        return ["--report", tmp_path / f"{name}.jsonl", "--opaque", tmp_path / f"{name}.opaque"]

    words = [table, *options, *files("report")]
    for moment in MOMENTS:
        shell.run("import", *words, code=-9, moment=moment)
        assert Path(f"{table}.hashpact-journal").exists()
    summary = shell.summary(*words, code=3)
    assert summary["resumed"]
    assert not Path(f"{table}.hashpact-journal").exists()
    assert summary["records"] == len(table.read_text().splitlines()) - 1
    assert summary["opaque"] == 12
    assert summary["refusals"] == {"SIGNAL_MALFORMED": 12, "NOT_CSV": 12}
    assert summary["outcomes"] == {"created": ROWS, "attached": 5, "unchanged": 1}

    listed = shell.items()
    assert len(listed) == ROWS
    assert sum(len(signals) for signals, _ in listed.values()) == ROWS + ROWS // 3 + 3
    signals, labels = listed[table.read_text().splitlines()[1].split(",")[2].lower()]
    assert sorted(kind for kind, _, _ in signals) == ["md5", "pdq", "sha256"]
    assert {quality for kind, _, quality in signals if kind == "pdq"} == {50}
    assert labels == ("art", "list:un", "research")
    head = inside.node.engine.published.head.sequence
    report = (tmp_path / "report.jsonl").read_text()

    again = shell.summary(table, *options, *files("again"), code=3)
    assert again["outcomes"] == {"unchanged": ROWS + 6}
    assert inside.node.engine.published.head.sequence == head
    assert (tmp_path / "again.jsonl").read_text() == report
    assert (tmp_path / "again.opaque").read_text() == (tmp_path / "report.opaque").read_text()
    lines = [json.loads(line) for line in report.splitlines()]
    assert all(set(line) == {"file", "line", "reason", "message"} for line in lines)
    bad = [
        number for number, row in enumerate(table.read_text().splitlines(), 1) if "nonsense" in row or row == "too,few"
    ]
    assert sorted(line["line"] for line in lines) == bad
    for path in (tmp_path / "report.jsonl", tmp_path / "report.opaque"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_dry_run_writes_nothing(table: Path, shell: Shell, inside: ServerInside, tmp_path: Path) -> None:
    head = inside.node.engine.published.head.sequence
    summary = shell.summary(table, "--dry-run", "--label", "test", "--report", tmp_path / "report", code=3)
    assert summary["dry_run"]
    assert summary["outcomes"]["created"] >= ROWS
    assert summary["refusals"] == {"SIGNAL_MALFORMED": 12, "NOT_CSV": 12, "SIGNAL_TYPE_UNKNOWN": 12}
    assert summary["untranslated_tags"] == {"x": ROWS, "y": 46}
    assert inside.node.engine.published.head.sequence == head
    assert not Path(f"{table}.hashpact-journal").exists()


def test_the_service_says_no_to_one(shell: Shell, tmp_path: Path) -> None:
    """A refusal, an ambiguity and a signal that was not listed: each with its line."""
    rows = [
        {"id": 1, "signals": {"md5": MD5}},
        {"id": 2, "signals": {"sha256": SHA256}},
        {"id": 3, "signals": {"md5": MD5, "sha256": SHA256}},
        {"signals": {"phash": "0f1e2d3c4b5a6978"}},
        {"signals": {"md5": MD5[::-1], "pdq": "00" * 32}, "pdq_quality": 99},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    out = shell.run(
        "import", "-", "--format", "jsonl", "--label", "t", "--json", "--report", tmp_path / "r", code=3, stdin=text
    )
    assert json.loads(out)["outcomes"] == {"created": 3, "ambiguous": 1, "refused": 1}
    told = [(line["line"], line["reason"]) for line in map(json.loads, (tmp_path / "r").read_text().splitlines())]
    assert told == [(3, "AMBIGUOUS"), (4, "NO_IDENTITY"), (5, "SIGNAL_DEGENERATE")]
    assert "00" * 32 not in (tmp_path / "r").read_text()


def test_a_journal_of_something_else_is_refused(table: Path, shell: Shell, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text("not a journal at all, but long enough to be looked at" * 100)
    assert "CONFIG" in shell.run("import", table, "--label", "t", "--journal", journal, "--json", code=2)
    journal.unlink()
    shell.run("import", table, "--label", "t", "--journal", journal, code=-9, moment=MOMENTS[1])
    assert "other files" in shell.run("import", table, "--label", "u", "--journal", journal, "--json", code=2)
    table.write_text(table.read_text() + "\n")
    assert "other files" in shell.run("import", table, "--label", "t", "--journal", journal, "--json", code=2)
    shell.server_away("import", table, "--label", "u", code=5)  # leaves no journal that would stand in the way
    for option in ("--report", "--opaque", "--journal"):
        assert "named twice" in shell.run("import", table, "--label", "t", option, table, "--json", code=2)
    kept = tmp_path / "kept"
    kept.write_text("of another import")
    assert "holds something" in shell.run("import", table, "--label", "t", "--opaque", kept, "--json", code=2)
    assert kept.read_text() == "of another import"
    assert "wrote before" not in shell.run("import", table, "--label", "t", "--json", code=3)


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.json"])
def test_out_and_in_again(shell: Shell, made_forum: Forum, tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    rows = [
        {
            "signals": {
                "pdq": rng.randbytes(32).hex(),
                "md5": rng.randbytes(16).hex(),
                "phash": rng.randbytes(8).hex(),
            },
            "pdq_quality": 60 + n,
            "labels": ["art", f"mine-{n}"],
        }
        for n in range(25)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert shell.summary(tmp_path / "in.jsonl")["outcomes"] == {"created": 25}
    shell.client.withdraw(next(iter(shell.client.list_items())).item)
    before = shell.items()
    assert len(before) == 24
    out = tmp_path / name
    told = json.loads(shell.run("export", out, "--json", code=0))
    assert (told["items"], told["signals"], told["left_out"]) == (24, 72, 0)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with ServerInside(made_forum.copy(tmp_path / "other")) as other:
        there = Shell(other, other.member("steward").create("holder", *ROLES))
        assert there.summary(out)["outcomes"] == {"created": 24}
        assert there.items() == before
        there.client.close()


def test_what_a_role_may_hold(shell: Shell, inside: ServerInside, tmp_path: Path) -> None:
    """Without the role replicate a member exports what it contributes to; what cannot be written leaves no trace."""
    inside.member("alpha").contribute(bytes(range(32)))
    (tmp_path / "in.txt").write_text(f"md5 {MD5}")
    assert shell.summary(tmp_path / "in.txt", "--label", "x")["outcomes"] == {"created": 1}
    alpha = Shell(inside, inside.forum.tokens["alpha"])
    told = json.loads(alpha.run("export", tmp_path / "alpha.jsonl", "--json", code=0))
    assert (told["items"], told["left_out"]) == (1, 0)  # what others contributed is not asked for
    (only,) = [json.loads(line) for line in (tmp_path / "alpha.jsonl").read_text().splitlines()]
    assert [one["value"] for one in only["signals"]] == [bytes(range(32)).hex()]
    alpha.client.close()
    assert len(shell.run("export", "-", code=0).splitlines()) == 2
    (tmp_path / "kept.csv").write_text("as it was")
    acme = Shell(inside, inside.forum.tokens["acme"])
    acme.run("export", tmp_path / "kept.csv", code=4)
    acme.client.close()
    assert (tmp_path / "kept.csv").read_text() == "as it was"
    shell.run("export", tmp_path / "no" / "folder.csv", code=2)
    shell.run("export", tmp_path, code=2)
