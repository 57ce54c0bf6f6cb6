"""Segments: immutable, searchable bodies of rows, in memory or in a mapped file.

File layout (one segment, native byte order; a file of another order fails the header check and is rebuilt):

    0      header: magic, format, bits, rows, shift, CRC-32 of each section, CRC-32 of all that
    4096   values  uint64 [n * words]           in order of id
    ...    bases   uint64 [n >> shift]          ids, packed: see packed_ids.py
    ...    offsets uint32 [n]
    ...    starts  uint32 [m * 65537]           the tables of multi_kernel.py
    ...    rows    uint32 [m * n]
    ...    nexts   uint16 [m * n + LANES]

Every section begins at a multiple of 4096. 32 + 4 + 16 * 6 = 132 bytes per 256-bit row, and 4 MiB of starts.

Crash: a segment file counts only once a manifest names it. One that was half written is never named, and
deleted when the index is opened again.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from hashpact.errors import HashpactError

from hashpact_server.index.bitmap import alive_mask
from hashpact_server.index.building import build_word
from hashpact_server.index.kernel import scan
from hashpact_server.index.packed_ids import blocks_of, choose_shift, find_rows, pack, unpack, unpack_all
from hashpact_server.index.parts import LANES
from hashpact_server.index.pigeonring import BUCKETS
from hashpact_server.index.plans import address_of, tables_ns
from hashpact_server.index.search_kernel import SCAN, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from threading import Event

    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids, Words
    from hashpact_server.index.bitmap import Bitmap
    from hashpact_server.index.kernel import Hits

FORMAT: Final = 1
MAGIC: Final = b"HPINDEX\n"
PAGE_BYTES: Final = 4096
ROWS_MAX: Final = 2**32 - 1
COPY_ROWS: Final = 16_384
"""Rows copied at a time: half a megabyte, so that look-ups need not wait for the interpreter lock."""
_HEADER: Final = struct.Struct("=8sIIQI6II")
"""magic, format, bits, rows, shift of the packed ids, six section CRCs, CRC of all before."""


class IndexDamagedError(HashpactError):
    """Files of an index that are incomplete, damaged or of another format: rebuild it from state."""

    reason = "INDEX_DAMAGED"


class BuildCancelledError(HashpactError):
    """A segment is not built to its end because the index is being closed."""

    reason = "INDEX_CLOSED"


class Rows(NamedTuple):
    """A body of rows to put into a segment.

    Attributes:
        ids: uint64 [n].
        values: uint64 [n, words].
        alive: bool [n], rows to take; the others are left behind.
    """

    ids: Ids
    values: Words
    alive: NDArray[np.bool_]


class _Layout:
    """Where the sections of a segment lie."""

    def __init__(self, bits: int, count: int, shift: int) -> None:
        quarters = bits // 16
        sizes = (
            count * bits // 8,
            blocks_of(count, shift) * 8,
            count * 4,
            quarters * (BUCKETS + 1) * 4,
            quarters * count * 4,
            (quarters * count + LANES) * 2,
        )
        self.sections: list[slice] = []
        at = PAGE_BYTES
        for size in sizes:
            self.sections.append(slice(at, at + size))
            at += -(-size // PAGE_BYTES) * PAGE_BYTES
        self.size = at


class Segment:
    """n >= 1 immutable rows with their tables. Made by :meth:`build` or :meth:`open`.

    The memory is given back when the last search that uses it has ended.

    Attributes:
        bits: length of a value.
        count: n.
        name: file name, "" in memory.
    """

    def __init__(self, memory: mmap.mmap, bits: int, count: int, shift: int, name: str) -> None:
        self.bits, self.count, self.name = bits, count, name
        self._memory, self._shift = memory, shift
        self._durable = False
        layout = _Layout(bits, count, shift)
        self._sections = layout.sections
        views = [
            np.frombuffer(memory, kind, (part.stop - part.start) // np.dtype(kind).itemsize, part.start)
            for kind, part in zip(
                (np.uint64, np.uint64, np.uint32, np.uint32, np.uint32, np.uint16),
                layout.sections,
                strict=True,
            )
        ]
        self._values, self._bases, self._offsets, self._starts, self._rows, self._nexts = views
        self._addresses = [address_of(view) for view in views]

    # -- making one

    @classmethod
    def build(
        cls,
        bits: int,
        bodies: Sequence[Rows],
        path: Path | None = None,
        cancelled: Event | None = None,
    ) -> Segment:
        """A new segment of the living rows of ``bodies``, at least one; no id is alive in two of them.

        Args:
            bits: length of a value.
            bodies: the rows, in any order.
            path: where its file is made (not yet durable: see :meth:`flush`); None: in memory.
            cancelled: gives up soon after it is set.

        Raises:
            BuildCancelledError: ``cancelled`` was set; no file is left behind.
            OSError: the file cannot be written, the disk is full; no file is left behind.
        """
        ids = np.concatenate([body.ids[body.alive] for body in bodies])
        count = ids.shape[0]
        if not 1 <= count <= ROWS_MAX:
            raise ValueError(f"a segment has 1 to {ROWS_MAX} rows, not {count}")
        places = None
        if not np.all(ids[1:] > ids[:-1]):
            order = np.argsort(ids, kind="stable")
            ids = ids[order]
            places = np.empty(count, np.int64)
            places[order] = np.arange(count)
        shift = choose_shift(ids)
        size = _Layout(bits, count, shift).size
        memory = _anonymous(size) if path is None else _new_file(path, size)
        try:
            segment = cls(memory, bits, count, shift, path.name if path else "")
            pack(ids, shift, segment._bases, segment._offsets)
            segment._take_values(bodies, places)
            segment._fill_tables(cancelled)
            if path is not None:
                segment._write_header()
        except BaseException:
            if path is not None:
                path.unlink(missing_ok=True)
            raise
        return segment

    def _take_values(self, bodies: Sequence[Rows], places: NDArray[np.int64] | None) -> None:
        values = self._values.reshape(self.count, self.bits // 64)
        at = 0
        for body in bodies:
            for begin in range(0, body.ids.shape[0], COPY_ROWS):
                block = slice(begin, begin + COPY_ROWS)
                taken = body.values[block][body.alive[block]]
                here = slice(at, at + taken.shape[0])
                values[here if places is None else places[here]] = taken
                at += taken.shape[0]

    def _fill_tables(self, cancelled: Event | None) -> None:
        words, quarters, count = self.bits // 64, self.bits // 16, self.count
        for quarter in range(quarters):
            if cancelled is not None and cancelled.is_set():
                raise BuildCancelledError("the index was closed while a segment was built")
            part = slice(quarter * count, (quarter + 1) * count)
            starts = self._starts[quarter * (BUCKETS + 1) : (quarter + 1) * (BUCKETS + 1)]
            build_word(self._values, words, quarter, starts, self._rows[part], self._nexts[part])

    def _write_header(self) -> None:
        fields = (MAGIC, FORMAT, self.bits, self.count, self._shift, *self._checksums())
        crc = zlib.crc32(_HEADER.pack(*fields, 0)[:-4])
        self._memory[: _HEADER.size] = _HEADER.pack(*fields, crc)

    def _checksums(self) -> list[int]:
        with memoryview(self._memory) as whole:
            return [zlib.crc32(whole[part]) for part in self._sections]

    @classmethod
    def open(cls, path: Path, bits: int) -> Segment:
        """Map a segment's file, read it into memory and check every byte.

        Raises:
            IndexDamagedError: missing, cut short, damaged, of another format or another length of values.
        """
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < PAGE_BYTES:
                    raise IndexDamagedError(f"{path.name} is cut short: rebuild the index from state")
                flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
                memory = mmap.mmap(file.fileno(), size, flags, mmap.PROT_READ)
        except OSError as error:
            raise IndexDamagedError(f"{path.name} cannot be read ({error}): rebuild the index") from error
        magic, form, found_bits, count, shift, *checksums, crc = _HEADER.unpack(memory[: _HEADER.size])
        sound = (
            crc == zlib.crc32(memory[: _HEADER.size - 4])
            and (magic, form, found_bits) == (MAGIC, FORMAT, bits)
            and size == _Layout(bits, count, shift).size
        )
        if not sound:
            raise IndexDamagedError(f"{path.name} is damaged or of another format: rebuild the index")
        segment = cls(memory, bits, count, shift, path.name)
        if segment._checksums() != checksums:
            raise IndexDamagedError(f"{path.name} does not fit its checksums: rebuild the index from state")
        segment._durable = True
        return segment

    def flush(self, directory: Path) -> None:
        """Make the segment's file in ``directory`` durable; done once.

        Raises:
            OSError: the disk failed; the file must not be named by a manifest.
        """
        if self._durable:
            return
        handle = os.open(directory / self.name, os.O_RDWR)
        try:
            os.fsync(handle)  # not mmap.flush: that would stop every thread meanwhile
        finally:
            os.close(handle)
        self._durable = True

    # -- asking it

    @property
    def _last_id(self) -> np.uint64:
        last: np.uint64 = self.ids_of(np.array([self.count - 1]))[0]
        return last

    @property
    def header_crc(self) -> int:
        """CRC-32 of the header, which holds the CRC-32 of everything else: it tells segments apart."""
        return zlib.crc32(self._memory[: _HEADER.size])

    def ids_of(self, rows: NDArray[np.int64]) -> Ids:
        """Ids of rows."""
        return unpack(rows, self._shift, self._bases, self._offsets)

    def rows_of(self, ids: Ids) -> NDArray[np.int64]:
        """Rows of those ``ids`` that the segment has, dead or alive."""
        inside = ids[(ids >= self._bases[0]) & (ids <= self._last_id)]
        return find_rows(inside, self._shift, self._bases, self._offsets)

    def contents(self, dead: Bitmap) -> Rows:
        """All rows, and which of them are alive; values are not copied."""
        ids = unpack_all(self._shift, self._bases, self._offsets)
        return Rows(ids, self._values.reshape(self.count, self.bits // 64), alive_mask(dead, self.count))

    def tables_ns(self, radius: int, rows: int) -> float:
        """What a search through the tables costs."""
        return tables_ns(self.bits, radius, rows)

    def record(self, rows: int, dead: Bitmap, budget_ns: float | None) -> tuple[int, ...]:
        """The segment as the search kernel wants it: see :class:`~hashpact_server.index.plans.Body`."""
        plan, budget = (SCAN, 0) if budget_ns is None else (TABLES, int(budget_ns))
        values, bases, offsets, starts, entries, nexts = self._addresses
        return (
            plan, rows, budget, address_of(dead), dead.shape[0], values, starts, entries, nexts, bases, offsets,
            self._shift, rows,
        )  # fmt: skip

    def scan(self, queries: Words, radius: int, rows: int, dead: Bitmap) -> Hits:
        """Every living row within the radius of each query, by comparing with all."""
        return scan(queries, radius, self._values, rows, dead)

    def memory_bytes(self) -> int:
        """Bytes of the mapping."""
        return len(self._memory)


def _anonymous(size: int) -> mmap.mmap:
    return _in_large_pages(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _in_large_pages(memory: mmap.mmap) -> mmap.mmap:
    """Ask for large pages before the memory is first touched: random access over gigabytes walks fewer tables.

    Files too, where the file system can: the page cache then keeps them that way for whoever opens the file.
    """
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _new_file(path: Path, size: int) -> mmap.mmap:
    # 0600: a segment holds hash values. The space is reserved before it is mapped: a full disk is an error
    # here, and not a signal that kills the process while the tables are written.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(handle, 0, size)
        return _in_large_pages(mmap.mmap(handle, size))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
