"""Apply, of entries about incidents; and what contributions under one, and the standing of its items, do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hashpact_server.ledger.codec import Reader, u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads_incidents import (
    AcknowledgedClear,
    DrillClear,
    IncidentClear,
    incidents_in,
)
from hashpact_server.state.incidents import (
    BY_INCIDENT,
    BY_ITEM,
    AcknowledgementRow,
    IncidentRow,
    State,
    acknowledgement_key,
    incident_key,
    incidents_of,
    read_incident,
)
from hashpact_server.state.rows import Status
from hashpact_server.state.scope import ContradictionError, Scope
from hashpact_server.state.tables import Due, Table

SETTLED: Final = frozenset((Status.CORROBORATED, Status.WITHDRAWN, Status.EXPIRED))
"""Where an item stands that expires no more with its incident."""


def note_contribution(entry: Entry, scope: Scope, *, created: bool) -> None:
    """Put a contribution under the incidents that its clear part names; an item that it created may expire."""
    if len(entry.clear) == 1:  # nearly always
        return
    rows = [_live(entry, incident, scope) for incident in incidents_in(entry.clear)]
    expires = [row.rules.expiry_ms for row in rows if row.rules.expiry_ms] if created else []
    settled = Reader(entry.clear).u8() == Status.CORROBORATED
    due_ms = entry.time_ms + max(expires) if expires and not settled else 0
    for row in rows:
        _count(entry, row, 1, entry.subject, scope)
        key = BY_ITEM + u64(entry.subject) + u64(row.incident)
        if created or scope.rows.get(Table.INCIDENT_ITEMS, key) is None:
            scope.rows.put(Table.INCIDENT_ITEMS, key, u64(due_ms))
        scope.changes.incident_items.append((row.incident, entry.subject))
    scope.set_due(due_ms, Due.ITEM_EXPIRY, entry.subject)


def settle_expiry(item: int, scope: Scope) -> None:
    """An item that was corroborated, or is closed, expires no more."""
    for incident, due_ms in incidents_of(scope.rows, item):
        if due_ms:
            scope.clear_due(due_ms, Due.ITEM_EXPIRY, item)
            scope.rows.put(Table.INCIDENT_ITEMS, BY_ITEM + u64(item) + u64(incident), u64(0))


def _opened(entry: Entry, scope: Scope) -> None:
    clear = IncidentClear.decode(entry.clear)
    row = IncidentRow(
        incident=entry.sequence,
        state=State.OPEN if clear.open else State.CALLED,
        drill=clear.drill,
        pseudonym=entry.member,
        create_ms=entry.time_ms,
        duration_ms=clear.duration_ms,
        open_ms=entry.time_ms if clear.open else 0,
        end_ms=clear.end_ms,
        end=0,
        contributions=0,
        sequence=entry.sequence,
        update_ms=entry.time_ms,
        rules=clear.rules,
    )
    scope.set_due(row.end_ms, Due.INCIDENT, row.incident)
    _put(row, scope)


def _prolonged(entry: Entry, scope: Scope) -> None:
    row = _live(entry, entry.subject, scope)
    reader = Reader(entry.clear)
    end_ms = reader.u64()
    reader.end()
    scope.clear_due(row.end_ms, Due.INCIDENT, row.incident)
    scope.set_due(end_ms, Due.INCIDENT, row.incident)
    open_ms = row.open_ms or entry.time_ms
    _put(
        replace(
            row, state=State.OPEN, open_ms=open_ms, end_ms=end_ms, sequence=entry.sequence, update_ms=entry.time_ms
        ),
        scope,
    )


def _closed(entry: Entry, scope: Scope) -> None:
    row = _live(entry, entry.subject, scope)
    reader = Reader(entry.clear)
    end = reader.u8()
    reader.end()
    scope.clear_due(row.end_ms, Due.INCIDENT, row.incident)
    scope.rows.delete(Table.INCIDENTS, incident_key(row.incident, over=False))
    _put(
        replace(
            row, state=State.CLOSED, end_ms=entry.time_ms, end=end, sequence=entry.sequence, update_ms=entry.time_ms
        ),
        scope,
    )


def _acknowledged(entry: Entry, scope: Scope) -> None:
    clear = AcknowledgedClear.decode(entry.clear)
    _live(entry, entry.subject, scope)
    scope.rows.put(
        Table.INCIDENT_ACKS,
        acknowledgement_key(entry.subject, clear.receiver, entry.member),
        AcknowledgementRow(entry.member, entry.sequence, entry.time_ms, clear.until_ms).encode(),
    )


def _rehearsed(entry: Entry, scope: Scope) -> None:
    row = _live(entry, entry.subject, scope)
    _count(entry, row, sum(DrillClear.decode(entry.clear).results), 0, scope)


def _live(entry: Entry, incident: int, scope: Scope) -> IncidentRow:
    row = read_incident(scope.rows, incident)
    if row is None or row.state is State.CLOSED:
        raise ContradictionError(f"entry {entry.sequence} is about an incident that does not exist or is over")
    return row


def _count(entry: Entry, row: IncidentRow, contributions: int, item: int, scope: Scope) -> None:
    scope.rows.put(Table.INCIDENT_ITEMS, BY_INCIDENT + u64(row.incident) + u64(entry.sequence), u64(item))
    _store(replace(row, contributions=row.contributions + contributions), scope)


def _put(row: IncidentRow, scope: Scope) -> None:
    _store(row, scope)
    scope.changes.incidents = True


def _store(row: IncidentRow, scope: Scope) -> None:
    scope.rows.put(Table.INCIDENTS, incident_key(row.incident, over=row.state is State.CLOSED), row.encode())


APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.INCIDENT_OPENED, 1): _opened,
    (Kind.INCIDENT_PROLONGED, 1): _prolonged,
    (Kind.INCIDENT_CLOSED, 1): _closed,
    (Kind.INCIDENT_ACKNOWLEDGED, 1): _acknowledged,
    (Kind.DRILL_CONTRIBUTED, 1): _rehearsed,
}
"""{kind, format} -> function."""
