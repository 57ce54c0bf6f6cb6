"""docs/steward.md, typed as it stands: every command of its console blocks, in order, on a real server.

The page shows sessions of several days, so that its numbers and times are not those of one run: a number of the page is
bound to what came in its place, and a command that names it later is typed with the real one. All else has to agree.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hashpact import Client, Contribution
from hashpact.cli import main
from hashpact.signals import Signal

from tests.integration.harness import WAIT_S, Forum, ServerInside, command, token_in
from tests.pictures import photo
from tests.repository import ROOT

PAGE = (ROOT / "docs" / "steward.md").read_text()
BLOCK = re.compile(r"^## (?P<heading>[^\n]*)$|^```console\n(?P<session>.*?)^```", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z")
NUMBER = re.compile(r"(?<![\w.:-])\d+(?![\w.:-]*\w)")
LABEL = "glorification_of_terrorist_acts"
OTHERS = {
    "hashpact steward second": "second",
    "hashpact member token > own.token": "beta",
    "hashpact member revoke": "beta",
    "hashpact contribute": "writer",
    "hashpact pending list": "writer",
    "hashpact pending approve": "approver",
    "hashpact dispute vote": "finn",
}
"""Who types what the steward does not."""


def sessions() -> Iterator[tuple[str, str, list[str]]]:
    """(heading, command, what the page shows) of every command."""
    heading = ""
    for found in BLOCK.finditer(PAGE):
        if found["heading"]:
            heading = found["heading"]
            continue
        for part in re.split(r"^\$ ", found["session"], flags=re.MULTILINE)[1:]:
            typed, *shown = part.rstrip("\n").split("\n")
            yield heading, typed, shown


class Reader:
    """Somebody who types what the page says, and compares."""

    def __init__(self, forum: Forum, folder: Path, run: Callable[[str, list[str]], tuple[str, str]]) -> None:
        self.tokens, self.folder, self._run = dict(forum.tokens), folder, run
        self.known: dict[str, str] = {}

    def type(self, typed: str, shown: list[str]) -> None:
        """Type one command of the page, and compare what it prints with what the page shows."""
        who = next((name for begins, name in OTHERS.items() if typed.startswith(begins)), "steward")
        line, _, into = typed.partition(" > ")
        words = [self.known.get(word, word) for word in shlex.split(line)]
        words = [re.sub(r"(?<==)\d+$", lambda found: self.known.get(found[0], found[0]), word) for word in words]
        told, kept = self._run(self.tokens[who], words[1:])
        printed = told + kept
        if into:
            assert kept, f"$ {typed}\ncame: {told}"
            (self.folder / into).write_text(kept)
            if into.endswith(".token"):
                self.tokens["beta"] = kept.strip()
            printed = told
        if shown:
            self.compare(typed, shown, printed.splitlines())

    def compare(self, typed: str, shown: list[str], printed: list[str]) -> None:
        """The page's lines, in their order, among those that were printed; its numbers are learned."""
        rest = iter(printed)
        for line in shown:
            if re.fullmatch(r"\d+ motion", line):
                continue  # the digest's last line: more waits here than on the page
            assert any(self._agree(line, told) for told in rest), f"$ {typed}\npage: {line}\ncame: {printed}"

    def _agree(self, line: str, told: str) -> bool:
        old, new = (" ".join(TIME.sub("TIME", text).split()) for text in (line, told))
        if NUMBER.sub("N", old) != NUMBER.sub("N", new):
            return False
        self.known.update(zip(NUMBER.findall(old), NUMBER.findall(new), strict=True))
        return True


@pytest.fixture
def reader(
    forum: Forum, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Reader, ServerInside]]:
    """A reader at a forum with a second steward, and members who have a part on the page."""
    roles = ("check", "contribute", "review", "approve", "replicate")
    wanted = [word for role in roles for word in ("--role", role)]
    tokens = {}
    for name, given in (
        ("second", ["--role", "steward"]),
        ("caro", wanted),
        ("dora", wanted),
        ("holder", wanted),
        ("erin", wanted),
        ("finn", wanted),
    ):
        tokens[name] = token_in(command("member", "add", name, *given, "--data", forum.data).stdout)
    forum.configure("decoys = true\n")
    (tmp_path / "reader").mkdir()
    monkeypatch.chdir(tmp_path / "reader")
    with ServerInside(Forum(forum.data, {**forum.tokens, **tokens})) as server:
        monkeypatch.setenv("HASHPACT_TARGET", str(server.address))
        monkeypatch.setenv("HASHPACT_CA", str(forum.data / "ca.pem"))
        monkeypatch.setenv("HASHPACT_CONFIG", "")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

        def run(token: str, words: list[str]) -> tuple[str, str]:
            """What goes to standard error, where the server in this process writes, too; and to standard output."""
            monkeypatch.setenv("HASHPACT_TOKEN", token)
            monkeypatch.setattr("sys.argv", ["hashpact", *words])
            with pytest.raises(SystemExit):
                main()
            written = capsys.readouterr()
            return written.err, written.out

        yield Reader(server.forum, tmp_path / "reader", run), server


