"""What the entries about incidents say, format 1.

::

    kind                     clear                                                  payload
    INCIDENT_OPENED          drill u8, open u8 (0: called for), duration_ms u64,    name text, type text, summary text
                             end_ms u64, rules
    INCIDENT_PROLONGED       end_ms u64                                             -
    INCIDENT_CLOSED          end u8                                                 -
    INCIDENT_ACKNOWLEDGED    receiver u8, until_ms u64 (0: does not support it)     -
    DRILL_CONTRIBUTED        six u32: contributions by ``Result``; signals u32      -

    rules: groups_min u8, trial_items u32, expiry_ms u64, u8 count, each signal_type u16, radius u16

The subject is the incident: the sequence of its INCIDENT_OPENED. Contributions name the incidents that they are under
in their own clear part, see :func:`incidents_in`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hashpact_server.ledger.codec import Reader, text, u8, u16, u32, u64

RESULTS: Final = 6
"""Results of a contribution, which a drill counts; as ``rules.outcomes.Result``."""


class End(IntEnum):
    """Why an incident is over; numbers as ``IncidentEnd`` on the wire."""

    TIME = 1
    CLOSED = 2
    NOT_SUPPORTED = 3


class Receiver(IntEnum):
    """Who knows of an incident; numbers as ``IncidentReceiver`` on the wire, and one who supports it."""

    SOFTWARE = 1
    PERSON = 2
    SUPPORTER = 3


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """Rules that hold while an incident is open.

    Attributes:
        groups_min: corporate groups that corroborate its items; 0: as the policy says.
        trial_items: items of a member on trial in a day; 0: as the policy says.
        expiry_ms: time after which its items expire, unless corroborated; 0: they do not.
        radii: (signal type code, radius in bits), by code.
    """

    groups_min: int = 0
    trial_items: int = 0
    expiry_ms: int = 0
    radii: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        """The rules' bytes."""
        pieces = [u8(self.groups_min), u32(self.trial_items), u64(self.expiry_ms), u8(len(self.radii))]
        for code, radius in self.radii:
            pieces += (u16(code), u16(radius))
        return b"".join(pieces)

    @classmethod
    def read(cls, reader: Reader) -> IncidentRules:
        """Read them; raises LayoutError."""
        groups_min, trial_items, expiry_ms = reader.u8(), reader.u32(), reader.u64()
        return cls(groups_min, trial_items, expiry_ms, tuple((reader.u16(), reader.u16()) for _ in range(reader.u8())))


@dataclass(frozen=True, slots=True)
class IncidentClear:
    """Clear part of INCIDENT_OPENED.

    Attributes:
        drill: whether it is a rehearsal.
        open: whether it is open; else a member called for it.
        duration_ms: for how long it was to be open.
        end_ms: when it ends, or can be supported no more.
        rules: what holds meanwhile.
    """

    drill: bool
    open: bool
    duration_ms: int
    end_ms: int
    rules: IncidentRules

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.drill) + u8(self.open) + u64(self.duration_ms) + u64(self.end_ms) + self.rules.encode()

    @classmethod
    def decode(cls, clear: bytes) -> IncidentClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        found = cls(bool(reader.u8()), bool(reader.u8()), reader.u64(), reader.u64(), IncidentRules.read(reader))
        reader.end()
        return found


@dataclass(frozen=True, slots=True)
class IncidentPayload:
    """Payload of INCIDENT_OPENED: name, type, and what happened, for people."""

    name: str
    type: str
    summary: str = field(repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        return text(self.name) + text(self.type) + text(self.summary)

    @classmethod
    def decode(cls, payload: bytes) -> IncidentPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        found = cls(reader.text(), reader.text(), reader.text())
        reader.end()
        return found


@dataclass(frozen=True, slots=True)
class AcknowledgedClear:
    """Clear part of INCIDENT_ACKNOWLEDGED: who knows, and until when the member wants it to be open."""

    receiver: int
    until_ms: int = 0

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.receiver) + u64(self.until_ms)

    @classmethod
    def decode(cls, clear: bytes) -> AcknowledgedClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        found = cls(reader.u8(), reader.u64())
        reader.end()
        return found


@dataclass(frozen=True, slots=True)
class DrillClear:
    """Clear part of DRILL_CONTRIBUTED: contributions by ``Result``, from the first on, and signals in all of them."""

    results: tuple[int, ...]
    signals: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return b"".join(map(u32, (*self.results, self.signals)))

    @classmethod
    def decode(cls, clear: bytes) -> DrillClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        found = cls(tuple(reader.u32() for _ in range(RESULTS)), reader.u32())
        reader.end()
        return found


def incidents_in(clear: bytes) -> tuple[int, ...]:
    """The incidents that a contribution is under, from its clear part: a u64 each, behind the status."""
    reader = Reader(clear)
    reader.u8()
    return tuple(reader.u64() for _ in range((len(clear) - 1) // 8))
