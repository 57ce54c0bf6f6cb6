"""The re-check queue: uploads that could not be checked in time, kept until they are.

::

    put      media, or a link to its file -> recheck/ID.part, synced -> recheck/ID -> row committed -> its id
    done     row deleted and committed -> recheck/ID removed
    again    row committed with its next time

Crash before the row is committed: the upload was not acknowledged, and its file is removed at the next start. Crash
after it: the upload is there at the next start. Crash after ``done`` committed: the file is removed at the next start,
the upload does not come again. An upload is handed out at least once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from hashpact.errors import StorageError
from hashpact.probes import Probe
from hashpact.sidecar.memory import REFERENCE_BYTES_MAX, require_text, sync_folder, telling
from hashpact.sidecar.waiting import Waiting
from hashpact.signals import ImageSignals

REASON_BYTES_MAX: Final = 64
LEASE_S: Final = 300.0
"""Time for which an upload that was handed out is not handed out again, in seconds."""

_PART: Final = "recheck"
_SCHEMA: Final = (
    (
        "CREATE TABLE IF NOT EXISTS recheck (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " reference TEXT NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL, bytes INTEGER NOT NULL,"
        " received_at_ms INTEGER NOT NULL, due_at_ms INTEGER NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS recheck_due ON recheck (due_at_ms, number)",
    "CREATE INDEX IF NOT EXISTS recheck_received ON recheck (received_at_ms)",
    "CREATE INDEX IF NOT EXISTS recheck_reference ON recheck (reference)",
)
_BYTES, _SIGNALS = "bytes", "signals"


@dataclass(frozen=True, slots=True)
class QueuedUpload:
    """One upload that waits.

    Attributes:
        reference: the caller's own word for it, opaque to us; not in the repr.
        source: the media's bytes, or its file, which nobody writes to any more and which may go once ``put`` returned,
            or the signals where it was hashed already. What comes out of the queue is a path or a
            :class:`~hashpact.probes.Probe`: media are kept in a file of the queue's, which goes with ``done``.
        received_at_ms: when the caller asked, in ms since 1970.
        reason: why it waits: a word such as ``DEADLINE_EXCEEDED``.
        attempts: times that it was put off with ``again``.
        id: its id in the queue; "" before it is in one.
    """

    reference: str = field(repr=False)
    source: bytes | Path | Probe | ImageSignals = field(repr=False)
    received_at_ms: int
    reason: str
    attempts: int = 0
    id: str = ""


class RecheckQueue(Waiting):
    """Uploads that wait to be checked again. Its methods block on the disk; any thread may call them.

    Args:
        folder: where; see :mod:`hashpact.sidecar.memory`.
        bytes_max: bytes of media, signals and references that may wait.
        entries_max: uploads that may wait.
        clock: seconds since 1970.

    Raises:
        StorageError: the folder cannot be used, is damaged, or another process has the queue open.
    """

    def __init__(
        self, folder: Path, bytes_max: int, entries_max: int, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(
            folder,
            _PART,
            _SCHEMA,
            since="received_at_ms",
            emptied="it empties as soon as the list can be asked again",
            entries_max=entries_max,
            bytes_max=bytes_max,
            clock=clock,
        )
        self._media = folder / _PART
        self._leases: dict[str, float] = {}
        try:
            with telling(f"{self._media} cannot be used"):
                self._media.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder)
            self._tidy()
        except BaseException:
            self._memory.close()
            raise

    def _tidy(self) -> None:
        """After a crash: files that no row names go."""
        with self._memory.reading() as rows:
            named = {name for (name,) in rows.execute("SELECT id FROM recheck WHERE kind = ?", (_BYTES,))}
        with telling(f"{self._media} cannot be tidied up"):
            for each in os.scandir(self._media):
                if each.name not in named:
                    Path(each.path).unlink()

    def put(self, upload: QueuedUpload) -> str:
        """Keep an upload; it is on the disk when this returns.

        Returns:
            its id.

        Raises:
            QueueFullError: over ``entries_max`` or ``bytes_max``, or the disk is full: nothing was kept.
            StorageError: the disk fails.
            InvalidRequestError: the reference or the reason is too long, or no Unicode.
        """
        require_text("reference", upload.reference, REFERENCE_BYTES_MAX)
        require_text("reason", upload.reason, REASON_BYTES_MAX)
        source = upload.source
        kind, payload = (_BYTES, b"") if isinstance(source, bytes | Path) else (_SIGNALS, _packed(source))
        size = (_size(source) if isinstance(source, bytes | Path) else len(payload)) + len(upload.reference.encode())
        name = secrets.token_hex(16)
        self._room.take(size)
        try:
            if isinstance(source, bytes | Path):
                self._spool(name, source)
            with self._memory.writing() as rows:
                rows.execute(
                    "INSERT INTO recheck (id, reference, kind, payload, bytes, received_at_ms, due_at_ms, reason,"
                    " attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        name,
                        upload.reference,
                        kind,
                        payload,
                        size,
                        upload.received_at_ms,
                        self._now_ms(),
                        upload.reason,
                        upload.attempts,
                    ),
                )
        except BaseException:
            self._room.give([size])
            with contextlib.suppress(StorageError):  # what went wrong first is what to tell
                self._unspool([name])
            raise
        return name

    def next_due(self, limit: int) -> list[QueuedUpload]:
        """Uploads whose time has come, longest due first; each is handed out to one caller at a time.

        One that is neither ``done`` nor put off with ``again`` within ``LEASE_S`` seconds comes again.
        """
        now, moment = self._due_by_ms(), time.monotonic()
        with self._memory.reading() as rows:
            self._leases = {name: until for name, until in self._leases.items() if until > moment}
            found = rows.execute(
                "SELECT id, reference, kind, payload, received_at_ms, reason, attempts FROM recheck"
                " WHERE due_at_ms <= ? ORDER BY due_at_ms, number LIMIT ?",
                (now, limit + len(self._leases)),
            )
            free = [row for row in found if row[0] not in self._leases][:limit]
            self._leases |= {row[0]: moment + LEASE_S for row in free}
        return [self._unpacked(*row) for row in free]

    def holds(self, upload_id: str) -> bool:
        """Whether an upload waits still: neither ``done`` nor forgotten."""
        with self._memory.reading() as rows:
            return rows.execute("SELECT 1 FROM recheck WHERE id = ?", (upload_id,)).fetchone() is not None

    def done(self, upload_id: str) -> None:
        """Forget an upload that was checked; it does not come again. One that is not there is fine."""
        self._delete("id", upload_id)

    def again(self, upload_id: str, delay_s: float) -> None:
        """Put an upload off: it is due in ``delay_s`` seconds, or after a restart."""
        with self._memory.writing() as rows:
            rows.execute(
                "UPDATE recheck SET due_at_ms = ?, attempts = attempts + 1 WHERE id = ?",
                (self._now_ms() + round(delay_s * 1000), upload_id),
            )
            self._leases.pop(upload_id, None)

    def forget(self, reference: str) -> int:
        """Delete every upload with this reference, its media too; returns how many there were."""
        count = self._delete("reference", reference)
        self._memory.wipe()
        return count

    def _delete(self, column: str, value: str) -> int:
        with self._memory.writing() as rows:
            # The column is one of two words of ours. (No RETURNING: systems in wide use have SQLite 3.34.)
            gone = rows.execute(f"SELECT id, bytes FROM recheck WHERE {column} = ?", (value,)).fetchall()  # noqa: S608
            rows.execute(f"DELETE FROM recheck WHERE {column} = ?", (value,))  # noqa: S608
        # A crash here leaves files that no row names: they go at the next start.
        with self._memory.reading():
            for name, _ in gone:
                self._leases.pop(name, None)
        self._room.give(size for _, size in gone)
        self._unspool([name for name, _ in gone])
        return len(gone)

    def _spool(self, name: str, media: bytes | Path) -> None:
        part, whole = self._media / f"{name}.part", self._media / name
        with telling("the upload could not be kept"):
            if isinstance(media, Path):
                _take(media, part)
            else:
                with _made(part) as file:
                    file.write(media)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.rename(whole)
            sync_folder(self._media)

    def _unspool(self, names: Sequence[str]) -> None:
        with telling("the media of an upload that is gone stay until the next start"):
            for leftover in (each for name in names for each in (f"{name}.part", name)):
                (self._media / leftover).unlink(missing_ok=True)

    def _unpacked(
        self, name: str, reference: str, kind: str, payload: bytes, received_at_ms: int, reason: str, attempts: int
    ) -> QueuedUpload:
        source = self._media / name if kind == _BYTES else _unpacked(payload)
        return QueuedUpload(reference, source, received_at_ms, reason, attempts, name)


def _size(media: bytes | Path) -> int:
    if isinstance(media, bytes):
        return len(media)
    with telling("the upload could not be kept"):
        return media.stat().st_size


def _take(source: Path, part: Path) -> None:
    """Give a file a second name, or copy it in pieces: a whole upload never lies in memory for this."""
    try:
        os.link(source, part)
    except OSError:  # another file system, or one without links
        with source.open("rb") as media, _made(part) as file:
            shutil.copyfileobj(media, file)


def _made(part: Path) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _packed(source: Probe | ImageSignals) -> bytes:
    probe = Probe.of(source)
    return json.dumps([probe.values, [[name, values.hex()] for name, values in probe.signal_sets]]).encode()


def _unpacked(payload: bytes) -> Probe:
    count, sets = json.loads(payload)
    return Probe(tuple((name, bytes.fromhex(values)) for name, values in sets), count)
