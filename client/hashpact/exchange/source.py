"""The bytes of a list file, in bounded pieces: nothing is held whole, nothing is unpacked."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Final, Self

from hashpact.exchange.records import ListFileError

RECORD_BYTES_MAX: Final = 1 << 20
"""Longest line, and largest JSON element, that is read."""
CHUNK_BYTES: Final = 1 << 16
STDIN: Final = "-"
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf": "7-zip",
}


class Source:
    """A file that is read once, from front to end.

    Args:
        path: a file, or ``-`` for standard input.

    Raises:
        ListFileError: not there, a folder, compressed, or in 16-bit characters.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.bytes_read = 0
        try:
            self._file: IO[bytes] = sys.stdin.buffer if path == STDIN else open(path, "rb")  # noqa: PTH123, SIM115  # the path as given; closed by the block
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "no file can have this name"
            raise ListFileError(f"{path!r} cannot be read: {why}") from error
        self._head = b""
        try:
            if path != STDIN and stat.S_ISDIR(os.fstat(self._file.fileno()).st_mode):
                raise ListFileError(f"{path!r} is a folder: name the files in it")
            self._look_at_head()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _look_at_head(self) -> None:
        self._head = self._read(CHUNK_BYTES)
        for magic, name in _PACKED.items():
            if self._head.startswith(magic):
                raise ListFileError(f"{self.path!r} is packed with {name}: unpack it first, nothing is unpacked here")
        if self._head.startswith(_WIDE_MARKS):
            raise ListFileError(f"{self.path!r} is in 16-bit characters: convert it to UTF-8 first")
        self._head = self._head.removeprefix(_UTF8_MARK)

    @property
    def head(self) -> bytes:
        """The beginning, to tell the format by; still to be read."""
        return self._head

    def chunks(self) -> Iterator[bytes]:
        """Everything, in pieces."""
        head, self._head = self._head, b""
        if head:
            yield head
        while chunk := self._read(CHUNK_BYTES):
            yield chunk

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """(number from 1, line without its end); None for a line over ``RECORD_BYTES_MAX``, which is passed over."""
        number, rest, too_long = 1, b"", False
        for chunk in self.chunks():
            *whole, tail = chunk.split(b"\n")
            for line in whole:
                line = rest + line  # noqa: PLW2901  # the first one began in the chunk before
                yield number, None if too_long or len(line) > RECORD_BYTES_MAX else line.removesuffix(b"\r")
                number, rest, too_long = number + 1, b"", False
            too_long = too_long or len(rest) + len(tail) > RECORD_BYTES_MAX
            rest = b"" if too_long else rest + tail
        if rest or too_long:
            yield number, None if too_long else rest.removesuffix(b"\r")

    def _read(self, count: int) -> bytes:
        try:
            data = self._file.read(count)
        except OSError as error:
            raise ListFileError(f"{self.path!r} cannot be read: {error.strerror}") from error
        self.bytes_read += len(data)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path != STDIN:
            self._file.close()
