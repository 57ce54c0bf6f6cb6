"""The commands: what they print for programs and for people, and how they end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from hashpact import _convert
from hashpact._operations import governing
from hashpact.cli import words
from hashpact.cli.output import safe
from hashpact.hashing import hash_image
from PIL import Image

from tests.unit.cli.conftest import Run, picture
from tests.unit.client.loopback import LoopbackService, Refused

pytestmark = pytest.mark.usefixtures("config")


def test_hash_json(run: Run, photos: list[Path]) -> None:
    ran = run("hash", "--json", *photos)
    assert ran.code == 0
    assert [line["path"] for line in ran.lines] == [str(path) for path in photos]
    for line, path in zip(ran.lines, photos, strict=True):
        expected = hash_image(path)
        assert line["signals"] == {signal.signal_type: signal.hex for signal in expected}
        assert set(line["signals"]) == {"pdq", "phash", "phash256", "sha256", "md5"}
        assert line["signals"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert line["pdq_quality"] == expected.pdq.quality
        assert line["notes"] == []


def test_hash_variants_and_people(run: Run, photos: list[Path]) -> None:
    (line,) = run("hash", "--json", "--dihedral", photos[0]).lines
    assert len(line["pdq_dihedral"]) == 8
    assert line["pdq_dihedral"][0] == line["signals"]["pdq"]
    shown = run("hash", "--dihedral", photos[0])
    assert shown.out.count("\n  variant ") == 7
    assert line["signals"]["pdq"] in shown.out


def test_hash_standard_input(run: Run, photos: list[Path]) -> None:
    ran = run("hash", "--json", "-", stdin=photos[0].read_bytes())
    assert ran.code == 0
    assert ran.lines[0]["path"] == "-"
    assert ran.lines[0]["signals"] == run("hash", "--json", photos[0]).lines[0]["signals"]


def test_a_file_that_fails_does_not_stop_the_others(run: Run, photos: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "photos" / "b-notes.txt"
    text.write_text("no picture")
    ran = run("hash", "--json", tmp_path / "photos", tmp_path / "absent.jpg")
    assert ran.code == 3
    assert [Path(line["path"]).name for line in ran.lines] == ["a.png", "b-notes.txt", "b.png", "c.png", "absent.jpg"]
    failed = [line for line in ran.lines if "error" in line]
    assert [set(line) for line in failed] == [{"path", "error"}] * 2
    assert failed[0]["error"]["reason"] == "UNREADABLE_MEDIA"
    assert failed[0]["error"]["message"]
    people = run("hash", text, photos[0])
    assert people.code == 3
    assert "b-notes.txt" in people.err
    assert "a.png" in people.out


def test_an_empty_folder_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("hash", "--json", tmp_path / "empty")
    assert (ran.code, ran.out) == (0, "")
    assert "no files" in ran.err


def test_a_file_name_cannot_play_tricks_on_the_terminal(run: Run, tmp_path: Path) -> None:
    evil = picture(tmp_path / "\x1b[2Jevil\n.png", 1)
    ran = run("hash", evil)
    assert "\x1b" not in ran.out
    assert "\\x1b[2Jevil\\n.png" in ran.out
    assert run("hash", "--json", evil).lines[0]["path"] == str(evil)


def test_a_file_name_that_is_not_text(run: Run, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.png"
    picture(tmp_path / "x.png", 1).rename(os.fsdecode(raw))
    ran = run("hash", "--json", tmp_path)
    assert os.fsencode(ran.lines[0]["path"]) == raw
    assert safe(os.fsdecode(b"\xff")) == "\\udcff"
    assert run("hash", tmp_path).code == 0


@pytest.mark.usefixtures("target")
def test_check_json(run: Run, photos: list[Path]) -> None:
    listed = run("contribute", "--json", photos[0], "--label", "test").lines[0]["item"]
    ran = run("check", "--json", *photos, "nowhere.jpg")
    assert ran.code == 3
    matched, other, _, failed = ran.lines
    assert matched["path"] == str(photos[0])
    assert (matched["verdict"], matched["advice"]) == ("match", "review")
    (match,) = matched["matches"]
    assert (match["item"], match["signal_type"], match["distance"]) == (listed, "sha256", 0)
    assert (match["status"], match["labels"]) == ("provisional", ["test"])
    assert {k: other[k] for k in ("verdict", "advice", "matches")} == {
        "verdict": "none",
        "advice": "none",
        "matches": [],
    }
    assert set(failed) == {"path", "error"}


@pytest.mark.usefixtures("target")
def test_check_exit_codes(run: Run, photos: list[Path]) -> None:
    assert run("check", *photos).code == 0
    run("contribute", photos[0], "--label", "test")
    assert run("check", *photos).code == 10
    assert run("check", photos[1]).code == 0
    assert run("check", *photos, "nowhere.jpg").code == 3


@pytest.mark.usefixtures("target")
def test_check_for_people(run: Run, photos: list[Path]) -> None:
    run("contribute", photos[0], "--label", "test")
    ran = run("check", *photos, "nowhere.jpg")
    assert "3 checked" not in ran.out
    assert "4 checked: 1 matched, 0 near, 2 not on the list, 1 failed" in ran.out
    assert "sha256" in ran.out
    assert "b.png" in ran.out
    assert "nowhere.jpg" in ran.err


@pytest.mark.usefixtures("target")
def test_people_are_told_of_a_file_that_was_cut_short(run: Run, photos: list[Path], tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.open(photos[0]).convert("RGB").resize((400, 300)).save(whole, quality=95)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "cut short" not in run("check", whole).out
    ran = run("check", cut)
    assert (ran.code, "the file is cut short or damaged" in ran.out) == (0, True), "found or not, it is no whole answer"


def test_check_options_reach_the_service(run: Run, photos: list[Path], target: str, service: LoopbackService) -> None:
    run("check", photos[0], "--radius", "pdq=20", "--radius", "phash=2", "--matches", 3, "--target", target)
    request = service.asked[-1].request
    assert {one.signal_type: one.radius for one in request.radii} == {"pdq": 20, "phash": 2}
    assert request.matches_max == 3
    for wrong in ("pdq", "pdq=", "=3", "pdq=-1", "pdq=1.5", "pdq=²"):
        assert run("check", photos[0], "--radius", wrong).code == 2


def test_a_folder_is_sent_in_batches(run: Run, tmp_path: Path, target: str, service: LoopbackService) -> None:
    for number in range(70):  # enough for processes, too
        picture(tmp_path / "many" / f"{number:03}.png", number, side_px=80)
    ran = run("check", "--json", tmp_path / "many", "--target", target)
    assert ran.code == 0
    assert [Path(line["path"]).name for line in ran.lines] == [f"{number:03}.png" for number in range(70)]
    sizes = [len(asked.request.probes) for asked in service.asked if asked.method == "Lookup"]
    assert sizes == [32, 32, 6]


def test_an_unreachable_service(run: Run, photos: list[Path], monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    monkeypatch.setenv("HASHPACT_TARGET", "127.0.0.1:1")
    monkeypatch.setenv("HASHPACT_TOKEN", "x")
    config.write_text("plaintext = true")
    ran = run("check", "--json", *photos, "nowhere.jpg")
    assert ran.code == 5
    assert [line["error"]["reason"] for line in ran.lines] == ["UNREACHABLE"] * 3 + ["UNREADABLE_MEDIA"]
    people = run("contribute", *photos, "--label", "x")
    assert people.code == 5
    assert people.err.count("nothing listens") == 1
    for command in (("item", 3), ("items",), ("withdraw", 3), ("capabilities",), ("member", "list"), ("doctor",)):
        assert run(*command).code == 5
    assert run("item", "--json", 3).lines[0]["item"] == 3


@pytest.mark.usefixtures("target")
def test_a_refusal_stops_the_work_and_answers_every_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: LoopbackService
) -> None:
    for number in range(40):
        picture(tmp_path / "many" / f"{number:03}.png", number, side_px=80)
    monkeypatch.setenv("HASHPACT_TOKEN", "wrong")
    ran = run("check", "--json", tmp_path / "many")
    assert ran.code == 4
    assert [line["error"]["reason"] for line in ran.lines] == ["TOKEN_INVALID"] * 40
    assert service.methods().count("GetCapabilities") == 1
    monkeypatch.delenv("HASHPACT_TOKEN")
    assert run("item", 1).code == 4


@pytest.mark.usefixtures("target")
def test_a_short_outage_costs_one_batch(run: Run, tmp_path: Path, service: LoopbackService) -> None:
    for number in range(40):
        picture(tmp_path / "many" / f"{number:03}.png", number, side_px=80)
    service.refusals["Lookup"] = [Refused(grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")] * 5
    ran = run("check", "--json", tmp_path / "many")
    assert ran.code == 5
    assert ["error" in line for line in ran.lines] == [True] * 32 + [False] * 8


@pytest.mark.usefixtures("target")
def test_contribute(run: Run, photos: list[Path], service: LoopbackService) -> None:
    dry = run("contribute", "--json", "--dry-run", photos[0], "--label", "a")
    assert (dry.code, dry.lines[0]["outcome"], dry.lines[0]["item"]) == (0, "created", 0)
    assert not service.items
    ran = run(
        "contribute", "--json", *photos[:2], "--label", "a", "--label", "b", "--basis", "automatic",
        "--observer-role", "counsel",
    )  # fmt: skip
    assert ran.code == 0
    assert [(line["path"], line["item"], line["outcome"]) for line in ran.lines] == [
        (str(photos[0]), 1, "created"),
        (str(photos[1]), 2, "created"),
    ]
    (sent, _) = service.asked[-1].request.contributions
    assert (list(sent.labels), sent.attestation.basis, sent.attestation.observer_role) == (["a", "b"], 2, "counsel")
    again = run("contribute", photos[0], "--label", "a", "--attach-to", 2)
    assert again.code == 0
    assert "unchanged" in again.out
    refused = run("contribute", "--json", photos[2], "--label", "refuse-me")
    assert refused.code == 3
    assert refused.lines[0]["outcome"] == "refused"
    assert "at least one" in run("contribute", photos[2], "--label", "refuse-me").out
    assert run("contribute", photos[0]).code == 2
    assert run("contribute", photos[0], "--label", "a", "--basis", "hearsay").code == 2


@pytest.mark.usefixtures("target")
def test_amend(run: Run, photos: list[Path], service: LoopbackService) -> None:
    run("contribute", *photos[:2], "--label", "jornalism")
    ran = run("amend", 1, 99, 2, "--label", "journalism", "--label", "b")
    assert ran.code == 3
    assert ran.out == "item 1: journalism, b\nitem 2: journalism, b\n"
    assert "no item 99" in ran.err
    (line,) = run("amend", "--json", "--dry-run", 1, "--label", "c").lines
    assert (line["item"], line["labels"]) == (1, ["c"])
    assert service.asked[-1].request.validate_only
    assert run("amend", 1).code == 2


@pytest.mark.usefixtures("target")
def test_withdraw_and_items(run: Run, photos: list[Path], service: LoopbackService) -> None:
    run("contribute", *photos, "--label", "a")
    assert [line["item"] for line in run("items", "--json").lines] == [1, 2, 3]
    ran = run("withdraw", "--json", 1, "--reason", "benign-collision")
    assert ran.code == 0
    assert ran.lines == [{"item": 1, "status": "withdrawn", "contributions_left": 0}]
    assert service.asked[-1].request.reason == 4
    assert [line["item"] for line in run("items", "--json", "--first", 1).lines] == [2]
    assert "withdrawn" in run("items", "--status", "withdrawn").out
    assert run("items", "--label", "none-such").out.startswith("0 items")
    assert run("item", "--json", 1).lines[0]["status"] == "withdrawn"
    shown = run("item", 1, 99, 2)
    assert shown.code == 3
    assert "item 1: withdrawn" in shown.out
    assert "item 2: provisional" in shown.out
    assert "no item 99" in shown.err
    assert run("withdraw", 2, "--dry-run").code == 0
    assert run("withdraw", 99).code == 3
    assert run("withdraw", "abc").code == 2
    assert run("withdraw", 0).code == 2


@pytest.mark.usefixtures("target")
def test_members(run: Run, service: LoopbackService) -> None:
    added = run("member", "add", "beta", "--role", "check", "--role", "contribute", "--group", "big")
    assert added.code == 0
    assert added.out.strip() == "secret-2"
    assert service.members["beta"].group == "big"
    (line,) = run("member", "add", "gamma", "--role", "audit", "--expires-days", 3, "--json").lines
    assert line["token"] == "secret-4"
    assert line["expire_time"]
    assert [one["name"] for one in run("member", "list", "--json").lines] == ["beta", "gamma"]
    assert "big" in run("member", "list").out
    assert "suspended" in run("member", "suspend", "beta").out
    assert run("member", "suspend", "beta", "--json").lines[0]["suspended"] is True
    assert "active" in run("member", "resume", "beta").out
    assert run("member", "token", "beta").out.strip().startswith("secret-")
    assert run("member", "revoke", 2).code == 0
    assert run("member", "revoke", 2, "--json").lines[0]["error"]["reason"] == "TOKEN_NOT_FOUND"
    taken = run("member", "add", "beta", "--role", "check")
    assert taken.code == 3
    assert "taken" in taken.err
    assert run("member", "add", "delta", "--role", "boss").code == 2
    assert run("member", "add", "delta").code == 2


@pytest.mark.usefixtures("target")
def test_a_member_without_a_token_is_told(run: Run, service: LoopbackService) -> None:
    service.refusals["IssueToken"] = [Refused(grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")]
    ran = run("member", "add", "beta", "--role", "check")
    assert ran.code == 5
    assert "hashpact member token beta" in ran.err


@pytest.mark.usefixtures("target")
def test_capabilities_doctor_version(run: Run) -> None:
    assert run("capabilities", "--json").lines[0]["limits"]["lookup_probes_max"] == 256
    assert "pdq" in run("capabilities").out
    steps: list[dict[str, Any]] = run("doctor", "--json").lines
    assert [step["step"] for step in steps] == [
        *("version", "hashing", "target", "token", "encryption", "service", "clock", "rights", "canaries")
    ]
    assert all(step["error"] is None for step in steps[:-1])
    assert run("doctor").code == 0
    assert run("version", "--json").lines[0]["version"]
    assert run("--version").out == run("version").out


def test_doctor_names_each_fault(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "--ca", tmp_path / "absent.pem")
    assert ran.code == 2
    reasons = {step["step"]: step["error"]["reason"] for step in ran.lines if step["error"]}
    assert reasons == {"target": "TARGET_MISSING", "token": "TOKEN_MISSING", "encryption": "CA_UNREADABLE"}
    monkeypatch.setenv("HASHPACT_TOKEN", "x")
    assert "PLAINTEXT" in run("doctor", "--json", "--target", "list.example:1", "--plaintext").out


@pytest.mark.parametrize(
    ("offered", "known"),
    [
        (words.BASES, _convert.BASES),
        (words.ROLES, _convert.ROLES),
        (words.STATUSES, _convert.STATUSES),
        (words.WITHDRAWAL_REASONS, _convert.WITHDRAWAL_REASONS),
        (words.RULEBOOKS, governing.RULEBOOK_KINDS),
        (words.REDACTION_REASONS, governing.REDACTION_REASONS),
    ],
)
def test_options_take_every_word_of_the_wire(offered: tuple[str, ...], known: _convert.Words) -> None:
    assert offered == tuple(word.replace("_", "-") for word in known.known())


def test_every_act_that_can_be_proposed_has_its_word() -> None:
    assert tuple(act.replace("_", "-") for act in governing.ACTS) == words.STEWARD_ACTS


@pytest.mark.usefixtures("target")
def test_words_are_taken_as_they_come(run: Run, photos: list[Path], service: LoopbackService) -> None:
    assert run("contribute", photos[0], "--label", "a", "--basis", "Found_Through_List").code == 0
    assert service.asked[-1].request.contributions[0].attestation.basis == 3
    wrong = run("withdraw", 1, "--reason", "mood")
    assert wrong.code == 2
    assert "overturned-on-appeal" in wrong.err


def test_usage(run: Run, photos: list[Path]) -> None:
    assert run("check", photos[0]).code == 2
    assert "HASHPACT_TARGET" in run("check", photos[0]).err
    for wrong in (["nonsense"], ["hash"], ["check", "--token", "x", photos[0]], ["member", "add"], ["item", "x"]):
        assert run(*wrong).code == 2, wrong
