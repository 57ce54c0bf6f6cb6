"""``hashpact hash`` over folders of pictures, videos and documents; ``check`` and ``contribute`` refuse the latter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hashpact import hash_document, hash_image, hash_video

from tests.documents import scanned, typeset
from tests.pictures import encoded, photo
from tests.repository import ROOT
from tests.unit.cli.conftest import Run
from tests.videos import one_scene, scenes, video

HASHPACT = [sys.executable, "-c", "import sys; sys.argv[0] = 'hashpact'; from hashpact.cli import main; main()"]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A picture, a video, a PDF with text and a scan; the names say nothing."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a").write_bytes(encoded(photo("coffee.png"), "PNG"))
    (folder / "b").write_bytes(video(pictures=one_scene(2)))
    (folder / "c").write_bytes(typeset((ROOT / "LICENSE").read_text()))
    (folder / "d").write_bytes(scanned([photo("coffee.png")] * 25))
    (folder / "e").write_text("words")
    return folder


def test_json(run: Run, mixed: Path) -> None:
    ran = run("hash", "--json", mixed)
    assert ran.code == 3
    picture, film, text, scan, words = ran.lines
    assert "kind" not in picture
    assert picture["signals"] == {signal.signal_type: signal.hex for signal in hash_image(mixed / "a")}
    wanted = hash_video(mixed / "b")
    assert (film["kind"], film["frames"], film["duration_s"], film["codec"]) == ("video", 2, 2.0, "h264")
    assert film["signals"] == {"sha256": wanted.sha256.hex, "md5": wanted.md5.hex}
    assert [frame["pdq"] for frame in film["frame_signals"]] == [frame.pdq.hex for frame in wanted.frames]
    assert film["frame_signals"][1] | {"pdq": ""} == {
        "time_s": 1.0, "until_s": 2.0, "samples": 1, "pdq": "", "pdq_quality": wanted.frames[1].pdq.quality
    }  # fmt: skip
    document = hash_document(mixed / "c")
    assert document.tlsh is not None
    assert (text["kind"], text["pages"], text["letters"]) == ("document", 3, document.letters)
    assert text["signals"] == {
        "tlsh": document.tlsh.hex, "sha256": document.sha256.hex, "md5": document.md5.hex
    }  # fmt: skip
    assert [page["pdq"] for page in text["page_signals"]] == [page.pdq.hex for page in document.pages]
    assert set(scan["signals"]) == {"sha256", "md5"}
    assert words["error"]["reason"] == "UNREADABLE_MEDIA"


def test_people(run: Run, mixed: Path) -> None:
    shown = run("hash", mixed).out
    assert "video of 2.0 s, 160 x 120, h264: 2 of 2 sampled frames kept" in shown
    assert "document of 3 pages" in shown
    assert "document of 25 pages, 0 letters" in shown
    assert "... and 5 more pages: --json shows all" in shown
    assert hash_video(mixed / "b").frames[1].pdq.hex in shown


def test_standard_input_and_damage(run: Run) -> None:
    whole = video("mpegts", "mpeg2video", pictures=scenes(2))
    (line,) = run("hash", "--json", "-", stdin=whole).lines
    assert (line["path"], line["kind"], line["container"]) == ("-", "video", "mpegts")
    (failed,) = run("hash", "--json", "-", stdin=video()[:100]).lines
    assert failed["error"]["message"].startswith(("cannot be decoded", "has no moving picture", "no frame"))


def test_too_much_standard_input_is_no_damaged_video(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashpact import hashing  # noqa: PLC0415  # needs the media extra
    from hashpact.hashing import ImageLimits  # noqa: PLC0415  # as above

    monkeypatch.setattr(hashing, "DEFAULT_LIMITS", ImageLimits(bytes_max=1000))
    (line,) = run("hash", "--json", "-", stdin=video()).lines
    assert "more than 1,000 bytes" in line["error"]["message"]


def test_in_processes(mixed: Path) -> None:
    for number in range(70):
        (mixed / f"copy-{number:02}").hardlink_to(mixed / "a")
    ran = subprocess.run(
        [*HASHPACT, "hash", "--json", str(mixed)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.count("\n") == 75
    assert ran.stdout.count('"kind": "document"') == 2
    assert ran.stdout.count('"kind": "video"') == 1


@pytest.mark.parametrize("command", [("check",), ("contribute", "--label", "test")])
def test_check_and_contribute_ask_about_every_kind(
    run: Run, mixed: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHPACT_TARGET", "127.0.0.1:1")  # where nobody listens: all were hashed, and asked about
    monkeypatch.setenv("HASHPACT_TOKEN", "x")
    ran = run(*command, "--json", mixed / "b", mixed / "c")
    assert ran.code == 5
    assert [line["error"]["reason"] for line in ran.lines] == ["UNREACHABLE"] * 2
