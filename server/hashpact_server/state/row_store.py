"""Reading and writing rows of the state inside a transaction, keeping the sum of their hashes.

What a group writes is held back and written sorted at its end, each row once; reading looks at what is held back
first, so nobody notices. Undoing a part of a group is then a matter of memory alone, random keys are written in order
(see :mod:`hashpact_server.state.tables`), and a row that a group changes several times is hashed once.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, insort
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, Protocol

from hashpact_server.ledger.codec import LayoutError, u64
from hashpact_server.ledger.store import KEY_BYTES_MAX, Tx
from hashpact_server.state.digest import MODULUS, SUM_BYTES, state_digest, sum_of
from hashpact_server.state.tables import STATE_HEAD, Table

_HEAD_KEY: Final = b"head"
_DELETED: Final = None


_NOTHING: Final = b"nothing"
"""In the place of a row that was not held back before; told by being this very object."""


class _Held:
    """What a group writes to one table.

    Attributes:
        name: of the table in the store.
        rows: held back, by key; None: deleted.
        stored: what stands in the store under the keys that were asked for; None: nothing.
        ends: largest stored key, by its first byte. What lies beyond it is new without a look.
        order: the keys of ``rows`` in order, once somebody scanned them.
    """

    __slots__ = ("ends", "name", "number", "order", "rows", "stored")

    def __init__(self, table: Table) -> None:
        self.name = table.stored_as
        self.number = int(table)
        self.rows: dict[bytes, bytes | None] = {}
        self.stored: dict[bytes, bytes | None] = {}
        self.ends: dict[int, bytes] = {}
        self.order: list[bytes] | None = None

    def between(self, start: bytes, prefix: bytes) -> list[bytes]:
        """Keys in order, from ``start`` on, while they begin with ``prefix``."""
        if self.order is None:
            self.order = sorted(self.rows)
        keys = itertools.islice(self.order, bisect_left(self.order, start), None)
        return list(itertools.takewhile(lambda key: key.startswith(prefix), keys))


class RowReader(Protocol):
    """Where rows are read from."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The row's value, or None."""
        ...

    def scan(self, table: Table, start: bytes = b"", prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order, from ``start`` on, while keys begin with ``prefix``."""
        ...


class StoredRows:
    """Rows as they stand in the store."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The row's value, or None."""
        return self._tx.get(table.stored_as, key)

    def scan(self, table: Table, start: bytes = b"", prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order, from ``start`` on, while keys begin with ``prefix``."""
        return self._tx.scan(table.stored_as, start, prefix)

    def head(self) -> tuple[int, int]:
        """(sequence that the state reflects, sum of its row hashes); (-1, 0) before the first entry.

        Raises:
            LayoutError: the row is damaged.
        """
        value = self._tx.get(STATE_HEAD, _HEAD_KEY)
        if value is None:
            return -1, 0
        if len(value) != 8 + SUM_BYTES:
            raise LayoutError(f"the state's head has {len(value)} bytes instead of {8 + SUM_BYTES}")
        return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")

    @staticmethod
    def place(tx: Tx, sequence: int, total: int) -> None:
        """Write the state's head: the entry that it reflects, and the sum of its row hashes, reduced."""
        tx.put(STATE_HEAD, _HEAD_KEY, u64(sequence) + total.to_bytes(SUM_BYTES, "big"))

    def state_digest(self) -> bytes:
        """The digest of the state, 32 bytes."""
        return state_digest(*self.head())


class WritableRows(StoredRows):
    """Rows inside a write transaction; nothing is written before :meth:`finish`."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self._start = self.head()[1]
        self._held = {table: _Held(table) for table in Table}
        # Of bytes and numbers alone, so that the garbage collector has nothing to look for in a large group.
        self._undo: list[tuple[int, bytes, bytes | None]] = []

    def mark(self) -> int:
        """A point to which :meth:`rewind` can return."""
        return len(self._undo)

    def rewind(self, mark: int) -> None:
        """Forget what was written since the mark."""
        for table, key, before in reversed(self._undo[mark:]):
            held = self._held[Table(table)]
            if before is _NOTHING:
                del held.rows[key]
                held.order = None
            else:
                held.rows[key] = before
        del self._undo[mark:]

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The row's value, or None; sees what is held back."""
        held = self._held[table]
        if key in held.rows:
            return held.rows[key]
        return held.stored[key] if key in held.stored else self._look(held, key)

    def put(self, table: Table, key: bytes, value: bytes) -> bytes | None:
        """Write a row, new or in place of the one with this key; the value that was there before, or None.

        Raises:
            ValueError: no row can have this key.
        """
        # Here, and not when it is written: the act that asks for it must fail alone.
        if not 0 < len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes")
        return self._hold(table, key, value)

    def delete(self, table: Table, key: bytes) -> None:
        """Delete a row; one that is not there is passed over."""
        if self.get(table, key) is not None:
            self._hold(table, key, _DELETED)

    def _hold(self, table: Table, key: bytes, value: bytes | None) -> bytes | None:
        held = self._held[table]
        rows = held.rows
        if key in rows:
            previous = rows[key]
            self._undo.append((held.number, key, previous))
        else:
            # Most rows lie beyond their table's end: one comparison says that they are new.
            end = held.ends.get(key[0])
            previous = None if end is not None and key > end else self._look(held, key)
            self._undo.append((held.number, key, _NOTHING))
            if held.order is not None:
                insort(held.order, key)
        rows[key] = value
        return previous

    def _look(self, held: _Held, key: bytes) -> bytes | None:
        """What is stored under a key that is not held back."""
        if key in held.stored:
            return held.stored[key]
        end = held.ends.get(key[0]) if key else b""
        if key > (self._end(held, key) if end is None else end):
            return None
        value = held.stored[key] = self._tx.get(held.name, key)
        return value

    def _end(self, held: _Held, key: bytes) -> bytes:
        """The largest stored key that has the first byte of this one; empty: there is none."""
        end = held.ends.get(key[0])
        if end is None:
            last = self._tx.last(held.name, key[:1])
            end = held.ends[key[0]] = b"" if last is None else last[0]
        return end

    def scan(self, table: Table, start: bytes = b"", prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order, from ``start`` on, while keys begin with ``prefix``; sees what is held back."""
        held = self._held[table]
        if prefix and prefix > self._end(held, prefix):
            stored: Iterator[tuple[bytes, bytes]] = iter(())
        else:
            stored = self._tx.scan(table.stored_as, start, prefix)
        if not held.rows:
            return stored
        keys = held.between(max(start, prefix), prefix)
        if not keys:  # then none of the stored ones is held back either
            return stored
        mine = ((key, held.rows[key]) for key in keys)
        rows = heapq.merge(mine, (row for row in stored if row[0] not in held.rows), key=itemgetter(0))
        return ((key, value) for key, value in rows if value is not None)

    def finish(self, sequence: int) -> None:
        """Write what was held back, sorted, and the state's head. Nothing may be written afterwards."""
        total = self._start
        for table, held in self._held.items():
            if not held.rows:
                continue
            kept = [(key, value) for key, value in sorted(held.rows.items()) if value is not None]
            self._tx.put_many(held.name, kept)
            for key, value in held.rows.items():
                if value is None:
                    self._tx.delete(held.name, key)
            replaced = [(key, value) for key, value in held.stored.items() if key in held.rows and value is not None]
            total += sum_of(table, kept) - sum_of(table, replaced)
        self.place(self._tx, sequence, total % MODULUS)
