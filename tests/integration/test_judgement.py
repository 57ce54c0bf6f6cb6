"""Judgement on a real hub and its replica: the same to everybody, by library and command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hashpact import AsyncClient, Client, Signal
from hashpact.errors import ConflictError, LimitExceededError, NotAllowedError, NotFoundError, ServiceError
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.rules import members
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Role
from hashpact_server.tokens import member_token_hash
from hashpact_server.writer import Act

from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory

ROLES = (Role.CHECK, Role.CONTRIBUTE, Role.REVIEW)
NAMES = ("ada", "bea", "cyd", "dan", "eve")


class Court:
    """A hub with five full members that judge, and clients of theirs."""

    def __init__(self, hub: ServerInside) -> None:
        self.hub = hub
        self.tokens = {name: f"hpt_{name:A<43}" for name in NAMES}
        hub.node.engine.writer.submit(Act(self._admit, bytes(16)))
        self._open: list[Client] = []

    def _admit(self, scene: Scene) -> Callable[[str], bytes]:
        for name, token in self.tokens.items():
            row = members.create_member(
                scene, bytes(16), pseudonym=name.encode().ljust(16, b"\x02"), name=name, roles=ROLES, group=name
            )
            limits = Limits()
            digest = member_token_hash(token)
            members.issue_token(scene, bytes(16), row.pseudonym, token_hash=digest, expiry_ms=0, limits=limits)
        return lambda _: b""

    def client(self, name: str, *, replica: ReplicaInside | None = None) -> Client:
        token = self.tokens.get(name) or self.hub.forum.tokens[name]
        hub, reads = str(self.hub.address), replica or self.hub
        made = Client(
            str(reads.address), token=token, ca=reads.forum.ca, write_target=hub, write_ca=self.hub.forum.ca,
            timeout_s=WAIT_S,
        )  # fmt: skip
        self._open.append(made)
        return made

    def close(self) -> None:
        for client in self._open:
            client.close()

    def listed(self, *names: str, fill: int = 1) -> int:
        signal = Signal("sha256", bytes(range(fill, fill + 32)))
        return [self.client(name).contribute([signal], labels=["x"]) for name in names][-1].item

    def run(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """``hashpact``, as this member."""
        return subprocess.run(
            [sys.executable, "-c", "from hashpact.cli import main; main()", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            env={
                **os.environ,
                "HASHPACT_TARGET": str(self.hub.address),
                "HASHPACT_TOKEN": self.tokens.get(name) or self.hub.forum.tokens[name],
                "HASHPACT_CA": str(self.hub.forum.data / "ca.pem"),
                "HASHPACT_CONFIG": "",
                "NO_COLOR": "1",
                "COLUMNS": "300",
            },
        )


@pytest.fixture
def court(inside: ServerInside) -> Iterator[Court]:
    made = Court(inside)
    yield made
    made.close()


def test_a_wrong_entry_is_stopped_disputed_and_removed_and_the_replica_says_the_same(
    court: Court, forum: Forum, tmp_path: Path
) -> None:
    archive = court.hub.member("steward").create("archive", Role.REPLICATE)
    with ReplicaInside(empty_directory(tmp_path / "replica", forum), court.hub, archive) as replica:
        item = court.listed("ada", "bea")
        cyd = court.client("cyd", replica=replica)
        given = cyd.give_opinion(item, "documentation-journalism", note="the evening news")
        assert (given.status, given.opinion.unresolved) == ("corroborated", True)
        found = cyd.list_opinions(item)  # from the replica, as fresh as the write
        assert (found.act_stopped, found.judging_groups, found.groups_needed) == (True, 2, 2)
        assert [one.note for one in found.opinions] == ["the evening news"]

        dispute = cyd.open_dispute(item, "documentation-journalism", "it is a report").dispute
        with pytest.raises(ConflictError, match="vote on that one"):
            court.client("dan").open_dispute(item, "legal", "too")
        with pytest.raises(NotAllowedError):
            court.client("ada").vote_on_dispute(dispute, "keep")
        assert cyd.get_item(item).status == "disputed"
        court.client("dan").vote_on_dispute(dispute, "remove", statement="seen it on air")
        eve = court.client("eve", replica=replica)
        assert eve.vote_on_dispute(dispute, "remove").outcome == "removed"
        assert eve.get_item(item).status == "withdrawn"
        assert not list(eve.list_disputes())
        (ended,) = eve.list_disputes(with_closed=True, item=item)
        assert [(vote.member, vote.verdict, vote.statement) for vote in ended.votes] == [
            ("dan", "remove", "seen it on air"),
            ("eve", "remove", ""),
        ]
        with pytest.raises(ConflictError):
            eve.give_opinion(item, "agree")
        assert_same(replica, court.hub)
        assert eve.count_judgements().disputes["removed"] == 1
        with Client(str(replica.address), token=court.tokens["eve"], ca=replica.forum.ca) as astray:
            with pytest.raises(ConflictError) as caught:
                astray.give_opinion(item, "agree")
            assert caught.value.reason == "REPLICA_READ_ONLY"


def test_a_challenge_is_told_to_those_whom_it_concerns(court: Court) -> None:
    item = court.listed("ada")
    picture = Signal("sha256", bytes(range(1, 33)))
    (lodged,) = court.client("bea").lodge_challenge(
        source=[picture], grounds="not-terrorist", statement="it is my picture", reference="notice 7"
    )
    assert (lodged.item, lodged.by_signals, lodged.reference) == (item, True, "notice 7")
    assert court.client("bea").lodge_challenge(
        source=[Signal("sha256", bytes(32, ) [:0] + bytes(range(99, 131)))], grounds="legal", statement="x"
    ) == []  # fmt: skip
    (seen,) = court.client("ada").list_challenges(mine=True)
    assert seen.statement == "it is my picture"
    assert [one.statement for one in court.client("cyd").list_challenges()] == [""]
    assert [one.statement for one in court.client("steward").list_challenges()] == ["it is my picture"]
    with pytest.raises(NotAllowedError):
        court.client("cyd").answer_challenge(lodged.challenge, "kept", "no")
    answered = court.client("ada").answer_challenge(lodged.challenge, "withdrawn", "a mistake")
    assert (answered.outcome, answered.answered_by) == ("withdrawn", "ada")
    assert court.client("ada").get_item(item).status == "withdrawn"
    counts = court.client("acme").count_judgements()
    assert (counts.challenges["withdrawn"], counts.challenges["open"]) == (1, 0)
    with pytest.raises(NotFoundError):
        court.client("cyd").lodge_challenge(10**9, grounds="legal", statement="x")


def test_what_people_wrote_goes_with_a_redaction_and_outcomes_stay(court: Court) -> None:
    item = court.listed("ada")
    client = court.client("bea")
    client.give_opinion(item, "disagree-label", labels=["journalism"], note="a name")
    dispute = client.open_dispute(item, "wrong-labels", "a name").dispute
    challenge = client.lodge_challenge(item, grounds="legal", statement="a name", reference="a file")[0].challenge

    def redact(scene: Scene) -> Callable[[str], bytes]:
        for entry in list(scene.entries(item + 1)):
            scene.record(Draft(Kind.REDACTED, subject=entry.sequence, clear=b"\x01"))
        return lambda _: b""

    court.hub.node.engine.writer.submit(Act(redact, bytes(16)))
    (one,) = client.list_opinions(item).opinions
    assert (one.code, one.labels, one.note, one.redacted, one.unresolved) == ("disagree_label", (), "", True, True)
    (disputed,) = client.list_disputes()
    assert (disputed.dispute, disputed.statement, disputed.redacted) == (dispute, "", True)
    (challenged,) = client.list_challenges()
    assert (challenged.challenge, challenged.statement, challenged.reference) == (challenge, "", "")
    assert challenged.redacted


def test_a_write_sent_again_is_done_once_and_a_rehearsal_writes_nothing(court: Court) -> None:
    item = court.listed("ada")
    client = court.client("bea")
    assert client.open_dispute(item, "legal", "court order 7", validate_only=True).dispute == 0
    assert client.give_opinion(item, "agree", validate_only=True).status == "corroborated"
    assert client.get_item(item).status == "provisional"
    first = client.open_dispute(item, "legal", "court order 7", request_id="dispute-one")
    assert client.open_dispute(item, "legal", "court order 7", request_id="dispute-one") == first
    with pytest.raises(ConflictError):
        client.open_dispute(item, "legal", "another", request_id="dispute-one")


def test_pages_and_the_day_limit(court: Court) -> None:
    items = [court.listed("ada", fill=fill) for fill in range(1, 22)]
    client = court.client("bea")
    opened = [client.open_dispute(item, "legal", "x").dispute for item in items[:20]]
    with pytest.raises(LimitExceededError) as caught:
        client.open_dispute(items[20], "legal", "x")
    assert (caught.value.limit_name, caught.value.limit) == ("member_disputes_per_day", 20)
    assert caught.value.retry_after_s
    assert [one.dispute for one in client.list_disputes(page_size=3)] == opened

    async def awaited() -> list[int]:
        address, token = str(court.hub.address), court.tokens["bea"]
        async with AsyncClient(address, token=token, ca=court.hub.forum.ca) as other:
            return [one.dispute async for one in other.list_disputes(page_size=7)]

    assert asyncio.run(awaited()) == opened


def test_the_command_line(court: Court) -> None:
    item = court.listed("ada", "bea")
    given = court.run("cyd", "opinion", "give", item, "benign-collision", "--note", "a logo", "--json")
    assert given.returncode == 0, given.stderr
    assert json.loads(given.stdout)["opinion"]["unresolved"] is True
    shown = court.run("ada", "opinion", "list", item)
    assert "nobody is advised to act on it now" in shown.stdout
    assert "benign-collision" in shown.stdout
    opened = court.run("cyd", "dispute", "open", item, "--grounds", "benign-collision", "--statement", "logo", "--json")
    dispute = json.loads(opened.stdout)["dispute"]
    assert court.run("ada", "dispute", "vote", dispute, "keep").returncode == 4
    assert court.run("dan", "dispute", "vote", dispute, "keep").returncode == 0
    decided = court.run("eve", "dispute", "vote", dispute, "keep")
    assert "decides" in decided.stdout
    lodged = court.run("dan", "challenge", "lodge", item, "--grounds", "legal", "--statement", "order", "--json")
    challenge = json.loads(lodged.stdout)["challenge"]
    kept = court.run("ada", "challenge", "answer", challenge, "kept", "--statement", "the order is of another item")
    assert "kept" in kept.stdout
    counts = json.loads(court.run("acme", "challenge", "counts", "--json").stdout)
    assert (counts["disputes"]["kept"], counts["challenges"]["kept"]) == (1, 1)
    assert court.run("cyd", "opinion", "give", 10**9, "agree").returncode == 3


@pytest.mark.parametrize("wrong", ["agreed", "", "unspecified"])
def test_words_that_do_not_exist_are_named_before_anything_is_sent(court: Court, wrong: str) -> None:
    with pytest.raises(ServiceError, match="agree"):
        court.client("bea").give_opinion(1, wrong)
