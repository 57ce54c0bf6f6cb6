"""The README's examples, run as they stand, against a real server."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.demo import pictures
from tests.demo.stage import Stage
from tests.repository import ROOT

LINES_MAX = 15


def block(after: str, language: str = "") -> str:
    """The first code block below a heading."""
    below = (ROOT / "README.md").read_text().partition(after)[2]
    found = re.search(rf"^```{language}\n(.*?)^```", below, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A folder with the files that the README names, and nothing else yet."""
    with Stage(tmp_path_factory.mktemp("readme")) as made:
        picture = pictures.drawing(1)
        picture.save(made.folder / "known.jpg", quality=95)
        (made.folder / "uploads").mkdir()
        for path in (made.folder / "upload.jpg", made.folder / "uploads" / "copy.jpg"):
            picture.reduce(2).save(path, quality=60)
        pictures.drawing(3).save(made.folder / "uploads" / "other.png")
        yield made


def test_shell_example(stage: Stage) -> None:
    printed: dict[str, str] = {}
    for line in block("## From a shell").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "export":  # the stage exports the same names, with its own port and token
            assert {word.partition("=")[0] for word in words[1:]} <= set(stage.environment("acme"))
        elif words[:2] == ["hashpact-server", "serve"]:
            assert words[-1] == "&"
            stage.serve()
        elif words[:3] == ["hashpact-server", "member", "add"]:
            stage.admit(words[3], [words[at + 1] for at, word in enumerate(words) if word == "--role"])
        else:
            member = "acme" if words[0] == "hashpact" else ""
            printed[" ".join(words[:2])] = stage.run(words, member=member, codes=(0, 10))
    assert "copy.jpg" in printed["hashpact check"]


def test_python_example(stage: Stage) -> None:
    code = block("## From Python", "python")
    assert sum(bool(line.strip()) for line in code.splitlines()) <= LINES_MAX
    stage.init()
    stage.admit("acme", ["check", "contribute"])
    stage.serve()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=stage.folder,
        env=stage.environment("acme"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("created")
    assert lines[1] == "match review"
    assert " pdq " in lines[2]
    assert "sha256" in lines[-1]
