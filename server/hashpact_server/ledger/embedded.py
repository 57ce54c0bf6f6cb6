"""The embedded ledger: entries, private parts and tree tiles as tables of the store.

::

    ledger.public    sequence u64            -> public part, verbatim
    ledger.private   sequence u64            -> salt || payload; absent after redaction
    ledger.tiles     level u8, index u64     -> up to 256 hashes of 32 bytes
    ledger.head      "head"                  -> size u64, time_ms u64, frontier hashes

Appending inside a transaction only collects leaf hashes; tiles and head are written once, by :meth:`finish`, so that a
group of entries pays for the right edge of the tree once and a part of the group can be undone for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hashpact_server.ledger.base import Committed, Conflict
from hashpact_server.ledger.codec import LayoutError, Reader, u8, u64
from hashpact_server.ledger.entry import SALT_BYTES, Draft, Entry, leaf_hash, parse, seal
from hashpact_server.ledger.merkle import HASH_BYTES, Frontier, RightEdge, growing_tiles
from hashpact_server.ledger.store import StoreError, Tx

PUBLIC: Final = "ledger.public"
PRIVATE: Final = "ledger.private"
TILES: Final = "ledger.tiles"
HEAD: Final = "ledger.head"
TABLES: Final = (PUBLIC, PRIVATE, TILES, HEAD)

_HEAD_KEY: Final = b"head"


def tile_key(level: int, index: int) -> bytes:
    """Key of a tile."""
    return u8(level) + u64(index)


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of the ledger: time of the last entry and the tree over all of them."""

    time_ms: int
    frontier: Frontier

    @property
    def sequence(self) -> int:
        """Number of the last entry; -1 when there is none."""
        return self.frontier.size - 1

    def encode(self) -> bytes:
        """The head row's value."""
        return u64(self.frontier.size) + u64(self.time_ms) + b"".join(self.frontier.roots)

    @classmethod
    def decode(cls, value: bytes) -> Tip:
        """Read the head row; raises LayoutError."""
        reader = Reader(value)
        size, time_ms = reader.u64(), reader.u64()
        roots = tuple(reader.take(HASH_BYTES) for _ in range(size.bit_count()))
        reader.end()
        return cls(time_ms, Frontier(size, roots))


class LedgerReader:
    """Entries, read through a transaction."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def tip(self) -> Tip:
        """The end of the ledger as stored."""
        value = self._tx.get(HEAD, _HEAD_KEY)
        return Tip(0, Frontier()) if value is None else Tip.decode(value)

    def entry(self, sequence: int) -> Entry:
        """The entry with this number; raises KeyError where there is none."""
        key = u64(sequence)
        public = self._tx.get(PUBLIC, key)
        if public is None:
            raise KeyError(f"no entry {sequence}")
        return self._parse(key, public)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Entries in order, from ``start`` on."""
        for key, public in self._tx.scan(PUBLIC, start=u64(start)):
            yield self._parse(key, public)

    def _parse(self, key: bytes, public: bytes) -> Entry:
        entry = parse(public, self._tx.get(PRIVATE, key))
        if entry.sequence != int.from_bytes(key, "big"):
            raise LayoutError(f"entry {entry.sequence} stands in another one's place")
        return entry

    def tile(self, level: int, index: int) -> bytes | None:
        """The hashes of a tile, or None."""
        return self._tx.get(TILES, tile_key(level, index))

    def right_edge(self) -> RightEdge:
        """The tiles that are still growing.

        Raises:
            StoreError: a tile is missing or shorter than the head says.
        """
        size = self.tip().frontier.size
        tiles = []
        for level, index, width in growing_tiles(size):
            stored = self.tile(level, index) or b""
            if len(stored) != width * HASH_BYTES:
                raise StoreError(f"tile {level}/{index} has {len(stored)} bytes instead of {width * HASH_BYTES}")
            tiles.append([stored[i : i + HASH_BYTES] for i in range(0, len(stored), HASH_BYTES)])
        return RightEdge(size, tiles)


class LedgerWriter(LedgerReader):
    """The ledger inside a write transaction.

    Args:
        tx: the transaction; may be exchanged for a child by :meth:`within`.
        tip: the end of the ledger as of the transaction's beginning.
        clock_ms: Unix time in ms.
    """

    def __init__(self, tx: Tx, tip: Tip, clock_ms: Callable[[], int]) -> None:
        super().__init__(tx)
        self._start = tip
        self._leaves: list[bytes] = []
        self._clock_ms = clock_ms
        self.sequence = tip.sequence
        self.time_ms = tip.time_ms

    def within(self, tx: Tx) -> None:
        """Go on in this transaction (a child, or the parent again)."""
        self._tx = tx

    def mark(self) -> tuple[int, int]:
        """A point to which :meth:`rewind` can return."""
        return self.sequence, self.time_ms

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was appended since the mark; its rows are undone with their child transaction."""
        self.sequence, self.time_ms = mark
        del self._leaves[self.sequence - self._start.sequence :]

    def now_ms(self) -> int:
        """The time of the next entry: the clock's, but never before the last entry's."""
        return max(self.time_ms, self._clock_ms())

    def append(self, drafts: Sequence[Draft], expected_head: int) -> Committed | Conflict:
        """Append entries after the entry ``expected_head``; durable once the transaction is committed."""
        if expected_head != self.sequence:
            return Conflict(self.sequence)
        time_ms = self.now_ms()
        entries = []
        for draft in drafts:
            entry = seal(draft, sequence=self.sequence + 1, time_ms=time_ms, salt=os.urandom(SALT_BYTES))
            self._append(entry)
            entries.append(entry)
        return Committed(tuple(entries))

    def _append(self, entry: Entry) -> None:
        key = u64(entry.sequence)
        self._tx.put(PUBLIC, key, entry.public, append=True)
        if entry.private is not None:
            self._tx.put(PRIVATE, key, entry.private, append=True)
        self._leaves.append(leaf_hash(entry.public))
        self.sequence, self.time_ms = entry.sequence, entry.time_ms

    def redact(self, sequence: int) -> None:
        """Delete the private part of an entry; its public part, and with it the tree, stays."""
        self._tx.delete(PRIVATE, u64(sequence))

    def finish(self, edge: RightEdge) -> Tip:
        """Write the tiles that changed and the new head; ``edge`` moves on: throw it away if the commit fails."""
        for level, index, hashes in edge.extend(self._leaves):
            self._tx.put(TILES, tile_key(level, index), hashes)
        tip = Tip(self.time_ms, self._start.frontier.extended(self._leaves))
        self._tx.put(HEAD, _HEAD_KEY, tip.encode())
        return tip
