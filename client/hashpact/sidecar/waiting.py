"""Rows that wait on the disk until they are dealt with: what the re-check queue and the webhook's outbox share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hashpact.sidecar.memory import Memory, Room, Wall


class Waiting:
    """A table of rows, each with its ``bytes`` and the time at which it is due (``due_at_ms``).

    After a restart, and when the clock was set back, everything is due at once: the clock may have been put right, and
    what was out of reach repaired.

    Args:
        folder: where; see :mod:`hashpact.sidecar.memory`.
        part: name of the part of the memory, and of its table.
        schema: statements that make the table where it is absent.
        since: column with the time from which a row's age counts.
        emptied: what makes room, for the message when there is none.
        entries_max: rows that may wait.
        bytes_max: their bytes.
        clock: seconds since 1970.

    Raises:
        StorageError: the folder cannot be used, is damaged, or another process has this part open.
    """

    def __init__(
        self,
        folder: Path,
        part: str,
        schema: Sequence[str],
        *,
        since: str,
        emptied: str,
        entries_max: int,
        bytes_max: int,
        clock: Callable[[], float],
    ) -> None:
        # Table and column are words of ours, never an input's.
        self._all_due = f"UPDATE {part} SET due_at_ms = min(due_at_ms, ?)"  # noqa: S608
        self._oldest = f"SELECT min({since}) FROM {part}"  # noqa: S608
        self._room = Room(part, emptied, entries_max=entries_max, bytes_max=bytes_max)
        self._wall = Wall(clock)
        self._memory = Memory(folder, part, schema)
        try:
            with self._memory.writing() as rows:
                rows.execute(self._all_due, (self._now_ms(),))
                self._room.found(size for (size,) in rows.execute(f"SELECT bytes FROM {part}"))  # noqa: S608
        except BaseException:
            self._memory.close()
            raise

    def __len__(self) -> int:
        return self._room.entries

    @property
    def bytes_waiting(self) -> int:
        """Bytes that wait, as ``bytes_max`` counts them."""
        return self._room.bytes

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest row waits, in seconds; 0 when nothing waits."""
        with self._memory.reading() as rows:
            (oldest,) = rows.execute(self._oldest).fetchone()
        return 0.0 if oldest is None else max(0.0, (self._now_ms() - oldest) / 1000)

    def close(self) -> None:
        """Close it; nothing has to be saved."""
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _now_ms(self) -> int:
        return self._wall.now_ms()

    def _due_by_ms(self) -> int:
        """The time by which rows are due that are to be handed out now."""
        now = self._now_ms()
        if self._wall.was_set_back(now):
            with self._memory.writing() as rows:
                rows.execute(self._all_due, (now,))
        return now
