"""FeedService: the ledger as a stream. See ``feed`` for how entries get here."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2, feed_service_pb2, feed_service_pb2_grpc

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.feed import Passes
from hashpact_server.ledger.codec import LayoutError
from hashpact_server.ledger.entry import Entry
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload
from hashpact_server.refusal import Refusal, invalid_field, not_serving
from hashpact_server.services.caller import current_caller
from hashpact_server.services.reading import fresh_head
from hashpact_server.snapshot_files import SnapshotFiles
from hashpact_server.tokens import Position

PIECE_BYTES: Final = 1 << 20

_ONE_ITEM: Final = frozenset(CONTRIBUTING)
"""Kinds that a filter may leave out; all others take something off the list, or are about more than one item."""


class FeedService(feed_service_pb2_grpc.FeedServiceServicer):
    """Streams entries to those who may hold the list."""

    def __init__(self, engine: Engine, files: SnapshotFiles, limits: Limits) -> None:
        self._engine = engine
        self._feed = engine.feed
        self._files = files
        self._progress_s = float(limits.watch_progress_s)
        self._stall_s_max = limits.watch_stall_s_max

    def Watch(  # type: ignore[override]  # noqa: N802 - the name in the wire; bytes, encoded once for all watchers
        self, request: feed_service_pb2.WatchRequest, context: Any
    ) -> Iterator[bytes]:
        """Stream entries until somebody ends it."""
        sequence = self._start(request)
        passes = read_filter(request.filter) if request.HasField("filter") else None
        context.add_callback(self._feed.wake)  # or who went would hold a stream until something happens
        following = self._engine.presence.following(current_caller().member.name, sequence)
        with self._feed.watching(), following as moved:
            yield from self._messages(sequence, passes, context, moved)

    def _messages(
        self, sequence: int, passes: Passes | None, context: Any, moved: Callable[[int], None]
    ) -> Iterator[bytes]:
        yield self._feed.opening(sequence)
        while context.is_active():
            batch = self._feed.next(sequence, self._progress_s, context.is_active)
            if batch is None:
                if self._feed.closed:
                    raise not_serving()
                if not context.is_active():
                    break
                yield self._feed.progress(sequence)
                continue
            if passes is not None:
                batch = self._feed.passing(batch, passes)
            handed_over = time.monotonic()
            yield batch.encoded + self._feed.tail()
            self._check_pace(time.monotonic() - handed_over)
            sequence = batch.next
            moved(sequence)

    def Snapshot(  # noqa: N802 - the name in the wire
        self, request: feed_service_pb2.SnapshotRequest, context: Any
    ) -> Iterator[feed_service_pb2.SnapshotResponse]:
        """Stream the whole list."""
        try:
            file = self._files.open()
        except OSError as error:
            if error.errno == errno.ECANCELED:
                raise not_serving() from error
            raise Refusal(
                error_reason_pb2.ERROR_REASON_STORE_FULL,
                f"the snapshot could not be made ({error.strerror}); an operator has to make room",
            ) from error
        with file:
            while data := file.read(PIECE_BYTES):
                handed_over = time.monotonic()
                yield feed_service_pb2.SnapshotResponse(data=data)
                self._check_pace(time.monotonic() - handed_over)

    def _start(self, request: feed_service_pb2.WatchRequest) -> int:
        """Number of the first entry that is wanted; raises Refusal."""
        if request.after and request.start_sequence:
            raise invalid_field("start_sequence", "give start_sequence or after, not both")
        head = fresh_head(self._engine, request.after)
        sequence = Position.decode(request.after).sequence + 1 if request.after else request.start_sequence
        if sequence > head.sequence + 1:
            raise invalid_field("start_sequence", f"the entry that comes next has number {head.sequence + 1}")
        return sequence

    def _check_pace(self, seconds: float) -> None:
        if seconds > self._stall_s_max:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_WATCHER_TOO_SLOW,
                f"a message was taken after {seconds:.0f} s only; come back, and read faster",
                metadata={"limit": "watch_stall_s_max", "limit_value": str(self._stall_s_max)},
            )


def read_filter(wanted: feed_service_pb2.WatchFilter) -> Passes:
    """A filter as a function of an entry.

    Raises:
        Refusal: FIELD_INVALID: a signal type that is not known.
    """
    codes = set()
    for position, name in enumerate(wanted.signal_types):
        if (kind := SIGNAL_TYPES.get(name)) is None:
            raise invalid_field(f"filter.signal_types[{position}]", "not a signal type of this server")
        codes.add(kind.code)
    classes = frozenset(wanted.label_classes)

    def passes(entry: Entry) -> bool:
        if entry.kind not in _ONE_ITEM:
            return True
        if classes and classes.isdisjoint(entry.classes):
            return False
        return not codes or not codes.isdisjoint(_codes(entry))

    return passes


def _codes(entry: Entry) -> set[int]:
    """Codes of the signals that an entry adds or confirms; none when that was redacted."""
    if entry.payload is None:
        return set()
    try:
        return {signal.code for signal in ContributionPayload.decode(entry.payload).signals}
    except LayoutError as error:
        raise AssertionError("an entry of this ledger can be read") from error
