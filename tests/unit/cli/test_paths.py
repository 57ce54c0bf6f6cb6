"""From paths to files: a stable order, no loops, nothing hidden, nothing that hangs."""

from __future__ import annotations

import inspect
import os
import socket
import sys
from pathlib import Path

import pytest
from hashpact.cli.paths import Input, expand


def found(*paths: object, hidden: bool = False) -> list[str]:
    return [one.path for one in expand([str(path) for path in paths], hidden=hidden)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("b.jpg", "a/z.jpg", "a/b/c.jpg", "B.jpg", ".hidden.jpg", ".git/x.jpg", "c"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_a_folder_in_the_order_of_its_bytes(tree: Path) -> None:
    assert found(tree) == [f"{tree}/{name}" for name in ("B.jpg", "a/b/c.jpg", "a/z.jpg", "b.jpg", "c")]


def test_hidden_files_if_asked(tree: Path) -> None:
    assert f"{tree}/.git/x.jpg" in found(tree, hidden=True)
    assert f"{tree}/.hidden.jpg" in found(tree, hidden=True)
    assert found(tree / ".hidden.jpg") == [f"{tree}/.hidden.jpg"]


def test_paths_are_kept_as_given(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert found("./b.jpg", "b.jpg", "./a/", "nowhere") == ["./b.jpg", "b.jpg", "./a/b/c.jpg", "./a/z.jpg", "nowhere"]


def test_links(tree: Path) -> None:
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "link.jpg").symlink_to(tree / "b.jpg")
    (tree / "broken.jpg").symlink_to(tree / "absent")
    (tree / "self").symlink_to(tree / "self")
    names = [os.path.relpath(path, tree) for path in found(tree)]
    assert names == ["B.jpg", "a/b/c.jpg", "a/z.jpg", "b.jpg", "broken.jpg", "c", "link.jpg", "self"]
    named = tree.parent / "named"
    named.symlink_to(tree / "a")
    assert found(named) == [f"{named}/b/c.jpg", f"{named}/z.jpg"]


def test_pipes_sockets_and_devices_in_folders_are_left_out(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "s"))
        assert not {f"{tree}/pipe", f"{tree}/s"} & set(found(tree))


def test_names_that_are_not_text(tree: Path) -> None:
    raw = os.fsencode(tree) + b"/\xff\xfe.jpg"
    Path(os.fsdecode(raw)).touch()
    assert raw in [os.fsencode(path) for path in found(tree)]


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 150)  # no deeper: pytest has to delete it, and calls itself for each level
    deep.mkdir(parents=True)
    (deep / "x.jpg").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        names = found(tmp_path)
    finally:
        sys.setrecursionlimit(limit)
    assert names == [str(deep / "x.jpg")]


def test_empty_folders_are_told(tmp_path: Path) -> None:
    (tmp_path / "e" / "f").mkdir(parents=True)
    told: list[str] = []
    assert list(expand([str(tmp_path / "e")], on_empty=told.append)) == []
    assert told == [str(tmp_path / "e")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tree: Path) -> None:
    (tree / "a").chmod(0)
    try:
        failed = [one for one in expand([str(tree)]) if one.error]
    finally:
        (tree / "a").chmod(0o700)
    assert [one.path for one in failed] == [f"{tree}/a"]


def test_a_folder_that_vanishes_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(_: str) -> list[str]:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "listdir", vanished)
    (one,) = expand([str(tree)])
    assert one.path == str(tree)
    assert one.error is not None
    assert "No such file" in one.error.message


def test_walking_is_lazy(tree: Path) -> None:
    walk = expand([str(tree), str(tree)])
    assert isinstance(next(walk), Input)
