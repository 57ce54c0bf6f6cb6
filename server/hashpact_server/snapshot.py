r"""Snapshots: a whole list as one file, for a replica's beginning, for backup, and for restoring.

Layout (``docs/formats.md``, "Snapshot"), numbers big-endian::

    header   "hashpact snapshot 1\n", ledger id (16), epoch u32, size u64, time_ms u64, root (32), state digest (32),
             CRC-32 u32
    blocks   table u8, rows u32, length u32, then per row: key length u16, value length u32, key, value; CRC-32 u32
    end      0 u8, rows in all u64, SHA-256 of everything before (32)

Rows come table after table, each in key order: they can be appended to an empty store as they arrive. Reading checks
everything against root and state digest: the tree over the public parts must have that root, the rows that digest, and
private parts must be those that entries commit to. Tiles and frontier are computed on the way. Answers kept for
``request_id`` are not part of a snapshot: they are between a member and one server.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from hashpact_server.collector import resting
from hashpact_server.core import open_store, read_head
from hashpact_server.datadir import sync_directory
from hashpact_server.ledger import embedded
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import LayoutError, u8, u32, u64
from hashpact_server.ledger.embedded import LedgerReader, Tip
from hashpact_server.ledger.entry import Entry, check_private, leaf_hash, parse
from hashpact_server.ledger.merkle import Frontier, RightEdge
from hashpact_server.ledger.store import KEY_BYTES_MAX, Store, StoreError, StoreFullError, Tx, WriteTx
from hashpact_server.state.digest import MODULUS, state_digest, sum_of
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.tables import Table

MAGIC: Final = b"hashpact snapshot 1\n"
BLOCK_ROWS: Final = 4096
BLOCK_BYTES_MAX: Final = 8 << 20
ROW_BYTES_MAX: Final = 64 << 20
COMMIT_ROWS: Final = 500_000

_HEADER: Final = struct.Struct(">20s16sIQQ32s32s")
_BLOCK: Final = struct.Struct(">BII")
_ROW: Final = struct.Struct(">HI")
_END: Final = 0

_ENTRIES: Final = {1: embedded.PUBLIC, 2: embedded.PRIVATE}
_STATE: Final = {16 + table: table.stored_as for table in Table}
_TABLES: Final = {**_ENTRIES, **_STATE}
"""Numbers of the tables in a snapshot, never reused. Tiles and heads are not in it: they are computed."""

_NO_LINKS: Final = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
"""How file systems say that they have no links."""

Rows = list[tuple[bytes, bytes]]


class Source(Protocol):
    """Where a snapshot is read from."""

    def read(self, size: int, /) -> bytes:
        """As many bytes; fewer at the end only."""
        ...


class SnapshotError(Exception):
    """A snapshot that is cut short, damaged, of another version, or does not say what it claims."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a snapshot claims: where the list stood, and what it adds up to."""

    head: Head
    state_digest: bytes

    def encode(self) -> bytes:
        """The file's header."""
        head = self.head
        header = _HEADER.pack(
            MAGIC, head.ledger_id, head.epoch, head.sequence + 1, head.time_ms, head.root, self.state_digest
        )
        return header + u32(zlib.crc32(header))

    @classmethod
    def read(cls, source: Source) -> Told:
        """Read the header; raises SnapshotError."""
        raw = _exactly(source, _HEADER.size + 4)
        magic, ledger_id, epoch, size, time_ms, root, digest = _HEADER.unpack(raw[:-4])
        if magic != MAGIC:
            raise SnapshotError("not a snapshot that this version knows")
        if raw[-4:] != u32(zlib.crc32(raw[:-4])):
            raise SnapshotError("the snapshot's header is damaged")
        if not size:
            raise SnapshotError("the snapshot holds no list")
        return cls(Head(ledger_id, epoch, size - 1, time_ms, root), digest)


