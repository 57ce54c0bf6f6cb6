"""What a rule sees while it decides: the state, searchable, with everything that was recorded before its turn.

A scene lives inside the writer's transaction and belongs to the writer's thread. What a rule records is appended to
the ledger and applied to the state at once, so that the next rule of the same group sees it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hashpact.v1 import error_reason_pb2

from hashpact_server.benign import BenignValues
from hashpact_server.ledger.base import Committed, Head
from hashpact_server.ledger.embedded import LedgerWriter
from hashpact_server.ledger.entry import Draft, Entry, Kind
from hashpact_server.ledger.merkle import EMPTY_ROOT
from hashpact_server.ledger.payloads import EpochClear
from hashpact_server.matcher import Matcher, Neighbours, Wanted
from hashpact_server.recent import Recent
from hashpact_server.refusal import Refusal
from hashpact_server.state.apply import apply
from hashpact_server.state.row_store import WritableRows
from hashpact_server.state.scope import Changes, Scope
from hashpact_server.state.view import Fact, View


class Undo(Exception):  # noqa: N818 - control flow: ends a trial that shall leave no trace
    """Raised inside :meth:`Scene.trial` to undo what was recorded in it."""


class Scene(View):
    """The state inside a write transaction, with the means to change it.

    Args:
        rows: the state's rows in the write transaction.
        ledger: the ledger in it.
        head: where the ledger stood when the transaction began.
        matcher: the indexes over what is committed.
        recent: what was listed lately.
        benign: the benign list as it was committed.
    """

    def __init__(
        self,
        rows: WritableRows,
        ledger: LedgerWriter,
        head: Head,
        matcher: Matcher,
        recent: Recent,
        benign: BenignValues,
    ) -> None:
        super().__init__(rows, ledger, head)
        self._writable = rows
        self._appending = ledger
        self._matcher = matcher
        self._recent = recent
        self._benign = benign
        self._epoch = head.epoch
        self.changes = Changes()
        self._scope = Scope(rows, ledger, self.changes)
        self.deadline = math.inf
        self._settled: frozenset[Wanted] = frozenset()

    @property
    def head(self) -> Head:
        """Where the ledger stands, with what was recorded so far. Its root is only known after the commit."""
        start, ledger = self._head, self._appending
        if ledger.sequence == start.sequence:
            return start
        return Head(start.ledger_id, self._epoch, ledger.sequence, ledger.time_ms, EMPTY_ROOT)

    def once(self, work_out: Callable[..., Fact], *asked: Any) -> Fact:
        """Worked out each time: this state changes."""
        return work_out(self, *asked)

    @property
    def now_ms(self) -> int:
        """The time that the next entry will carry, in Unix ms."""
        return self._appending.now_ms()

    @property
    def benign(self) -> BenignValues:
        """The benign list, with what was recorded so far."""
        return BenignValues.read(self) if self.changes.benign else self._benign

    def check_deadline(self) -> None:
        """Give up when the act's time is over: a rule asks before each piece of work that may be one of very many.

        There is one writer, so an act that goes on for ever would keep everybody's writes from happening.

        Raises:
            Refusal: DEADLINE_EXCEEDED; the act is undone.
        """
        if time.monotonic() > self.deadline:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_DEADLINE_EXCEEDED,
                "the deadline passed while the write was decided; nothing was written, send less at once",
            )

    def record(self, draft: Draft) -> Entry:
        """Append an entry and let it take effect."""
        outcome = self._appending.append([draft], self._appending.sequence)
        if not isinstance(outcome, Committed):
            raise AssertionError("nobody else appends to an embedded ledger")
        entry = outcome.entries[0]
        self._take_effect(entry)
        return entry

    def adopt(self, entry: Entry) -> None:
        """Append an entry that another server wrote, and let it take effect; raises what ``apply`` raises."""
        self._appending.adopt(entry)
        self._take_effect(entry)

    def root(self) -> bytes:
        """Root of the tree over the ledger with what was recorded so far."""
        return self._appending.root()

    def _take_effect(self, entry: Entry) -> None:
        added = len(self.changes.added)
        apply(entry, self._scope)
        self._recent.add(self.changes.added[added:])
        if entry.kind == Kind.REDACTED:
            self._appending.redact(entry.subject)
        elif entry.kind == Kind.EPOCH_STARTED:
            self._epoch = EpochClear.decode(entry.clear).epoch

    def settle(self, hint: Neighbours | None) -> None:
        """Look once, for all values of a request, whether anything was listed near them since they were searched.

        The searches of most of them are then complete for the rest of the act, which must list no perceptual values
        but those that the hint was made for.
        """
        if hint:
            self._settled = frozenset(self._recent.undisturbed(hint))

    def near(self, code: int, value: bytes, radius: int, hint: Neighbours | None = None) -> list[tuple[int, int]]:
        """The closest live items with a signal of this type within ``radius`` bits, as (item, distance), closest first.

        All that have this very value, and beside them as many as ``matcher.NEAR_HITS_MAX`` lets through.

        Args:
            code: code of a perceptual signal type.
            value: the value.
            radius: in bits, inclusive.
            hint: what :meth:`Matcher.neighbours` found before; used where it is fresh enough.
        """
        since = hint.sequence if hint else -1
        found = hint.found.get((code, value, radius)) if hint and self._recent.covers(code, since) else None
        if found is None:
            since = self._matcher.sequence
            found = self._matcher.near(code, value, radius)
            later = self._recent.near(code, value, radius, since)
        else:
            settled = (code, value, radius) in self._settled
            later = [] if settled else self._recent.near(code, value, radius, since)
        if not found and not later:  # nearly always
            return []
        best: dict[int, int] = {}
        for signal, item, distance in (*found, *later):
            if distance < best.get(item, radius + 1) and self.lists(code, signal):
                best[item] = distance
        return sorted(best.items(), key=lambda pair: (pair[1], pair[0]))

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is recorded in the block is undone alone when it raises; :class:`Undo` undoes it and goes on."""
        ledger_mark, rows_mark = self._appending.mark(), self._writable.mark()
        added, removed, people = len(self.changes.added), len(self.changes.removed), self.changes.people
        digests, benign = len(self.changes.digests), self.changes.benign
        incidents, incident_items = self.changes.incidents, len(self.changes.incident_items)
        epoch, recent_mark = self._epoch, self._recent.mark()
        self._settled = frozenset()
        try:
            yield
        except BaseException as error:
            self._appending.rewind(ledger_mark)
            self._writable.rewind(rows_mark)
            self._recent.rewind(recent_mark)
            del self.changes.added[added:], self.changes.removed[removed:], self.changes.digests[digests:]
            del self.changes.incident_items[incident_items:]
            self.changes.people, self.changes.benign, self.changes.incidents = people, benign, incidents
            self._epoch = epoch
            if not isinstance(error, Undo):
                raise
