"""The feed: entries in order, read and encoded once for all who watch.

::

    commit --> core.moved --> feeder: newest entries --> [ kept batches ] --> watchers that keep up
                                                                |
                       store --> [ remembered batches ] --------+----------> watchers that catch up

A batch is bytes on the wire, so that fifty watchers cost one encoding. What a watcher holds in memory is one batch: the
next one is taken when gRPC has passed on the one before. Nothing waits for a watcher.
"""

from __future__ import annotations

import logging
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
from hashpact_server.ledger.entry import Entry, parse
from hashpact_server.ledger.store import Tx
from hashpact_server.logs import event, where
from hashpact_server.state.row_store import StoredRows
from hashpact_server.tokens import Position

BATCH_ENTRIES_MAX: Final = 1024
BATCH_BYTES_MAX: Final = 1 << 20
"""Where a batch is closed; one entry may be larger than that, and is then alone."""

AGE_S_MAX: Final = 0.02
"""Time that the newest entries wait for company, at most."""

KEPT_BYTES_MAX: Final = 32 << 20
"""Encoded batches that are kept at the ledger's end, and as much again of older ones that were asked for."""

TRIED_AGAIN_S: Final = 1.0
"""Time after which entries that could not be read are tried again."""

_LOGGER: Final = logging.getLogger(__name__)

