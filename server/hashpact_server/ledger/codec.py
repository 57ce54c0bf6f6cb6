"""Reading and writing of the byte layouts that entries and state rows are made of.

All numbers are unsigned and big-endian. ``text`` is a u16 length and UTF-8, ``blob`` a u16 length and bytes,
a list a u16 count and its members (``docs/formats.md``, "Primitives").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_U8 = struct.Struct(">B")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class LayoutError(ValueError):
    """Bytes that do not follow their layout, or a value that does not fit it.

    Damage, a mistake of ours, or a version of the format that is not known here.
    """


def u8(value: int) -> bytes:
    """One byte; LayoutError for a value that does not fit, as in all of these."""
    try:
        return _U8.pack(value)
    except struct.error as error:
        raise _misfit(_U8) from error


def u16(value: int) -> bytes:
    """Two bytes."""
    try:
        return _U16.pack(value)
    except struct.error as error:
        raise _misfit(_U16) from error


def u32(value: int) -> bytes:
    """Four bytes."""
    try:
        return _U32.pack(value)
    except struct.error as error:
        raise _misfit(_U32) from error


def u64(value: int) -> bytes:
    """Eight bytes."""
    try:
        return _U64.pack(value)
    except struct.error as error:
        raise _misfit(_U64) from error


def _misfit(number: struct.Struct) -> LayoutError:
    return LayoutError(f"a number does not fit in {number.size} bytes")


def blob(value: bytes) -> bytes:
    """A u16 length and the bytes."""
    return u16(len(value)) + value


def text(value: str) -> bytes:
    """A u16 length and UTF-8."""
    return blob(value.encode())


def texts(values: Iterable[str]) -> bytes:
    """A u16 count and as many texts."""
    encoded = [text(value) for value in values]
    return u16(len(encoded)) + b"".join(encoded)


class Reader:
    """Reads a layout from start to end; every method moves on.

    Raises:
        LayoutError: from any method, when the bytes end early or are not what the layout says.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise LayoutError(f"needs {end} bytes, there are {len(self._data)}")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Eight bytes."""
        return int.from_bytes(self.take(8), "big")

    def blob(self) -> bytes:
        """A u16 length and the bytes."""
        return self.take(self.u16())

    def text(self) -> str:
        """A u16 length and UTF-8."""
        raw = self.blob()
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise LayoutError("text is not UTF-8") from error

    def texts(self) -> tuple[str, ...]:
        """A u16 count and as many texts."""
        return tuple(self.text() for _ in range(self.u16()))

    def end(self) -> None:
        """Check that nothing is left over."""
        if self._at != len(self._data):
            raise LayoutError(f"{len(self._data) - self._at} bytes too many")
