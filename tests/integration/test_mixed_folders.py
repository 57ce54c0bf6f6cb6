"""The whole: one member contributes a folder of everything at the hub, another checks altered copies at its replica.

Both by the command line, in processes of its own. What is listed is found at the replica by each kind's own evidence,
what only resembles it is not, and what happens to the list reaches everybody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageOps

from tests.documents import typeset
from tests.integration.harness import WAIT_S, Attached, Forum, ServerInside
from tests.integration.replicas import ReplicaInside, assert_same, empty_directory
from tests.integration.test_client import photograph
from tests.integration.test_replica_lag import archive
from tests.repository import ROOT
from tests.videos import RATE, video

LABEL = "glorification_of_terrorist_acts"
BOOK = (ROOT / "docs" / "design.md").read_text().encode("ascii", "ignore").decode()
PAPER, NOTE, OTHER = BOOK[3_000:10_000], BOOK[11_000:14_000], BOOK[15_000:22_000]
SIZE = (192, 144)


def moving(*names: str) -> list[Image.Image]:
    """Two seconds of each photograph, drifting."""
    frames = []
    for name in names:
        whole = photograph(name).convert("RGB").resize((2 * SIZE[0], 2 * SIZE[1]))
        frames += [whole.crop((4 * step, 10, 4 * step + 230, 182)).resize(SIZE) for step in range(2 * RATE)]
    return frames


def screenshot(picture: Image.Image) -> Image.Image:
    """Below a dark bar, above a line of text."""
    screen = Image.new("RGB", (540, 960), "white")
    pen = ImageDraw.Draw(screen)
    pen.rectangle((0, 0, 540, 40), fill="black")
    screen.paste(ImageOps.contain(picture, (540, 700)), (0, 120))
    pen.text((20, 900), "somebody, two hours ago", fill="black")
    return screen


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is listed: one of each kind, and a file that is none."""
    folder = tmp_path_factory.mktemp("known")
    photograph("astronaut").save(folder / "a-picture.png")
    (folder / "b-video.mp4").write_bytes(video(pictures=iter(moving("coffee", "rocket", "chelsea"))))
    (folder / "c-paper.pdf").write_bytes(typeset(PAPER))
    (folder / "d-note.txt").write_text(NOTE)
    (folder / "e-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    return folder


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What users upload: copies, and below them what nobody listed."""
    folder = tmp_path_factory.mktemp("uploads")
    picture = photograph("astronaut")
    picture.crop((70, 20, 480, 420)).save(folder / "a-cropped.jpg", quality=80)
    screenshot(picture).save(folder / "a-screenshot.jpg", quality=80)
    shorter = [frame.resize((160, 120)) for frame in moving("coffee", "rocket", "chelsea")[8:-6]]
    (folder / "b-shorter.avi").write_bytes(video("avi", "mpeg4", pictures=iter(shorter)))
    (folder / "c-set-anew.pdf").write_bytes(typeset(PAPER, "Times-Roman", size=10, columns=95, hyphenate=True))
    (folder / "d-more.txt").write_text(f"{NOTE} And this is what I think of it.".upper())
    innocent = folder / "innocent"
    innocent.mkdir()
    photograph("camera").save(innocent / "picture.jpg")
    (innocent / "video.mp4").write_bytes(video(pictures=iter(moving("coins", "camera"))))
    (innocent / "paper.pdf").write_bytes(typeset(OTHER))
    return folder


@pytest.fixture
def replica(inside: ServerInside, tmp_path: Path, forum: Forum) -> Iterator[ReplicaInside]:
    with ReplicaInside(empty_directory(tmp_path / "replica", forum), inside, archive(inside)) as made:
        yield made.until_serving()


def hashpact(server: Attached, member: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from hashpact.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=4 * WAIT_S,
        check=False,
        env={
            **os.environ,
            "HASHPACT_TARGET": str(server.address),
            "HASHPACT_TOKEN": server.forum.tokens[member],
            "HASHPACT_CA": str(server.forum.data / "ca.pem"),
            "HASHPACT_CONFIG": "",
            "XDG_CONFIG_HOME": str(server.forum.data / "no-config"),
        },
    )


def lines(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What was said of each file, by its name."""
    assert ran.stdout, ran.stderr
    return {Path(line["path"]).name: line for line in map(json.loads, ran.stdout.splitlines())}


def items(line: dict[str, Any]) -> set[int]:
    return {match["item"] for match in line["matches"]}


def test_a_folder_of_everything_is_found_again_at_a_replica(
    inside: ServerInside, replica: ReplicaInside, known: Path, uploads: Path, tmp_path: Path
) -> None:
    contributed = hashpact(
        inside, "alpha", "contribute", "--json", known, "--label", LABEL, "--resume", tmp_path / "at"
    )
    assert contributed.returncode == 3, contributed.stderr
    outcomes = lines(contributed)
    assert [line.get("kind", "failed") for line in outcomes.values()] == [
        "picture", "video", "document", "text", "failed",
    ]  # fmt: skip
    assert {line["outcome"] for line in outcomes.values() if "outcome" in line} == {"created"}
    listed = {name[0]: line["item"] for name, line in outcomes.items() if "item" in line}
    # The broken file is mended, and the same command again tries it alone.
    (known / "e-broken.jpg").unlink()
    again = hashpact(inside, "alpha", "contribute", "--json", known, "--label", LABEL, "--resume", tmp_path / "at")
    assert (again.returncode, list(lines(again).values())) == (0, list(outcomes.values())[:4])
    assert not (tmp_path / "at").exists()

    assert_same(replica, inside)
    ran = hashpact(replica, "acme", "check", "--json", uploads)
    assert ran.returncode == 10, ran.stderr
    found = lines(ran)
    copies = {name: line for name, line in found.items() if "-" in name}
    assert {name: items(line) for name, line in copies.items()} == {name: {listed[name[0]]} for name in copies}
    assert len(copies) == 5
    assert {name: line["verdict"] for name, line in found.items() if name not in copies} == dict.fromkeys(
        ("paper.pdf", "picture.jpg", "video.mp4"), "none"
    )
    assert copies["a-screenshot.jpg"]["matches"][0]["level"] == "strong"
    assert copies["a-cropped.jpg"]["matches"][0]["level"] == "near"

    # What is withdrawn at the hub is found nowhere.
    assert hashpact(inside, "alpha", "withdraw", *listed.values()).returncode == 0
    assert_same(replica, inside)
    gone = hashpact(replica, "acme", "check", uploads)
    assert gone.returncode == 0, gone.stderr
    assert "8 checked (2 documents, 3 pictures, 1 text, 2 videos): 0 matched, 0 near, 8 not on the list, 0 failed" in (
        gone.stdout
    )
