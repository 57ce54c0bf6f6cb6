"""The heart: store, ledger, state, matcher and what is published of them, kept in step.

The writer works on a :class:`Core`; everybody else reads through it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from hashpact_server import idempotency
from hashpact_server.benign import BenignValues
from hashpact_server.board import Board
from hashpact_server.collector import resting
from hashpact_server.ledger import embedded
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.embedded import LedgerReader, LedgerWriter, Tip
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.store import Store, StoreError, WriteTx
from hashpact_server.matcher import Matcher
from hashpact_server.recent import Recent
from hashpact_server.roster import Roster
from hashpact_server.scene import Scene
from hashpact_server.state import tables
from hashpact_server.state.known_types import require_known_types
from hashpact_server.state.row_store import StoredRows, WritableRows
from hashpact_server.state.scope import Changes
from hashpact_server.state.tables import Table
from hashpact_server.state.view import Facts, View

STORE_FOLDER: Final = "store"
INDEX_FOLDER: Final = "index"
STORE_TABLES: Final = (*embedded.TABLES, *tables.TABLES, *idempotency.TABLES)


def wall_clock_ms() -> int:
    """Unix time in ms."""
    return time.time_ns() // 1_000_000


class NoListError(StoreError):
    """There is no list in this store: it was never initialised."""


class Moment(NamedTuple):
    """A published head, and what was worked out from the state as it stands there; both are swapped together."""

    head: Head
    facts: Facts


@dataclass(slots=True)
class Published:
    """What the world may know: swapped by the writer after each commit, read by everybody without a lock."""

    moment: Moment
    roster: Roster
    benign: BenignValues
    board: Board

    @property
    def head(self) -> Head:
        """The newest published head."""
        return self.moment.head


@dataclass(slots=True)
class Opened:
    """One write transaction with all that hangs on it. ``dirty``: there is something to commit."""

    tx: WriteTx
    start: Head
    rows: WritableRows
    ledger: LedgerWriter
    scene: Scene
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """What memory becomes when the transaction is durable."""

    head: Head
    tip: Tip
    changes: Changes
    roster: Roster | None
    benign: BenignValues | None
    board: Board | None


def read_head(ledger: LedgerReader, rows: StoredRows) -> Head:
    """The head of a stored list.

    Raises:
        NoListError: there is none.
        StoreError: ledger and state do not stand at the same entry.
    """
    tip = ledger.tip()
    if tip.sequence < 0:
        raise NoListError("this store holds no list yet")
    if rows.head()[0] != tip.sequence:
        raise StoreError(f"the ledger ends at entry {tip.sequence}, the state at {rows.head()[0]}: run fsck")
    genesis = ledger.entry(0)
    if genesis.kind != Kind.GENESIS:
        raise StoreError("the ledger does not begin with a genesis entry: run fsck")
    *_, (epoch, _) = rows.scan(Table.EPOCHS)
    return Head(genesis.clear, int.from_bytes(epoch, "big"), tip.sequence, tip.time_ms, tip.frontier.root())


class Core:
    """What the writer works on.

    Args:
        store: the open store; must hold a list.
        clock_ms: Unix time in ms.
        index_folder: where the indexes are kept between runs; None: in memory only.
    """

    def __init__(
        self, store: Store, clock_ms: Callable[[], int] = wall_clock_ms, index_folder: Path | None = None
    ) -> None:
        self.store = store
        self._clock_ms = clock_ms
        self.moved = threading.Condition()
        """Notified after each commit was published."""
        self.board_moved = threading.Condition()
        """Notified after an incident was opened, prolonged or closed; and when those who wait for that shall look."""
        self.redacted = -1
        """Number of the newest entry that may have taken away a private part; told before it is durable, so that
        whoever reads without that part knows that what was read earlier is old."""
        with resting(), self._whole_view() as view:
            require_known_types(view.rows)
            self.matcher = Matcher(view, index_folder)
            self._follow(view)

    def now_ms(self) -> int:
        """The time that the next entry would carry, in Unix ms."""
        return max(self.published.head.time_ms, self._clock_ms())

    @contextmanager
    def _whole_view(self) -> Iterator[View]:
        """The state as stored, with the ledger's right edge read on the way."""
        try:
            with self.store.read() as tx:
                ledger, rows = LedgerReader(tx), StoredRows(tx)
                head = read_head(ledger, rows)
                self._tip, self._edge = ledger.tip(), ledger.right_edge()
                yield View(rows, ledger, head)
        except (LookupError, ValueError) as error:
            raise StoreError(f"the store is damaged ({error}): run fsck") from error

    def _follow(self, view: View) -> None:
        moment = Moment(view.head, Facts())
        self.published = Published(moment, Roster.read(view), BenignValues.read(view), Board.read(view))
        self._recent = Recent(view.head.sequence)

    def _reload(self) -> None:
        with resting(), self._whole_view() as view:
            self.matcher.rebuild(view)
            self._follow(view)

    @contextmanager
    def read(self) -> Iterator[View]:
        """The state as of now; a short read transaction."""
        with self.store.read() as tx:
            ledger, rows = LedgerReader(tx), StoredRows(tx)
            head, facts = self.published.moment
            # The view may stand elsewhere than what is published, between a commit and its publication.
            if rows.head()[0] != head.sequence:
                head, facts = read_head(ledger, rows), Facts()
            yield View(rows, ledger, head, facts)

    def begin(self) -> Opened:
        """Begin the write transaction; only in the writer's thread."""
        head = self.published.head
        self._recent.turn(head.sequence)
        tx = self.store.write()
        try:
            rows, ledger = WritableRows(tx), LedgerWriter(tx, self._tip, self._clock_ms)
        except BaseException:
            tx.abort()  # one that is left open keeps the store from ever being closed
            raise
        return Opened(
            tx, head, rows, ledger, Scene(rows, ledger, head, self.matcher, self._recent, self.published.benign)
        )

    def seal(self, opened: Opened) -> Sealed:
        """Write what is written once per group: tiles, heads, digests."""
        if opened.ledger.redacts:
            self.redacted = opened.ledger.sequence
        tip = opened.ledger.finish(self._edge)
        opened.rows.finish(tip.sequence)
        reached = opened.scene.head
        head = Head(reached.ledger_id, reached.epoch, tip.sequence, tip.time_ms, tip.frontier.root())
        changes = opened.scene.changes
        view = View(opened.rows, opened.ledger, head)
        roster = Roster.read(view) if changes.people else None
        benign = BenignValues.read(view) if changes.benign else None
        board = Board.read(view) if changes.incidents else None
        return Sealed(head, tip, changes, roster, benign, board)

    def commit(self, opened: Opened) -> None:
        """Make the transaction durable; raises CommitUnknownError."""
        self.store.commit(opened.tx)

    def publish(self, sealed: Sealed) -> None:
        """Let the world see what is durable: first what is found, then who may ask, then how far we are."""
        self._tip = sealed.tip
        self.matcher.follow(sealed.changes, sealed.head.sequence)
        if sealed.roster is not None:
            self.published.roster = sealed.roster
        if sealed.benign is not None:
            self.published.benign = sealed.benign
        if sealed.board is not None:
            self.published.board = sealed.board
        elif sealed.changes.incident_items:
            self.published.board.add(sealed.changes.incident_items)
        self.published.moment = Moment(sealed.head, Facts())
        with self.moved:
            self.moved.notify_all()
        if sealed.board is not None:
            self.wake_board()

    def wake_board(self) -> None:
        """Let all who wait for an incident look."""
        with self.board_moved:
            self.board_moved.notify_all()

    def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """Wait until an entry is published; whether it was in time."""
        with self.moved:
            return self.moved.wait_for(lambda: self.published.head.sequence >= sequence, timeout_s)

    def forget_recent(self) -> None:
        """After an aborted group: what it recorded is gone, and so is the right edge it had moved."""
        self._recent = Recent(self.published.head.sequence)
        with self.store.read() as tx:
            self._edge = LedgerReader(tx).right_edge()

    def recover(self) -> None:
        """After a failed commit: open the store again and rebuild everything in memory from it."""
        self.store.reopen()
        self.store.sync()
        self._reload()
        with self.moved:  # the group may be there
            self.moved.notify_all()
        self.wake_board()


def open_store(data_dir: Path, *, store_bytes_max: int | None = None, reading: bool = False) -> Store:
    """The store of a data directory; ``reading``: beside whoever writes it."""
    path = data_dir / STORE_FOLDER
    if store_bytes_max is None:
        return Store(path, STORE_TABLES, reading=reading)
    return Store(path, STORE_TABLES, store_bytes_max=store_bytes_max, reading=reading)
