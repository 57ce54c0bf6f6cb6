"""What entries about alerts and benign values do to the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import Reader, u16, u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads_safeguards import AlertClear
from hashpact_server.state.alerts import AlertKind, AlertRow, alert_key
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import Table


def _alert_raised(entry: Entry, scope: Scope) -> None:
    clear = AlertClear.decode(entry.clear)
    try:
        kind = AlertKind(clear.alert)
    except ValueError as error:
        raise UnknownEntryError(f"entry {entry.sequence} raises alert {clear.alert}: upgrade") from error
    row = AlertRow(entry.sequence, kind, clear.item, clear.member, clear.count)
    scope.rows.put(Table.ALERTS, row.key, row.encode())
    if scope.rows.put(Table.ALERTS, row.open_key, u64(entry.sequence)) is not None:
        raise ContradictionError(f"entry {entry.sequence} raises an alert that nobody has acknowledged so far")


def _alert_acknowledged(entry: Entry, scope: Scope) -> None:
    value = scope.rows.get(Table.ALERTS, alert_key(entry.subject))
    row = None if value is None else AlertRow.decode(entry.subject, value)
    if row is None or row.acknowledged:
        raise ContradictionError(f"entry {entry.sequence} acknowledges an alert that does not wait for it")
    scope.rows.put(Table.ALERTS, row.key, row._replace(acknowledged=entry.sequence).encode())
    scope.rows.delete(Table.ALERTS, row.open_key)


def _benign_listed(entry: Entry, scope: Scope) -> None:
    reader = Reader(entry.clear)
    values = reader.u16()
    reader.end()
    scope.rows.put(Table.BENIGN, u64(entry.sequence), u16(values))
    scope.changes.benign = True


def _benign_unlisted(entry: Entry, scope: Scope) -> None:
    if scope.rows.get(Table.BENIGN, u64(entry.subject)) is None:
        raise ContradictionError(f"entry {entry.sequence} takes off the benign list what is not on it")
    scope.rows.delete(Table.BENIGN, u64(entry.subject))
    scope.changes.benign = True


APPLY_SAFEGUARDS: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.ALERT_RAISED, 1): _alert_raised,
    (Kind.ALERT_ACKNOWLEDGED, 1): _alert_acknowledged,
    (Kind.BENIGN_LISTED, 1): _benign_listed,
    (Kind.BENIGN_UNLISTED, 1): _benign_unlisted,
}
"""{kind, format} -> function."""
