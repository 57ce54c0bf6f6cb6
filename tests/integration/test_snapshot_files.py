"""Snapshots beside a server: shared, few, gone when their time is over, and never at the cost of the list."""

from __future__ import annotations

import os
import resource
import select
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hashpact_server import snapshot_files
from hashpact_server.ledger.store import DISK_RESERVE_BYTES
from hashpact_server.refusal import Refusal
from hashpact_server.snapshot_files import FOLDER, SnapshotFiles
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Forum, ServerProcess


@pytest.fixture(name="files")
def made_files(forum: Forum) -> Iterator[SnapshotFiles]:
    """The snapshots of a list."""
    made = SnapshotFiles(forum.data)
    yield made
    made.close()


@pytest.fixture(name="children")
def counted_children(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command of every process that was started."""
    commands: list[list[str]] = []
    start = subprocess.Popen

    def started(command: list[str], **more: Any) -> Any:
        commands.append(command)
        return start(command, **more)

    monkeypatch.setattr("hashpact_server.snapshot_files.subprocess.Popen", started)
    return commands


def left_in(forum: Forum) -> list[Path]:
    return list(forum.data.glob(f"{FOLDER}/*"))


def test_they_are_shared_and_thrown_away(forum: Forum) -> None:
    (forum.data / FOLDER).mkdir()
    (forum.data / FOLDER / "7").write_bytes(b"left by a server that was killed")
    mine = forum.data / "snapshot-of-monday"
    mine.write_bytes(b"somebody's backup")
    files = SnapshotFiles(forum.data)
    assert left_in(forum) == []
    with files.open() as one, files.open() as other:
        assert one.read() == other.read() != b""
        assert [path.stat().st_mode & 0o777 for path in left_in(forum)] == [0o600]
    files.close()
    assert left_in(forum) == []
    with pytest.raises(OSError, match="stops"):
        files.open()
    assert mine.exists()


def test_what_is_old_is_removed_without_anybody_asking(
    forum: Forum, files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = threading.Event()
    remove = files._remove

    def told(path: Path) -> None:
        remove(path)
        removed.set()

    monkeypatch.setattr(files, "_remove", told)
    monkeypatch.setattr(snapshot_files, "KEPT_S", 0.05)
    files._tried_at = 0.0
    files.open().close()
    assert removed.wait(WAIT_S)
    assert left_in(forum) == []


def test_a_failure_is_not_tried_again_at_once(forum: Forum, files: SnapshotFiles, children: list[list[str]]) -> None:
    (forum.data / "store" / "data.mdb").unlink()
    for _ in range(3):
        with pytest.raises(OSError, match="log"):
            files.open()
    assert len(children) == 1
    assert left_in(forum) == []


def test_the_list_keeps_its_room_on_the_disk(
    forum: Forum, files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(forum.data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * DISK_RESERVE_BYTES + 100))
    with pytest.raises(OSError, match="log"):
        files.open()
    assert left_in(forum) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * DISK_RESERVE_BYTES))
    files._tried_at -= snapshot_files.KEPT_S
    with pytest.raises(OSError, match="full"):
        files.open()


def test_files_may_be_limited_already(files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [resource.RLIM_INFINITY, 1 << 30]
    set_limit, given = resource.prlimit, []

    def noted(pid: int, which: int, wanted: tuple[int, int]) -> None:
        given.append(wanted)
        set_limit(pid, which, wanted)

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "prlimit", noted)
    files.open().close()
    assert max(given[0]) <= 1 << 30


def test_a_server_that_is_killed_leaves_no_child(forum: Forum, tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    # The child begins to write its last bytes to the disk, and never gets there.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "def never(_):\n"
        f"    open({str(told)!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(3600)\n"
        "if 'backup' in sys.orig_argv: os.fsync = never\n"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with ServerProcess(forum, environment={"PYTHONPATH": path}) as server:
        steward = server.ready().member("steward")
        archive = server.bearer(steward.create("archive", Role.REPLICATE))
        channel: Any = archive.channel
        call = channel.unary_stream("/hashpact.v1.FeedService/Snapshot")(b"", metadata=archive.metadata)
        child = os.pidfd_open(int(told.read_text()))
        try:
            assert select.select([child], [], [], 0)[0] == []
            server.kill()
            assert select.select([child], [], [], WAIT_S)[0] == [child]
        finally:
            os.close(child)
        call.cancel()


def test_those_who_read_for_ever_do_not_fill_the_disk(files: SnapshotFiles) -> None:
    held = []
    for _ in range(snapshot_files.READ_MAX):
        held += [files.open(), files.open()]
        files._tried_at -= snapshot_files.KEPT_S
    with pytest.raises(Refusal, match="still being read"):
        files.open()
    held.pop(0).close()
    with pytest.raises(Refusal):
        files.open()
    held.pop(0).close()
    held.append(files.open())
    for file in held:
        file.close()


def test_a_folder_that_others_write_to_is_not_where_code_comes_from(
    files: SnapshotFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "hashpact_server"
    trap.mkdir()
    (trap / "__init__.py").write_text("")
    (trap / "__main__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    files.open().close()
    assert not (tmp_path / "ran").exists()


def test_a_server_that_stops_does_not_wait_for_a_child_that_just_began(
    forum: Forum, files: SnapshotFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def closing(_: list[str], **more: Any) -> Any:
        threading.Thread(target=files.close).start()
        while not files._closed:
            pass
        return start(["sleep", "600"], **more)

    monkeypatch.setattr("hashpact_server.snapshot_files.subprocess.Popen", closing)
    with pytest.raises(OSError, match="log"):
        files.open()
    assert left_in(forum) == []
