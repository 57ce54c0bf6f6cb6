"""The elements of a JSON document of any size, cut out without holding the document.

Only brackets, commas and strings are looked at here; whether an element is JSON is for whoever parses it. So a broken
element costs itself, and reading goes on behind it. Whatever is in the document is given out, or is around elements
and is JSON: nothing is lost without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from hashpact.exchange.records import ListFileError
from hashpact.exchange.source import RECORD_BYTES_MAX, Source

_OUTSIDE: Final = re.compile(rb'[",{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')
_DATA_KEY: Final = re.compile(rb'"data"\s*:\s*\Z')
_OPENING: Final = frozenset(b"{[")
_OPENING_OF: Final = dict(zip(b"}]", b"{[", strict=True))
_QUOTE, _BACKSLASH, _COMMA, _LIST = b'"\\,['
_KEY_BYTES: Final = 64
_KINDS_MAX: Final = 1000
_BETWEEN: Final = b" \t\r\n\v\f,"
_BROKEN: Final = b"{"
"""Given out in place of what belongs to no element: whoever parses it says that it is not JSON."""


def elements(source: Source) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, bytes of the element); None for one over ``RECORD_BYTES_MAX``.

    A document is an array, an object whose ``data`` is an array (an answer of the Graph API), or one object that is an
    element itself. Several documents may follow each other.

    What is wrong between and around elements is given out as an element that is not JSON.

    Raises:
        ListFileError: it begins with neither ``[`` nor ``{``.
    """
    cutter = _Cutter()
    number = 0
    for chunk in source.chunks():
        if not cutter.started and chunk.strip()[:1] not in (b"[", b"{", b""):
            raise ListFileError(f"{source.path!r} is no JSON document: it begins with neither [ nor {{")
        for element in cutter.feed(chunk):
            number += 1
            yield number, element
    yield from enumerate(cutter.finish(), number + 1)


class _Cutter:
    """Where in the document we are.

    A closing bracket closes the last open one of its kind, and with it whatever was left open inside; where none of
    its kind is open, it is garbage.

    Attributes:
        home: number of open brackets where elements stand: 1 in an array, 2 in ``data``, 0 when there is no such array.
        started: whether a document began.
    """

    def __init__(self) -> None:
        self.home = 0
        self.started = False
        self._brackets = bytearray()  # those that are open
        self._deeper = 0  # open ones beyond _KINDS_MAX, deeper than any record goes: they are only counted
        self._in_string = self._escaped = self._too_long = False
        self._kept = bytearray()
        self._is_frame = False  # whether the document has elements, and is none
        self._before_home = (self._kept, self._too_long)

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
            elif sign == _COMMA:
                start = self._separate(chunk, start, at, at + 1, out)
            elif sign in _OPENING:
                start = self._open(sign, chunk, start, at, out)
            else:
                start = self._close(sign, chunk, start, at, out)
        self._escaped = position > len(chunk)
        self._keep(chunk[start:])
        return out

    def finish(self) -> list[bytes | None]:
        """What was left when the source ended: an element that may be whole, and what says that the end is missing."""
        out: list[bytes | None] = []
        if not self._in_string:
            self._separate(b"", 0, 0, 0, out)
        if self._brackets:
            out.append(_BROKEN)
        else:
            self._tell_leftover(b"", out)
        return out

    def _separate(self, chunk: bytes, start: int, at: int, behind: int, out: list[bytes | None]) -> int:
        """An element ends, if this is where elements stand; where what is worth keeping begins, in all of these."""
        if not self.home or len(self._brackets) != self.home:
            return start
        self._cut(chunk[start:at], out)
        return behind

    def _open(self, sign: int, chunk: bytes, start: int, at: int, out: list[bytes | None]) -> int:
        self.started = True
        depth = len(self._brackets)
        if not depth:
            self._tell_leftover(chunk[start:at], out)
            start = at
        if self._opens_home(sign, chunk, start, at):
            self._keep(chunk[start:at])
            self._before_home = (self._kept, self._too_long)
            self._forget()
            self.home, self._is_frame, start = depth + 1, True, at + 1
        if depth < _KINDS_MAX:
            self._brackets.append(sign)
        else:
            self._deeper += 1
        return start

    def _close(self, sign: int, chunk: bytes, start: int, at: int, out: list[bytes | None]) -> int:
        if self._deeper:
            self._deeper -= 1
            return start
        depth = self._brackets.rfind(_OPENING_OF[sign])
        if depth < 0:
            return self._separate(chunk, start, at, at, out)
        if depth < self.home:
            self._cut(chunk[start:at], out)
            # The document without its elements: if the brackets around them are wrong, then it is not JSON.
            self._kept, self._too_long = self._before_home
            self._keep(b"[")
            self.home, start = 0, at
        del self._brackets[depth:]
        if depth:
            return start
        self._cut(chunk[start : at + 1], out, is_frame=self._is_frame)
        self._is_frame = False
        return at + 1

    def _opens_home(self, sign: int, chunk: bytes, start: int, at: int) -> bool:
        """Whether the elements are inside the array that opens here."""
        if sign != _LIST or self.home or len(self._brackets) > 1:
            return False
        before = bytes(self._kept[-_KEY_BYTES:]) + chunk[max(start, at - _KEY_BYTES) : at]
        return not self._brackets or _DATA_KEY.search(before) is not None

    def _tell_leftover(self, piece: bytes, out: list[bytes | None]) -> None:
        """Between documents there are blanks, and commas do no harm."""
        self._keep(piece)
        if self._too_long or self._kept.strip(_BETWEEN):
            out.append(_BROKEN)
        self._forget()

    def _cut(self, piece: bytes, out: list[bytes | None], *, is_frame: bool = False) -> None:
        self._keep(piece)
        too_long, element = self._too_long, bytes(self._kept).strip()
        self._forget()
        if too_long:
            out.append(None)
        elif element and not (is_frame and _is_json(element)):
            out.append(element)

    def _keep(self, piece: bytes) -> None:
        if self._too_long or len(self._kept) + len(piece) > RECORD_BYTES_MAX:
            self._too_long = True
            self._kept = bytearray(self._kept[-_KEY_BYTES:] + piece[-_KEY_BYTES:])[-_KEY_BYTES:]
        else:
            self._kept += piece

    def _forget(self) -> None:
        self._kept = bytearray()
        self._too_long = False


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
