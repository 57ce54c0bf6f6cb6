"""What the entries of stewards do to the state: motions, rulebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import Reader, u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads_steward import MotionClear
from hashpact_server.state.motions import MotionRow, MotionState
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import Due, Table


def _motion_proposed(entry: Entry, scope: Scope) -> None:
    clear = MotionClear.decode(entry.clear)
    row = MotionRow(entry.sequence, MotionState.OPEN, clear.act, entry.member, clear.lapse_ms)
    scope.rows.put(Table.MOTIONS, u64(entry.sequence), row.encode())
    scope.set_due(clear.lapse_ms, Due.MOTION, entry.sequence)


def _motion_seconded(entry: Entry, scope: Scope) -> None:
    _end_motion(entry, scope, MotionState.CARRIED)


def _motion_closed(entry: Entry, scope: Scope) -> None:
    number = Reader(entry.clear).u8()
    if number not in (MotionState.WITHDRAWN, MotionState.LAPSED):
        raise UnknownEntryError(f"entry {entry.sequence} ends a motion in way {number}: upgrade")
    _end_motion(entry, scope, MotionState(number))


def _end_motion(entry: Entry, scope: Scope, state: MotionState) -> None:
    value = scope.rows.get(Table.MOTIONS, u64(entry.subject))
    row = None if value is None else MotionRow.decode(entry.subject, value)
    if row is None or row.state is not MotionState.OPEN:
        raise ContradictionError(f"entry {entry.sequence} ends a motion that does not exist or has ended")
    row = row._replace(state=state, closed=entry.sequence, closer=entry.member)
    scope.rows.put(Table.MOTIONS, u64(row.motion), row.encode())
    scope.clear_due(row.lapse_ms, Due.MOTION, row.motion)


APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.MOTION_PROPOSED, 1): _motion_proposed,
    (Kind.MOTION_SECONDED, 1): _motion_seconded,
    (Kind.MOTION_CLOSED, 1): _motion_closed,
}
