from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hashpact.errors import InvalidRequestError, QueueFullError, StorageError
from hashpact.probes import Probe
from hashpact.sidecar import queue as queues
from hashpact.sidecar.outbox import Outbox
from hashpact.sidecar.queue import QueuedUpload, RecheckQueue
from hashpact.signals import Signal


class Clock:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_queue(tmp_path: Path, clock: Clock) -> Callable[..., RecheckQueue]:
    def make(bytes_max: int = 1000, entries_max: int = 10) -> RecheckQueue:
        return RecheckQueue(tmp_path / "memory", bytes_max, entries_max, clock=clock)

    return make


def upload(source: bytes | Path | Probe = b"media", reference: str = "r") -> QueuedUpload:
    return QueuedUpload(reference, source, 1_000_000_000, "DEADLINE_EXCEEDED")


def test_each_kind_of_source_comes_back(open_queue: Callable[..., RecheckQueue]) -> None:
    probe = Probe.of([Signal("pdq", bytes(32), 80), Signal("pdq", bytes(31) + b"\1", 80), Signal("md5", bytes(16))])
    with open_queue() as queue:
        ids = [queue.put(upload(source)) for source in (b"\0media", probe)]
    with open_queue() as queue:
        media, signals = queue.next_due(10)
        assert [media.id, signals.id] == ids
        assert isinstance(media.source, Path)
        assert media.source.read_bytes() == b"\0media"
        assert signals.source == probe
        assert (media.reference, media.received_at_ms, media.reason, media.attempts) == (
            "r",
            1_000_000_000,
            "DEADLINE_EXCEEDED",
            0,
        )


