"""What is forgotten: at the end of its time, over its bound, or because somebody says so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from hashpact_server import config
from hashpact_server.database import Connection
from hashpact_server.uploads.tables import holdings, totals
from hashpact_server.uploads.values import Values, unpack

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
CLOCK_BACK_MS_MAX: Final = DAY_MS
"""Set back by more, a clock is taken to have been ahead before."""

WAITING_MAX: Final = 1_000_000
"""Retroactive matches that wait to be watched, of all members together; of more, the oldest of whoever has most go, and
are counted."""

Removed = list[tuple[int, Values]]
"""(upload id, values) that the window has to let go."""


@dataclass(slots=True)
class Early:
    """What was forgotten before its time since the start, because there was too much."""

    uploads: int = 0
    actions: int = 0


def now(connection: Connection, clock_ms: int) -> int:
    """The time of an upload that comes now: never before that of one that came earlier.

    Unless the clock was well ahead then: what is from its future would stay until that has come, and all after it too.
    """
    row = connection.execute("SELECT time_ms FROM uploads ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        return clock_ms
    if row[0] <= clock_ms + CLOCK_BACK_MS_MAX:
        return max(clock_ms, int(row[0]))
    for table, column in (("uploads", "time_ms"), ("retro", "upload_ms"), ("journal", "recorded_ms")):
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {column} > ?",  # noqa: S608 - our own words
            (clock_ms, clock_ms),
        )
    return clock_ms


def prune(connection: Connection, settings: config.Uploads, now_ms: int, early: Early) -> Removed:
    """Forget what is past its time, and of what is too much the oldest of whoever holds most."""
    since_ms = now_ms - settings.window_hours * HOUR_MS
    removed = _delete_uploads(connection, "time_ms < ?", (since_ms,))
    removed += _make_room(connection, settings, early)
    # Found, and not fetched in time: gone as promised, but counted.
    connection.execute(
        "INSERT INTO dropped SELECT member, COUNT(*) FROM retro WHERE upload_ms < ? GROUP BY member"
        " ON CONFLICT (member) DO UPDATE SET matches = matches + excluded.matches",
        (since_ms,),
    )
    connection.execute("DELETE FROM retro WHERE upload_ms < ?", (since_ms,))
    prune_journal(connection, settings, now_ms, early)
    return removed


def _make_room(connection: Connection, settings: config.Uploads, early: Early) -> Removed:
    removed: Removed = []
    for place, (column, most) in enumerate((("rows", settings.uploads_max), ("bytes", settings.bytes_max))):
        over = totals(connection, "uploads")[place] - most
        for member, share in _shares(connection, "uploads", column, over):
            last = _oldest(connection, member, column, share)
            removed += _delete_uploads(connection, "member = ? AND id <= ?", (member, last))
    early.uploads += len(removed)
    return removed


def _oldest(connection: Connection, member: bytes, column: str, share: int) -> int:
    """Id of the last of a member's oldest uploads that make up a share."""
    last = 0
    oldest = connection.execute("SELECT id, bytes FROM uploads WHERE member = ? ORDER BY id", (member,))
    for upload, size in oldest:
        if share <= 0:
            break
        last, share = upload, share - (1 if column == "rows" else size)
    oldest.close()
    return last


def _shares(connection: Connection, table: str, column: str, over: int) -> list[tuple[bytes, int]]:
    """What to take of whom, (member, how much), so that nobody who holds less than another loses anything to it."""
    if over <= 0:
        return []
    held = sorted(
        ((each[column == "bytes"], member) for member, each in holdings(connection, table).items()), reverse=True
    )
    level, taken = 0, over
    for count in range(1, len(held) + 1):  # of so many of those who hold most
        level, odd = divmod(sum(size for size, _ in held[:count]) - over, count)
        taken = count
        if count == len(held) or level >= held[count][0]:
            break
    shares = [(member, size - level - (place < odd)) for place, (size, member) in enumerate(held[:taken])]
    return [(member, share) for member, share in shares if share > 0]


def prune_journal(connection: Connection, settings: config.Uploads, now_ms: int, early: Early) -> None:
    """Forget actions that are past their time, and of too many the oldest of whoever holds most."""
    connection.execute("DELETE FROM journal WHERE recorded_ms < ?", (now_ms - settings.journal_days * DAY_MS,))
    over = totals(connection, "journal")[0] - settings.actions_max
    for member, share in _shares(connection, "journal", "rows", over):
        connection.execute(
            "DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE member = ? ORDER BY id LIMIT ?)",
            (member, share),
        )
        early.actions += share


def prune_waiting(connection: Connection) -> None:
    """Drop of too many matches that wait the oldest of whoever has most, and remember how many of whom."""
    over = totals(connection, "retro")[0] - WAITING_MAX
    for member, share in _shares(connection, "retro", "rows", over):
        connection.execute(
            "DELETE FROM retro WHERE event IN (SELECT event FROM retro WHERE member = ? ORDER BY event LIMIT ?)",
            (member, share),
        )
        connection.execute(
            "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (member) DO UPDATE SET matches = matches + excluded.matches",
            (member, share),
        )


def forget_upload(connection: Connection, member: bytes, reference: str) -> Removed:
    """Forget the probe of one upload, and nothing else about it."""
    return _delete_uploads(connection, "(member, reference) = (?, ?)", (member, reference))


def forget(
    connection: Connection, member: bytes, references: Collection[str], before_ms: int | None
) -> tuple[Removed, int]:
    """Forget a member's uploads by reference, or from before a time; and how many of its actions were forgotten."""
    removed: Removed = []
    actions = 0
    for reference in references:
        removed += forget_upload(connection, member, reference)
        actions += _delete(connection, "journal", "(member, reference) = (?, ?)", (member, reference))
        _delete(connection, "retro", "(member, reference) = (?, ?)", (member, reference))
    if before_ms is not None:
        removed += _delete_uploads(connection, "member = ? AND time_ms < ?", (member, before_ms))
        actions += _delete(connection, "journal", "member = ? AND action_ms < ?", (member, before_ms))
        _delete(connection, "retro", "member = ? AND upload_ms < ?", (member, before_ms))
    return removed, actions


def _delete_uploads(connection: Connection, such: str, values: tuple[object, ...]) -> Removed:
    rows = connection.execute(f"SELECT id, probe FROM uploads WHERE {such}", values).fetchall()  # noqa: S608 - our words
    connection.executemany("DELETE FROM uploads WHERE id = ?", [(upload,) for upload, _ in rows])
    return [(upload, unpack(probe)) for upload, probe in rows]


def _delete(connection: Connection, table: str, such: str, values: tuple[object, ...]) -> int:
    return connection.execute(f"DELETE FROM {table} WHERE {such}", values).rowcount  # noqa: S608 - our own words
