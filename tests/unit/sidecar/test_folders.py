"""Files named by path: what truly lies below an allowed folder, and nothing else, whatever it is called."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hashpact.sidecar.folders import open_allowed
from hashpact.sidecar.refusals import RefusedError

LIMIT = 1000


@pytest.fixture(name="allowed")
def made_allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.jpg").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "uploads-of-others").mkdir()
    (tmp_path / "uploads-of-others" / "b").write_bytes(b"outside")
    return folder.resolve()


def read(path: Path | str, allowed: Path) -> bytes:
    with open_allowed(str(path), [allowed], LIMIT) as file:
        return file.read()


def test_what_lies_below_is_read(allowed: Path) -> None:
    assert read(allowed / "deep" / "a.jpg", allowed) == b"inside"
    assert read(f"{allowed}/deep/../deep//a.jpg", allowed) == b"inside"
    (allowed / "link").symlink_to(allowed / "deep" / "a.jpg")
    assert read(allowed / "link", allowed) == b"inside"
    # From elsewhere by a link that leads in: what counts is where the file is.
    (allowed.parent / "way-in").symlink_to(allowed)
    assert read(allowed.parent / "way-in" / "deep" / "a.jpg", allowed) == b"inside"


def test_what_leads_out_is_refused(allowed: Path) -> None:
    (allowed / "out").symlink_to(allowed.parent / "secret")
    (allowed / "up").symlink_to(allowed.parent)
    os.mkfifo(allowed / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(allowed / "s"))
    (allowed / "large").write_bytes(bytes(LIMIT + 1))
    for path, status in (
        (allowed / "out", 403),
        (allowed / "up" / "secret", 403),
        (f"{allowed}/../secret", 403),
        (f"{allowed}-of-others/b", 403),
        ("/etc/passwd", 403),
        ("/etc/no-such-file", 403),  # whether it exists is nobody's business
        ("/proc/self/environ", 403),
        (allowed, 403),
        (allowed / "pipe", 403),
        (allowed / "s", 404),
        (allowed / "absent", 404),
        (allowed / "large", 413),
        (f"{allowed}/\ud800", 404),  # JSON can say this, and no file has such a name
        ("uploads/deep/a.jpg", 400),
        ("", 400),
        (f"{allowed}/a\0b", 400),
    ):
        with pytest.raises(RefusedError) as caught:
            read(path, allowed)
        assert caught.value.status == status, path
        assert "secret" not in caught.value.message


def test_nothing_is_allowed_without_a_folder(allowed: Path) -> None:
    with pytest.raises(RefusedError):
        open_allowed(str(allowed / "deep" / "a.jpg"), [], LIMIT)


def test_nothing_stays_open(allowed: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    (allowed / "large").write_bytes(bytes(LIMIT + 1))
    for path in (allowed / "deep", allowed / "large", "/etc/passwd", allowed / "absent"):
        with pytest.raises(RefusedError):
            read(path, allowed)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
