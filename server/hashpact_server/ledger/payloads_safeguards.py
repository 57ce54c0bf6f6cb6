"""What entries about alerts and benign values say; the table in ``payloads`` has all kinds."""

from __future__ import annotations

from dataclasses import dataclass, field

from hashpact_server.ledger.codec import Reader, blob, text, u8, u16, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES


@dataclass(frozen=True, slots=True)
class AlertClear:
    """Clear part of ALERT_RAISED.

    Attributes:
        alert: number of the kind of alert (``AlertKind``).
        item: the item that it is about; 0: none.
        member: pseudonym of the member that it is about; zero bytes: none.
        count: how many there were of what was counted; 0: nothing was.
    """

    alert: int
    item: int
    member: bytes
    count: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.alert) + u64(self.item) + self.member + u64(self.count)

    @classmethod
    def decode(cls, clear: bytes) -> AlertClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u64(), reader.take(PSEUDONYM_BYTES), reader.u64())
        reader.end()
        return made


def encode_note(note: str) -> bytes:
    """Payload of ALERT_RAISED and ALERT_ACKNOWLEDGED: a sentence for people."""
    return text(note)


def decode_note(payload: bytes) -> str:
    """Read such a payload; raises LayoutError."""
    reader = Reader(payload)
    note = reader.text()
    reader.end()
    return note


@dataclass(frozen=True, slots=True)
class BenignPayload:
    """Payload of BENIGN_LISTED: what the picture is, in words; and its values, (signal type code, value)."""

    note: str
    values: tuple[tuple[int, bytes], ...] = field(repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        listed = (u16(code) + blob(value) for code, value in self.values)
        return text(self.note) + u16(len(self.values)) + b"".join(listed)

    @classmethod
    def decode(cls, payload: bytes) -> BenignPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        note = reader.text()
        values = tuple((reader.u16(), reader.blob()) for _ in range(reader.u16()))
        reader.end()
        return cls(note, values)