def write(tx: Tx, target: BinaryIO) -> Told:
    """Write the list as of a transaction; what it claims.

    Raises:
        StoreError: there is no list.
        OSError: it could not be written.
    """
    rows = StoredRows(tx)
    told = Told(read_head(LedgerReader(tx), rows), rows.state_digest())
    summed = hashlib.sha256()
    count = 0

    def put(data: bytes) -> None:
        summed.update(data)
        target.write(data)

    put(told.encode())
    for number, table in _TABLES.items():
        for block in _blocks(tx.scan(table)):
            count += len(block)
            put(_encoded(number, block))
    put(u8(_END) + u64(count))
    target.write(summed.digest())
    return told


def write_file(data_dir: Path, path: Path) -> Told:
    """Write the list of a data directory to a new file, also while a server writes to it; what it claims.

    The file is whole or not there; only its owner reads it, since it holds hash values.

    Raises:
        StoreError: there is no list, or it cannot be read.
        OSError: the file exists, or cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb", buffering=1 << 20) as file:
            store = open_store(data_dir, reading=True)
            try:
                with resting(), store.read() as tx:
                    told = write(tx, file)
            finally:
                store.close()
            file.flush()
            os.fsync(file.fileno())
        _name(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return told


def _name(partial: Path, path: Path) -> None:
    """Give a file its name; raises FileExistsError where something is there already."""
    try:
        os.link(partial, path)
    except OSError as error:
        # Disks that people carry away know no links, and renaming would replace what is there.
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        partial.rename(path)
    else:
        sync_directory(path.parent)


def _blocks(rows: Iterable[tuple[bytes, bytes]]) -> Iterator[Rows]:
    block: Rows = []
    size = 0
    for row in rows:
        length = len(row[0]) + len(row[1])
        if block and (len(block) == BLOCK_ROWS or size + length > BLOCK_BYTES_MAX):
            yield block
            block, size = [], 0
        block.append(row)
        size += length
    if block:
        yield block


def _encoded(number: int, block: Rows) -> bytes:
    pack = _ROW.pack
    payload = b"".join([pack(len(key), len(value)) + key + value for key, value in block])
    data = _BLOCK.pack(number, len(block), len(payload)) + payload
    return data + u32(zlib.crc32(data))


@resting()
def load(source: Source, store: Store) -> Told:
    """Fill an empty store from a snapshot, checking all that it says.

    Nothing counts before the end was checked: the heads, without which there is no list, are written last.

    Raises:
        SnapshotError: it is not whole, or not true; the store holds no list.
        StoreFullError: it is larger than the store may be, or than the disk.
        StoreError: the store is not empty, or cannot be written.
    """
    reader = _Hashing(source)
    told = Told.read(reader)
    _clear(store)  # an earlier attempt may have ended on the way
    filling = _Filling(told)
    store.check_room()
    tx = store.write()
    try:
        written, room_bytes = 0, store.store_bytes_max - store.used_bytes()
        for number, rows in _read_blocks(reader):
            room_bytes -= sum(len(key) + len(value) for key, value in rows)
            if room_bytes < 0:
                limit = store.store_bytes_max
                raise StoreFullError(f"the list is larger than store_bytes_max={limit}", limit)
            filling.take(number, rows, tx)
            written += len(rows)
            if written >= COMMIT_ROWS:
                store.commit(tx)
                written, room_bytes = 0, store.store_bytes_max - store.used_bytes()
                tx = store.write()
        filling.finish(tx)
    except BaseException:
        tx.abort()
        raise
    store.commit(tx)
    return told


def _clear(store: Store) -> None:
    tx = store.write()
    try:
        if LedgerReader(tx).tip().sequence >= 0:
            raise StoreError("this store holds a list already")
        for table in (*_TABLES.values(), embedded.TILES):
            tx.clear(table)
    except BaseException:
        tx.abort()
        raise
    store.commit(tx)


class _Hashing:
    """A file, read with the hash of what was read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.summed = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """As many bytes; fewer at the end only."""
        data = self._source.read(size)
        self.summed.update(data)
        return data


