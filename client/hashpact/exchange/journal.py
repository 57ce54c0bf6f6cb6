"""How far an import is: so that one that was killed goes on where it stopped, and does nothing twice.

A batch is sent under an id made from the import's own random number, so that the service answers a second sending
with the first answer; its effects are written to the report; then the batch is marked done here. Killed

* before the service answered: the batch is sent again under the same id;
* before it is marked done: the same, and the report is cut back to where the last batch that is done ended;
* afterwards: the next run begins with the batch behind it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hashpact.errors import ConfigError
from hashpact.exchange.tally import Tally

_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS run (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER, fingerprint TEXT,
  run_id TEXT, started_ms INTEGER, batches INTEGER, tally TEXT);
CREATE TABLE IF NOT EXISTS groups (key INTEGER PRIMARY KEY, item INTEGER) WITHOUT ROWID;
"""


class Journal:
    """The memory of one import.

    Attributes:
        run_id: random; of the first run.
        started_ms: Unix time in ms when the first run began.
        fresh: whether no run was there before.
        batches_done: batches that need not be sent again.
        tally: what came of them.

    Args:
        path: a file that is made when it is not there; None keeps everything in memory.
        fingerprint: of files and choices: with others a journal means nothing.

    Raises:
        ConfigError: the file is of another import, or no journal.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path = path
        try:
            if path is not None:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
            try:
                self._open(fingerprint)
            except BaseException:
                self._database.close()
                raise
        except OSError as error:
            raise ConfigError(f"the journal {str(path)!r} cannot be written: {error.strerror}") from error
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ConfigError(
                f"{str(path)!r} is no journal of an import, or is in use by another one: name another with --journal"
            ) from error

    def _open(self, fingerprint: str) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        # A commit that a power cut takes back is no loss: its batch is sent again under its id.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN EXCLUSIVE")
        for statement in filter(str.strip, _TABLES.split(";")):
            database.execute(statement)
        # One that was killed before its first batch was done is none to go on with.
        database.execute("DELETE FROM run WHERE batches = 0 AND fingerprint != ?", (fingerprint,))
        begun = database.execute(
            "INSERT OR IGNORE INTO run VALUES (1, ?, ?, ?, ?, 0, ?)",
            (_VERSION, fingerprint, uuid.uuid4().hex, time.time_ns() // 1_000_000, json.dumps(Tally().to_dict())),
        )
        self.fresh = begun.rowcount > 0
        database.execute("COMMIT")
        row = database.execute("SELECT version, fingerprint, run_id, started_ms, batches, tally FROM run").fetchone()
        if row[0] != _VERSION or row[1] != fingerprint:
            raise ConfigError(
                f"the journal {str(self._path)!r} is of an import of other files, or with other options: finish that "
                "one as it was begun, or remove its journal and begin anew (what is listed already stays unchanged)"
            )
        self.run_id, self.started_ms, self.batches_done = str(row[2]), int(row[3]), int(row[4])
        self.tally = Tally.from_dict(json.loads(row[5]))

    def item_of(self, group_key: int) -> int:
        """The item that a group became; 0: none yet."""
        row = self._database.execute("SELECT item FROM groups WHERE key = ?", (group_key,)).fetchone()
        return int(row[0]) if row else 0

    def done(self, batches: int, tally: Tally, groups: Iterable[tuple[int, int]]) -> None:
        """Mark a batch done.

        Args:
            batches: batches done now, this one included.
            tally: what came of them.
            groups: (key, item) of the groups in this batch.
        """
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO groups VALUES (?, ?)", groups)
        self._database.execute("UPDATE run SET batches = ?, tally = ?", (batches, json.dumps(tally.to_dict())))
        self._database.execute("COMMIT")
        self.batches_done = batches

    def finish(self) -> None:
        """The import is through: nothing has to be remembered."""
        self._database.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.batches_done:
            self.finish()  # Nothing to go on with: it would only stand in the way of an import with other options.
        self._database.close()
