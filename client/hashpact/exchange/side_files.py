"""Files that an import writes beside the list: the report of what was not taken, and the hashes kept aside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hashpact.errors import ConfigError


class SideFile:
    """JSON lines, readable by their owner alone.

    Attributes:
        length: bytes written so far.

    Args:
        path: where; None writes nothing.
        length: bytes that stay of a file that is there: those of an import that is gone on with.
        keep: whether a file that holds something is refused instead of written anew.

    Raises:
        ConfigError: it cannot be written, holds something that is kept, or is shorter than what stays.
    """

    def __init__(self, path: Path | None, length: int, *, keep: bool = False) -> None:
        self.length = length
        self._path = path
        self._file = None
        if path is None:
            return
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(handle, "r+b")
            os.fchmod(handle, 0o600)
            self._check(os.fstat(handle).st_size, keep=keep)
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as error:
            raise self._trouble(error) from error

    def _check(self, size: int, *, keep: bool) -> None:
        if size >= self.length and not (keep and size):
            return
        if self._file is not None:
            self._file.close()
        if size < self.length:
            raise ConfigError(f"{str(self._path)!r} is shorter than what this import wrote before: begin it anew")
        raise ConfigError(f"{str(self._path)!r} holds something already: name another file")

    def write(self, line: dict[str, Any]) -> None:
        """One line."""
        if self._file is None:
            return
        raw = (json.dumps(line) + "\n").encode()  # ASCII: odd characters of file names survive as escapes
        try:
            self._file.write(raw)
        except OSError as error:
            raise self._trouble(error) from error
        self.length += len(raw)

    def flush(self) -> None:
        """Hand what was written to the system, where it survives the end of this process."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> ConfigError:
        return ConfigError(f"{str(self._path)!r} cannot be written: {error.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
