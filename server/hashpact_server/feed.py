"""The feed: entries in order, read and encoded once for all who watch.

::

    commit --> core.moved --> feeder: newest entries --> [ kept batches ] --> watchers that keep up
                                                                |
                       store --> [ remembered batches ] --------+----------> watchers that catch up

A batch is bytes on the wire, so that fifty watchers cost one encoding. What a watcher holds in memory is one batch: the
next one is taken when gRPC has passed on the one before. Nothing waits for a watcher.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from hashpact.v1 import feed_service_pb2 as pb

from hashpact_server.core import Core
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Entry, Kind, parse
from hashpact_server.state.row_store import StoredRows
from hashpact_server.tokens import Position

BATCH_ENTRIES_MAX: Final = 1024
BATCH_BYTES_MAX: Final = 1 << 20
"""Where a batch is closed; one entry may be larger than that, and is then alone."""

AGE_S_MAX: Final = 0.02
"""Time that the newest entries wait for company, at most."""

KEPT_BYTES_MAX: Final = 32 << 20
"""Encoded batches that are kept at the ledger's end, and as much again of older ones that were asked for."""

Passes = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some entries, encoded.

    Attributes:
        start: number of the first.
        next: number of the entry after the last.
        encoded: a serialised ``WatchResponse``: entries, next_sequence, as_of; at the ledger's end a checkpoint.
    """

    start: int
    next: int
    encoded: bytes = field(repr=False)


class Feed:
    """Hands out the ledger in batches, from any place on.

    Args:
        core: the list.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changed = threading.Condition()
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._kept_bytes = 0
        self._remembered: OrderedDict[int, Batch] = OrderedDict()
        self._remembered_bytes = 0
        self._fed = core.published.head.sequence + 1  # number of the entry that comes next
        self._watchers = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hashpact-feed", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed

    def close(self) -> None:
        """End: whoever waits is woken, and finds the feed closed."""
        self._closed = True
        with self._core.moved:
            self._core.moved.notify_all()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()

    # Reading.

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as somebody watches; while nobody does, nothing is encoded."""
        with self._changed:
            self._watchers += 1
        try:
            yield
        finally:
            with self._changed:
                self._watchers -= 1

    def next(self, sequence: int, timeout_s: float) -> Batch | None:
        """The batch that begins at ``sequence``; None when none came in time, or the feed was closed."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while self._fed <= sequence and not self._closed:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            if self._closed:
                return None
            fed = self._fed
            found = self._find(sequence)
        return found or self._read(sequence, fed)

    def passing(self, sequence: int, timeout_s: float, passes: Passes) -> Batch | None:
        """The same with those entries only that pass."""
        batch = self.next(sequence, timeout_s)
        if batch is None:
            return None
        message = pb.WatchResponse.FromString(batch.encoded)
        chosen = [each for each in message.entries if passes(parse(each.public_part, _private(each)))]
        del message.entries[:]
        message.entries.extend(chosen)
        return Batch(batch.start, batch.next, message.SerializeToString())

    def opening(self, sequence: int) -> bytes:
        """The message that begins a watch at an entry: where the watcher stands, and the root up to there.

        Raises:
            LookupError: the ledger is not so long.
        """
        message = self._where(sequence)
        with self._core.store.read() as tx:
            root, rows = LedgerReader(tx).root_at(sequence), StoredRows(tx)
            digest = rows.state_digest() if rows.head()[0] == sequence - 1 else b""
        message.checkpoint.CopyFrom(pb.Checkpoint(size=sequence, root=root, state_digest=digest))
        return message.SerializeToString()

    def progress(self, sequence: int) -> bytes:
        """A message without entries for a watcher that has everything below ``sequence``."""
        return self._where(sequence).SerializeToString()

    def tail(self) -> bytes:
        """How far the list is, and what the time is: appended to the bytes of a batch, it becomes part of it."""
        message = pb.WatchResponse(head_sequence=self._core.published.head.sequence)
        message.sent_time.FromNanoseconds(time.time_ns())
        return message.SerializeToString()

    def _where(self, sequence: int) -> pb.WatchResponse:
        head = self._core.published.head
        as_of = self._as_of(sequence) if sequence else ""
        message = pb.WatchResponse(next_sequence=sequence, as_of=as_of, head_sequence=head.sequence)
        message.sent_time.FromNanoseconds(time.time_ns())
        return message

    def _as_of(self, sequence: int) -> str:
        """Token of the entry before ``sequence``: of today's epoch, in which all of the past is."""
        head = self._core.published.head
        return Position(head.ledger_id, head.epoch, sequence - 1).encode()

    def _find(self, sequence: int) -> Batch | None:
        found = self._kept.get(sequence)
        if found is None and (found := self._remembered.get(sequence)) is not None:
            self._remembered.move_to_end(sequence)
        return found

    def _read(self, sequence: int, end: int) -> Batch:
        """A batch from the store; remembered when whoever catches up later will want the same."""
        with self._core.store.read() as tx:
            batch, _ = self._encode(LedgerReader(tx), sequence, self._boundary(sequence, end))
        if batch.next % BATCH_ENTRIES_MAX == 0 or len(batch.encoded) >= BATCH_BYTES_MAX:
            with self._changed:
                self._remember(batch)
        return batch

    @staticmethod
    def _boundary(sequence: int, end: int) -> int:
        """Where a batch from the store ends at the latest: at a round number, so that watchers share batches."""
        return min(end, (sequence // BATCH_ENTRIES_MAX + 1) * BATCH_ENTRIES_MAX)

    def _remember(self, batch: Batch) -> None:
        if batch.start not in self._remembered:
            self._remembered[batch.start] = batch
            self._remembered_bytes += len(batch.encoded)
        while self._remembered_bytes > KEPT_BYTES_MAX:
            _, oldest = self._remembered.popitem(last=False)
            self._remembered_bytes -= len(oldest.encoded)

    def _encode(self, ledger: LedgerReader, start: int, end: int) -> tuple[Batch, bool]:
        """Entries from ``start`` up to, but without, ``end`` at most; and whether one of them redacts another."""
        message = pb.WatchResponse()
        size, redacts, number = 0, False, start
        for public, private in _first(ledger.stored(start), end - start):
            size += len(public) + len(private or b"")
            if number > start and size > BATCH_BYTES_MAX:
                break
            message.entries.add(public_part=public, private_part=private)
            redacts = redacts or parse(public, None).kind == Kind.REDACTED
            number += 1
        message.next_sequence = number
        message.as_of = self._as_of(number)
        return Batch(start, number, message.SerializeToString()), redacts

    # Feeding.

    def _run(self) -> None:
        while not self._closed:
            with self._core.moved:
                while self._core.published.head.sequence < self._fed and not self._closed:
                    self._core.moved.wait()
            began = time.monotonic()
            self._feed_all()
            # The next ones wait for company: many writes, few messages. The first after a pause does not wait.
            with self._changed:
                self._changed.wait_for(lambda: self._closed, max(0.0, began + AGE_S_MAX - time.monotonic()))

    def _feed_all(self) -> None:
        while self._fed <= self._core.published.head.sequence and not self._closed:
            self._feed()

    def _feed(self) -> None:
        """Encode the next batch, and let the watchers have it."""
        head = self._core.published.head
        with self._changed:
            if not self._watchers:
                self._forget()
                self._fed = head.sequence + 1
                return
        with self._core.store.read() as tx:
            batch, redacts = self._encode(LedgerReader(tx), self._fed, head.sequence + 1)
            # The transaction may be a commit ahead of what is published: then the next batch carries the checkpoint.
            rows = StoredRows(tx)
            if batch.next == head.sequence + 1 and rows.head()[0] == head.sequence:
                checkpoint = pb.Checkpoint(size=batch.next, root=head.root, state_digest=rows.state_digest())
                tail = pb.WatchResponse(checkpoint=checkpoint).SerializeToString()
                batch = Batch(batch.start, batch.next, batch.encoded + tail)
        with self._changed:
            if redacts:
                self._forget()
            self._kept[batch.start] = batch
            self._kept_bytes += len(batch.encoded)
            while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1].encoded)
            self._fed = batch.next
            self._changed.notify_all()

    def _forget(self) -> None:
        """Drop what was encoded: a private part in it may have been redacted since."""
        self._kept.clear()
        self._remembered.clear()
        self._kept_bytes = self._remembered_bytes = 0


def _private(entry: pb.LedgerEntry) -> bytes | None:
    return entry.private_part if entry.HasField("private_part") else None


def _first(parts: Iterator[tuple[bytes, bytes | None]], count: int) -> Iterator[tuple[bytes, bytes | None]]:
    for _, part in zip(range(count), parts, strict=False):
        yield part
