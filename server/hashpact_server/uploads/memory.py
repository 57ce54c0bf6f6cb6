"""The memory of uploads: takes them in, holds them against what is listed, forgets them; one for all members.

One lock stands for "the window, the cursor and the file agree". Nobody searches with it held. Entries up to a point are
*claimed*: they are held against the uploads that were there then, and whoever is remembered later searches up to there
by itself. Whoever holds it commits first and changes the window
then: a crash between the two is no matter, since the window is made anew; and what is in the window and no longer in
the file is passed over when it is found.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hashpact_server import config
from hashpact_server.collector import resting
from hashpact_server.core import wall_clock_ms
from hashpact_server.database import Connection, Database
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Entry
from hashpact_server.logs import event, where
from hashpact_server.matches import Batch
from hashpact_server.state.view import View
from hashpact_server.uploads import bounds, journal, matching, noting
from hashpact_server.uploads.tables import (
    FILE,
    SCHEMA,
    VERSION,
    Stream,
    fact,
    new_memory_id,
    newest_id,
    set_fact,
    totals,
)
from hashpact_server.uploads.values import Values, Window, by_upload, pack, unpack

BATCH_ENTRIES_MAX: Final = 1024
"""Entries that count as listed at once."""

STEP_ENTRIES_MAX: Final = 64
"""Of these, as many are searched at a time, and fewer where they find many uploads."""

PAIRS_GOOD: Final = 100_000
"""Uploads that may match, entry by entry, that a search should find: they are held in memory."""

PAIRS_AT_ONCE: Final = 2_000
"""Of these, as many are compared and written in one transaction: others wait meanwhile."""

UNSAVED_ENTRIES_MAX: Final = 10_000
"""Entries without a consequence after which it is written down that they were searched; a start searches them again."""

TIDY_S: Final = 30.0
TRIED_AGAIN_S: Final = 1.0
LOAD_UPLOADS: Final = 4096

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Figures:
    """What happened since the start."""

    retro_matches: int = 0
    corrections: int = 0
    early: bounds.Early = field(default_factory=bounds.Early)


class UploadMemory:
    """Remembers uploads of a replica's members.

    Args:
        engine: the replica's list.
        folder: where the file is.
        settings: how much, and for how long.
        items_max: items that one upload is told of at once.
        clock_ms: Unix time in ms.

    Raises:
        Trouble: the file cannot be opened.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        settings: config.Uploads,
        items_max: int,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._engine = engine
        self.settings = settings
        self._items_max = items_max
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self.news = threading.Condition()
        """Notified when something waits to be watched."""
        self._searched = threading.Condition()
        self.closed = False
        self.figures = Figures()
        self.database = Database(folder / FILE, SCHEMA, version=VERSION)
        self._window = Window()
        self._entries_at_once = STEP_ENTRIES_MAX
        with resting(), self.database.write() as connection:
            self.memory_id, self.cursor = self._begin(connection)
            self._saved = self._claimed = self.cursor
            bounds.prune(connection, settings, bounds.now(connection, self._clock_ms()), self.figures.early)
            self._load(connection)
        self._thread = threading.Thread(target=self._run, name="hashpact-uploads", daemon=True)
        self._thread.start()

    def _begin(self, connection: Connection) -> tuple[bytes, int]:
        """The memory's id, and the newest entry that was searched."""
        head = self._engine.published.head
        memory_id, ledger_id, cursor = (fact(connection, name) for name in ("memory", "ledger", "cursor"))
        if isinstance(memory_id, bytes) and ledger_id == head.ledger_id and isinstance(cursor, int):
            return memory_id, min(cursor, head.sequence)
        # The first start, or the directory holds another list now: sequences of the old one mean nothing here.
        for table in ("uploads", "retro", "journal", "dropped"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
        memory_id = new_memory_id()
        for name, value in (("memory", memory_id), ("ledger", head.ledger_id), ("cursor", head.sequence)):
            set_fact(connection, name, value)
        return memory_id, head.sequence

    def _load(self, connection: Connection) -> None:
        rows = connection.execute("SELECT id, probe FROM uploads ORDER BY id")
        while block := rows.fetchmany(LOAD_UPLOADS):
            self._window.add((upload, unpack(probe)) for upload, probe in block)

    def close(self) -> None:
        """End watches and searching, and close the file."""
        self.end_watches()
        with self._engine.state.moved:
            self._engine.state.moved.notify_all()
        self._thread.join()
        with self._lock:
            self._save_cursor()
            self._window.close()
            self.database.close()

    def end_watches(self) -> None:
        """Let whoever watches know that nothing will come any more."""
        self.closed = True
        self.wake()

    def wake(self) -> None:
        """Let all who wait look again."""
        with self.news:
            self.news.notify_all()

    # Taking in.

    def remember(
        self,
        member: bytes,
        references: Sequence[str | None],
        batches: Sequence[Batch],
        seen: int,
        deadline: float = math.inf,
    ) -> None:
        """Remember uploads that were looked up; durable when it returns, and held against what they had not seen.

        Args:
            member: whose.
            references: one per upload; None: this one is left out.
            batches: their values.
            seen: the newest entry that the look-up had seen at least; published here.
            deadline: ``time.monotonic()`` after which the search of what came since is given up.

        Raises:
            Refusal: DEADLINE_EXCEEDED; some may be remembered, and be told of too little: all are to be sent again.
            DatabaseFullError: there is no room.
        """
        values = by_upload(batches, len(references))
        added: dict[int, int] = {}  # position -> upload id
        with self._changing() as (connection, changes):
            now_ms = bounds.now(connection, self._clock_ms())
            for place, reference in enumerate(references):
                if reference is not None:
                    changes.removed += bounds.forget_upload(connection, member, reference)
                    upload = _insert(connection, member, reference, seen, now_ms, pack(values[place]))
                    added[place] = upload
                    changes.added.append((upload, values[place]))
            changes.removed += bounds.prune(connection, self.settings, now_ms, self.figures.early)
            # What comes after is held against these too, since they are in the window then.
            claimed = self._claimed
        if seen < claimed:
            with self._engine.state.read() as view:
                listed = matching.of_list(self._engine, view, batches, (seen, claimed), self._items_max, deadline)
            told = noting.Told(self._items_max)
            for piece in matching.pieces(
                {added[at]: found for at, found in listed.items() if at in added}, PAIRS_AT_ONCE
            ):
                with self._engine.state.read() as view, self._lock:
                    self._write_matches(view, piece, told)

    def record(self, member: bytes, actions: Sequence[journal.Action]) -> list[int]:
        """Write down what was done; durable when it returns. Returns the positions of those about no item.

        Raises:
            DatabaseFullError: there is no room.
        """
        with self._changing() as (connection, _), self._engine.state.read() as view:
            missing = journal.record(connection, view, member, actions, self._clock_ms())
            bounds.prune_journal(connection, self.settings, self._clock_ms(), self.figures.early)
        self.wake()
        return missing

    def forget(self, member: bytes, references: Collection[str], before_ms: int | None) -> tuple[int, int]:
        """Forget uploads, what was done about them, and what of them waits; how many of the first two there were."""
        with self._changing() as (connection, changes):
            removed, actions = bounds.forget(connection, member, references, before_ms)
            changes.removed += removed
        return len(removed), actions

    def acknowledge(self, member: bytes, stream: Stream, last: int) -> None:
        """Drop what waits of a member up to an event."""
        if last:
            with self.database.write() as connection:
                connection.execute(
                    f"DELETE FROM {stream.table} WHERE member = ? AND event <= ?",  # noqa: S608 - our own words
                    (member, last),
                )

    def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Wait until an entry was held against what is remembered; whether it was in time."""
        with self._searched:
            return self._searched.wait_for(lambda: self.cursor >= sequence, timeout_s)

    # Figures.

    def counts(self) -> dict[str, int]:
        """Rows by what they are: uploads, retro, journal, corrections."""
        with self.database.read() as connection:
            return {name: totals(connection, name)[0] for name in ("uploads", "retro", "journal", "corrections")}

    @property
    def lag_entries(self) -> int:
        """Entries that were not held against the window yet."""
        return max(0, self._engine.published.head.sequence - self.cursor)

    # Following the list.

    def _run(self) -> None:
        core = self._engine.state
        tidy_at = time.monotonic() + TIDY_S
        while not self.closed:
            with core.moved:
                core.moved.wait_for(lambda: self.closed or self.lag_entries, max(0.0, tidy_at - time.monotonic()))
            try:
                while self.lag_entries and not self.closed:
                    self._follow()
                if time.monotonic() >= tidy_at and not self.closed:
                    self.tidy()
                    tidy_at = time.monotonic() + TIDY_S
            except Exception as error:  # noqa: BLE001 - without this thread nobody would be told of anything
                event(_LOGGER, logging.ERROR, "uploads: searching pauses", why=type(error).__name__, where=where(error))
                with self.news:
                    self.news.wait_for(lambda: self.closed, TRIED_AGAIN_S)

    def _follow(self) -> None:
        """Hold the next entries against window and journal, a few at a time."""
        with self._lock:
            # Only what is published: until then the matcher does not hold it, and ``remember`` relies on that it does.
            self._claimed = min(self._engine.published.head.sequence, self.cursor + BATCH_ENTRIES_MAX)
            with self.database.read() as connection:
                newest = newest_id(connection, "uploads")
        told = noting.Told(self._items_max)
        while self.cursor < self._claimed and not self.closed:
            self._step(newest, told)
            with self._searched:
                self._searched.notify_all()

    def _step(self, newest: int, told: noting.Told) -> None:
        """Hold some entries against the uploads up to the newest; the lock is free while they are searched."""
        with self._engine.state.read() as view:
            entries = _entries(view, self.cursor + 1, min(self._claimed, self.cursor + self._entries_at_once))
            changed = journal.changed_items(view, entries)
        pairs = matching.without(matching.of_entries(self._window, entries, newest), told.full())
        good = PAIRS_GOOD * len(entries) // max(1, len(pairs))
        self._entries_at_once = max(1, min(STEP_ENTRIES_MAX, 2 * self._entries_at_once, good))
        while len(pairs) > PAIRS_AT_ONCE and not self.closed:
            # Crash after this: what was written is found again, and told again.
            with self._engine.state.read() as view, self._lock:
                self._write_matches(view, matching.candidates(pairs[:PAIRS_AT_ONCE], entries), told)
            pairs = matching.without(pairs[PAIRS_AT_ONCE:], told.full())
        if self.closed:
            return
        found, until = matching.candidates(pairs, entries), entries[-1].sequence
        with self._engine.state.read() as view, self._lock:
            if found or self._concerns(changed) or until - self._saved >= UNSAVED_ENTRIES_MAX:
                with self.database.write() as connection:
                    news = self._note_matches(connection, view, found, told)
                    corrections = journal.compare(connection, view, changed)
                    set_fact(connection, "cursor", until)
                self._saved = until
                self.figures.corrections += corrections
                if news or corrections:
                    self.wake()
            self.cursor = until

    def _write_matches(self, view: View, found: matching.Candidates, told: noting.Told) -> None:
        """Note matches in a transaction of their own; with the lock held."""
        with self.database.write() as connection:
            news = self._note_matches(connection, view, found, told)
        if news:
            self.wake()

    def _note_matches(self, connection: Connection, view: View, found: matching.Candidates, told: noting.Told) -> int:
        oldest_ms = self._clock_ms() - self.settings.window_hours * bounds.HOUR_MS
        noted = noting.note(connection, view, found, told, oldest_ms)
        self.figures.retro_matches += noted
        return noted

    def _concerns(self, items: Collection[int] | None) -> bool:
        """Whether the journal has a record of any of these items."""
        if items is None:
            return True
        with self.database.read() as connection:
            if not totals(connection, "journal")[0]:
                return False
            such = (connection.execute("SELECT 1 FROM journal WHERE item = ? LIMIT 1", (item,)) for item in items)
            return any(each.fetchone() for each in such)

    def tidy(self) -> None:
        """Forget what is old, also when nothing new comes."""
        with self._changing() as (connection, changes):
            changes.removed += bounds.prune(
                connection, self.settings, bounds.now(connection, self._clock_ms()), self.figures.early
            )

    def _save_cursor(self) -> None:
        with self.database.write() as connection:
            set_fact(connection, "cursor", self.cursor)

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, _Changes]]:
        """A transaction, after which the window follows."""
        changes = _Changes([], [])
        with self._lock:
            with self.database.write() as connection:
                yield connection, changes
                # With whatever was found: after a crash it would be searched again, and told again.
                set_fact(connection, "cursor", self.cursor)
            self._saved = self.cursor
            gone = {upload for upload, _ in changes.removed}
            self._window.add(each for each in changes.added if each[0] not in gone)
            self._window.remove(changes.removed)


@dataclass(slots=True)
class _Changes:
    """(upload id, values) that a transaction added and removed."""

    added: list[tuple[int, Values]]
    removed: list[tuple[int, Values]]


def _insert(connection: Connection, member: bytes, reference: str, seen: int, now_ms: int, probe: bytes) -> int:
    size = len(probe) + len(reference.encode())
    added = connection.execute(
        "INSERT INTO uploads (member, reference, seen, time_ms, bytes, probe) VALUES (?, ?, ?, ?, ?, ?)",
        (member, reference, seen, now_ms, size, probe),
    )
    if added.lastrowid is None:
        raise AssertionError("an inserted row has a number")
    return added.lastrowid


def _entries(view: View, start: int, until: int) -> list[Entry]:
    found: list[Entry] = []
    entries: Iterable[Entry] = view.entries(start)
    for entry in entries:
        if entry.sequence > until:
            break
        found.append(entry)
    return found
