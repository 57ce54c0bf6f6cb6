"""A small SQLite file of the data directory: for what a server keeps beside the list and not in it.

One writer at a time, in whatever thread it calls from; readers beside it, each with a connection of its own. What was
committed is durable; a crash at any moment leaves the commit before it. What is deleted is overwritten in the file. A
file that is damaged is put aside when it is opened, and an empty one takes its place: the list does not wait for it.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hashpact_server.logs import event
from hashpact_server.trouble import Trouble

Connection = sqlite3.Connection

PAGE_BYTES: Final = 4096
STEPS_BETWEEN_LOOKS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock: well below a millisecond."""

_LOGGER: Final = logging.getLogger(__name__)


class DatabaseFullError(Exception):
    """There is no room: the file is as large as it may be, or the disk is full. Nothing was written."""


class DatabaseSlowError(Exception):
    """A read took longer than its caller waits."""


class Database:
    """One file, made when it is not there. Its folder belongs to it alone.

    Args:
        path: the file.
        schema: statements that make its tables; run each time, so each says IF NOT EXISTS.
        version: of the schema; a file of another version is refused.
        bytes_max: size of the file; 0: no limit of ours.

    Raises:
        Trouble: it cannot be opened; says what to do.
    """

    def __init__(self, path: Path, schema: str, *, version: int, bytes_max: int = 0) -> None:
        self._path = path
        self._lock = threading.RLock()
        try:
            try:
                self._open(schema, version, bytes_max)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._put_aside(error)
                self._open(schema, version, bytes_max)
        except sqlite3.Error as error:
            raise Trouble(f"cannot open {path}: {error}") from error
        except OSError as error:
            raise Trouble(f"cannot open {path}: {error.strerror}") from error

    def _open(self, schema: str, version: int, bytes_max: int) -> None:
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before SQLite makes it: its files beside this one get the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        self._connection = self._connect()
        try:
            self._prepare(schema, version, bytes_max)
        except BaseException:
            self._connection.close()
            raise

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        """Rename a damaged file, and the log that belongs to it: what lies beside the list must not stop the list."""
        name = f"{self._path.name}.damaged-{time.time_ns() // 1_000_000}"
        for ending in ("-shm", "-wal", ""):  # the file last: a crash in between leaves one that is damaged still
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + ending).rename(self._path.with_name(name + ending))
        event(_LOGGER, logging.ERROR, "a damaged file was put aside", file=name, why=str(error))

    def _connect(self) -> Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 30000")
        return connection

    def _prepare(self, schema: str, version: int, bytes_max: int) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")  # an acknowledgement outlives a power cut
        run("PRAGMA secure_delete = ON")
        run("PRAGMA journal_size_limit = 0")  # nor does what was deleted linger in the log
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA recursive_triggers = ON")  # REPLACE deletes, and a trigger counts
        if bytes_max:
            run(f"PRAGMA max_page_count = {max(1, bytes_max // PAGE_BYTES)}")
        (found,) = run("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise Trouble(f"{self._path} was made by another version of this server: use that one, or move it away")
        self._connection.executescript(schema)
        run(f"PRAGMA user_version = {version}")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends, and undone when it raises. Others wait meanwhile.

        Raises:
            DatabaseFullError: there is no room.
        """
        with self._lock:
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                # Crash before this returned: nothing of it happened, and nobody was told. After it: all of it did.
                connection.execute("COMMIT")
            except BaseException as error:
                self._undo()
                if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                    raise DatabaseFullError(str(error)) from error
                raise

    def _undo(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                event(_LOGGER, logging.ERROR, "a transaction could not be undone", error=type(error).__name__)

    @contextmanager
    def read(self, deadline: float = math.inf) -> Iterator[Connection]:
        """What is committed as of now.

        Args:
            deadline: ``time.monotonic()`` after which the read is given up.

        Raises:
            DatabaseSlowError: it was.
        """
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only = ON")
            if deadline < math.inf:
                connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
            connection.execute("BEGIN")
            yield connection
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise DatabaseSlowError from error
            raise
        finally:
            connection.close()

    def used_bytes(self) -> int:
        """Size of the file."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def close(self) -> None:
        """Close; the log is brought into the file."""
        with self._lock:
            self._connection.close()
