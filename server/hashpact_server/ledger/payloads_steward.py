"""What the entries of stewards say: motions, rulebooks, rollbacks; format 1 (``payloads`` says how to read this).

::

    kind                 clear                                                     payload
    MOTION_PROPOSED      act u8, lapse_ms u64                                      act (u32 length, bytes), reason text
    MOTION_SECONDED      -                                                         -
    MOTION_CLOSED        how u8                                                    -
    RULEBOOK_ADOPTED     kind u8, version u32, effect_ms u64, content (u32 length) -
    RULEBOOK_IN_FORCE    -                                                         -
    ROLLBACK_ORDERED     pseudonym (16), since_ms u64, first u64                   -
    ROLLBACK_FINISHED    undone u64                                                -
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hashpact_server.ledger.codec import Reader, text, u8, u32, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES


class MotionEnd(IntEnum):
    """How a motion ended without being carried out; numbers as ``MotionState`` on the wire."""

    WITHDRAWN = 3
    LAPSED = 4


@dataclass(frozen=True, slots=True)
class MotionClear:
    """Clear part of MOTION_PROPOSED.

    Attributes:
        act: number of the act's field in ``StewardAct``.
        lapse_ms: when it lapses, in Unix ms.
    """

    act: int
    lapse_ms: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.act) + u64(self.lapse_ms)

    @classmethod
    def decode(cls, clear: bytes) -> MotionClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        act, lapse_ms = reader.u8(), reader.u64()
        reader.end()
        return cls(act, lapse_ms)


@dataclass(frozen=True, slots=True)
class MotionPayload:
    """Payload of MOTION_PROPOSED: the serialised ``StewardAct``, and why."""

    act: bytes
    reason: str

    def encode(self) -> bytes:
        """The payload's bytes."""
        return u32(len(self.act)) + self.act + text(self.reason)

    @classmethod
    def decode(cls, payload: bytes) -> MotionPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        act, reason = reader.take(reader.u32()), reader.text()
        reader.end()
        return cls(act, reason)


@dataclass(frozen=True, slots=True)
class RulebookClear:
    """Clear part of RULEBOOK_ADOPTED.

    Attributes:
        kind: ``RulebookKind`` number.
        version: from 1 on, by kind.
        effect_ms: when it takes effect, in Unix ms; 0: at once.
        content: the rulebook, JSON.
    """

    kind: int
    version: int
    effect_ms: int
    content: str

    def encode(self) -> bytes:
        """The clear part's bytes."""
        encoded = self.content.encode()
        return u8(self.kind) + u32(self.version) + u64(self.effect_ms) + u32(len(encoded)) + encoded

    @classmethod
    def decode(cls, clear: bytes) -> RulebookClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        kind, version, effect_ms = reader.u8(), reader.u32(), reader.u64()
        content = reader.take(reader.u32()).decode()
        reader.end()
        return cls(kind, version, effect_ms, content)


@dataclass(frozen=True, slots=True)
class RollbackClear:
    """Clear part of ROLLBACK_ORDERED.

    Attributes:
        pseudonym: whose acts are undone.
        since_ms: since when, in Unix ms.
        first: sequence of the first entry of that time or later.
    """

    pseudonym: bytes
    since_ms: int
    first: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return self.pseudonym + u64(self.since_ms) + u64(self.first)

    @classmethod
    def decode(cls, clear: bytes) -> RollbackClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym = reader.take(PSEUDONYM_BYTES)
        since_ms, first = reader.u64(), reader.u64()
        reader.end()
        return cls(pseudonym, since_ms, first)


@dataclass(frozen=True, slots=True)
class FinishedClear:
    """Clear part of ROLLBACK_FINISHED: how many entries it undid."""

    undone: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u64(self.undone)

    @classmethod
    def decode(cls, clear: bytes) -> FinishedClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        undone = reader.u64()
        reader.end()
        return cls(undone)
