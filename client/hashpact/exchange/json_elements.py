"""The elements of a JSON document of any size, cut out without holding the document.

Only brackets, commas and strings are looked at here; whether an element is JSON is for whoever parses it. So a broken
element costs itself, and reading goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hashpact.exchange.records import ListFileError
from hashpact.exchange.source import RECORD_BYTES_MAX, Source

_OUTSIDE: Final = re.compile(rb'[",{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')
_DATA_KEY: Final = re.compile(rb'"data"\s*:\s*\Z')
_OPENING: Final = frozenset(b"{[")
_QUOTE, _BACKSLASH, _COMMA, _LIST = b'"\\,['
_KEY_BYTES: Final = 64


def elements(source: Source) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, bytes of the element); None for one over ``RECORD_BYTES_MAX``.

    A document is an array, an object whose ``data`` is an array (an answer of the Graph API), or one object that is an
    element itself. Several documents may follow each other.

    Raises:
        ListFileError: it begins with neither ``[`` nor ``{``.
    """
    cutter = _Cutter()
    number = 0
    for chunk in source.chunks():
        if cutter.depth == 0 and not number and not cutter.started and chunk.strip()[:1] not in (b"[", b"{", b""):
            raise ListFileError(f"{source.path!r} is no JSON document: it begins with neither [ nor {{")
        for element in cutter.feed(chunk):
            number += 1
            yield number, element
    if cutter.unfinished:
        yield number + 1, b"{"  # what is there ends in its middle: whoever parses it says so


class _Cutter:
    """Where in the document we are.

    Attributes:
        depth: open brackets.
        home: depth at which elements stand: 1 in an array, 2 in ``data``, 0 when the document itself is one.
    """

    def __init__(self) -> None:
        self.depth = self.home = 0
        self.started = False
        self._in_string = self._escaped = self._too_long = self._in_data = False
        self._kept = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether something stands there that was not given out."""
        return self.depth > 0 or self._in_string or bool(self._kept.strip())

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The elements that end in this piece of the document."""
        out: list[bytes | None] = []
        position, start = 0, 0
        if self._escaped:
            self._escaped, position = False, 1
        while found := (_INSIDE if self._in_string else _OUTSIDE).search(chunk, position):
            at, sign = found.start(), chunk[found.start()]
            position = at + 1
            if sign == _QUOTE:
                self._in_string = not self._in_string
            elif sign == _BACKSLASH:
                position += 1
            elif sign in _OPENING:
                start = self._open(sign, chunk, start, at)
            else:
                start = self._close(sign, chunk, start, at, out)
        self._escaped = position > len(chunk)
        self._keep(chunk[start:])
        return out

    def _open(self, sign: int, chunk: bytes, start: int, at: int) -> int:
        """A bracket opens; where what is worth keeping begins."""
        if self._opens_home(sign, chunk, start, at):
            self._forget()
            start = at + 1
        self.depth += 1
        self.started = True
        return start

    def _close(self, sign: int, chunk: bytes, start: int, at: int, out: list[bytes | None]) -> int:
        """A comma or a closing bracket; where what is worth keeping begins."""
        at_home = self.home > 0 and self.depth == self.home
        if at_home:
            self._cut(chunk[start:at], out)
            start = at + 1
        if sign == _COMMA:
            return start
        if at_home:
            self.home = 0
        self.depth = max(self.depth - 1, 0)
        if self.depth:
            return start
        # The document ends: it was an element itself, or what stands around the elements is of no interest.
        if chunk[at : at + 1] == b"}" and not self._in_data:
            self._cut(chunk[start : at + 1], out)
        self._forget()
        self._in_data = False
        return at + 1

    def _opens_home(self, sign: int, chunk: bytes, start: int, at: int) -> bool:
        """Whether the elements are inside the array that opens here."""
        if sign != _LIST or self.home or self.depth > 1:
            return False
        before = bytes(self._kept[-_KEY_BYTES:]) + chunk[max(start, at - _KEY_BYTES) : at]
        if self.depth == 1 and not _DATA_KEY.search(before):
            return False
        self.home = self.depth + 1
        self._in_data = self.depth == 1
        return True

    def _cut(self, piece: bytes, out: list[bytes | None]) -> None:
        self._keep(piece)
        too_long, element = self._too_long, bytes(self._kept).strip()
        self._forget()
        if too_long or element:
            out.append(None if too_long else element)

    def _keep(self, piece: bytes) -> None:
        if self._too_long or len(self._kept) + len(piece) > RECORD_BYTES_MAX:
            self._too_long = True
            self._kept = bytearray(self._kept[-_KEY_BYTES:] + piece[-_KEY_BYTES:])[-_KEY_BYTES:]
        else:
            self._kept += piece

    def _forget(self) -> None:
        self._kept = bytearray()
        self._too_long = False
