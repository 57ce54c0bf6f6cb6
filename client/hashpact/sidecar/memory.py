"""What the sidecar remembers across restarts: one folder, one SQLite file, and the media that wait.

::

    FOLDER (0700)
      memory.db          rows of the re-check queue and of the webhook's outbox (0600)
      recheck/           media that wait to be checked again, one file each (0600)
      *.lock             whoever has the queue, or the outbox, open

A commit is on the disk when it returns (write-ahead log, synced at every commit), and deleted rows are overwritten.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hashpact.errors import InvalidRequestError, QueueFullError, StorageError

REFERENCE_BYTES_MAX: Final = 256
DATABASE: Final = "memory.db"
BUSY_S: Final = 30.0
"""How long a write waits for the other user of the file: a commit takes milliseconds, a slow disk more."""
SET_BACK_MS: Final = 2_000
"""A clock that is put right by less makes nothing late that matters."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Memory:
    """A part of the file: its tables, one connection, for one process and any of its threads.

    Args:
        folder: where; made when it is absent.
        part: name of the part, of which only one may be open at a time.
        schema: statements that make its tables where they are absent.

    Raises:
        StorageError: the folder cannot be used, is damaged, or another process has this part open.
    """

    def __init__(self, folder: Path, part: str, schema: Sequence[str]) -> None:
        self.folder = folder
        self._threads = threading.RLock()
        with telling(f"{folder} cannot be used"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
            if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
                raise StorageError(f"{folder} has to be yours alone: chown and chmod 0700 it", reason="STORAGE_EXPOSED")
            self._lock = os.open(folder / f"{part}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(part)
            self._rows = self._open(schema)
        except BaseException:
            os.close(self._lock)
            raise

    def _take(self, part: str) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(
                f"the {part} in {self.folder} is in use by another process: stop that one, or name another folder",
                reason="STORAGE_IN_USE",
            ) from error

    def _open(self, schema: Sequence[str]) -> sqlite3.Connection:
        path = self.folder / DATABASE
        with telling(f"{path} cannot be opened"):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would make it 0644
            rows = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                rows.execute("PRAGMA journal_mode=WAL")
                rows.execute("PRAGMA synchronous=FULL")
                rows.execute("PRAGMA secure_delete=ON")
                for statement in schema:
                    rows.execute(statement)
                sync_folder(self.folder)
            except BaseException:
                rows.close()
                raise
        return rows

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read."""
        with self._threads, telling("what the sidecar remembers cannot be read"):
            yield self._rows

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction: all of it is on the disk afterwards, or nothing happened.

        Raises:
            QueueFullError: the disk is full.
            StorageError: the disk fails.
        """
        with self._threads, telling("nothing could be written down"):
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                yield self._rows
                # A crash before this line: nothing of it. After it: all of it.
                self._rows.execute("COMMIT")
            except BaseException:
                if self._rows.in_transaction:
                    self._rows.execute("ROLLBACK")
                raise

    def wipe(self) -> None:
        """Let nothing of deleted rows stay in the write-ahead log."""
        with self._threads, telling("what was deleted could not be wiped"):
            self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close it; nothing has to be saved."""
        with self._threads:
            self._rows.close()
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Wall:
    """Unix time in ms, and whether the clock was set back: what is due by it would be due too late, or in years.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._newest_ms = 0

    def now_ms(self) -> int:
        """The time."""
        now_ms = int(self._clock() * 1000)
        self._newest_ms = max(self._newest_ms, now_ms)
        return now_ms

    def was_set_back(self, now_ms: int) -> bool:
        """Whether that is well before a time that was told already; says so once."""
        back = now_ms < self._newest_ms - SET_BACK_MS
        if back:
            self._newest_ms = now_ms
        return back


class Room:
    """How much of a queue is taken, and how much may be; for any thread.

    Args:
        name: the queue's word in the names of its limits.
        emptied: what makes room, for the message.
        entries_max: entries that may wait.
        bytes_max: their bytes.
    """

    def __init__(self, name: str, emptied: str, *, entries_max: int, bytes_max: int) -> None:
        self._limits = ((f"{name}_entries_max", entries_max), (f"{name}_bytes_max", bytes_max))
        self._emptied = emptied
        self._lock = threading.Lock()
        self.entries = self.bytes = 0

    def take(self, size: int) -> None:
        """Take room for one entry.

        Raises:
            QueueFullError: there is none.
        """
        with self._lock:
            for wanted, (name, limit) in zip((self.entries + 1, self.bytes + size), self._limits, strict=True):
                if wanted > limit:
                    message = f"no more can be kept for later ({name}={limit}): {self._emptied}"
                    raise QueueFullError(message, limit_name=name, limit=limit)
            self.entries += 1
            self.bytes += size

    def give(self, sizes: Iterable[int]) -> None:
        """Give the room of entries back."""
        with self._lock:
            for size in sizes:
                self.entries -= 1
                self.bytes -= size

    def found(self, sizes: Iterable[int]) -> None:
        """Count what waits already, at the start: more than the limits, where they were lowered."""
        with self._lock:
            for size in sizes:
                self.entries += 1
                self.bytes += size


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Turns errors of the disk and of SQLite into ours; neither quotes a value."""
    try:
        yield
    except OSError as error:
        raise _typed(what, error.strerror or type(error).__name__, full=error.errno in _FULL) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise _typed(what, name, full=name == "SQLITE_FULL") from error


def _typed(what: str, why: str, *, full: bool) -> StorageError:
    if full:
        return QueueFullError(f"{what}, the disk is full: make room; nothing was half written", reason="DISK_FULL")
    return StorageError(f"{what} ({why}): look at the disk and at who owns the folder")


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_text(name: str, text: str, bytes_max: int) -> None:
    """A short text that a database can hold.

    Raises:
        InvalidRequestError: too long in UTF-8, or with half a surrogate pair, as JSON can say it. It is not repeated.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequestError.about(name, f"{name} is no Unicode: it has half a surrogate pair") from None
    if size > bytes_max:
        raise InvalidRequestError.about(name, f"{name} has {size} bytes, {bytes_max} at most")
