"""What is forgotten: at the end of its time, over its bound, or because somebody says so."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hashpact_server import config
from hashpact_server.database import Connection
from hashpact_server.uploads.tables import totals
from hashpact_server.uploads.values import Values, unpack

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
CLOCK_BACK_MS_MAX: Final = DAY_MS
"""Set back by more, a clock is taken to have been ahead before."""

WAITING_MAX: Final = 1_000_000
"""Retroactive matches that wait to be watched, of all members together; the oldest go first, and are counted."""

Removed = list[tuple[int, Values]]
"""(upload id, values) that the window has to let go."""


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


def prune(connection: Connection, settings: config.Uploads, now_ms: int) -> Removed:
    """Forget what is past its time, and the oldest of what is too much."""
    since_ms = now_ms - settings.window_hours * HOUR_MS
    removed = _delete_uploads(connection, "time_ms < ?", (since_ms,))
    rows, size = totals(connection, "uploads")
    last = 0
    if rows > settings.uploads_max or size > settings.bytes_max:
        oldest = connection.execute("SELECT id, bytes FROM uploads ORDER BY id")
        while rows > settings.uploads_max or size > settings.bytes_max:
            last, its_bytes = oldest.fetchone()
            rows, size = rows - 1, size - its_bytes
        oldest.close()
        removed += _delete_uploads(connection, "id <= ?", (last,))
    # Found, and not fetched in time: gone as promised, but counted.
    connection.execute(
        "INSERT INTO dropped SELECT member, COUNT(*) FROM retro WHERE upload_ms < ? GROUP BY member"
        " ON CONFLICT (member) DO UPDATE SET matches = matches + excluded.matches",
        (since_ms,),
    )
    connection.execute("DELETE FROM retro WHERE upload_ms < ?", (since_ms,))
    prune_journal(connection, settings, now_ms)
    return removed


def prune_journal(connection: Connection, settings: config.Uploads, now_ms: int) -> None:
    """Forget actions that are past their time, and the oldest of too many."""
    connection.execute("DELETE FROM journal WHERE recorded_ms < ?", (now_ms - settings.journal_days * DAY_MS,))
    over = totals(connection, "journal")[0] - settings.actions_max
    if over > 0:
        connection.execute("DELETE FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?)", (over,))


def prune_waiting(connection: Connection) -> None:
    """Drop the oldest of too many matches that wait, and remember how many of whom."""
    over = totals(connection, "retro")[0] - WAITING_MAX
    if over <= 0:
        return
    oldest = "SELECT event FROM retro ORDER BY event LIMIT ?"
    connection.execute(
        "INSERT INTO dropped SELECT member, COUNT(*) FROM retro"  # noqa: S608 - our own words
        f" WHERE event IN ({oldest}) GROUP BY member"
        " ON CONFLICT (member) DO UPDATE SET matches = matches + excluded.matches",
        (over,),
    )
    connection.execute(f"DELETE FROM retro WHERE event IN ({oldest})", (over,))  # noqa: S608 - our own words


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
