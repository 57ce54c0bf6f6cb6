"""A signal type that nobody here wrote: a hub and its replica hold, search, export and import it, members hash it, and
whoever lacks its package is told so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hashpact import Client, Signal
from hashpact_server.datadir import DataDirectory
from hashpact_server.initialising import a_replica, initialise

from tests.adding import with_toy
from tests.integration.harness import WAIT_S, Forum, ServerProcess, command, token_in
from tests.integration.test_client import photograph

HASHPACT = [sys.executable, "-c", "from hashpact.cli import main; main()"]
TOYS = {"toy_edges", "toy_columns", "toy_backwards"}


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Forum:
    made = Forum.make(tmp_path_factory.mktemp("added") / "hub")
    token = token_in(command("member", "add", "mirror", "--role", "replicate", "--data", made.data).stdout)
    return Forum(made.data, {**made.tokens, "mirror": token})


@pytest.fixture(scope="module")
def hub(forum: Forum) -> Iterator[ServerProcess]:
    with ServerProcess(forum, environment=with_toy()) as server:
        yield server.ready()


@pytest.fixture
def place(tmp_path: Path, forum: Forum) -> Forum:
    """Where a replica is going to be."""
    initialise(DataDirectory(tmp_path / "replica"), a_replica, hostnames=[], say=lambda _: None)
    return Forum(tmp_path / "replica", forum.tokens)


def following(hub: ServerProcess) -> dict[str, str]:
    return {"HASHPACT_TOKEN": hub.forum.tokens["mirror"], "HASHPACT_CA": str(hub.forum.data / "ca.pem")}


def hashpact(
    server: ServerProcess, member: str, *arguments: object, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HASHPACT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={
            **(environment or with_toy()),
            "HASHPACT_TARGET": str(server.address),
            "HASHPACT_TOKEN": server.forum.tokens[member],
            "HASHPACT_CA": str(server.forum.data / "ca.pem"),
            "HASHPACT_CONFIG": "",
            "XDG_CONFIG_HOME": str(server.forum.data / "no-config"),
        },
    )


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert ran.stdout, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def agreeing(line: dict[str, Any]) -> set[str]:
    return {agreement["signal_type"] for match in line["matches"] for agreement in match["agreements"]}


def toy_values(path: Path) -> dict[str, str]:
    told = subprocess.run(
        [*HASHPACT, "hash", "--json", str(path)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
        env=with_toy(),
    )
    signals: dict[str, str] = json.loads(told.stdout)["signals"]
    return {name: value for name, value in signals.items() if name in TOYS}


def test_from_a_members_picture_to_a_match_at_the_replica(hub: ServerProcess, place: Forum, tmp_path: Path) -> None:
    cat = photograph("chelsea")
    cat.save(tmp_path / "cat.png")
    cat.resize((300, 200)).save(tmp_path / "copy.jpg", quality=70)
    assert set(toy_values(tmp_path / "cat.png")) == TOYS

    (listed,) = lines(hashpact(hub, "alpha", "contribute", "--json", tmp_path / "cat.png", "--label", "test"))
    assert (listed["outcome"], listed["problems"]) == ("created", [])
    (again,) = lines(hashpact(hub, "acme", "check", "--json", tmp_path / "cat.png"))
    assert agreeing(again) >= TOYS
    (copy,) = lines(hashpact(hub, "acme", "check", "--json", tmp_path / "copy.jpg"))
    assert agreeing(copy) & TOYS == {"toy_edges", "toy_columns"}

    exported = hashpact(hub, "alpha", "export", tmp_path / "list.jsonl")
    assert exported.returncode == 0, exported.stderr
    assert {name for name in TOYS if name in (tmp_path / "list.jsonl").read_text()} >= TOYS

    environment = {**with_toy(), **following(hub)}
    with ServerProcess(place, "--follow", str(hub.address), environment=environment) as replica:
        replica.until_serving()
        (there,) = lines(hashpact(replica, "acme", "check", "--json", tmp_path / "copy.jpg"))
        assert agreeing(there) == agreeing(copy)
        # Values of a type alone are looked up, too, by whoever has only them.
        values = toy_values(tmp_path / "copy.jpg")
        with Client(str(replica.address), token=place.tokens["acme"], ca=place.ca) as client:
            kinds = {kind.name for kind in client.capabilities().signal_types}
            assert kinds >= TOYS
            for name in ("toy_edges", "toy_columns"):
                (found,) = client.lookup([[Signal.from_hex(name, values[name])]])
                assert [match.item for match in found.matches] == [listed["item"]]


def test_a_list_of_its_values_is_imported(hub: ServerProcess, tmp_path: Path) -> None:
    value = bytes(range(32)).hex()
    (tmp_path / "list.csv").write_text(f"signal_type,value\ntoy_backwards,{value}\ntoy_backwards,01\n")
    (told,) = lines(hashpact(hub, "alpha", "import", "--json", tmp_path / "list.csv", "--label", "test"))
    assert (told["outcomes"], told["refusals"]) == ({"created": 1}, {"SIGNAL_MALFORMED": 1})
    with Client(str(hub.address), token=hub.forum.tokens["acme"], ca=hub.forum.ca) as client:
        (found,) = client.lookup([[Signal.from_hex("toy_backwards", value)]])
        assert [match.signal_type for match in found.matches] == ["toy_backwards"]


def test_whoever_lacks_the_package_is_told_which_type_is_missing(
    hub: ServerProcess, forum: Forum, place: Forum, tmp_path: Path
) -> None:
    photograph("coffee").save(tmp_path / "cup.png")
    assert hashpact(hub, "alpha", "contribute", tmp_path / "cup.png", "--label", "test").returncode == 0

    with ServerProcess(place, "--follow", str(hub.address), environment=following(hub)) as replica:
        assert replica.wait() != 0
        assert "install the package that adds it" in "".join(replica.lines)

    copy = forum.copy(tmp_path / "copy")
    served = command("serve", "--data", copy.data, "--listen", "127.0.0.1:0", code=2)
    assert "the list holds signals of type 20" in served.stderr
    assert "install the package that adds it" in served.stderr
    assert "Traceback" not in served.stderr


def test_a_package_that_is_broken_is_named_by_everything_that_would_need_it(
    hub: ServerProcess, forum: Forum, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    install(bad, "bad_hashes", "toy_edges", "EDGES", "from toy_hashes import EDGES\n")
    environment = with_toy(bad)
    photograph("coffee").save(tmp_path / "cup.png")
    ran = [
        hashpact(hub, "acme", "check", tmp_path / "cup.png", environment=environment),
        hashpact(hub, "acme", "hash", tmp_path / "cup.png", environment=environment),
        subprocess.run(
            [sys.executable, "-m", "hashpact_server", "serve", "--data", str(forum.copy(tmp_path / "copy").data)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            env=environment,
        ),
    ]
    for one in ran:
        assert one.returncode in {2, 3}, one.stdout + one.stderr
        assert "of the package toy-hashes 1.0 (code 201) clashes with one of bad_hashes 1" in one.stderr
        assert "Traceback" not in one.stderr


def install(folder: Path, package: str, name: str, place: str, body: str) -> None:
    """A package with one type."""
    about = folder / f"{package}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[hashpact.signal_types]\n{name} = {package}:{place}\n")
    (folder / f"{package}.py").write_text(body)


TRAP = """
import os, threading
from hashpact.plugins import SignalTypePlugin
from hashpact.signals import Comparison, SignalType, Witness

