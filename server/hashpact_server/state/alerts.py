"""Alerts: what stewards have to look at. One row per alert, and one per alert that nobody acknowledged so far."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import LayoutError, Reader, u8, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View

_ALERT: Final = b"\x00"
_OPEN: Final = b"\x01"
"""First byte of the keys: alerts by sequence; those that nobody acknowledged by what they are about."""


class AlertKind(IntEnum):
    """What an alert is about; numbers as ``AlertKind`` on the wire."""

    FLOOD = 1
    PROBING = 2
    DISPUTES = 3
    BENIGN = 4
    LEAK = 5
    CHALLENGE = 6
    INCIDENT = 7
    CONTRIBUTIONS = 8


class AlertRow(NamedTuple):
    """An alert.

    Attributes:
        sequence: the entry that raised it; its id.
        kind: what it is about.
        item: the item that it is about; 0: none.
        member: pseudonym of the member that it is about; zero bytes: none.
        counted: how many there were of what was counted; 0: nothing was.
        acknowledged: the entry by which a steward acknowledged it; 0: nobody did.
    """

    sequence: int
    kind: AlertKind
    item: int
    member: bytes
    counted: int
    acknowledged: int = 0

    @property
    def key(self) -> bytes:
        """Key of its row."""
        return alert_key(self.sequence)

    @property
    def open_key(self) -> bytes:
        """Key of the row that says that nobody acknowledged it."""
        return open_key(self.kind, self.item, self.member)

    def encode(self) -> bytes:
        """The row's value."""
        return u8(self.kind) + u64(self.item) + self.member + u64(self.counted) + u64(self.acknowledged)

    @classmethod
    def decode(cls, sequence: int, value: bytes) -> AlertRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        number, item, member = reader.u8(), reader.u64(), reader.take(PSEUDONYM_BYTES)
        counted, acknowledged = reader.u64(), reader.u64()
        reader.end()
        try:
            return cls(sequence, AlertKind(number), item, member, counted, acknowledged)
        except ValueError as error:
            raise LayoutError(f"there is no kind of alert {number}") from error


def alert_key(sequence: int) -> bytes:
    """Key of an alert."""
    return _ALERT + u64(sequence)


def open_key(kind: AlertKind, item: int, member: bytes) -> bytes:
    """Key under which an alert stands until it is acknowledged: there is one at a time of what it is about."""
    return _OPEN + u8(kind) + u64(item) + member


def alert(view: View, sequence: int) -> AlertRow | None:
    """The alert with this id."""
    value = view.rows.get(Table.ALERTS, alert_key(sequence))
    return None if value is None else AlertRow.decode(sequence, value)


def alerts(view: View, *, after: int = 0, limit: int) -> list[AlertRow]:
    """Alerts by growing id, from the first id after ``after`` on."""
    found: list[AlertRow] = []
    for key, value in view.rows.scan(Table.ALERTS, start=alert_key(after + 1), prefix=_ALERT):
        if len(found) == limit:
            break
        found.append(AlertRow.decode(int.from_bytes(key[1:], "big"), value))
    return found


def open_alerts(view: View) -> Iterator[AlertRow]:
    """Alerts that nobody acknowledged, by what they are about."""
    for _, value in view.rows.scan(Table.ALERTS, prefix=_OPEN):
        row = alert(view, int.from_bytes(value, "big"))
        if row is not None:
            yield row


def open_alert(view: View, kind: AlertKind, item: int, member: bytes) -> AlertRow | None:
    """The alert about this that nobody acknowledged."""
    value = view.rows.get(Table.ALERTS, open_key(kind, item, member))
    return None if value is None else alert(view, int.from_bytes(value, "big"))
