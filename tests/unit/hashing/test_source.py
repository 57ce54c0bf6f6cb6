"""A path may lead to anything."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Self

import pytest
from hashpact.errors import UnreadableMediaError
from hashpact.hashing import ImageLimits, hash_image

from tests.pictures import encoded, photo


def refusal(source: object, **options: object) -> str:
    with pytest.raises(UnreadableMediaError) as caught:
        hash_image(source, **options)  # type: ignore[arg-type]  # wrong on purpose
    return caught.value.message


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.jpg").startswith("absent.jpg: cannot be opened: No such file")


def test_folder(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)
    assert "folder" in refusal("/")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert refusal(path) == "empty.jpg: the file is empty"
    assert "empty" in refusal(b"")


def test_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("BMs are prose too, and so is this line of text.")
    assert "not a picture" in refusal(path)


@pytest.mark.timeout(20)
def test_a_pipe_without_a_writer_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert "not a regular file" in refusal(pipe)


def test_devices_and_sockets(tmp_path: Path) -> None:
    assert "not a regular file" in refusal("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "s: cannot be opened" in refusal(tmp_path / "s")


def test_paths_that_no_system_accepts() -> None:
    assert "not a valid one" in refusal("a\x00b.jpg")
    assert "cannot be opened" in refusal("x" * 5000)


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in refusal(tmp_path / "evil\x1b[2J.jpg")


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.jpg"
    Path(os.fsdecode(path)).write_bytes(b"no picture")
    refusal(os.fsdecode(path)).encode()  # can be printed


def test_bytes_limit(tmp_path: Path) -> None:
    data = encoded(photo(), "PNG")
    path = tmp_path / "big.png"
    path.write_bytes(data)
    tight = ImageLimits(bytes_max=len(data) - 1)
    assert "bytes_max" in refusal(path, limits=tight)
    assert "bytes_max" in refusal(data, limits=tight)
    hash_image(path, limits=ImageLimits(bytes_max=len(data)))


def test_a_wrong_argument_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="not int"):
        hash_image(7)  # type: ignore[arg-type]  # wrong on purpose


def test_a_file_of_the_kernel_that_has_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jpg"
    path.write_bytes(b"x")
    opened = os.fdopen

    class Silent:
        """As a buffered reader whose file would block."""

        def __init__(self, handle: int) -> None:
            self._file = opened(handle, "rb", closefd=False)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def read(self, _: int) -> None:
            return None

    monkeypatch.setattr(os, "fdopen", lambda handle, *_, **__: Silent(handle))
    assert refusal(path) == "log.jpg: the file is empty"