@pytest.mark.parametrize("linked", [True, False])
def test_a_large_file_is_taken_without_being_read_into_memory(
    open_queue: Callable[..., RecheckQueue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    def another_file_system(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if not linked:
        monkeypatch.setattr(os, "link", another_file_system)
    size = 32 << 20
    spooled = tmp_path / "\udcff.jpg"
    spooled.touch(mode=0o600)
    os.truncate(spooled, size)
    with open_queue(bytes_max=size + 1) as queue:
        tracemalloc.start()
        try:
            queue.put(upload(spooled))
            assert tracemalloc.get_traced_memory()[1] < size // 8
        finally:
            tracemalloc.stop()
        with pytest.raises(QueueFullError):
            queue.put(upload(spooled))
        spooled.unlink()
        (held,) = queue.next_due(5)
        assert isinstance(held.source, Path)
        assert held.source.stat().st_size == size
        with pytest.raises(StorageError, match="could not be kept"):
            queue.put(upload(spooled))
        queue.done(held.id)
        assert not held.source.exists()
        assert queue.bytes_waiting == 0


def test_what_was_handed_out_comes_again_only_when_nobody_cared_for_it(
    open_queue: Callable[..., RecheckQueue], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_queue() as queue:
        first, second = queue.put(upload()), queue.put(upload())
        assert [each.id for each in queue.next_due(1)] == [first]
        assert [each.id for each in queue.next_due(5)] == [second]
        assert queue.next_due(5) == []
        queue.again(first, 60)
        assert queue.next_due(5) == []
        clock.now += 61
        (again,) = queue.next_due(5)
        assert (again.id, again.attempts) == (first, 1)
        monotonic = queues.time.monotonic()  # type: ignore[attr-defined]  # the module that it reads
        monkeypatch.setattr(queues.time, "monotonic", lambda: monotonic + queues.LEASE_S + 1)  # type: ignore[attr-defined]
        assert {each.id for each in queue.next_due(5)} == {first, second}


def test_a_restart_makes_everything_due(open_queue: Callable[..., RecheckQueue], clock: Clock) -> None:
    with open_queue() as queue:
        queue.again(queue.put(upload()), 10_000)
    clock.now -= 500  # and a clock that was set back loses nothing
    with open_queue() as queue:
        assert len(queue.next_due(5)) == 1
        assert queue.oldest_age_s == 0
        clock.now += 530
        assert queue.oldest_age_s == 30


def test_a_clock_that_is_set_back_makes_nothing_wait_for_it(
    open_queue: Callable[..., RecheckQueue], clock: Clock, tmp_path: Path
) -> None:
    with open_queue() as queue, contextlib.closing(Outbox(tmp_path / "memory", 1000, 10, clock)) as outbox:
        queue.put(upload())
        outbox.add("msg_1", "r", b"{}")
        clock.now -= 86_400
        assert len(queue.next_due(5)) == 1
        assert [letter.id for letter in outbox.due(5)] == ["msg_1"]
        assert outbox.until_due_s() == 0


def test_a_full_queue_refuses_and_keeps_what_it_has(open_queue: Callable[..., RecheckQueue], tmp_path: Path) -> None:
    with open_queue(bytes_max=100, entries_max=2) as queue:
        with pytest.raises(QueueFullError) as too_large:
            queue.put(upload(bytes(100)))
        assert (too_large.value.limit_name, too_large.value.limit) == ("recheck_bytes_max", 100)
        held = [queue.put(upload(bytes(40))), queue.put(upload(bytes(40)))]
        with pytest.raises(QueueFullError) as too_many:
            queue.put(upload(b""))
        assert (too_many.value.limit_name, too_many.value.limit) == ("recheck_entries_max", 2)
        assert (len(queue), queue.bytes_waiting) == (2, 82)
        assert {each.name for each in (tmp_path / "memory" / "recheck").iterdir()} == set(held)
        queue.done(held[0])
        queue.put(upload(bytes(40)))


def test_forgetting_leaves_nothing_behind(open_queue: Callable[..., RecheckQueue], tmp_path: Path) -> None:
    with open_queue() as queue:
        queue.put(upload(b"the media", "alice-upload"))
        queue.put(upload(Probe.of([Signal("sha256", b"\xee" * 32)]), "alice-upload"))
        queue.put(upload(reference="bobs"))
        assert queue.forget("alice-upload") == 2
        assert queue.forget("alice-upload") == 0
        assert [each.reference for each in queue.next_due(5)] == ["bobs"]
        kept = b"".join(each.read_bytes() for each in (tmp_path / "memory").rglob("*") if each.is_file())
        assert b"alice-upload" not in kept
        assert b"eeeeeeee" not in kept
        assert b"the media" not in kept
        assert b"bobs" in kept


def test_leftovers_of_a_crash_go_at_the_start(open_queue: Callable[..., RecheckQueue], tmp_path: Path) -> None:
    with open_queue() as queue:
        name = queue.put(upload())
    media = tmp_path / "memory" / "recheck"
    (media / "f00d.part").write_bytes(b"half")
    (media / "f00d").write_bytes(b"never acknowledged")
    with open_queue() as queue:
        assert [each.name for each in media.iterdir()] == [name]
        assert len(queue) == 1


def test_files_are_for_their_owner_only(open_queue: Callable[..., RecheckQueue], tmp_path: Path) -> None:
    with open_queue() as queue:
        queue.put(upload())
        found = list((tmp_path / "memory").rglob("*"))
        assert len(found) >= 4
        for each in (tmp_path / "memory", *found):
            assert stat.S_IMODE(each.stat().st_mode) == (0o700 if each.is_dir() else 0o600), each


def test_reprs_show_neither_reference_nor_media() -> None:
    assert "secret" not in repr(upload(b"secret", "secret"))


def test_what_cannot_be_used_is_told(open_queue: Callable[..., RecheckQueue], tmp_path: Path) -> None:
    with open_queue() as queue:
        with pytest.raises(StorageError, match="in use by another process"):
            open_queue()
        with pytest.raises(InvalidRequestError, match="258 bytes, 256 at most"):
            queue.put(upload(reference="\u00e9" * 129))
        with pytest.raises(InvalidRequestError, match="no Unicode"):
            queue.put(upload(reference="\ud800"))
    (tmp_path / "memory" / "memory.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"memory\.db cannot be opened"):
        open_queue()
    with pytest.raises(StorageError, match="cannot be used"):
        RecheckQueue(tmp_path / "memory" / "memory.db" / "below", 1, 1)


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    with pytest.raises(StorageError, match="chmod 0700"):
        RecheckQueue(tmp_path / "shared", 1, 1)


def test_a_database_without_room(open_queue: Callable[..., RecheckQueue]) -> None:
    with open_queue(bytes_max=1 << 20, entries_max=1 << 10) as queue:
        with queue._memory.reading() as rows:
            rows.execute("PRAGMA max_page_count=30")  # SQLite's own way to be full
        signals = Probe.of([Signal("pdq", bytes(32))] * 100)
        kept: list[str] = []
        with pytest.raises(QueueFullError) as full:
            kept.extend(iter(lambda: queue.put(upload(signals)), ""))  # until it is refused
        assert full.value.reason == "DISK_FULL"
        assert [each.id for each in queue.next_due(1 << 10)] == kept
        assert len(queue) == len(kept)
        queue.done(kept[0])
        queue.put(upload(signals))


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir(mode=0o700)
    tmp_path /= "memory"
    program = """
import resource, signal, sys
from pathlib import Path
from hashpact.errors import QueueFullError, StorageError
from hashpact.probes import Probe
from hashpact.sidecar.outbox import Outbox
from hashpact.sidecar.queue import QueuedUpload, RecheckQueue
from hashpact.signals import Signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
queue = RecheckQueue(Path(sys.argv[1]), 1 << 40, 1 << 20)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, resource.RLIM_INFINITY))
kept = []
try:
    queue.put(QueuedUpload("large", bytes(1 << 19), 0, "w"))
except QueueFullError as error:
    assert error.reason == "DISK_FULL", error.reason
else:
    raise SystemExit("media over the limit were kept")
signals = Probe.of([Signal("pdq", bytes([number]) * 32, 80) for number in range(200)])
while True:
    try:
        kept.append(queue.put(QueuedUpload(str(len(kept)), signals, 0, "w")))
    except StorageError as error:
        break
assert len(queue) == len(kept), (len(queue), len(kept))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(queue.put(QueuedUpload(str(len(kept)), signals, 0, "w")))
print(*kept)
"""
    run = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with RecheckQueue(tmp_path, 1 << 40, 1 << 20) as queue:
        assert [each.id for each in queue.next_due(1 << 20)] == run.stdout.split()
    assert list((tmp_path / "recheck").iterdir()) == []
