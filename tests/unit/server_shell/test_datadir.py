"""The data directory and its lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hashpact_server import datadir
from hashpact_server.datadir import LAYOUT, DataDirectory, file_system, is_remote, write_private
from hashpact_server.initialising import initialise, new_list
from hashpact_server.lock import DirectoryLock, DirectoryLockedError
from hashpact_server.trouble import Trouble


def test_only_a_whole_directory_is_one(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    with pytest.raises(Trouble, match=r"is no directory; make one with: hashpact-server init"):
        data.require()
    data.path.mkdir()
    with pytest.raises(Trouble, match="is no data directory"):
        data.require()
    data.marker.touch()
    with pytest.raises(Trouble, match=r"half made.*rm -r"):
        data.require()
    data.layout_file.write_text("hashpact data directory, layout 2\n")
    with pytest.raises(Trouble, match="another layout"):
        data.require()
    data.layout_file.write_text(LAYOUT)
    data.require()


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataDirectory(tmp_path)
    data.layout_file.write_text(LAYOUT)
    data.require()
    monkeypatch.setattr(datadir, "file_system", lambda _: "nfs4")
    with pytest.raises(Trouble, match=r"network file system \(nfs4\); use a local disk"):
        data.require()


@pytest.mark.parametrize("kind", ["nfs", "cifs", "fuse.sshfs", "fuse.s3fs", "9p", "ceph"])
def test_remote_kinds(kind: str) -> None:
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuse.ntfs-3g", ""])
def test_local_kinds(kind: str) -> None:
    assert not is_remote(kind)


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = (
        "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:25 / /srv rw - xfs /dev/sdb1 rw\n"
        "31 30 0:26 / /srv/far\\040away rw - nfs4 host:/x rw\n"
        "32 30 0:27 / /srv rw - btrfs /dev/sdc1 rw\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    assert file_system(Path("/home/somebody")) == "ext4"
    assert file_system(Path("/srv/list")) == "btrfs"  # mounted later, hides the other
    assert file_system(Path("/srv/far away/list")) == "nfs4"
    assert file_system(Path("/srv2")) == "ext4"


def test_private_files_are_whole_and_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        write_private(path, b"first")
        write_private(path, b"second")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_one_at_a_time(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    with DirectoryLock(data) as lock:
        with pytest.raises(DirectoryLockedError, match=f"in use by process {os.getpid()}") as raised:
            DirectoryLock(data)
        assert raised.value.pid == os.getpid()
        lock.close()
        DirectoryLock(data).close()


def test_a_killed_process_gives_the_lock_back(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hashpact_server.lock import *; from hashpact_server.datadir import *\n"
        f"lock = DirectoryLock(DataDirectory(pathlib.Path({str(tmp_path)!r})))\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DirectoryLockedError, match=f"process {holder.pid}"):
            DirectoryLock(DataDirectory(tmp_path))
        holder.kill()
        holder.wait()
        DirectoryLock(DataDirectory(tmp_path)).close()


def test_a_lock_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(Trouble, match="cannot open"):
        DirectoryLock(DataDirectory(tmp_path))


def test_init_takes_no_directory_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "theirs"
    place.mkdir(mode=0o755)
    owner = place.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(Trouble, match="belongs to another user"):
        initialise(DataDirectory(place), new_list("steward"), hostnames=[], say=lambda _: None)
    assert not list(place.iterdir())
