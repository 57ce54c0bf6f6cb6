"""Rolling back: what a member did to items since a time is undone, piece by piece, while everybody else works on.

Undone are contributions, amendments and withdrawals, opinions, and, where they are still open, disputes that it opened
and votes on others'. Signals that other standing contributors state stay. An item that nobody else speaks for leaves
the list. What is closed stays closed. What the member does after the order is not undone: suspend it first.

::

    motion carried --> ROLLBACK_ORDERED --> ROLLED_BACK (bounded, the newest acts first) ... --> ROLLBACK_FINISHED

A piece is looked for outside the writer and decided in it. How far it is stands in the state, so a server that was
killed goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads import RolledBackClear, Undone
from hashpact_server.ledger.payloads_steward import FinishedClear, RollbackClear
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.detaching import detach_leftovers
from hashpact_server.rules.duties import Duty
from hashpact_server.rules.members import existing_member
from hashpact_server.rules.undoing import settles, undone
from hashpact_server.scene import Scene
from hashpact_server.state.rollbacks import UNDOABLE, RollbackRow, is_undone, rollback, running
from hashpact_server.state.view import View

PIECE_ENTRIES_MAX: Final = 128
"""Entries undone in one act: everybody's writes wait as long as that takes."""

PIECE_KEPT_MAX: Final = 2**16
"""Positions of signals that stay listed in one entry: with any contribution more, it is far from too large."""

SEARCH_S_MAX: Final = 0.1
"""Time for which the ledger is searched at a stretch, outside the writer."""


PIECE_S_MAX: Final = 0.05
"""Time after which a piece ends, however many entries are left of it."""


EXTENT_ENTRIES_MAX: Final = 100_000
EXTENT_S_MAX: Final = 5.0
EXTENT_SPARE_S: Final = 1.0
"""Bounds of counting what a rollback would undo, and the time that is left for the answer."""


class _Search(NamedTuple):
    """How far the next piece was looked for: from ``upper`` down to ``reached`` there is nothing left but ``found``."""

    order: bytes
    upper: int
    reached: int
    found: tuple[int, ...]


def check(view: View, act: pb.StewardAct.RollBack) -> None:
    """Whether the member is there, did anything since, and is not being rolled back already.

    Raises:
        Refusal: MEMBER_NOT_FOUND, ROLLBACK_RUNNING, FIELD_INVALID.
    """
    member = existing_member(view, act.member)
    if _since_ms(act) > view.head.time_ms:
        raise invalid_field("roll_back.since_time", "nothing was written since then")
    if any(row.pseudonym == member.pseudonym for row in running(view.rows)):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ROLLBACK_RUNNING,
            f"an earlier rollback of {act.member} still goes on: wait until it is finished",
        )


def carry_out(scene: Scene, actor: bytes, act: pb.StewardAct.RollBack) -> None:
    """Order it; the work is done by the clock, piece by piece."""
    since_ms = _since_ms(act)
    clear = RollbackClear(existing_member(scene, act.member).pseudonym, since_ms, first_since(scene, since_ms))
    scene.record(Draft(Kind.ROLLBACK_ORDERED, actor, clear=clear.encode()))


def first_since(view: View, since_ms: int) -> int:
    """Sequence of the first entry of that time or later; times never fall, so it is found by halving."""
    low, high = 0, view.head.sequence + 1
    while low < high:
        middle = (low + high) // 2
        if view.entry(middle).time_ms < since_ms:
            low = middle + 1
        else:
            high = middle
    return low


def acts_of(view: View, pseudonym: bytes, *, first: int, upper: int) -> Iterator[int | None]:
    """Entries below ``upper`` that can be undone, the newest first; None for each other entry that was passed."""
    for sequence in range(upper - 1, first - 1, -1):
        entry = view.entry(sequence)
        mine = entry.member == pseudonym and entry.kind in UNDOABLE
        yield sequence if mine and not is_undone(view.rows, entry.subject, sequence) else None


class Extent(NamedTuple):
    """What a rollback would undo: entries, items that they are about, those that nobody else speaks for.

    ``more``: there was no time, or no room, to count them all.
    """

    entries: int
    items: int
    items_unlisted: int
    more: bool