Passes = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some entries, encoded.

    Attributes:
        start: number of the first.
        next: number of the entry after the last.
        read_at: newest entry of the ledger when they were read.
        encoded: a serialised ``WatchResponse``: entries, next_sequence, as_of; at the ledger's end a checkpoint.
    """

    start: int
    next: int
    read_at: int
    encoded: bytes = field(repr=False)


class Feed:
    """Hands out the ledger in batches, from any place on.

    Args:
        core: the list.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.lag_s: Callable[[], float] = lambda: 0.0
        """Age of the list here, in seconds: on a replica, who watches it is told."""
        self._changed = threading.Condition()
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._kept_bytes = 0
        self._remembered: OrderedDict[int, Batch] = OrderedDict()
        self._remembered_bytes = 0
        self._redacted = core.redacted
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
        self._core.wake_board()
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

    def wake(self) -> None:
        """Let all who wait look whether their watcher is still there."""
        with self._changed:
            self._changed.notify_all()

    def next(self, sequence: int, timeout_s: float, there: Callable[[], bool] = lambda: True) -> Batch | None:
        """The batch that begins at ``sequence``.

        Args:
            sequence: number of its first entry.
            timeout_s: how long to wait for one.
            there: whether anybody still wants it; asked again after :meth:`wake`.

        Returns:
            None when none came in time, nobody is there any more, or the feed was closed.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            while self._fed <= sequence and not self._closed and there():
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            fed = self._fed
            if self._closed or fed <= sequence:
                return None
            found = self._find(sequence)
        return found or self._read(sequence, fed)

    @staticmethod
    def passing(batch: Batch, passes: Passes) -> Batch:
        """The same batch with those entries only that pass."""
        message = pb.WatchResponse.FromString(batch.encoded)
        chosen = [each for each in message.entries if passes(parse(each.public_part, _private(each)))]
        del message.entries[:]
        message.entries.extend(chosen)
        return Batch(batch.start, batch.next, batch.read_at, message.SerializeToString())

    def opening(self, sequence: int) -> bytes:
        """The message that begins a watch at an entry: where the watcher stands, and the root up to there.

        Raises:
            LookupError: the ledger is not so long.
        """
        message = self._where(sequence)
        with self._core.store.read() as tx:
            message.checkpoint.CopyFrom(pb.Checkpoint(size=sequence, root=LedgerReader(tx).root_at(sequence)))
            if StoredRows(tx).head()[0] == sequence - 1:
                _tell_state(message.checkpoint, tx)
        return message.SerializeToString()

    def progress(self, sequence: int) -> bytes:
        """A message without entries for a watcher that has everything below ``sequence``."""
        return self._where(sequence).SerializeToString()

    def tail(self) -> bytes:
        """How far the list is, and what the time is: appended to the bytes of a batch, it becomes part of it."""
        return self._now(pb.WatchResponse()).SerializeToString()

    def _where(self, sequence: int) -> pb.WatchResponse:
        as_of = self._as_of(sequence) if sequence else ""
        return self._now(pb.WatchResponse(next_sequence=sequence, as_of=as_of))

    def _now(self, message: pb.WatchResponse) -> pb.WatchResponse:
        """A message with what is true at the moment of sending."""
        lag_s = self.lag_s()  # before the head is read: what comes between makes us younger, not older
        message.head_sequence = self._core.published.head.sequence
        message.sent_time.FromNanoseconds(time.time_ns())
        if lag_s:
            message.lag.FromMilliseconds(round(lag_s * 1000))
        return message

    def _as_of(self, sequence: int) -> str:
        """Token of the entry before ``sequence``: of today's epoch, in which all of the past is."""
        head = self._core.published.head
        return Position(head.ledger_id, head.epoch, sequence - 1).encode()

    def _find(self, sequence: int) -> Batch | None:
        """A batch that was encoded before, unless something was redacted since it was read.

        It could hold what was redacted. And a watcher that read earlier entries without it must not be told the state
        digest of a time at which it was there.
        """
        found = self._kept.get(sequence)
        if found is None and (found := self._remembered.get(sequence)) is not None:
            self._remembered.move_to_end(sequence)
        return found if found is not None and found.read_at >= self._core.redacted else None

    def _read(self, sequence: int, end: int) -> Batch:
        """A batch from the store; remembered when whoever catches up later will want the same."""
        with self._core.store.read() as tx:
            batch = self._encode(tx, sequence, self._boundary(sequence, end))
        if batch.next % BATCH_ENTRIES_MAX == 0 or len(batch.encoded) >= BATCH_BYTES_MAX:
            with self._changed:
                self._remember(batch)
        return batch

    @staticmethod
    def _boundary(sequence: int, end: int) -> int:
        """Where a batch from the store ends at the latest: at a round number, so that watchers share batches."""
        return min(end, (sequence // BATCH_ENTRIES_MAX + 1) * BATCH_ENTRIES_MAX)

    def _remember(self, batch: Batch) -> None:
        known = self._remembered.get(batch.start)
        if known is None or known.read_at < batch.read_at:
            self._remembered[batch.start] = batch
            self._remembered_bytes += len(batch.encoded) - (0 if known is None else len(known.encoded))
        while self._remembered_bytes > KEPT_BYTES_MAX:
            _, oldest = self._remembered.popitem(last=False)
            self._remembered_bytes -= len(oldest.encoded)

    def _encode(self, tx: Tx, start: int, end: int) -> Batch:
        """Entries from ``start`` up to, not including, ``end`` at most; and what they add up to at the ledger's end."""
        ledger = LedgerReader(tx)
        message = pb.WatchResponse()
        size, number = 0, start
        for public, private in _first(ledger.stored(start), end - start):
            size += len(public) + len(private or b"")
            if number > start and size > BATCH_BYTES_MAX:
                break
            message.entries.add(public_part=public, private_part=private)
            number += 1
        message.next_sequence = number
        message.as_of = self._as_of(number)
        tip = ledger.tip()
        if number == tip.sequence + 1:
            message.checkpoint.CopyFrom(pb.Checkpoint(size=number, root=tip.frontier.root()))
            _tell_state(message.checkpoint, tx)
        return Batch(start, number, tip.sequence, message.SerializeToString())

    # Feeding.

    def _run(self) -> None:
        while not self._closed:
            with self._core.moved:
                while self._core.published.head.sequence < self._fed and not self._closed:
                    self._core.moved.wait()
            began = time.monotonic()
            try:
                self._feed_all()
            except Exception as error:  # noqa: BLE001 - without this thread, watchers would be told nothing for ever
                event(_LOGGER, logging.ERROR, "feed pauses", why=type(error).__name__, where=where(error))
                began += TRIED_AGAIN_S
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
            # The transaction may be a commit ahead of what is published: then the next batch carries the checkpoint.
            batch = self._encode(tx, self._fed, head.sequence + 1)
        with self._changed:
            if self._redacted < self._core.redacted <= batch.read_at:
                self._redacted = self._core.redacted
                self._forget()
            self._kept[batch.start] = batch
            self._kept_bytes += len(batch.encoded)
            while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1].encoded)
            self._fed = batch.next
            self._changed.notify_all()

    def _forget(self) -> None:
        """Drop what was encoded; after a redaction nobody gets it any more, see :meth:`_find`."""
        self._kept.clear()
        self._remembered.clear()
        self._kept_bytes = self._remembered_bytes = 0


def _tell_state(checkpoint: pb.Checkpoint, tx: Tx) -> None:
    """Add what the state comes to as of a transaction, and what it was made from."""
    checkpoint.state_digest = StoredRows(tx).state_digest()
    checkpoint.private_parts = LedgerReader(tx).private_parts()


def _private(entry: pb.LedgerEntry) -> bytes | None:
    return entry.private_part if entry.HasField("private_part") else None


def _first(parts: Iterator[tuple[bytes, bytes | None]], count: int) -> Iterator[tuple[bytes, bytes | None]]:
    for _, part in zip(range(count), parts, strict=False):
        yield part
