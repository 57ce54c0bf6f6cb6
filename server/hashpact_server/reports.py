"""Reports: how often which item was met, hour by hour, as members say. Beside the list, and not in it.

A row says how many matches a member had with an item in an hour, by what it did; a later report of the same takes its
place. So a report that is sent twice counts once, and the only thing to forget is what is old.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_server.database import Connection, Database

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
HOURS_TOLD_MAX: Final = 2160
PRUNE_EVERY_S: Final = 600.0
ITEMS_ASKED_MAX: Final = 500
"""Items in one question: SQLite takes so many parameters, and more."""
FILE: Final = "reports.db"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS reports (
    item INTEGER NOT NULL, hour INTEGER NOT NULL, member BLOB NOT NULL, action INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (item, hour, member, action)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reports_by_hour ON reports (hour);
CREATE INDEX IF NOT EXISTS reports_by_member ON reports (member, hour);
CREATE TABLE IF NOT EXISTS kept (member BLOB PRIMARY KEY, reports INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS reports_added AFTER INSERT ON reports BEGIN
    INSERT INTO kept VALUES (new.member, 1) ON CONFLICT (member) DO UPDATE SET reports = reports + 1;
END;
CREATE TRIGGER IF NOT EXISTS reports_gone AFTER DELETE ON reports BEGIN
    UPDATE kept SET reports = reports - 1 WHERE member = old.member;
END;
"""


class TooManyReportsError(Exception):
    """A member would have more reports kept than it may."""


@dataclass(frozen=True, slots=True)
class Report:
    """Matches of a member with an item in the hour that began at ``hour_ms``; ``count`` 0: none after all."""

    item: int
    hour_ms: int
    action: int
    count: int


@dataclass(frozen=True, slots=True)
class Hour:
    """Matches with an item in one hour, by what was done."""

    hour_ms: int
    action: int
    count: int


@dataclass(frozen=True, slots=True)
class ItemFigures:
    """How often an item was met; ``hours`` and ``members`` (pseudonyms) when it was asked for by its id."""

    item: int
    matches: int
    member_count: int
    hours: tuple[Hour, ...] = ()
    members: tuple[bytes, ...] = ()


