"""The LMDB environment that ledger and state share: one file, one writer, readers that never block.

LMDB is copy-on-write with two alternating meta pages: a commit writes new pages, syncs, then writes and syncs a meta
page. A crash before the meta page is on disk leaves the transaction before it, whole; there is nothing to repair.
The environment is opened without WRITEMAP and without NOSYNC, so that this holds.

Only this package and ``state`` know LMDB; every error of it leaves here as a :class:`StoreError`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import lmdb

MAP_BYTES: Final = 1 << 40
"""Address space reserved for the store, once (8 KiB on disk). The limit on its size is ``store_bytes_max``."""

KEY_BYTES_MAX: Final = 511
"""LMDB's bound on the length of a key."""

SCAN_ROWS_FIRST: Final = 8
SCAN_ROWS_MAX: Final = 4096

READERS_MAX: Final = 1022
DISK_RESERVE_BYTES: Final = 16 << 20
"""Below this much free disk writes are refused before they begin."""


class StoreError(Exception):
    """The store could not do what was asked."""


class StoreFullError(StoreError):
    """The store is at its size limit or the disk is full; nothing of the transaction is kept.

    Attributes:
        limit: ``store_bytes_max`` where that was reached, 0 where the disk is full.
    """

    def __init__(self, message: str, limit: int = 0) -> None:
        super().__init__(message)
        self.limit = limit


class CommitUnknownError(StoreError):
    """A commit failed: whether it is on disk is found out by opening the store again.

    Attributes:
        disk_full: whether the cause was a full disk.
    """

    def __init__(self, message: str, *, disk_full: bool) -> None:
        super().__init__(message)
        self.disk_full = disk_full


def _translation(error: lmdb.Error) -> StoreError | ValueError:
    if isinstance(error, (lmdb.MapFullError, lmdb.TxnFullError)):
        return StoreFullError("the store's map is full")
    if isinstance(error, lmdb.BadValsizeError):
        # The mistake of whoever asked; the store is as well as before.
        return ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes")
    if _is_disk_full(error):
        return StoreFullError("the disk is full")
    return StoreError(f"the store failed: {error}")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        raise _translation(error) from error


def _is_disk_full(error: BaseException) -> bool:
    return os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EFBIG) in str(error)


