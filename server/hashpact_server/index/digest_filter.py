"""Which digests may be listed: a table in memory that answers "no" for nearly everybody, and is never wrong about it.

::

    may_list(code, values) --> no: not listed                 (nearly every look-up; one cache line)
                          '--> maybe: the state decides

A digest enters as SipHash-2-4 of its first 16 bytes and its type, under a secret that each table draws for itself.
Members choose what they list: with a hash that they could compute, some would list digests that all begin at one slot,
and every look-up would walk along them. SipHash is the keyed hash that was made against this.

"No" must be true even when two digests have one hash. Whoever finds its hash present when it is added makes it
*shared*: it is never given up, since nobody knows any more whose it is. That leaves a "maybe" too many, at 2**-64.

File layout (native byte order; another order fails the header check):

    0    header: magic, format, size (log2 of slots), shared hashes, the owner's mark, secret, CRC-32 of what follows,
         CRC-32 of the header
    ...  shared uint64 [shared hashes]
    ...  table  uint64 [2 ** size]

Crash: written beside, made durable and renamed, so the old file stands or the new one.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.digest_kernel import EMPTY, GONE, erase, hashes_of, insert, mark_present, move
from hashpact_server.index.segments import IndexDamagedError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

FORMAT: Final = 1
MAGIC: Final = b"HPDIGST\n"
MARK_BYTES: Final = 40
SIZE_MIN: Final = 10
SIZE_MAX: Final = 36
LOAD_MAX: Final = 0.6
"""Share of slots in use, given-up ones included, from which on the table is made anew: a miss looks at 4 slots then."""

LOAD_FRESH: Final = 0.5
"""The most of a fresh table, so that the next one is not due at once."""

_CHUNK_SLOTS: Final = 1 << 17
_HEADER: Final = struct.Struct(f"=8sIIQ{MARK_BYTES}s16sII")
_NOTHING: Final[NDArray[np.intp]] = np.empty(0, np.intp)


class DigestFilter:
    """The table. One thread adds and removes, any number ask, one may save.

    Attributes:
        mark: what the owner gave with :meth:`save`, or b"" when it was never saved.
        removals: whether something was removed since it was saved: the file should not outlive that for long.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = os.urandom(16) if secret is None else secret
        self._key0, self._key1 = struct.unpack("<QQ", self._secret)
        self._table = _slots(SIZE_MIN)
        self._count = 0
        self._used = 0
        self._shared: set[int] = set()
        self._lock = threading.Lock()
        self._put_off: list[Words] | None = None
        self.mark = b""
        self.removals = False

    def __len__(self) -> int:
        return self._count

    def may_list(self, code: int, values: bytes, size: int) -> NDArray[np.intp]:
        """The positions of those digests that may be listed; all others are not.

        Args:
            code: signal type code.
            values: digests of ``size`` bytes each, one after the other.
            size: 16 or more.
        """
        table = self._table
        marks = np.zeros(len(values) // size, np.uint8)
        rows = np.frombuffer(values, np.uint8)
        if not mark_present(rows, size, code, self._key0, self._key1, table, _shift(table), marks):
            return _NOTHING
        return np.flatnonzero(marks)

    def add(self, code: int, rows: NDArray[np.uint8], size: int) -> None:
        """Add digests, uint8 [n * size]; every :meth:`may_list` that begins after the return finds them."""
        hashes = hashes_of(rows, size, code, self._key0, self._key1)
        with self._lock:
            self._make_room(len(hashes))
            marks = np.zeros(len(hashes), np.uint8)
            added = insert(hashes, self._table, _shift(self._table), marks)
            self._count += added
            self._used += added
            if added < len(hashes):
                self._shared.update(hashes[marks == 1].tolist())

    def remove(self, code: int, rows: NDArray[np.uint8], size: int) -> None:
        """Remove digests that were added, uint8 [n * size]; ones that are not there are passed over."""
        hashes = hashes_of(rows, size, code, self._key0, self._key1)
        with self._lock:
            self.removals = True
            if self._put_off is None:
                self._erase(hashes)
            else:
                self._put_off.append(hashes)

    def _erase(self, hashes: Words) -> None:
        if self._shared:
            hashes = np.array([each for each in hashes.tolist() if each not in self._shared], np.uint64)
        self._count -= erase(hashes, self._table, _shift(self._table))

    def _make_room(self, more: int) -> None:
        if self._used + more <= LOAD_MAX * len(self._table):
            return
        size = SIZE_MIN
        while self._count + more > LOAD_FRESH * (1 << size):
            size += 1
        table = _slots(size)
        self._used = move(self._table, table, _shift(table))
        self._table = table  # searches that are under way end in the old one, which stays as it is

    def save(self, path: Path, mark: bytes) -> None:
        """Write the file: it holds all that was added before, and perhaps some of what is added meanwhile.

        Nothing is removed meanwhile, so that what the file lacks was removed before the mark.

        Args:
            path: where.
            mark: ``MARK_BYTES`` that say to the owner how far it reaches.

        Raises:
            OSError: it could not be written; the file before stands.
        """
        with self._lock:
            table, shared, self._put_off = self._table, np.array(sorted(self._shared), np.uint64), []
            self.removals = False
        try:
            _write(path, table, shared, mark, self._secret)
            self.mark = mark
        except BaseException:
            self.removals = True
            raise
        finally:
            with self._lock:
                put_off, self._put_off = self._put_off, None
                for hashes in put_off:
                    self._erase(hashes)

    @classmethod
    def open(cls, path: Path) -> DigestFilter:
        """What was saved.

        Raises:
            IndexDamagedError: it is missing, damaged, or of another format.
        """
        try:
            return cls._read(path)
        except (OSError, struct.error, ValueError) as error:
            raise IndexDamagedError(f"{path.name} cannot be read: {error}") from error

    @classmethod
    def _read(cls, path: Path) -> DigestFilter:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            magic, made_as, size, shared, mark, secret, body_crc, crc = _HEADER.unpack(head)
            if magic != MAGIC or made_as != FORMAT or crc != zlib.crc32(head[:-4]):
                raise IndexDamagedError(f"{path.name} is damaged or of another format")
            slots = 1 << size
            if not SIZE_MIN <= size <= SIZE_MAX or path.stat().st_size != _HEADER.size + 8 * (shared + slots):
                raise IndexDamagedError(f"{path.name} has another length than it says")
            several = np.fromfile(file, np.uint64, shared)
            table = np.fromfile(file, np.uint64, slots)
        if zlib.crc32(table.data, zlib.crc32(several.data)) != body_crc:
            raise IndexDamagedError(f"{path.name} is damaged")
        opened = cls(secret)
        opened.mark = mark
        opened._table, opened._shared = table, set(several.tolist())
        opened._used = int(np.count_nonzero(table != EMPTY))
        opened._count = opened._used - int(np.count_nonzero(table == GONE))
        return opened

    def memory_bytes(self) -> int:
        """Bytes of the table."""
        return self._table.nbytes


def _slots(size: int) -> Words:
    return np.zeros(1 << size, np.uint64)


def _shift(table: Words) -> int:
    return 65 - len(table).bit_length()


def _write(path: Path, table: Words, shared: Words, mark: bytes, secret: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(bytes(_HEADER.size))
        file.write(shared.data)
        crc = zlib.crc32(shared.data)
        for begin in range(0, len(table), _CHUNK_SLOTS):
            chunk = table[begin : begin + _CHUNK_SLOTS].tobytes()  # a copy: the table may change under our hands
            crc = zlib.crc32(chunk, crc)
            file.write(chunk)
        size = len(table).bit_length() - 1
        head = _HEADER.pack(MAGIC, FORMAT, size, len(shared), mark, secret, crc, 0)[:-4]
        file.seek(0)
        file.write(head + struct.pack("=I", zlib.crc32(head)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
