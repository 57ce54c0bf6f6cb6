"""Reading and writing rows of the state inside a transaction, keeping the sum of their hashes.

Digest rows are held back and written sorted at the end of a group (see :mod:`hashpact_server.state.tables`); reading
looks at what is held back first, so nobody notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from hashpact_server.ledger.codec import LayoutError, u64
from hashpact_server.ledger.store import Tx
from hashpact_server.state.digest import MODULUS, SUM_BYTES, row_hash, state_digest
from hashpact_server.state.tables import STATE_HEAD, Table

_HEAD_KEY: Final = b"head"
_DELETED: Final = None


class RowReader(Protocol):
    """Where rows are read from."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The row's value, or None."""
        ...

    def scan(self, table: Table, start: bytes = b"", prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order; never of ``Table.DIGESTS``, which has no useful order."""
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

    def state_digest(self) -> bytes:
        """The digest of the state, 32 bytes."""
        return state_digest(*self.head())


class WritableRows(StoredRows):
    """Rows inside a write transaction."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.total = self.head()[1]
        self._held: dict[bytes, bytes | None] = {}
        self._undo: list[tuple[bytes, bool, bytes | None]] = []

    def within(self, tx: Tx) -> None:
        """Go on in this transaction (a child, or the parent again)."""
        self._tx = tx

    def mark(self) -> tuple[int, int]:
        """A point to which :meth:`rewind` can return."""
        return self.total, len(self._undo)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was written since the mark; rows in the store are undone with their child transaction."""
        self.total, kept = mark
        for key, was_held, value in reversed(self._undo[kept:]):
            if was_held:
                self._held[key] = value
            else:
                self._held.pop(key, None)
        del self._undo[kept:]

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The row's value, or None; sees what is held back."""
        if table is Table.DIGESTS and key in self._held:
            return self._held[key]
        return self._tx.get(table.stored_as, key)

    def put(self, table: Table, key: bytes, value: bytes) -> bytes | None:
        """Write a row, new or in place of the one with this key; the value that was there before, or None."""
        if table is Table.DIGESTS:
            previous = self.get(table, key)
            self._hold(key, value)
        elif self._tx.put_new(table.stored_as, key, value):
            previous = None
        else:
            previous = self._tx.get(table.stored_as, key)
            self._tx.put(table.stored_as, key, value)
        removed = 0 if previous is None else row_hash(table, key, previous)
        self.total = (self.total + row_hash(table, key, value) - removed) % MODULUS
        return previous

    def delete(self, table: Table, key: bytes) -> None:
        """Delete a row; one that is not there is passed over."""
        previous = self.get(table, key)
        if previous is None:
            return
        if table is Table.DIGESTS:
            self._hold(key, _DELETED)
        else:
            self._tx.delete(table.stored_as, key)
        self.total = (self.total - row_hash(table, key, previous)) % MODULUS

    def _hold(self, key: bytes, value: bytes | None) -> None:
        self._undo.append((key, key in self._held, self._held.get(key)))
        self._held[key] = value

    def finish(self, sequence: int) -> None:
        """Write what was held back, sorted, and the state's head."""
        for key in sorted(self._held):
            value = self._held[key]
            if value is None:
                self._tx.delete(Table.DIGESTS.stored_as, key)
            else:
                self._tx.put(Table.DIGESTS.stored_as, key, value)
        self._held.clear()
        self._undo.clear()
        self._tx.put(STATE_HEAD, _HEAD_KEY, u64(sequence) + self.total.to_bytes(SUM_BYTES, "big"))