class Reports:
    """The reports of one hub.

    Args:
        folder: where they are kept.
        days: for how long.
        member_max: reports of one member.
        bytes_max: size of the file.
        clock_ms: Unix time in ms.

    Raises:
        Trouble: the file cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        *,
        days: int,
        member_max: int,
        bytes_max: int,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._database = Database(folder / FILE, _SCHEMA, version=1, bytes_max=bytes_max)
        self._days = days
        self._member_max = member_max
        self._clock_ms = clock_ms
        self._prune_at = -math.inf
        with self._database.write() as connection:
            self._prune(connection)

    @property
    def oldest_ms(self) -> int:
        """The oldest hour that is kept."""
        return (self._clock_ms() - self._days * DAY_MS) // HOUR_MS * HOUR_MS

    def report(self, member: bytes, reports: Iterable[Report]) -> None:
        """Take a member's reports; durable when it returns.

        Raises:
            TooManyReportsError: it would have more than ``member_max``; none was taken.
            DatabaseFullError: there is no room; none was taken.
        """
        taken = [(each.item, each.hour_ms // HOUR_MS, member, each.action, each.count) for each in reports]
        with self._database.write() as connection:
            self._prune(connection)
            connection.executemany(
                "INSERT INTO reports VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (item, hour, member, action) DO UPDATE SET count = excluded.count",
                taken,
            )
            connection.executemany(
                "DELETE FROM reports WHERE (item, hour, member, action) = (?, ?, ?, ?)",
                [row[:4] for row in taken if not row[4]],
            )
            if self._kept_of(connection, member) > self._member_max:
                raise TooManyReportsError

    def delete(self, member: bytes, before_ms: int | None = None) -> int:
        """Delete a member's reports, all or those of hours that began before a time; how many there were."""
        until = math.inf if before_ms is None else -(-before_ms // HOUR_MS)
        with self._database.write() as connection:
            return connection.execute("DELETE FROM reports WHERE member = ? AND hour < ?", (member, until)).rowcount

    def figures(
        self,
        *,
        item: int = 0,
        member: bytes | None = None,
        start_ms: int = 0,
        end_ms: int | None = None,
        items_max: int,
        deadline: float = math.inf,
    ) -> tuple[list[ItemFigures], bool]:
        """How often items were met, those met most often first; and whether there are more than ``items_max``.

        Args:
            item: only this one; 0: all.
            member: only what this one reported; None: what all did.
            start_ms: hours that begin at this time or later.
            end_ms: hours that begin before this time; None: all.
            items_max: items in the answer.
            deadline: see ``Database.read``.

        Raises:
            DatabaseSlowError: the deadline passed.
        """
        first = -(-max(start_ms, self.oldest_ms) // HOUR_MS)
        last = math.inf if end_ms is None else -(-end_ms // HOUR_MS)
        where, values = ["hour >= ?", "hour < ?"], [first, last]
        for column, value in (("item", item or None), ("member", member)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)  # type: ignore[arg-type] # numbers and a pseudonym, as SQLite takes them
        such = " AND ".join(where)
        with self._database.read(deadline) as connection:
            rows = connection.execute(
                "SELECT item, SUM(count) AS matches, COUNT(DISTINCT member) FROM reports"  # noqa: S608 - our own words
                f" WHERE {such} GROUP BY item ORDER BY matches DESC, item LIMIT ?",
                (*values, items_max + 1),
            ).fetchall()
            found = [ItemFigures(*row) for row in rows[:items_max]]
            if item and found:
                found = [self._in_full(connection, found[0], such, values)]
        return found, len(rows) > items_max

    def first_matches(
        self, items: Iterable[int], start_ms: int, deadline: float = math.inf
    ) -> list[tuple[bytes, int, int]]:
        """Who met one of these items: pseudonym, the first hour (Unix ms), and how often in all.

        Args:
            items: these.
            start_ms: hours that began after the hour of this time, that one included.
            deadline: see ``Database.read``.

        Raises:
            DatabaseSlowError: the deadline passed.
        """
        found: dict[bytes, tuple[int, int]] = {}
        wanted = sorted(items)
        with self._database.read(deadline) as connection:
            for place in range(0, len(wanted), ITEMS_ASKED_MAX):
                part = wanted[place : place + ITEMS_ASKED_MAX]
                rows = connection.execute(
                    "SELECT member, MIN(hour), SUM(count) FROM reports"  # noqa: S608 - our own words
                    f" WHERE hour >= ? AND item IN ({','.join('?' * len(part))}) GROUP BY member",
                    (start_ms // HOUR_MS, *part),
                )
                for member, hour, count in rows:
                    first, before = found.get(member, (hour, 0))
                    found[member] = min(first, hour), before + count
        return [(member, hour * HOUR_MS, count) for member, (hour, count) in sorted(found.items())]

    @staticmethod
    def _in_full(connection: Connection, found: ItemFigures, such: str, values: list[float]) -> ItemFigures:
        hours = connection.execute(
            f"SELECT hour, action, SUM(count) FROM reports WHERE {such}"  # noqa: S608 - our own words
            " GROUP BY hour, action ORDER BY hour DESC, action DESC LIMIT ?",
            (*values, HOURS_TOLD_MAX),
        ).fetchall()
        members = connection.execute(f"SELECT DISTINCT member FROM reports WHERE {such}", values)  # noqa: S608 - as above
        return ItemFigures(
            found.item,
            found.matches,
            found.member_count,
            tuple(Hour(hour * HOUR_MS, action, count) for hour, action, count in reversed(hours)),
            tuple(member for (member,) in members),
        )

    def __len__(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute("SELECT COALESCE(SUM(reports), 0) FROM kept").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @staticmethod
    def _kept_of(connection: Connection, member: bytes) -> int:
        row = connection.execute("SELECT reports FROM kept WHERE member = ?", (member,)).fetchone()
        return 0 if row is None else int(row[0])

    def _prune(self, connection: Connection) -> None:
        """Forget what is old; now and then, since an hour is soon a thousand rows and an hour later is early enough."""
        if time.monotonic() < self._prune_at:
            return
        connection.execute("DELETE FROM reports WHERE hour < ?", (self.oldest_ms // HOUR_MS,))
        self._prune_at = time.monotonic() + PRUNE_EVERY_S
