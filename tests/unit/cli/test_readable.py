"""What people read: one name per complaint, tables that fit a narrow window, remarks that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashpact.cli.commands.contribute import remark
from hashpact.cli.output import table
from hashpact.items import ContributionOutcome, NearDuplicate
from hashpact.results import Problem

from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("config")


def outcome(
    name: str, *, item: int = 0, near: tuple[int, ...] = (), problems: tuple[str, ...] = ()
) -> ContributionOutcome:
    """An outcome as the service gives it."""
    return ContributionOutcome(
        outcome=name,
        item=item,
        status="provisional",
        near_duplicates=tuple(NearDuplicate(one, "pdq", 4) for one in near),
        problems=tuple(Problem(at, "SIGNAL_TAKEN", text) for at, text in enumerate(problems)),
    )


@pytest.mark.parametrize("command", ["hash", "check"])
def test_a_complaint_names_the_file_once(
    run: Run, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHPACT_TARGET", "127.0.0.1:1")  # never asked: nothing was hashed
    monkeypatch.setenv("HASHPACT_TOKEN", "x")
    empty = tmp_path / "empty.png"
    empty.touch()
    ran = run(command, empty, tmp_path / "absent.png", "-")
    assert ran.code == 3
    assert ran.err.count("empty.png") == ran.err.count("absent.png") == 1
    assert "hashpact: -: the file is empty" in ran.err
    assert run("hash", "--json", empty).lines[0]["error"]["message"] == "the file is empty"


def test_short_words_stay_whole_in_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hashpact.cli.output._WIDTH_PIPED", 80)
    columns = ("path", "verdict", "advice", "item#", "by", "distance#", "status", "labels")
    row = (
        "uploads/2026/11/a.jpg",
        "match",
        "review",
        1234567890123,
        "phash256",
        "<= 31",
        "corroborated",
        "glorification, recruitment",
    )
    table(columns, [row])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for word in (*columns[1:], *row[1:-1]):
        assert str(word).rstrip("#") in shown


def test_problems_that_are_the_same_are_told_once() -> None:
    problems = tuple(f"the {name} value identifies another item" for name in ("sha256", "md5"))
    told = remark(outcome("attached", item=3, problems=(*problems, "the pdq value is short", "one more")))
    assert told == "each of sha256, md5 identifies another item; the pdq value is short; one more"


def test_a_new_item_that_looks_like_another_says_how_to_join_them() -> None:
    assert "withdraw 9, then contribute with --attach-to 5" in remark(outcome("created", item=9, near=(5, 7)))
    assert "--attach-to 5 makes it a variant" in remark(outcome("created", near=(5,)), dry_run=True)
    assert remark(outcome("attached", item=9, near=(5,))) == "looks like item 5"


@pytest.mark.usefixtures("target")
def test_one_item_is_one_item(run: Run, photos: list[Path]) -> None:
    run("contribute", photos[0], "--label", "a")
    assert run("items").out.endswith("1 item\n")


@pytest.mark.parametrize("text", ["pqd=20", "sha256=1"])
def test_a_radius_belongs_to_a_type_that_has_distances(run: Run, photos: list[Path], text: str) -> None:
    ran = run("check", photos[0], "--radius", text, "--target", "127.0.0.1:1", "--plaintext")
    assert ran.code == 2
    assert f"--radius {text}: the signal types with a distance are pdq, phash, phash256" in ran.err
