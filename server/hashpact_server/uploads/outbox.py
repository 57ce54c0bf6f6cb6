"""What waits to be watched: read in order, put together with how items stand now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hashpact_server.database import Connection
from hashpact_server.matches import Advisor, Match
from hashpact_server.state.view import View
from hashpact_server.uploads import matching
from hashpact_server.uploads.journal import Standing
from hashpact_server.uploads.memory import UploadMemory
from hashpact_server.uploads.tables import Stream, encode_token

EVENTS_MAX: Final = 256
"""Events in one message."""

Row = tuple[Any, ...]
"""As the schema has its columns."""


@dataclass(frozen=True, slots=True)
class RetroMatch:
    """An earlier upload that matches."""

    event: int
    reference: str = field(repr=False)
    match: Match
    sequence: int
    upload_ms: int


@dataclass(frozen=True, slots=True)
class Correction:
    """An action whose ground has changed."""

    event: int
    reference: str = field(repr=False)
    item: int
    action: int
    action_ms: int
    acted: Standing
    now: Standing


class Outbox:
    """One member's events of one stream, in order.

    Args:
        memory: where they are.
        stream: which.
        member: whose.
        last: the newest event that the watcher has.
    """

    def __init__(self, memory: UploadMemory, stream: Stream, member: bytes, last: int) -> None:
        self._memory = memory
        self._stream = stream
        self._member = member
        self._last = last

    @property
    def as_of(self) -> str:
        """What the watcher sends to go on after what it has."""
        return encode_token(self._memory.memory_id, self._stream, self._last)

    def identity(self, event: int) -> str:
        """What tells an event from every other one."""
        return f"{self._memory.memory_id.hex()}-{self._stream.name.lower()}-{event}"

    def next(self, timeout_s: float, there: Callable[[], bool]) -> list[Row]:
        """The rows that come next, at most :data:`EVENTS_MAX`; none when none came in time, or nobody is there."""
        end = time.monotonic() + timeout_s
        memory = self._memory
        with memory.news:  # held while looking, or what comes between looking and waiting would wait for the next
            while not memory.closed and there():
                with memory.database.read() as connection:
                    rows = self._read(connection)
                if rows:
                    self._last = int(rows[-1][0])
                    return rows
                left = end - time.monotonic()
                if left <= 0:
                    break
                memory.news.wait(left)
        return []

    def _read(self, connection: Connection) -> list[Row]:
        if self._stream is Stream.RETRO:
            found = (
                "SELECT event, reference, item, sequence, upload_ms, agreements FROM retro"
                " WHERE member = ? AND event > ? ORDER BY event LIMIT ?"
            )
        else:
            found = (
                "SELECT c.event, j.reference, j.item, j.action, j.action_ms, j.status, j.labels,"
                " j.told_status, j.told_labels FROM corrections c JOIN journal j ON j.id = c.record"
                " WHERE c.member = ? AND c.event > ? ORDER BY c.event LIMIT ?"
            )
        return connection.execute(found, (self._member, self._last, EVENTS_MAX)).fetchall()

    def dropped(self) -> int:
        """Matches of the member that were dropped because too many waited."""
        with self._memory.database.read() as connection:
            row = connection.execute("SELECT matches FROM dropped WHERE member = ?", (self._member,)).fetchone()
        return 0 if row is None else int(row[0])


def retro_matches(view: View, rows: Sequence[Row], member: bytes) -> list[RetroMatch]:
    """Rows of the stream RETRO as matches for a member; without those whose item is off the list by now."""
    advisor = Advisor(view, member)
    found = []
    for event, reference, item, sequence, upload_ms, stored in rows:
        ground = advisor.ground(item)
        if ground is not None:
            match = advisor.match(ground, matching.decode(stored), None)
            found.append(RetroMatch(event, reference, match, sequence, upload_ms))
    return found


def corrections(rows: Sequence[Row]) -> list[Correction]:
    """Rows of the stream CORRECTIONS."""
    return [
        Correction(
            event,
            reference,
            item,
            action,
            action_ms,
            acted=Standing.of_stored(status, labels),
            now=Standing.of_stored(told_status, told_labels),
        )
        for event, reference, item, action, action_ms, status, labels, told_status, told_labels in rows
    ]
