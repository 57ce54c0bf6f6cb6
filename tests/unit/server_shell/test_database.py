"""What lies beside the list: a file that is damaged stops nobody."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hashpact_server.database import Database
from hashpact_server.trouble import Trouble

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL);"


def notes(path: Path) -> list[str]:
    database = Database(path, SCHEMA, version=1)
    try:
        with database.read() as connection:
            return [text for (text,) in connection.execute("SELECT text FROM notes")]
    finally:
        database.close()


def write(path: Path, text: str) -> None:
    database = Database(path, SCHEMA, version=1)
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
    database.close()


def test_what_is_written_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "beside" / "notes.db"
    write(path, "kept")
    assert notes(path) == ["kept"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_file_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "notes.db"
    write(path, "lost")
    spoiled = b"no database at all, but of some length" * 200
    path.write_bytes(spoiled)
    assert notes(path) == []
    write(path, "new")
    assert notes(path) == ["new"]
    (aside,) = tmp_path.glob("notes.db.damaged-*")
    assert aside.read_bytes() == spoiled
    assert "put aside" in caplog.text


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    Database(path, SCHEMA, version=2).close()
    with pytest.raises(Trouble, match="another version"):
        Database(path, SCHEMA, version=1)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.db"]


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "beside").write_bytes(b"")
    with pytest.raises(Trouble, match="cannot open"):
        Database(tmp_path / "beside" / "notes.db", SCHEMA, version=1)
