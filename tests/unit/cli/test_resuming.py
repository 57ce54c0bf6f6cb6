"""``--resume FILE``: a run over a folder that was stopped goes on, and its output is that of one that was not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hashpact import hash_image

from tests.unit.cli.conftest import Ran, Run, picture
from tests.unit.client.loopback import LoopbackService

pytestmark = pytest.mark.usefixtures("target")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, and in the middle something that is none."""
    for seed, name in enumerate("abd"):
        picture(tmp_path / "folder" / f"{name}.png", seed)
    (tmp_path / "folder" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return tmp_path / "folder"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def looked_up(service: LoopbackService) -> int:
    return sum(len(asked.request.probes) for asked in service.asked if asked.method == "Lookup")


def named(ran: Ran) -> list[str]:
    return [Path(line["path"]).name for line in ran.lines]


def test_what_was_answered_is_shown_again_and_not_asked_again(
    run: Run, folder: Path, notes: Path, service: LoopbackService
) -> None:
    first = run("check", "--json", folder, "--resume", notes)
    assert first.code == 3
    assert looked_up(service) == 3
    again = run("check", "--json", folder, "--resume", notes)
    assert (again.code, again.lines) == (first.code, first.lines)
    assert named(again) == ["a.png", "b.png", "c.png", "d.png"]
    assert looked_up(service) == 3

    picture(folder / "c.png", 7)
    through = run("check", "--json", folder, "--resume", notes)
    assert through.code == 0
    assert [line["verdict"] for line in through.lines] == ["none"] * 4
    assert looked_up(service) == 4
    assert not notes.exists()


def test_a_file_that_changed_is_asked_again(run: Run, folder: Path, notes: Path, service: LoopbackService) -> None:
    run("check", folder, "--resume", notes)
    changed = picture(folder / "b.png", 9)
    os.utime(changed, ns=(1, 1))
    run("check", folder, "--resume", notes)
    assert looked_up(service) == 4


def test_matches_and_their_exit_code_are_those_of_the_run_before(run: Run, folder: Path, notes: Path) -> None:
    run("contribute", folder / "a.png", "--label", "x")
    (folder / "c.png").unlink()
    locked = folder / "e.png"
    locked.write_bytes(b"")
    first = run("check", folder, "--resume", notes)
    locked.unlink()
    again = run("check", folder, "--resume", notes)
    assert (first.code, again.code) == (3, 10)
    assert "match" in again.out
    assert "3 of them were answered before, and are shown again (--resume)" in again.out
    assert "3 checked: 1 matched, 0 near, 2 not on the list, 0 failed" in again.out


def test_contributions_go_on_too(run: Run, folder: Path, notes: Path, service: LoopbackService) -> None:
    first = run("contribute", "--json", folder, "--label", "x", "--resume", notes)
    again = run("contribute", "--json", folder, "--label", "x", "--resume", notes)
    assert [line.get("outcome") for line in first.lines] == ["created", "created", None, "created"]
    assert again.lines == first.lines
    assert service.methods().count("Contribute") == 1


def test_other_choices_are_another_run(run: Run, folder: Path, notes: Path) -> None:
    run("contribute", folder, "--label", "x", "--resume", notes)
    for other in (("contribute", folder, "--label", "y"), ("check", folder)):
        refused = run(*other, "--resume", notes)
        assert refused.code == 2
        assert "is of another command, service or options" in refused.err
    assert run("contribute", folder, "--label", "x", "--resume", notes).code == 3


def test_a_file_of_something_else_is_left_alone(run: Run, folder: Path, notes: Path) -> None:
    notes.write_text("my only copy of this novel, which is long enough to be no database at all")
    before = notes.read_bytes()
    refused = run("check", folder, "--resume", notes)
    assert refused.code == 2
    assert "name another" in refused.err
    assert notes.read_bytes() == before


def test_what_is_remembered_holds_no_hash_values_and_is_for_us_alone(run: Run, folder: Path, notes: Path) -> None:
    run("contribute", folder, "--label", "x", "--resume", notes)
    kept = notes.read_bytes()
    for signal in hash_image(folder / "a.png"):
        assert signal.value not in kept
        assert signal.hex.encode() not in kept
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600


def test_standard_input_is_never_remembered(run: Run, folder: Path, notes: Path, service: LoopbackService) -> None:
    data = (folder / "a.png").read_bytes()
    for _ in range(2):
        run("check", "-", folder / "c.png", "--resume", notes, stdin=data)
    assert looked_up(service) == 2