def extent(view: View, act: pb.StewardAct.RollBack, deadline: float) -> Extent:
    """Count what a rollback would undo.

    Args:
        view: where it stands.
        act: checked.
        deadline: ``time.monotonic()`` by which somebody wants to know.
    """
    member = existing_member(view, act.member).pseudonym
    until = min(deadline - EXTENT_SPARE_S, time.monotonic() + EXTENT_S_MAX)
    first = first_since(view, _since_ms(act))
    items: set[int] = set()
    entries, more = 0, False
    for sequence in acts_of(view, member, first=first, upper=view.head.sequence + 1):
        if sequence is not None:
            entries += 1
            items.add(view.entry(sequence).subject)
        if entries >= EXTENT_ENTRIES_MAX or time.monotonic() > until:
            more = True
            break
    gone = 0
    for item in items:
        row = view.item(item)
        if row is None or not row.status.matches or time.monotonic() > until:
            continue
        # An item that was made before, and that only this member speaks for, keeps what it said then.
        alone = all(each.pseudonym == member for each in view.contributions(item))
        gone += alone and item >= first
    return Extent(entries, len(items), gone, more)


class RollbackDuty:
    """Works at the oldest rollback that goes on. What it remembers follows from the ledger, and may be forgotten."""

    def __init__(self) -> None:
        self._search = _Search(b"", 0, 0, ())

    def wanted(self, view: View, now_ms: int) -> bool:
        """Look for the next piece, for a bounded time; whether it is there, or the end is reached."""
        del now_ms
        row = next(running(view.rows), None)
        if row is None:
            return False
        search = self._search if self._found_for(view, row) else _Search(_order(view, row), row.upper, row.upper, ())
        found, reached = list(search.found), search.reached
        until = time.monotonic() + SEARCH_S_MAX
        for sequence in acts_of(view, row.pseudonym, first=row.first, upper=reached):
            reached -= 1
            if sequence is not None:
                found.append(sequence)
            if len(found) >= PIECE_ENTRIES_MAX or time.monotonic() > until:
                break
        self._search = search._replace(reached=reached, found=tuple(found))
        return len(found) >= PIECE_ENTRIES_MAX or reached <= row.first

    def carry_out(self, scene: Scene) -> bool:
        """Undo what was found; whether there is more to do."""
        row = next(running(scene.rows), None)
        if row is None:
            return False
        if not self._found_for(scene, row):
            return True
        if _undo(scene, row, self._search.found) and self._search.reached <= row.first:
            done = rollback(scene.rows, row.rollback) or row
            clear = FinishedClear(done.undone).encode()
            scene.record(Draft(Kind.ROLLBACK_FINISHED, SERVICE, row.rollback, clear=clear))
        return next(running(scene.rows), None) is not None

    def _found_for(self, view: View, row: RollbackRow) -> bool:
        """Whether what was found is still what comes next."""
        return (self._search.order, self._search.upper) == (_order(view, row), row.upper)


def duty() -> Duty:
    """The work at rollbacks, for one clockwork."""
    made = RollbackDuty()
    return Duty(made.wanted, made.carry_out)


def _order(view: View, row: RollbackRow) -> bytes:
    """What tells this rollback from every other one, of other lists too: its commitment is salted."""
    return view.entry(row.rollback).commitment


def _undo(scene: Scene, row: RollbackRow, found: Iterable[int]) -> bool:
    """Undo these entries; whether all were undone before time was up.

    Each entry of ours undoes at most one act on an item, since the next one builds on what it left.
    """
    piece: dict[int, Undone] = {}
    until = time.monotonic() + PIECE_S_MAX
    for sequence in found:
        if time.monotonic() > until:
            break
        entry = scene.entry(sequence)
        if entry.subject in piece or sum(len(each.kept) for each in piece.values()) > PIECE_KEPT_MAX:
            _record(scene, row, piece)
        piece[entry.subject] = undone(scene, entry)
    else:
        _record(scene, row, piece)
        return True
    _record(scene, row, piece)
    return False


def _record(scene: Scene, row: RollbackRow, piece: dict[int, Undone]) -> None:
    if piece:
        clear = RolledBackClear(tuple(piece.values())).encode()
        scene.record(Draft(Kind.ROLLED_BACK, SERVICE, row.rollback, clear=clear))
    for each in piece.values():
        item = scene.item(each.item)
        if item is not None and item.status.matches and settles(scene, scene.entry(each.sequence), each, row.first):
            detach_leftovers(scene, SERVICE, each.item)
    piece.clear()


def _since_ms(act: pb.StewardAct.RollBack) -> int:
    try:
        asked = act.since_time.ToMilliseconds() if act.HasField("since_time") else -1
    except ValueError:
        asked = -1
    if asked < 0:
        raise invalid_field("roll_back.since_time", "say since when")
    return asked
