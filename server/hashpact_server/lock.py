"""One process per data directory: a lock that the kernel gives back whatever happens to its holder.

Many verbs of ``hashpact-server`` work on the files themselves, so two at once would be two writers. LMDB has locks
of its own for its writers; this one keeps the second process out before it opens anything, and can say who is in.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Self

from hashpact_server.datadir import DataDirectory
from hashpact_server.trouble import Trouble


class DirectoryLockedError(Trouble):
    """Another process uses the data directory.

    Attributes:
        pid: its process id as it wrote it, or 0 where that cannot be read.
    """

    reason = "DIRECTORY_LOCKED"

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class DirectoryLock:
    """The lock of a data directory, held from the construction to :meth:`close` or the end of the process.

    Raises:
        DirectoryLockedError: another process has it.
        Trouble: the lock file cannot be opened.
    """

    def __init__(self, data: DataDirectory) -> None:
        path = data.file("lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Trouble(f"cannot open {path}: {error.strerror}") from error
        try:
            # flock belongs to the open file: closed with the process, also when it is killed. The file itself
            # stays, since removing it would let two processes lock two files of one name.
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = os.pread(self._handle, 20, 0).strip()
            os.close(self._handle)
            pid = int(text) if text.isdigit() else 0
            holder = f"process {pid}" if pid else "another process"
            raise DirectoryLockedError(f"{data.path} is in use by {holder}: stop it first", pid) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the lock back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
