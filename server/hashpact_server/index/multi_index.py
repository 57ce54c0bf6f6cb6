"""The fast index: multi-index hashing over immutable segments, exact for every size and radius.

::

    add --> tail (<= 16,384 rows, chained buckets) --seal--> segment --merge--> larger segments (at most 4)
    remove --> a bit in the tail's or segment's bitmap
    range_search --> tail + every segment, each by the cheaper plan: tables, or row by row

Methods: multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012 and TPAMI 2014) with the pigeonring filter
(Qin and Xiao, VLDB 2018); see ``pigeonring.py``.

On disk an index is disposable: what :meth:`MultiIndex.checkpoint` wrote is found again by the next process,
anything else (nothing there, damaged, another format) is an empty index that its owner fills from state.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from hashpact_server.index.base import (
    IndexInputError,
    check_bits,
    check_ids,
    check_new,
    check_radius,
    check_values,
)
from hashpact_server.index.bitmap import alive_of, no_rows, with_rows
from hashpact_server.index.folder import delete_segments, open_pieces, save_view, segment_name
from hashpact_server.index.manifest import MANIFEST
from hashpact_server.index.merging import SEGMENTS_MAX, due_merge
from hashpact_server.index.results import arrange
from hashpact_server.index.segments import BuildCancelledError, IndexDamagedError, Rows, Segment
from hashpact_server.index.tail import TAIL_ROWS_MAX, Tail
from hashpact_server.index.view import Piece, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from numpy.typing import ArrayLike

    from hashpact_server.index.base import Bytes, Ids, RangeResult, Words

ENTRIES_BLOCK_ROWS: Final = 65_536
HELPED_ROWS_MAX: Final = 65_536
"""While a large merge runs, the writer itself merges two small segments into at most this many rows (30 ms)."""
MERGED_KEPT_S: Final = 0.2
MERGE_RETRY_S: Final = 10.0

_log = logging.getLogger(__name__)


class MultiIndex:
    """An :class:`~hashpact_server.index.base.Index` for many values: tens of microseconds a query.

    Answers exactly as :class:`~hashpact_server.index.linear.LinearIndex` does. Holds 136 bytes per 256-bit
    value, and up to twice that while segments are merged. Merging runs in a thread of its own.

    With a directory, segments are mapped files, and :meth:`checkpoint` makes a moment of the index durable.
    The directory belongs to this index alone.

    Args:
        bits: length of a value, 64..1024 in steps of 64.
        directory: where segments are kept; None: in memory.

    Attributes:
        damage: why what lay in the directory could not be used, None if it could. The index is empty then.

    Raises:
        IndexInputError: another length.
        OSError: the directory cannot be made or listed.
    """

    def __init__(self, bits: int, directory: Path | None = None) -> None:
        self._bits = check_bits(bits)
        self._directory = directory
        self._lock = threading.Lock()  # one mutation at a time; searches never wait for it
        self._checkpointing = threading.Lock()
        self._merging: tuple[Segment, ...] = ()  # what the merging thread is working on
        self._removed_meanwhile: list[Ids] = []  # removals since that began
        self._merger: threading.Thread | None = None
        self._merge_not_before_s = 0.0
        self._closed = threading.Event()
        self._next_number = 1
        self._sequence = 0
        self.damage: str | None = None
        self._view = View((), Tail(bits), 0, no_rows(), 0)
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._reopen(directory)

    # -- what every index does

    @property
    def bits(self) -> int:
        """Length of a value in bits."""
        return self._bits

    def __len__(self) -> int:
        return len(self._view)

    def add(self, ids: ArrayLike, values: ArrayLike) -> None:
        """Add values: see :meth:`Index.add <hashpact_server.index.base.Index.add>`."""
        new_ids, new_values = check_new(ids, check_values(values, self._bits, "values"))
        if new_ids.shape[0] == 0:
            return
        with self._lock:
            view = self._view
            if view.has_any(new_ids):
                raise IndexInputError("an id is already present; remove it first; nothing was added")
            if view.tail_count + new_ids.shape[0] <= TAIL_ROWS_MAX:
                view.tail.append(new_ids, new_values)
                self._view = replace(view, tail_count=view.tail.count)
                return
            if new_ids.shape[0] > TAIL_ROWS_MAX:
                self._view = self._sealed(view, (view.tail_contents(), _all_of(new_ids, new_values)))
            else:
                view = self._sealed(view, (view.tail_contents(),))
                view.tail.append(new_ids, new_values)
                self._view = replace(view, tail_count=view.tail.count)
            self._look_after_segments()

    def add_blocks(self, blocks: Iterable[tuple[ArrayLike, ArrayLike]]) -> None:
        """Add many: see :meth:`Index.add_blocks <hashpact_server.index.base.Index.add_blocks>`.

        They become one segment: the fast way to fill an index.
        """
        bodies = [_all_of(*check_new(ids, check_values(values, self._bits, "values"))) for ids, values in blocks]
        if sum(body.ids.shape[0] for body in bodies) == 0:
            return
        ids = np.concatenate([body.ids for body in bodies])
        if np.any(ids[1:] <= ids[:-1]) and np.unique(ids).shape[0] != ids.shape[0]:
            raise IndexInputError("an id is named twice; nothing was added")
        with self._lock:
            if self._view.has_any(ids):
                raise IndexInputError("an id is already present; remove it first; nothing was added")
            self._view = self._sealed(self._view, (self._view.tail_contents(), *bodies))
            self._look_after_segments()

    def remove(self, ids: ArrayLike) -> int:
        """Remove values: see :meth:`Index.remove <hashpact_server.index.base.Index.remove>`."""
        unwanted = np.unique(check_ids(ids))
        with self._lock:
            view = self._view
            pieces = tuple(piece.without(unwanted) for piece in view.pieces)
            rows = alive_of(view.tail_dead, view.tail.rows_of(unwanted))
            tail_dead = with_rows(view.tail_dead, rows, view.tail_count) if len(rows) else view.tail_dead
            tail_dead_rows = view.tail_dead_rows + len(rows)
            changed = View(pieces, view.tail, view.tail_count, tail_dead, tail_dead_rows)
            removed = len(view) - len(changed)
            if removed:
                if self._merging:
                    self._removed_meanwhile.append(unwanted)
                self._view = changed
                self._look_after_segments()
            return removed

    def range_search(self, queries: ArrayLike, radius: int) -> RangeResult:
        """Search: see :meth:`Index.range_search <hashpact_server.index.base.Index.range_search>`."""
        asked, reach = check_values(queries, self._bits, "queries"), check_radius(radius, self._bits)
        view = self._view  # kept to the end: plans point into it
        count = asked.shape[0]
        return arrange(count, view.plan(self._bits, reach, count).search(asked))

    def entries(self) -> Iterator[tuple[Ids, Bytes]]:
        """All that is present: see :meth:`Index.entries <hashpact_server.index.base.Index.entries>`."""
        view = self._view
        for body in (view.tail_contents(), *(piece.contents() for piece in view.pieces)):
            for begin in range(0, body.ids.shape[0], ENTRIES_BLOCK_ROWS):
                block = slice(begin, begin + ENTRIES_BLOCK_ROWS)
                alive = body.alive[block]
                yield body.ids[block][alive], body.values[block][alive].view(np.uint8)

    def memory_bytes(self) -> int:
        """Bytes of segments, bitmaps and the tail."""
        view = self._view
        segments = sum(piece.segment.memory_bytes() + piece.dead.nbytes for piece in view.pieces)
        return segments + view.tail.memory_bytes()

    def close(self) -> None:
        """Stop merging and let go of the segments. What was not checkpointed is gone."""
        self._closed.set()
        with self._without_merging():
            self._view = View((), Tail(self._bits), 0, no_rows(), 0)

    # -- segments

    @property
    def segments(self) -> int:
        """Number of segments that a search goes through."""
        return len(self._view.pieces)

    def seal(self) -> None:
        """Turn the tail into a segment now; nothing to do when it is empty."""
        with self._lock:
            if self._view.tail_count:
                self._view = self._sealed(self._view, (self._view.tail_contents(),))
                self._look_after_segments()

    def merge_all(self) -> None:
        """Bring everything into one segment now: best before a long time of searching only."""
        self.seal()
        with self._without_merging():
            pieces = self._view.pieces
            if len(pieces) > 1 or any(piece.dead_rows for piece in pieces):
                self._view = self._merged_now(self._view, pieces)

    def wait(self) -> None:
        """Return when no merge is running."""
        while (merger := self._merger) is not None:
            merger.join()

    @contextlib.contextmanager
    def _without_merging(self) -> Iterator[None]:
        """The lock, at a moment when no merge is running."""
        while True:
            self.wait()
            with self._lock:
                if self._merger is None:
                    yield
                    return

    def _new_path(self) -> Path | None:
        if self._directory is None:
            return None
        self._next_number += 1
        return self._directory / segment_name(self._next_number - 1)

    def _build(self, bodies: Sequence[Rows], path: Path | None, **options: Event) -> tuple[Piece, ...]:
        """One new piece of the living rows, none where all are dead."""
        if not any(body.alive.any() for body in bodies):
            return ()
        return (Piece(Segment.build(self._bits, bodies, path, **options), no_rows(), 0),)

    def _build_now(self, bodies: Sequence[Rows]) -> tuple[Piece, ...]:
        """A piece that is needed now: in memory where the disk refuses it. A checkpoint tries the disk again."""
        try:
            return self._build(bodies, self._new_path())
        except OSError as error:
            _log.warning("an index segment stays in memory: %s", error.strerror)
            return self._build(bodies, None)

    def _sealed(self, view: View, bodies: Sequence[Rows]) -> View:
        """``view`` with ``bodies``, the tail among them, as a segment, and with a new tail."""
        pieces = view.exchanged((), self._build_now(bodies)).pieces
        return View(pieces, Tail(self._bits), 0, no_rows(), 0)

    def _merged_now(self, view: View, pieces: Sequence[Piece]) -> View:
        """``view`` with some of its pieces merged, by the calling thread."""
        merged = self._build_now([piece.contents() for piece in pieces])
        return view.exchanged([piece.segment for piece in pieces], merged)

    def _due(self) -> Sequence[Piece]:
        pieces = self._view.pieces
        due = due_merge([piece.segment.count for piece in pieces], [piece.dead_rows for piece in pieces])
        return [pieces[number] for number in due] if due else ()

    def _look_after_segments(self) -> None:
        """After a change, with the lock held: start the merging thread, or lend it a hand."""
        if self._merger is None:
            if self._due() and not self._closed.is_set() and time.monotonic() >= self._merge_not_before_s:
                self._merger = threading.Thread(target=self._merge_until_done, name="index-merge", daemon=True)
                self._merger.start()
            return
        # A large merge takes seconds, and small segments would gather meanwhile.
        idle = [piece for piece in self._view.pieces if piece.segment not in self._merging]
        small = [piece for piece in idle if piece.segment.count <= HELPED_ROWS_MAX // 2]
        if self._merging and len(idle) > SEGMENTS_MAX and len(small) >= 2:
            self._view = self._merged_now(self._view, small[-2:])

    def _merge_until_done(self) -> None:
        """The merging thread: merge what is due, group by group, until nothing is."""
        try:
            while self._merge_once():
                # Searches that still use the old segments end before this thread lets go of them: unmapping
                # gigabytes takes a tenth of a second, which is nobody's look-up then.
                self._closed.wait(MERGED_KEPT_S)
        except (OSError, MemoryError, BuildCancelledError) as error:
            # Searches go on over the segments as they are; a later change tries again.
            _log.warning("index segments were not merged: %s", type(error).__name__)
            self._merge_not_before_s = time.monotonic() + MERGE_RETRY_S
        finally:
            with self._lock:
                if self._merger is threading.current_thread():
                    self._merging, self._merger = (), None

    def _merge_once(self) -> Sequence[Piece]:
        """One merge; returns what was merged away, nothing when nothing is due."""
        with self._lock:
            due = () if self._closed.is_set() else self._due()
            if not due:
                self._merger = None  # a change after this starts a new thread
                return ()
            self._merging = tuple(piece.segment for piece in due)
            self._removed_meanwhile = []
            path = self._new_path()
        merged = self._build([piece.contents() for piece in due], path, cancelled=self._closed)
        with self._lock:
            for ids in self._removed_meanwhile:
                merged = tuple(piece.without(ids) for piece in merged)
            self._view = self._view.exchanged(self._merging, merged)
            self._merging = ()
        return due

    # -- disk

    @property
    def sequence(self) -> int:
        """What the last checkpoint was given; 0 when there was none. The owner adds what came after it."""
        return self._sequence

    def checkpoint(self, sequence: int) -> None:
        """Make this moment durable: the next process opens it as it is now, tail included.

        Costs the tail and the bitmaps (under 1 MiB, and n / 8 bytes where something was removed), and the
        segments that are new since the last checkpoint. Searches and mutations go on meanwhile; the caller
        sees to it that ``sequence`` says what the index holds when it calls.

        Args:
            sequence: the owner's word for what the index holds, given back by :attr:`sequence`.

        Raises:
            OSError: it could not be written; the checkpoint before stands.
            ValueError: the index has no directory.
        """
        directory = self._directory
        if directory is None:
            raise ValueError("an index in memory has no checkpoints: give it a directory")
        with self._checkpointing:
            self._put_on_disk()
            with self._lock:
                view, number_end = self._view, self._next_number
            save_view(directory, self._bits, view, sequence, number_end)
            self._sequence = sequence
            self._delete_unnamed(directory, {piece.segment.name for piece in view.pieces}, number_end)

    def _put_on_disk(self) -> None:
        """Write segments that had to stay in memory.

        Raises:
            OSError: the disk still refuses them.
        """
        if all(piece.segment.name for piece in self._view.pieces):
            return
        with self._without_merging():
            for piece in self._view.pieces:
                if not piece.segment.name:
                    written = self._build([piece.contents()], self._new_path())
                    self._view = self._view.exchanged([piece.segment], written)

    def _delete_unnamed(self, directory: Path, named: set[str], number_end: int) -> None:
        """Delete files of segments that were merged away. Crash: they are deleted when the index is opened."""
        with self._lock:
            if self._merger is not None:
                return  # one of them may be under construction; the next checkpoint sees to it
            named |= {piece.segment.name for piece in self._view.pieces}
        delete_segments(directory, named, number_end)

    def _reopen(self, directory: Path) -> None:
        try:
            manifest, pieces = open_pieces(directory, self._bits)
        except IndexDamagedError as error:
            self.damage = error.message
            _log.warning("index: %s", error.message)
            (directory / MANIFEST).unlink(missing_ok=True)  # first: it must never name what comes later
            manifest, pieces = None, ()
        if manifest is not None:
            self._next_number, self._sequence = manifest.next_number, manifest.sequence
            tail = self._view.tail
            tail.append(manifest.tail_ids, manifest.tail_values)
            self._view = View((), tail, tail.count, no_rows(), 0).exchanged((), pieces)
        # Left by a crash, merged away, or damaged:
        delete_segments(directory, {piece.segment.name for piece in pieces})


def _all_of(ids: Ids, values: Words) -> Rows:
    return Rows(ids, values, np.ones(ids.shape[0], np.bool_))