def _while_prefixed(rows: Iterator[tuple[bytes, bytes]], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Sorted rows while their keys begin with ``prefix``; read in growing blocks, since millions may follow."""
    size = SCAN_ROWS_FIRST
    while block := list(itertools.islice(rows, size)):
        if not block[-1][0].startswith(prefix):
            yield from itertools.takewhile(lambda row: row[0].startswith(prefix), block)
            return
        yield from block
        size = min(4 * size, SCAN_ROWS_MAX)


class Tx:
    """One transaction. A write transaction belongs to the thread that began it."""

    __slots__ = ("_dbs", "_txn")

    def __init__(self, txn: lmdb.Transaction, dbs: dict[str, lmdb._Database]) -> None:
        self._txn = txn
        self._dbs = dbs

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        try:
            # Transactions are begun without ``buffers``, so what comes back is bytes, never a view into the map.
            return cast("bytes | None", self._txn.get(key, db=self._dbs[table]))
        except lmdb.BadValsizeError:
            return None  # no row can have such a key: what a caller looks up may come from outside
        except lmdb.Error as error:
            raise _translation(error) from error

    def put(self, table: str, key: bytes, value: bytes, *, append: bool = False) -> None:
        """Write a row; ``append`` where the key is known to be the table's largest."""
        try:
            self._txn.put(key, value, db=self._dbs[table], append=append)
        except lmdb.Error as error:
            raise _translation(error) from error

    def put_many(self, table: str, rows: Sequence[tuple[bytes, bytes]], *, append: bool = False) -> None:
        """Write rows, each key once, best in key order; ``append`` where all keys are larger than the table's largest.

        Raises:
            StoreError: not all of them were written.
        """
        try:
            with self._txn.cursor(db=self._dbs[table]) as cursor:
                _, written = cursor.putmulti(rows, append=append)
        except lmdb.Error as error:
            raise _translation(error) from error
        if written != len(rows):
            raise StoreError(f"{len(rows) - written} rows could not be appended to {table}: run fsck")

    def delete(self, table: str, key: bytes) -> bool:
        """Delete a row; whether it was there."""
        try:
            return bool(self._txn.delete(key, db=self._dbs[table]))
        except lmdb.Error as error:
            raise _translation(error) from error

    def scan(self, table: str, start: bytes = b"", prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order, from ``start`` on (or from ``prefix`` on), while keys begin with ``prefix``."""
        try:
            with self._txn.cursor(db=self._dbs[table]) as cursor:
                first = max(start, prefix)[:KEY_BYTES_MAX]
                found = cursor.set_range(first) if first else cursor.first()
                if not found:
                    return
                yield from _while_prefixed(cast("Iterator[tuple[bytes, bytes]]", cursor.iternext()), prefix)
        except lmdb.Error as error:
            raise _translation(error) from error

    def last(self, table: str, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The row with the largest key that begins with one byte or none, or None."""
        with _translated(), self._txn.cursor(db=self._dbs[table]) as cursor:
            beyond = prefix and prefix < b"\xff" and cursor.set_range(bytes((prefix[0] + 1,)))
            if not (cursor.prev() if beyond else cursor.last()):
                return None
            key, value = cast("tuple[bytes, bytes]", cursor.item())
            return (key, value) if key.startswith(prefix) else None

    def strangers(self) -> int:
        """Number of tables in the store that nobody opened: of another version, or with a damaged name."""
        with _translated():
            return int(self._txn.stat()["entries"]) - len(self._dbs)

    def count(self, table: str) -> int:
        """Number of rows."""
        with _translated():
            return int(self._txn.stat(self._dbs[table])["entries"])


class Store:
    """The environment: begin, read, commit, and how full it is.

    Args:
        path: folder of the environment; made with mode 0700 where absent.
        tables: names of the tables to open or make.
        store_bytes_max: size of the file at which writes are refused.
        durable: False only for scratch copies that are thrown away after a crash.
        reading: only to read; also beside another process that writes.
    """

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        *,
        store_bytes_max: int = MAP_BYTES,
        durable: bool = True,
        reading: bool = False,
    ) -> None:
        if not reading:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self.store_bytes_max = store_bytes_max
        self._tables = tuple(tables)
        self._durable = durable
        self._reading = reading
        self._gate = threading.Condition()
        self._readers: dict[int, float] = {}
        self._reader_number = 0
        self._reopening = False
        self._closed = False
        self._open()

    def _open(self) -> None:
        with _translated():
            self._env = lmdb.open(
                str(self.path),
                map_size=max(MAP_BYTES, 2 * self.store_bytes_max),
                max_dbs=len(self._tables),
                max_readers=READERS_MAX,
                mode=0o600,
                sync=self._durable,
                metasync=self._durable,
                readonly=self._reading,
                create=not self._reading,
            )
            try:
                self._dbs = {name: self._env.open_db(name.encode(), create=not self._reading) for name in self._tables}
                self._env.reader_check()
            except BaseException:
                self._env.close()
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Tx]:
        """A read transaction: one unchanging moment. Keep it short, since it keeps old pages from being reused.

        A thread must not begin a second one inside the first: :meth:`reopen` lets nobody in until everybody is out.
        """
        with self._gate:
            self._gate.wait_for(lambda: not self._reopening)
            if self._closed:
                raise StoreError("the store is closed")
            self._reader_number += 1
            number = self._reader_number
            self._readers[number] = time.monotonic()
        try:
            with _translated():
                txn = self._env.begin()
            try:
                yield Tx(txn, self._dbs)
            finally:
                txn.abort()
        finally:
            with self._gate:
                del self._readers[number]
                self._gate.notify_all()

    def write(self) -> WriteTx:
        """Begin the one write transaction; ends by ``commit`` or ``abort``, in this thread."""
        with _translated():
            return WriteTx(self._env.begin(write=True), self._dbs)

    def commit(self, tx: WriteTx) -> None:
        """Make the transaction durable.

        Raises:
            CommitUnknownError: it failed on the way; the transaction may or may not be on disk.
        """
        try:
            tx.commit()
        except lmdb.Error as error:
            # Where only a part of a write fits, LMDB reports an I/O error: look whether there is room.
            full = _is_disk_full(error) or self.room_bytes() < DISK_RESERVE_BYTES
            raise CommitUnknownError(f"the commit failed: {error}", disk_full=full) from error

    def check_room(self) -> None:
        """Refuse before beginning what could not be finished.

        Raises:
            StoreFullError: at ``store_bytes_max``, or less than ``DISK_RESERVE_BYTES`` of disk left.
        """
        if (used := self.used_bytes()) >= self.store_bytes_max:
            raise StoreFullError(
                f"the store has {used} bytes, the limit is store_bytes_max={self.store_bytes_max}",
                limit=self.store_bytes_max,
            )
        if self._durable and self.room_bytes() < DISK_RESERVE_BYTES:
            raise StoreFullError("the disk is full")

    def room_bytes(self) -> int:
        """By how much the file may grow, in bytes: what the disk has left, and the limit on the size of files."""
        free = shutil.disk_usage(self.path).free
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit == resource.RLIM_INFINITY:
            return free
        return min(free, limit - (self.path / "data.mdb").stat().st_size)

    def used_bytes(self) -> int:
        """Size of the file, in bytes, as far as LMDB has used it."""
        with _translated():
            return int(self._env.info()["last_pgno"] + 1) * int(self._env.stat()["psize"])

    def oldest_reader_s(self) -> float:
        """Age of the oldest read transaction that is open, in seconds; 0 when there is none."""
        with self._gate:
            started = min(self._readers.values(), default=None)
        return 0.0 if started is None else time.monotonic() - started

    def bury_readers(self) -> None:
        """Free what readers hold whose process was killed: no old page is reused while they seem to read.

        Beside us, backups read the store in processes of their own.
        """
        with self._gate:
            if not self._closed and not self._reopening:
                with _translated():
                    self._env.reader_check()

    def reopen(self) -> None:
        """Close and open again, when every reader has left: the only way to know what a failed commit left."""
        with self._gate:
            if self._closed:
                raise StoreError("the store is closed")
            # Readers that come now wait at the door, or a busy server would never see an empty house.
            self._reopening = True
            try:
                self._gate.wait_for(lambda: not self._readers)
                self._env.close()
                self._open()
            finally:
                self._reopening = False
                self._gate.notify_all()

    def sync(self) -> None:
        """Force everything to disk."""
        with _translated():
            self._env.sync(True)

    def close(self) -> None:
        """Close, when every reader has left; afterwards nothing can be read."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._gate.wait_for(lambda: not self._readers)
            self._env.close()


class WriteTx(Tx):
    """The write transaction."""

    __slots__ = ()

    def clear(self, table: str) -> None:
        """Delete every row of a table."""
        with _translated():
            self._txn.drop(self._dbs[table], delete=False)

    def commit(self) -> None:
        """Raw commit; use :meth:`Store.commit`."""
        self._txn.commit()

    def abort(self) -> None:
        """Undo everything."""
        self._txn.abort()
