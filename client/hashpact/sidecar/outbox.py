"""The webhook's outbox: events that are on the disk until their receiver has confirmed them.

A crash between confirmation and deletion sends an event once more, with the same id: at least once, never lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hashpact.sidecar.waiting import Waiting

_PART: Final = "webhook"
_SCHEMA: Final = (
    (
        "CREATE TABLE IF NOT EXISTS webhook (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " reference TEXT NOT NULL, body BLOB NOT NULL, bytes INTEGER NOT NULL, posted_at_ms INTEGER NOT NULL,"
        " due_at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS webhook_due ON webhook (due_at_ms, number)",
    "CREATE INDEX IF NOT EXISTS webhook_reference ON webhook (reference)",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """An event as it is sent.

    Attributes:
        id: the same for every attempt.
        body: the bytes that are signed and sent; not in the repr.
        attempts: attempts that failed.
    """

    id: str
    body: bytes = field(repr=False)
    attempts: int


class Outbox(Waiting):
    """Letters that wait. Its methods block on the disk; any thread may call them.

    Args:
        folder: where; see :mod:`hashpact.sidecar.memory`.
        bytes_max: bytes of bodies and references that may wait.
        entries_max: letters that may wait.
        clock: seconds since 1970.

    Raises:
        StorageError: the folder cannot be used, is damaged, or another process has the outbox open.
    """

    def __init__(self, folder: Path, bytes_max: int, entries_max: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(
            folder,
            _PART,
            _SCHEMA,
            since="posted_at_ms",
            emptied="it empties when the receiver answers",
            entries_max=entries_max,
            bytes_max=bytes_max,
            clock=clock,
        )

    def add(self, letter_id: str, reference: str, body: bytes) -> None:
        """Keep a letter; it is on the disk when this returns. One with this id that waits already stays as it is.

        Raises:
            QueueFullError: over ``entries_max`` or ``bytes_max``, or the disk is full: nothing was kept.
            StorageError: the disk fails.
        """
        size, now = len(body) + len(reference.encode()), self._now_ms()
        self._room.take(size)
        added = 0
        try:
            with self._memory.writing() as rows:
                added = rows.execute(
                    "INSERT OR IGNORE INTO webhook (id, reference, body, bytes, posted_at_ms, due_at_ms, attempts)"
                    " VALUES (?, ?, ?, ?, ?, ?, 0)",
                    (letter_id, reference, body, size, now, now),
                ).rowcount
        except BaseException:
            added = 0
            raise
        finally:
            if not added:
                self._room.give([size])

    def due(self, limit: int) -> list[Letter]:
        """Letters whose time has come, longest due first."""
        now = self._due_by_ms()
        with self._memory.reading() as rows:
            found = rows.execute(
                "SELECT id, body, attempts FROM webhook WHERE due_at_ms <= ? ORDER BY due_at_ms, number LIMIT ?",
                (now, limit),
            ).fetchall()
        return [Letter(*row) for row in found]

    def until_due_s(self) -> float | None:
        """Time until the next letter is due, in seconds; None when nothing waits."""
        with self._memory.reading() as rows:
            (earliest,) = rows.execute("SELECT min(due_at_ms) FROM webhook").fetchone()
        return None if earliest is None else max(0.0, (earliest - self._now_ms()) / 1000)

    def settle(self, delivered: Sequence[str], failed: Sequence[tuple[str, float]]) -> None:
        """After a round: delivered letters go; failed ones are due again after so many seconds. All or nothing."""
        sizes: list[int] = []
        with self._memory.writing() as rows:
            for name in delivered:
                sizes += [size for (size,) in rows.execute("SELECT bytes FROM webhook WHERE id = ?", (name,))]
                rows.execute("DELETE FROM webhook WHERE id = ?", (name,))
            for name, delay_s in failed:
                rows.execute(
                    "UPDATE webhook SET due_at_ms = ?, attempts = attempts + 1 WHERE id = ?",
                    (self._now_ms() + round(delay_s * 1000), name),
                )
        self._room.give(sizes)

    def forget(self, reference: str) -> int:
        """Delete every letter about this reference; returns how many there were. What is under way still arrives."""
        with self._memory.writing() as rows:
            gone = rows.execute("SELECT bytes FROM webhook WHERE reference = ?", (reference,)).fetchall()
            rows.execute("DELETE FROM webhook WHERE reference = ?", (reference,))
        self._room.give(size for (size,) in gone)
        self._memory.wipe()
        return len(gone)
