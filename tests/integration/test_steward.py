"""What stewards do, through the real server: motions, rollbacks, rulebooks, the digest; library and command line."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hashpact import Client
from hashpact.cli import main
from hashpact.errors import ConflictError, InvalidRequestError, NotAllowedError
from hashpact.signals import Signal

from tests.integration.harness import WAIT_S, Forum, ServerInside, command, token_in


@pytest.fixture
def governed(forum: Forum) -> Forum:
    """The forum with a second steward."""
    added = command("member", "add", "second", "--role", "steward", "--data", forum.data)
    return Forum(forum.data, {**forum.tokens, "second": token_in(added.stdout)})


@pytest.fixture
def server(governed: Forum) -> Iterator[ServerInside]:
    with ServerInside(governed) as running:
        yield running


def client(server: ServerInside, member: str) -> Client:
    return Client(str(server.address), token=server.forum.tokens[member], ca=server.forum.ca, timeout_s=WAIT_S)


def signals(seed: int) -> list[Signal]:
    return [Signal("sha256", hashlib.sha256(bytes([seed])).digest())]


def moment() -> datetime:
    """A time between what was written and what will be: the ledger counts in milliseconds."""
    time.sleep(0.005)
    now = datetime.now(UTC)
    time.sleep(0.005)
    return now


def finished(steward: Client) -> int:
    """Wait for the newest rollback; how many entries it undid."""
    give_up = time.monotonic() + WAIT_S
    while (newest := next(iter(steward.list_rollbacks()))).finish_time is None:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return newest.undone


def test_a_rollback_from_proposal_to_end(server: ServerInside) -> None:
    with client(server, "steward") as first, client(server, "second") as second, client(server, "alpha") as alpha:
        before = alpha.contribute(signals(1), labels=["x"]).item
        since = moment()
        items = [alpha.contribute(signals(seed), labels=["x"]).item for seed in range(2, 12)]
        fields = {"member": "alpha", "since_time": since}
        trial = first.propose("roll_back", fields, validate_only=True)
        assert trial.motion.motion == 0
        assert trial.extent is not None
        assert trial.extent.to_dict() == {"entries": 10, "items": 10, "items_unlisted": 10, "more": False}
        motion = first.propose("roll_back", fields, reason="bribed").motion
        assert [each.motion for each in second.list_motions(open_only=True)] == [motion.motion]
        assert motion.fields is not None
        assert (motion.fields["member"], motion.reason) == ("alpha", "bribed")
        with pytest.raises(NotAllowedError, match="of its own: a steward of another corporate group does"):
            first.second(motion.motion)
        assert second.second(motion.motion).state == "carried"
        with pytest.raises(ConflictError, match="carried out already"):
            second.second(motion.motion)
        assert finished(first) == 10
        assert alpha.get_item(before).status == "provisional"
        assert {alpha.get_item(item).status for item in items} == {"withdrawn"}


def test_a_policy_is_adopted_and_every_version_can_be_read(server: ServerInside) -> None:
    with client(server, "steward") as first, client(server, "second") as second, client(server, "acme") as acme:
        built_in = acme.rulebook("policy")
        assert (built_in.version.version, json.loads(built_in.content)["groups_min"]) == (0, 2)
        with pytest.raises(InvalidRequestError) as caught:
            first.propose("adopt_policy", {"content": '{"groups_min": 1}'})
        assert caught.value.violations == (("policy.groups_min", "a number from 2 to 100"),)
        for content in ('{"groups_min": 3, "notice_days": 7}', '{"groups_min": 2, "notice_days": 7}'):
            second.second(first.propose("adopt_policy", {"content": content}).motion.motion)
        found = acme.rulebook("policy")
        assert [(each.version, each.state) for each in found.versions] == [
            (2, "notice"),
            (1, "in_force"),
            (0, "replaced"),
        ]
        assert json.loads(acme.rulebook("policy", 2).content)["groups_min"] == 2


def test_every_act_is_known_and_a_wrong_field_is_told(server: ServerInside) -> None:
    with client(server, "steward") as first:
        with pytest.raises(InvalidRequestError, match="act is one of"):
            first.propose("abdicate", {})
        with pytest.raises(InvalidRequestError, match="has the fields member, since_time"):
            first.propose("roll_back", {"who": "alpha"})
        with pytest.raises(InvalidRequestError, match="since_time"):
            first.propose("roll_back", {"member": "alpha", "since_time": "yesterday"})
        with pytest.raises(InvalidRequestError, match="'600m': it is seconds, such as 36000s"):
            first.propose("open_incident", {"name": "harbour", "type": "attack", "duration": "600m"})
        with pytest.raises(InvalidRequestError, match="'harbour': it is a whole number"):
            first.propose("prolong_incident", {"incident": "harbour", "minutes": "60"})


def test_the_commands(
    server: ServerInside, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(member: str, *arguments: object) -> str:
        monkeypatch.setenv("HASHPACT_TOKEN", server.forum.tokens[member])
        monkeypatch.setattr("sys.argv", ["hashpact", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        assert ended.value.code in (0, None), written.err
        return written.out

    monkeypatch.setenv("HASHPACT_TARGET", str(server.address))
    monkeypatch.setenv("HASHPACT_CA", str(server.forum.data / "ca.pem"))
    monkeypatch.setenv("HASHPACT_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def motion_in(printed: str) -> int:
        found = re.search(r"motion (\d+)", printed)
        assert found, printed
        return int(found[1])

    with client(server, "alpha") as alpha:
        item = alpha.contribute(signals(7), labels=["x"]).item
    assert "is limited to review" in run("steward", "steward", "limit", item, "--note", "many complaints")
    assert "was limited already" in run("second", "steward", "limit", item)
    assert "limited" in run("steward", "steward", "digest")
    lift = motion_in(run("steward", "steward", "lift", item, "--reason", "looked at"))
    assert f"{lift}" in run("second", "steward", "motions")
    assert "carried out" in run("second", "steward", "second", lift)

    policy = tmp_path / "policy.json"
    policy.write_text(run("steward", "rulebook", "show", "policy"))
    adopt = motion_in(run("steward", "rulebook", "adopt", "policy", policy))
    assert "could be carried out" in run("second", "steward", "second", adopt, "--validate-only")
    assert "withdrawn" in run("steward", "steward", "withdraw", adopt)
    assert "built in" in run("steward", "rulebook", "versions", "taxonomy")

    assert "would undo 1 entries on 1 items" in run(
        "steward", "rollback", "--member", "alpha", "--since", "1h", "--validate-only"
    )
    assert "could be proposed" in run(
        "steward", "steward", "propose", "redact-entry", f"sequence={item}", "reason=legal", "--validate-only"
    )
    redact = motion_in(run("steward", "steward", "redact", item, "--why", "personal-data"))
    run("second", "steward", "second", redact)
    answer: dict[str, Any] = json.loads(run("steward", "item", item, "--json"))
    assert answer["redacted"]
    assert json.loads(run("steward", "steward", "digest", "--json"))["counts"] == {}

    assert run("steward", "alert", "list") == "no alert stands\n"
    assert run("steward", "steward", "motions") == "no motion waits\n"
    run("steward", "member", "leave", "acme", "--items", "stay", "--copies-deleted-by", "2027-01-31")
    assert "items=stay" in run("second", "steward", "motions")