def look(media):
    if b"CRASH" in (media.data or b""):
        os._exit(1)
    if b"HANG" in (media.data or b""):
        threading.Event().wait()
    return []

TRAP = SignalTypePlugin(
    SignalType("trap", 204, 64, Comparison.HAMMING, 4, 8, False, 0, ("image",), Witness.PICTURE), look
)
"""


def test_a_crash_and_a_hang_cost_one_file_each(tmp_path: Path) -> None:
    """Code that reads strangers' files, in the middle of a folder: the others are hashed, in order."""
    trap = tmp_path / "trap"
    install(trap, "trap", "trap", "TRAP", TRAP)
    folder = tmp_path / "folder"
    folder.mkdir()
    picture = photograph("chelsea")
    for name in "abcde":
        picture.save(folder / f"{name}.png")
    for name, word in (("b", b"CRASH"), ("d", b"HANG")):
        with (folder / f"{name}.png").open("ab") as file:  # behind the picture's end, where readers do not look
            file.write(word)
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from hashpact.cli import main; main()",
            "hash",
            "--json",
            "--file-seconds",
            "8",
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=2 * WAIT_S,
        check=False,
        env=with_toy(trap),
    )
    assert ran.returncode == 3
    told = {Path(line["path"]).stem: line.get("error", {}).get("message", "hashed") for line in lines(ran)}
    assert list(told) == list("abcde")
    assert {told[name] for name in "ace"} == {"hashed"}
    assert "crashed" in told["b"]
    assert "takes longer than 8 s" in told["d"]