class Meanwhile:
    """What the page takes for granted: what members and the other steward do before a command."""

    def __init__(self, reader: Reader, server: ServerInside) -> None:
        self.reader, self.server = reader, server

    def client(self, member: str) -> Client:
        """The library, as a member."""
        return Client(
            str(self.server.address), token=self.reader.tokens[member], ca=self.server.forum.ca, timeout_s=WAIT_S
        )

    def listed(self, word: str, *members: str) -> int:
        """An item that these members contributed."""
        for member in members:
            item = self.contribution(member, word)
        return item

    def contribution(self, member: str, word: str) -> int:
        """Have a member contribute."""
        signal = Signal("sha256", hashlib.sha256(word.encode()).digest())
        with self.client(member) as client:
            return client.contribute([signal], labels=[LABEL]).item

    def before(self, heading: str, typed: str) -> None:
        """Have done what comes before a command of the page."""
        known, folder = self.reader.known, self.reader.folder
        match heading, typed.split()[1:3]:
            case "Members", ["contribute", _]:
                photo("astronaut.png").save(folder / "flyer.jpg")
                with self.client("steward") as steward:
                    steward.amend_member("beta", four_eyes=True)
                with self.client("beta") as beta:
                    self.reader.tokens["writer"] = beta.issue_token(roles=("contribute", "check")).token
                    self.reader.tokens["approver"] = beta.issue_token(roles=("approve",)).token
            case "Taxonomy and policy", ["rulebook", "adopt"]:
                found = re.search(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
                assert found
                (folder / "policy.json").write_text(found[1])
            case "An item that worries you", ["steward", "limit"]:
                known["10"] = str(self.listed("worrying", "holder", "caro"))
            case "Redaction", _:
                known["12"] = str(self.listed("a name on the picture", "holder"))
            case "Disputes and challenges", words:
                self.judged(words[0], words[1])
            case _:
                self.later(heading, typed.split()[1:])

    def judged(self, group: str, word: str) -> None:
        """What members do about items of others."""
        known = self.reader.known
        match group, word:
            case "opinion", _:
                item = self.listed("disputed", "holder")
                known["13"] = str(item)
                with self.client("dora") as dora, self.client("caro") as caro:
                    dora.give_opinion(item, "agree")
                    note = "evening news, with the station's logo"
                    caro.give_opinion(item, "documentation-journalism", note=note)
            case "dispute", "list":
                with self.client("caro") as caro:
                    said = "a report of the attack, not the original"
                    caro.open_dispute(int(known["13"]), "documentation-journalism", said)
            case "dispute", "vote":
                with self.client("erin") as erin:
                    erin.vote_on_dispute(int(known["17"]), "remove")
            case "challenge", "lodge":
                known["14"] = str(self.listed("a wedding", "holder"))

    def later(self, heading: str, words: list[str]) -> None:
        """What comes before the commands of the second half of the page."""
        folder = self.reader.folder
        match heading, words:
            case "A member gone wrong: rollback", ["rollback", *_, "--validate-only"]:
                self.listed("bribed", "alpha")
                self.listed("bribed, too", "holder", "alpha")
            case "A member gone wrong: rollback", ["steward", "rollbacks", *_]:
                give_up = time.monotonic() + WAIT_S
                with self.client("steward") as steward:
                    while next(iter(steward.list_rollbacks())).finish_time is None:
                        assert time.monotonic() < give_up
                        time.sleep(0.05)
            case "The benign list", ["benign", "add", *_]:
                photo("coffee.png").resize((300, 200)).save(folder / "channel-logo.png")
            case "Alerts", ["alert", "list", *_]:
                with self.client("dora") as dora:
                    logo = Contribution(folder / "channel-logo.png", [LABEL])
                    outcomes = dora.contribute_many([logo] * 12)
                    assert {each.reason for each in outcomes} == {"SIGNAL_BENIGN"}
            case "A leaked list", _:
                self.leak()

    def leak(self) -> None:
        """Have the copy of a member at hand, as somebody found it."""
        with self.client("holder") as holder, self.client("caro") as caro:
            digests = [hashlib.sha256(b"%d" % number).digest() for number in range(400)]
            holder.contribute_many([Contribution([Signal("sha256", digest)], [LABEL]) for digest in digests])
            values = [
                signal.value.hex() for item in caro.list_items(signals=True) for signal in item.signals if signal.value
            ]
        (self.reader.folder / "leaked.csv").write_text("\n".join(values))


def test_the_page_can_be_typed_as_it_stands(reader: tuple[Reader, ServerInside]) -> None:
    typist, server = reader
    meanwhile = Meanwhile(typist, server)
    typist.tokens.update(server.forum.tokens)
    compared = 0
    for heading, typed, shown in sessions():
        if typed.startswith("hashpact "):
            meanwhile.before(heading, typed)
            typist.type(typed, shown)
            compared += len(shown)
    assert compared > 60
