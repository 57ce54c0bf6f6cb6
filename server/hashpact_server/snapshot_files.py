"""Snapshots of a list that is being served: made in a process of their own, shared, and thrown away.

Walking through millions of rows would take the interpreter from look-ups for seconds; another process has its own, and
reads the store beside us.
"""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, Final

from hashpact_server.logs import event

KEPT_S: Final = 60.0
"""A snapshot that is not older is good enough: whoever begins with it goes on with the feed."""

_LOGGER: Final = logging.getLogger(__name__)


class SnapshotFiles:
    """The newest snapshot of a data directory.

    Args:
        data_dir: where the list is, and where the files are put.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._made_at = 0.0
        self._number = 0
        self._newest: Path | None = None
        self._closed = False
        self._remove_old()  # what a killed server left

    def open(self) -> BinaryIO:
        """A snapshot that is at most :data:`KEPT_S` old, to be read and closed by the caller.

        Raises:
            OSError: it could not be made.
        """
        with self._lock:
            if self._newest is None or time.monotonic() - self._made_at > KEPT_S:
                self._make()
            assert self._newest is not None  # noqa: S101 - made above
            return self._newest.open("rb")

    def close(self) -> None:
        """Throw away what there is."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._remove_old()
            self._newest = None

    def _make(self) -> None:
        if self._closed:
            raise OSError(errno.ECANCELED, "the server stops")
        self._remove_old()  # whoever reads it keeps it open
        self._newest = None
        self._number += 1
        path = self._data_dir / f"snapshot-{self._number}"
        began = time.monotonic()
        command = [sys.executable, "-m", "hashpact_server", "backup", "--data", str(self._data_dir), "--to", str(path)]
        self._child = subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            _, said = self._child.communicate()
            code = self._child.returncode
        finally:
            self._child = None
        if code:
            event(_LOGGER, logging.ERROR, "no snapshot", code=code, why=said.decode(errors="replace")[-500:].strip())
            raise OSError(errno.EIO, "see the server's log")
        self._made_at = began
        self._newest = path
        event(
            _LOGGER,
            logging.INFO,
            "snapshot made",
            bytes=path.stat().st_size,
            seconds=round(time.monotonic() - began, 3),
        )

    def _remove_old(self) -> None:
        for path in self._data_dir.glob("snapshot-*"):
            path.unlink(missing_ok=True)