def _exactly(source: Source, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise SnapshotError("the snapshot is cut short")
    return data


def _read_blocks(reader: _Hashing) -> Iterator[tuple[int, Rows]]:
    """Blocks in order; ends when the end is there and fits."""
    count = 0
    before = 0
    while True:
        kind = _exactly(reader, 1)
        if kind == u8(_END):
            break
        head = kind + _exactly(reader, _BLOCK.size - 1)
        number, rows, length = _BLOCK.unpack(head)
        if number not in _TABLES or number < before or not rows or length > ROW_BYTES_MAX:
            raise SnapshotError("the snapshot has a block that this version does not know")
        payload = _exactly(reader, length)
        if _exactly(reader, 4) != u32(zlib.crc32(head + payload)):
            raise SnapshotError("a block of the snapshot is damaged")
        before = number
        count += rows
        yield number, _decoded(payload, rows)
    if _exactly(reader, 8) != u64(count):
        raise SnapshotError("rows of the snapshot are missing")
    summed = reader.summed.digest()
    if _exactly(reader, 32) != summed:
        raise SnapshotError("the snapshot does not fit its checksum")


def _decoded(payload: bytes, count: int) -> Rows:
    unpack, size, end = _ROW.unpack_from, _ROW.size, len(payload)
    rows: Rows = []
    at = 0
    try:
        for _ in range(count):
            key_size, value_size = unpack(payload, at)
            start = at + size + key_size
            at = start + value_size
            rows.append((payload[start - key_size : start], payload[start:at]))
    except struct.error as error:
        raise SnapshotError("a block of the snapshot cannot be read") from error
    if at != end:
        raise SnapshotError("a block of the snapshot cannot be read")
    return rows


class _Filling:
    """Takes blocks over into a store, and adds up what they claim to be."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._frontier = Frontier()
        self._edge = RightEdge()
        self._time_ms = 0
        self._total = 0
        self._table = 0
        self._last = b""

    def take(self, number: int, rows: Rows, tx: WriteTx) -> None:
        """Check a block as far as it goes, and write it."""
        if number != self._table:
            self._table, self._last = number, b""
        for key, _ in rows:
            # Larger than all before, as appending wants it, and so that no row comes twice.
            if not self._last < key or len(key) > KEY_BYTES_MAX:
                raise SnapshotError("rows of the snapshot are out of order")
            self._last = key
        if number in _STATE:
            self._total += sum_of(number - 16, rows)
        elif _TABLES[number] == embedded.PUBLIC:
            self._grow(rows, tx)
        else:
            self._check_private(rows, tx)
        tx.put_many(_TABLES[number], rows, append=True)

    def _grow(self, rows: Rows, tx: WriteTx) -> None:
        for expected, (key, _) in enumerate(rows, self._frontier.size):
            if key != u64(expected):
                raise SnapshotError(f"entry {expected} of the snapshot is missing")
        self._time_ms = _parsed(rows[-1][1], None).time_ms
        leaves = [leaf_hash(public) for _, public in rows]
        self._frontier = self._frontier.extended(leaves)
        tiles = [(embedded.tile_key(level, index), hashes) for level, index, hashes in self._edge.extend(leaves)]
        tx.put_many(embedded.TILES, tiles)

    @staticmethod
    def _check_private(rows: Rows, tx: WriteTx) -> None:
        for key, private in rows:
            public = tx.get(embedded.PUBLIC, key)
            if public is None or not check_private(_parsed(public, private)):
                raise SnapshotError("a private part of the snapshot is not the one that its entry commits to")

    def finish(self, tx: WriteTx) -> None:
        """Compare with what was claimed, and write the heads, without which there is no list.

        Raises:
            SnapshotError: it is not what was claimed.
        """
        head, total = self._told.head, self._total % MODULUS
        if self._frontier.size != head.sequence + 1 or self._frontier.root() != head.root:
            raise SnapshotError("the snapshot's entries do not have the root that it claims")
        if state_digest(head.sequence, total) != self._told.state_digest:
            raise SnapshotError("the snapshot's state is not the one that it claims")
        LedgerReader.place(tx, Tip(self._time_ms, self._frontier))
        StoredRows.place(tx, head.sequence, total)


def _parsed(public: bytes, private: bytes | None) -> Entry:
    try:
        return parse(public, private)
    except LayoutError as error:
        raise SnapshotError(f"an entry of the snapshot cannot be read: {error}") from error
