"""The file of what is remembered: its tables."""

from __future__ import annotations

import base64
import binascii
import os
import re
from enum import IntEnum
from typing import Final

from hashpact_server.database import Connection

FILE: Final = "uploads.db"
VERSION: Final = 1
MEMORY_ID_BYTES: Final = 8

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT, member BLOB NOT NULL, reference TEXT NOT NULL, seen INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, probe BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS uploads_by_reference ON uploads (member, reference);
CREATE INDEX IF NOT EXISTS uploads_by_time ON uploads (time_ms);
CREATE INDEX IF NOT EXISTS uploads_by_member ON uploads (member, id);

CREATE TABLE IF NOT EXISTS retro (
    event INTEGER PRIMARY KEY AUTOINCREMENT, member BLOB NOT NULL, reference TEXT NOT NULL, item INTEGER NOT NULL,
    sequence INTEGER NOT NULL, upload_ms INTEGER NOT NULL, agreements TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS retro_by_upload ON retro (member, reference, item);
CREATE INDEX IF NOT EXISTS retro_by_member ON retro (member, event);
CREATE INDEX IF NOT EXISTS retro_by_time ON retro (upload_ms);
CREATE TABLE IF NOT EXISTS dropped (member BLOB PRIMARY KEY, matches INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, member BLOB NOT NULL, reference TEXT NOT NULL, item INTEGER NOT NULL,
    action INTEGER NOT NULL, action_ms INTEGER NOT NULL, recorded_ms INTEGER NOT NULL,
    status INTEGER NOT NULL, labels TEXT NOT NULL, told_status INTEGER NOT NULL, told_labels TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS journal_by_reference ON journal (member, reference, item);
CREATE INDEX IF NOT EXISTS journal_by_item ON journal (item);
CREATE INDEX IF NOT EXISTS journal_by_time ON journal (recorded_ms);
CREATE INDEX IF NOT EXISTS journal_by_member ON journal (member, id);

CREATE TABLE IF NOT EXISTS corrections (
    event INTEGER PRIMARY KEY AUTOINCREMENT, member BLOB NOT NULL,
    record INTEGER NOT NULL UNIQUE REFERENCES journal (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS corrections_by_member ON corrections (member, event);

CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO totals VALUES ('uploads', 0, 0), ('retro', 0, 0), ('journal', 0, 0), ('corrections', 0, 0);
"""

_HOLDERS: Final = """
CREATE TABLE IF NOT EXISTS holders (
    name TEXT, member BLOB, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (name, member)
) WITHOUT ROWID;
"""

_COUNTING: Final = """
INSERT OR IGNORE INTO holders SELECT '$table', member, COUNT(*), COALESCE(SUM($size), 0) FROM $table GROUP BY member;
CREATE TRIGGER IF NOT EXISTS $table_added AFTER INSERT ON $table BEGIN
    UPDATE totals SET rows = rows + 1, bytes = bytes + $new WHERE name = '$table';
END;
CREATE TRIGGER IF NOT EXISTS $table_held AFTER INSERT ON $table BEGIN
    INSERT INTO holders SELECT '$table', new.member, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM holders WHERE (name, member) = ('$table', new.member));
    UPDATE holders SET rows = rows + 1, bytes = bytes + $new WHERE (name, member) = ('$table', new.member);
END;
CREATE TRIGGER IF NOT EXISTS $table_let_go AFTER DELETE ON $table BEGIN
    UPDATE holders SET rows = rows - 1, bytes = bytes - $old WHERE (name, member) = ('$table', old.member);
    DELETE FROM holders WHERE (name, member) = ('$table', old.member) AND rows = 0;
END;
CREATE TRIGGER IF NOT EXISTS $table_gone AFTER DELETE ON $table BEGIN
    UPDATE totals SET rows = rows - 1, bytes = bytes - $old WHERE name = '$table';
END;
"""


def _counting(table: str, size: str = "") -> str:
    """Triggers that keep a table's totals, of all and of each member; ``size``: the column whose sum is kept."""
    new, old = (f"new.{size}", f"old.{size}") if size else ("0", "0")
    return _COUNTING.replace("$table", table).replace("$new", new).replace("$old", old).replace("$size", size or "0")


SCHEMA: Final = "".join(
    (
        _TABLES,
        _HOLDERS,
        _counting("uploads", "bytes"),
        _counting("retro"),
        _counting("journal"),
        _counting("corrections"),
    )
)


class Stream(IntEnum):
    """What can be watched; a token of one is none of the other."""

    RETRO = 1
    CORRECTIONS = 2

    @property
    def table(self) -> str:
        """Where its events wait."""
        return "retro" if self is Stream.RETRO else "corrections"


class TokenError(ValueError):
    """No token of this stream."""


class OtherMemoryError(Exception):
    """A token of a memory that was deleted."""


_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{23}")


def encode_token(memory_id: bytes, stream: Stream, event: int) -> str:
    """What a watcher sends as ``after``: URL-safe base64 of memory id (8) || stream u8 || event u64."""
    raw = memory_id + bytes((stream,)) + event.to_bytes(8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_token(token: str, memory_id: bytes, stream: Stream) -> int:
    """The event in a token.

    Raises:
        TokenError: it is none of this stream.
        OtherMemoryError: it is of another memory.
    """
    if not _TOKEN.fullmatch(token):
        raise TokenError
    try:
        raw = base64.urlsafe_b64decode(token + "=")
    except binascii.Error as error:
        raise TokenError from error
    if raw[MEMORY_ID_BYTES] != stream:
        raise TokenError
    if raw[:MEMORY_ID_BYTES] != memory_id:
        raise OtherMemoryError
    return min(int.from_bytes(raw[MEMORY_ID_BYTES + 1 :], "big"), 2**63 - 1)


def fact(connection: Connection, name: str) -> bytes | int | None:
    """Something that is remembered once."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def set_fact(connection: Connection, name: str, value: bytes | int) -> None:
    """Remember it."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def newest_id(connection: Connection, table: str) -> int:
    """The newest id that a table ever gave; 0: none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 0 if row is None else int(row[0])


def totals(connection: Connection, table: str) -> tuple[int, int]:
    """Rows of a table, and their bytes where they are counted."""
    rows, size = connection.execute("SELECT rows, bytes FROM totals WHERE name = ?", (table,)).fetchone()
    return int(rows), int(size)


def holdings(connection: Connection, table: str) -> dict[bytes, tuple[int, int]]:
    """Rows and bytes of a table by member."""
    rows = connection.execute("SELECT member, rows, bytes FROM holders WHERE name = ?", (table,))
    return {member: (count, size) for member, count, size in rows}


def new_memory_id() -> bytes:
    """What tells one file from the next."""
    return os.urandom(MEMORY_ID_BYTES)
