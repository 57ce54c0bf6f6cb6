"""Snapshots of a list that is being served: made in a process of their own, shared, and thrown away.

Walking through millions of rows would take the interpreter from look-ups for seconds; another process has its own, and
reads the store beside us. Whatever is asked of it, the disk is left to the list: there is at most one attempt a minute,
none without room, and few files, also where callers take for ever to read them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.store import DISK_RESERVE_BYTES
from hashpact_server.logs import event
from hashpact_server.refusal import Refusal

KEPT_S: Final = 60.0
"""A snapshot that is not older is good enough: whoever begins with it goes on with the feed. Then it is removed."""

READ_MAX: Final = 4
"""Snapshots that are still being read, at most, before another is made."""

FOLDER: Final = "streamed"
"""Where the files are; nothing else is kept there."""

_LOGGER: Final = logging.getLogger(__name__)


class SnapshotFiles:
    """The newest snapshot of a data directory.

    Args:
        data_dir: where the list is, and where the files are put.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / FOLDER
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._tried_at = -KEPT_S
        self._why_not = (errno.EIO, "see the server's log")
        self._read: dict[Path, list[BinaryIO]] = {}
        self._newest: Path | None = None
        self._closed = False
        self._remover: threading.Timer | None = None
        self._number = 0
        self._remove_all()  # what a killed server left

    def open(self) -> BinaryIO:
        """A snapshot that is at most :data:`KEPT_S` old, to be read and closed by the caller.

        Raises:
            OSError: it could not be made.
            Refusal: TOO_MANY_REQUESTS: too many others are still being read.
        """
        with self._lock:
            if self._closed:
                raise OSError(errno.ECANCELED, "the server stops")
            if time.monotonic() - self._tried_at >= KEPT_S:
                self._try()
            if self._newest is None:
                raise OSError(*self._why_not)
            file = self._newest.open("rb")
            self._read.setdefault(self._newest, []).append(file)
            return file

    def close(self) -> None:
        """Throw away what there is."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._remove_all()

    def _try(self) -> None:
        """Make a snapshot, or remember why there is none."""
        self._read = {path: left for path, files in self._read.items() if (left := [f for f in files if not f.closed])}
        if len(self._read) >= READ_MAX:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_TOO_MANY_REQUESTS,
                f"{READ_MAX} snapshots are still being read: come back when one of them was",
                retry_after_s=KEPT_S,
            )
        self._remove_all()
        self._tried_at = time.monotonic()
        try:
            self._newest = self._make()
        except OSError as error:
            self._why_not = (error.errno or errno.EIO, error.strerror or "see the server's log")
            raise
        self._remover = threading.Timer(KEPT_S, self._remove, [self._newest])
        self._remover.daemon = True
        self._remover.start()

    def _make(self) -> Path:
        room = shutil.disk_usage(self._data_dir).free - 2 * DISK_RESERVE_BYTES
        _, allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
        if allowed != resource.RLIM_INFINITY:
            room = min(room, allowed)
        if room <= 0:
            raise OSError(errno.ENOSPC, "the disk is full")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._number += 1
        path = self._folder / str(self._number)
        began = time.monotonic()
        # -P: or whoever may write to the folder that we were started in could put a package of that name there.
        command = [sys.executable, "-P", "-m", "hashpact_server", "backup"]
        command += ["--data", str(self._data_dir), "--to", str(path), "--while-stdin-is-open"]
        # A pipe that nobody writes to, and that the kernel closes when we are killed: the child ends then.
        reading, alive = os.pipe()
        try:
            self._child = child = subprocess.Popen(  # noqa: S603 - ourselves
                command, stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except BaseException:
            os.close(alive)
            raise
        finally:
            os.close(reading)
        try:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (room, room))  # or nobody could write to the list
            if self._closed:  # meanwhile: close() did not see the child
                child.kill()
            _, said = child.communicate()
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            os.close(alive)
            self._child = None
        seconds = round(time.monotonic() - began, 3)
        if child.returncode:
            why = said.decode(errors="replace")[-500:].strip()
            event(_LOGGER, logging.ERROR, "no snapshot", code=child.returncode, why=why, seconds=seconds)
            raise OSError(errno.EIO, "see the server's log")
        event(_LOGGER, logging.INFO, "snapshot made", bytes=path.stat().st_size, seconds=seconds)
        return path

    def _remove(self, path: Path) -> None:
        """Remove a snapshot whose time is over: it would hold what the list has long given up."""
        with self._lock:
            if path == self._newest:
                self._remove_all()

    def _remove_all(self) -> None:
        """Remove the files; whoever reads one has it open, and goes on."""
        self._newest = None
        if self._remover is not None:
            self._remover.cancel()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)
