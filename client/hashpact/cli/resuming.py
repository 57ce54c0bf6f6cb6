"""``--resume FILE``: what was answered already, so that a run over a large folder that was stopped goes on.

An answer is kept once it was printed, under the file's path, size and time of change. The next run prints it again in
its place, as if there had been no break; inputs that failed are tried anew. What is kept is what ``--json`` prints:
no hash values. When everything is through, the file is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hashpact.cli.paths import STDIN, Input
from hashpact.errors import ConfigError

_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS run (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER, choices TEXT);
CREATE TABLE IF NOT EXISTS answers (path BLOB PRIMARY KEY, size INTEGER, changed_ns INTEGER, answer TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered about one input.

    Attributes:
        line: the object of ``--json``.
        rows: rows for people; none where there is nothing to tell.
        plain: the row that says so.
        word: what the summary counts it as.
        kind: picture, video, document or text.
        code: the exit code that it calls for.
    """

    line: dict[str, Any]
    rows: Sequence[Sequence[str]]
    plain: Sequence[str]
    word: str
    kind: str
    code: int


class Resumed:
    """The answers of earlier runs, and a place for those of this one.

    Args:
        path: a file that is made when it is not there; None: nothing is remembered.
        choices: command, service and options: with others the answers mean nothing.

    Raises:
        ConfigError: the file is of another run, in use by another process, or none of ours.
    """

    def __init__(self, path: Path | None, choices: Sequence[object]) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self.before = 0
        """Inputs that were answered in earlier runs and met again."""
        if path is None:
            return
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._open(self._database, hashlib.sha256(json.dumps(choices, default=str).encode()).hexdigest())
            except BaseException:
                self._database.close()
                raise
        except OSError as error:
            raise ConfigError(f"--resume {str(path)!r} cannot be written: {error.strerror}") from error
        except sqlite3.Error as error:
            raise ConfigError(
                f"--resume {str(path)!r} is no such file, or another run uses it: name another"
            ) from error

    def _open(self, database: sqlite3.Connection, choices: str) -> None:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA synchronous = NORMAL")  # an answer that a power cut takes back is asked for again
        database.execute("BEGIN EXCLUSIVE")
        for statement in filter(str.strip, _TABLES.split(";")):
            database.execute(statement)
        database.execute("INSERT OR IGNORE INTO run VALUES (1, ?, ?)", (_VERSION, choices))
        row = database.execute("SELECT version, choices FROM run").fetchone()
        database.execute("COMMIT")
        if row != (_VERSION, choices):
            raise ConfigError(
                f"--resume {str(self._path)!r} is of another command, service or options: finish that run, or remove "
                "the file and begin anew"
            )

    def known(self, inputs: Iterable[Input]) -> Iterator[Input]:
        """The inputs, with the answers that they had."""
        return map(self._with_answer, inputs) if self._database is not None else iter(inputs)

    def _with_answer(self, one: Input) -> Input:
        facts = _facts(one)
        if self._database is None or facts is None:
            return one
        found = self._database.execute(
            "SELECT answer FROM answers WHERE path = ? AND size = ? AND changed_ns = ?", facts
        ).fetchone()
        if found is None:
            return replace(one, facts=facts)
        self.before += 1
        return replace(one, facts=facts, answered=Answered(**json.loads(found[0])))

    def keep(self, answers: Iterable[tuple[Input, Answered]]) -> None:
        """Remember answers that were given, of files as they were before they were read."""
        if self._database is None:
            return
        rows = [(*one.facts, json.dumps(asdict(answer))) for one, answer in answers if one.facts is not None]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def finish(self) -> None:
        """Everything is through: there is nothing to go on with."""
        if self._database is not None and self._path is not None:
            self._database.close()
            self._database = None
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._database is not None:
            self._database.close()


def _facts(one: Input) -> tuple[bytes, int, int] | None:
    """Path, size and time of change; None where nothing tells whether it is the same again."""
    if one.path == STDIN or one.is_address:
        return None
    try:
        status = os.stat(one.path)  # noqa: PTH116  # the path as given
    except (OSError, ValueError):
        return None
    return os.fsencode(os.path.abspath(one.path)), status.st_size, status.st_mtime_ns  # noqa: PTH100  # as above
