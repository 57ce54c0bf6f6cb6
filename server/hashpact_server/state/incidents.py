"""Incidents in the state: rows, and what is asked of them.

::

    incidents        over u8, incident u64            IncidentRow: those that are not over stand first
    incident_items   1, incident u64, sequence u64    item u64 that this entry contributed to; 0 in a drill
                     2, item u64, incident u64        expiry_ms u64 of the item; 0: none
    incident_acks    incident u64, receiver u8,       sequence u64, time_ms u64, until_ms u64
                     pseudonym (16)

All of it comes from the clear parts of entries. What people wrote (name, type, summary) is read from the entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hashpact_server.ledger.codec import Reader, u8, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES
from hashpact_server.ledger.payloads_incidents import IncidentPayload, IncidentRules
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View

BY_INCIDENT: Final = b"\x01"
BY_ITEM: Final = b"\x02"
LABEL_PREFIX: Final = "incident:"


class State(IntEnum):
    """Where an incident stands; numbers as ``IncidentState`` on the wire."""

    CALLED = 1
    OPEN = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident.

    Attributes:
        incident: the sequence that it began with.
        state: where it stands.
        drill: whether it is a rehearsal.
        pseudonym: who opened or called for it.
        create_ms: when that was.
        duration_ms: for how long it was to be open.
        open_ms: when it became open; 0: it is not.
        end_ms: when it ends or ended, or until when it can be supported.
        end: why it is over, an ``End`` number; 0: it is not.
        contributions: under it; in a drill those that were rehearsed.
        sequence: of the entry that opened, prolonged or closed it last.
        update_ms: when that was.
        rules: what holds while it is open.
    """

    incident: int
    state: State
    drill: bool
    pseudonym: bytes
    create_ms: int
    duration_ms: int
    open_ms: int
    end_ms: int
    end: int
    contributions: int
    sequence: int
    update_ms: int
    rules: IncidentRules

    @property
    def is_open(self) -> bool:
        """Whether its rules hold."""
        return self.state is State.OPEN

    def encode(self) -> bytes:
        """The row's value."""
        return b"".join(
            (
                u8(self.state),
                u8(self.drill),
                self.pseudonym,
                u64(self.create_ms),
                u64(self.duration_ms),
                u64(self.open_ms),
                u64(self.end_ms),
                u8(self.end),
                u64(self.contributions),
                u64(self.sequence),
                u64(self.update_ms),
                self.rules.encode(),
            )
        )

    @classmethod
    def decode(cls, incident: int, value: bytes) -> IncidentRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(
            incident,
            State(reader.u8()),
            bool(reader.u8()),
            reader.take(PSEUDONYM_BYTES),
            reader.u64(),
            reader.u64(),
            reader.u64(),
            reader.u64(),
            reader.u8(),
            reader.u64(),
            reader.u64(),
            reader.u64(),
            IncidentRules.read(reader),
        )
        reader.end()
        return row


@dataclass(frozen=True, slots=True)
class AcknowledgementRow:
    """A member's acknowledgement, or its support until a time."""

    pseudonym: bytes
    sequence: int
    time_ms: int
    until_ms: int

    def encode(self) -> bytes:
        """The row's value."""
        return u64(self.sequence) + u64(self.time_ms) + u64(self.until_ms)

    @classmethod
    def decode(cls, pseudonym: bytes, value: bytes) -> AcknowledgementRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(pseudonym, reader.u64(), reader.u64(), reader.u64())
        reader.end()
        return row


def incident_key(incident: int, *, over: bool) -> bytes:
    """Key of an incident: those that are not over stand together, and are few."""
    return u8(over) + u64(incident)


def acknowledgement_key(incident: int, receiver: int, pseudonym: bytes = b"") -> bytes:
    """Key of an acknowledgement; without a pseudonym what all of them begin with."""
    return u64(incident) + u8(receiver) + pseudonym


def read_incident(rows: RowReader, incident: int) -> IncidentRow | None:
    """The incident with this id, also when it is over."""
    for over in (False, True):
        value = rows.get(Table.INCIDENTS, incident_key(incident, over=over))
        if value is not None:
            return IncidentRow.decode(incident, value)
    return None


def incident_of(view: View, incident: int) -> IncidentRow | None:
    """The incident with this id, also when it is over."""
    return read_incident(view.rows, incident)


def live_incidents(view: View) -> Iterator[IncidentRow]:
    """Incidents that are not over, oldest first."""
    return _incidents(view, over=False)


def past_incidents(view: View) -> Iterator[IncidentRow]:
    """Incidents that are over, oldest first."""
    return _incidents(view, over=True)


def _incidents(view: View, *, over: bool) -> Iterator[IncidentRow]:
    for key, value in view.rows.scan(Table.INCIDENTS, prefix=u8(over)):
        yield IncidentRow.decode(int.from_bytes(key[1:], "big"), value)


def words_of(view: View, incident: int) -> IncidentPayload:
    """What people wrote about it; empty after a redaction."""
    payload = view.entry(incident).payload
    return IncidentPayload("", "", "") if payload is None else IncidentPayload.decode(payload)


def acknowledgements(view: View, incident: int, receiver: int) -> list[AcknowledgementRow]:
    """Who acknowledged or supports it, by pseudonym."""
    prefix = acknowledgement_key(incident, receiver)
    return [
        AcknowledgementRow.decode(key[len(prefix) :], value)
        for key, value in view.rows.scan(Table.INCIDENT_ACKS, prefix=prefix)
    ]


def contributions_under(view: View, incident: int) -> Iterator[tuple[int, int]]:
    """(sequence, item) of the contributions under an incident, oldest first; of a drill with item 0."""
    for key, value in view.rows.scan(Table.INCIDENT_ITEMS, prefix=BY_INCIDENT + u64(incident)):
        yield int.from_bytes(key[9:], "big"), int.from_bytes(value, "big")


def items_under(view: View, incident: int) -> set[int]:
    """Items under an incident."""
    return {item for _, item in contributions_under(view, incident) if item}


def incidents_of(rows: RowReader, item: int) -> list[tuple[int, int]]:
    """(incident, when the item expires in Unix ms or 0) of each incident that an item is under."""
    return [
        (int.from_bytes(key[9:], "big"), int.from_bytes(value, "big"))
        for key, value in rows.scan(Table.INCIDENT_ITEMS, prefix=BY_ITEM + u64(item))
    ]


def open_by_label(view: View, labels: Iterable[str]) -> list[IncidentRow]:
    """The open incidents, drills among them, that labels name (``incident:NAME``)."""
    named = [label for label in labels if label.startswith(LABEL_PREFIX)]
    if not named:  # nearly always
        return []
    names = {label.removeprefix(LABEL_PREFIX) for label in named}
    return [row for row in live_incidents(view) if row.is_open and words_of(view, row.incident).name in names]
