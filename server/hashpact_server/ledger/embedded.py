"""The embedded ledger: entries, private parts and tree tiles as tables of the store.

::

    ledger.public    sequence u64            -> public part, verbatim
    ledger.private   sequence u64            -> salt || payload; absent after redaction
    ledger.tiles     level u8, index u64     -> up to 256 hashes of 32 bytes
    ledger.head      "head"                  -> size u64, time_ms u64, frontier hashes

Appending inside a transaction only collects entries; they, tiles and head are written once, by :meth:`finish`, so that
a group of entries pays for the right edge of the tree once and a part of the group can be undone for nothing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hashpact_server.ledger.base import Committed, Conflict
from hashpact_server.ledger.codec import LayoutError, Reader, u8, u64
from hashpact_server.ledger.entry import SALT_BYTES, Draft, Entry, Kind, kind_of, leaf_hash, parse, seal
from hashpact_server.ledger.merkle import HASH_BYTES, Frontier, RightEdge, growing_tiles, root_at
from hashpact_server.ledger.store import StoreError, Tx

PUBLIC: Final = "ledger.public"
PRIVATE: Final = "ledger.private"
TILES: Final = "ledger.tiles"
HEAD: Final = "ledger.head"
TABLES: Final = (PUBLIC, PRIVATE, TILES, HEAD)

SALTS_AT_ONCE: Final = 64

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

    @staticmethod
    def place(tx: Tx, tip: Tip) -> None:
        """Write the end of the ledger."""
        tx.put(HEAD, _HEAD_KEY, tip.encode())

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

    def stored(self, start: int = 0) -> Iterator[tuple[bytes, bytes | None]]:
        """Public and private parts in order, from entry ``start`` on, as they are stored."""
        for key, public in self._tx.scan(PUBLIC, start=u64(start)):
            yield public, self._tx.get(PRIVATE, key)

    def private_parts(self) -> int:
        """Number of entries whose private part is here."""
        return self._tx.count(PRIVATE)

    def private_parts_due(self) -> int:
        """As many would be here if those only were missing that an entry here redacts. Reads every entry.

        A copy may have fewer: those that it got when they had been redacted elsewhere are missing before their time.
        """
        size, redacted = 0, set()
        for _, public in self._tx.scan(PUBLIC):
            size += 1
            if kind_of(public) == Kind.REDACTED:
                redacted.add(parse(public, None).subject)
        return size - len(redacted)

    def root_at(self, size: int) -> bytes:
        """Root of the tree over the first ``size`` entries; raises LookupError where there are not so many."""
        return root_at(size, self.tile)

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
    """The ledger inside a write transaction; nothing is written before :meth:`finish`.

    Args:
        tx: the transaction.
        tip: the end of the ledger as of the transaction's beginning.
        clock_ms: Unix time in ms.
    """

    def __init__(self, tx: Tx, tip: Tip, clock_ms: Callable[[], int]) -> None:
        super().__init__(tx)
        self._start = tip
        self._appended: list[Entry] = []
        self._redactions: dict[int, None] = {}
        self._salts = b""
        self._clock_ms = clock_ms
        self.sequence = tip.sequence
        self.time_ms = tip.time_ms

    def mark(self) -> tuple[int, int, int]:
        """A point to which :meth:`rewind` can return."""
        return self.sequence, self.time_ms, len(self._redactions)

    def rewind(self, mark: tuple[int, int, int]) -> None:
        """Forget what was appended and redacted since the mark."""
        self.sequence, self.time_ms, redactions = mark
        del self._appended[self.sequence - self._start.sequence :]
        while len(self._redactions) > redactions:
            self._redactions.popitem()

    @property
    def redacts(self) -> bool:
        """Whether private parts are taken away."""
        return bool(self._redactions)

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
            entry = seal(draft, sequence=self.sequence + 1, time_ms=time_ms, salt=self._salt())
            self._appended.append(entry)
            self.sequence, self.time_ms = entry.sequence, time_ms
            entries.append(entry)
        return Committed(tuple(entries))

    def _salt(self) -> bytes:
        """Random bytes that nobody has seen; asked for in bulk, since each question is a system call."""
        if not self._salts:
            self._salts = os.urandom(SALT_BYTES * SALTS_AT_ONCE)
        salt, self._salts = self._salts[:SALT_BYTES], self._salts[SALT_BYTES:]
        return salt

    def entry(self, sequence: int) -> Entry:
        """The entry with this number; raises KeyError where there is none."""
        place = sequence - self._start.sequence - 1
        found = self._appended[place] if 0 <= place < len(self._appended) else super().entry(sequence)
        return self._as_redacted(found)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Entries in order, from ``start`` on."""
        stored = itertools.takewhile(lambda entry: entry.sequence <= self._start.sequence, super().entries(start))
        new = self._appended[max(start - self._start.sequence - 1, 0) :]
        return map(self._as_redacted, itertools.chain(stored, new))

    def _as_redacted(self, entry: Entry) -> Entry:
        return entry._replace(private=None) if entry.sequence in self._redactions else entry

    def adopt(self, entry: Entry) -> None:
        """Append an entry that another server wrote, as it is.

        Raises:
            LayoutError: it is not the one that comes next.
        """
        if entry.sequence != self.sequence + 1 or entry.time_ms < self.time_ms:
            raise LayoutError(f"entry {entry.sequence} cannot follow entry {self.sequence}")
        self._appended.append(entry)
        self.sequence, self.time_ms = entry.sequence, entry.time_ms

    def root(self) -> bytes:
        """Root of the tree over everything up to now."""
        return self._start.frontier.extended(leaf_hash(entry.public) for entry in self._appended).root()

    def redact(self, sequence: int) -> None:
        """Delete the private part of an entry; its public part, and with it the tree, stays."""
        self._redactions[sequence] = None

    def finish(self, edge: RightEdge) -> Tip:
        """Write the entries, the tiles that changed and the new head.

        Args:
            edge: the growing tiles; moves on: throw it away if the commit fails.
        """
        public, private, leaves = [], [], []
        for entry in self._appended:
            key = u64(entry.sequence)
            public.append((key, entry.public))
            leaves.append(leaf_hash(entry.public))
            if entry.private is not None and entry.sequence not in self._redactions:
                private.append((key, entry.private))
        self._tx.put_many(PUBLIC, public, append=True)
        self._tx.put_many(PRIVATE, private, append=True)
        for sequence in self._redactions:
            self._tx.delete(PRIVATE, u64(sequence))
        tiles = [(tile_key(level, index), hashes) for level, index, hashes in edge.extend(leaves)]
        self._tx.put_many(TILES, tiles)
        tip = Tip(self.time_ms, self._start.frontier.extended(leaves))
        self.place(self._tx, tip)
        return tip
