"""What each kind of entry says: its clear part and its private payload, format 1.

::

    kind                     clear                                  payload
    GENESIS                  ledger id (16)                         -
    EPOCH_STARTED            epoch u32, cause u8                    -
    REDACTED                 reason u8                              -
    MEMBER_CREATED           pseudonym (16), u8 count, roles u8     name text, group text
                             [, 1 u8: on trial]
    MEMBER_STANDING_SET      pseudonym (16), suspended u8           -
    TOKEN_ISSUED             pseudonym (16) [, u8 count, roles u8]  SHA-256 of the token (32), expiry_ms u64 (0: none)
    TOKEN_REVOKED            -                                      -
    MEMBER_AMENDED           see ``payloads_members``               group, agreement, contact by day, by night: texts
    MEMBER_LEFT              see ``payloads_members``               -
    ITEM_CREATED             status u8                              contribution
    ITEM_CORROBORATED        status u8                              contribution
    CONTRIBUTION_AMENDED     status u8                              contribution
    CONTRIBUTION_WITHDRAWN   status u8, reason u8                   -
    ITEM_WITHDRAWN           reason u8                              -
    MEMBER_POLICY_SET        -                                      JSON
    SIGNALS_DETACHED         see ``DetachedClear``                  -
    ITEM_MERGED              item that takes over u64               -
    MOTION_..., RULEBOOK_..., ROLLBACK_ORDERED, ROLLBACK_FINISHED: see ``payloads_steward``
    ROLLED_BACK              see ``RolledBackClear``                -
    BENIGN_LISTED            number of values u16                   note text, u16 count, signal_type u16, value blob
    BENIGN_UNLISTED          -                                      -
    ALERT_RAISED             alert u8, item u64, pseudonym (16),    note text
                             count u64
    ALERT_ACKNOWLEDGED       -                                      note text
    CONTRIBUTION_PENDING     see ``payloads_members``               contribution
    CONTRIBUTION_DECIDED     see ``payloads_members``               reason text

    contribution: basis u8, observed_ms u64 (0: not said), observer_role text,
                  labels texts, signals u16 count, each signal_type u16, [name text if signal_type is 0],
                  part u8 (1: adds it, 2: confirms it, 3: adds it unseen; + 16: a stretch follows), quality u8
                  (255: none), value blob [, stretch of the video: start_ms u32, end_ms u32]

Effects that followers and auditors must see after a redaction (status, roles, who) are in clear; what could reveal
media or people (values, labels beyond their class, names) is private. A contribution states the acting member's
whole row: its attestation and all of its labels; and the signals that *this* entry adds or confirms.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import LayoutError, Reader, blob, text, texts, u8, u16, u32, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, Kind

_U16: Final = struct.Struct(">H")
_HEAD: Final = struct.Struct(">BQ")
_SIGNAL: Final = struct.Struct(">HBBH")
"""Signal type, part, quality and length of the value, of a signal without a name."""

ADDS: Final = 1
CONFIRMS: Final = 2
ADDS_UNSEEN: Final = 3
STRETCHED: Final = 16
"""Added to a part: the value stands for a stretch of a video, which follows it. Versions before it stop there."""

_STRETCH: Final = struct.Struct(">II")

CONTRIBUTING: Final = (Kind.ITEM_CREATED, Kind.ITEM_CORROBORATED, Kind.CONTRIBUTION_AMENDED)
"""Kinds whose payload is a contribution."""

ABOUT_ITEM: Final = frozenset(
    (
        *CONTRIBUTING,
        Kind.CONTRIBUTION_WITHDRAWN,
        Kind.ITEM_WITHDRAWN,
        Kind.OPINION_GIVEN,
        Kind.OPINION_REVOKED,
        Kind.ITEM_LIMITED,
        Kind.ITEM_LIMIT_LIFTED,
        Kind.DISPUTE_OPENED,
        Kind.DISPUTE_VOTED,
        Kind.DISPUTE_LAPSED,
        Kind.ITEM_EXPIRED,
        Kind.SIGNALS_DETACHED,
        Kind.ITEM_MERGED,
    )
)
"""Kinds whose subject is the one item that they are about."""

QUALITY_NONE: Final = 255
OPAQUE: Final = 0
"""Signal type number of a type that is kept but not searched; its name follows."""


class ListedSignal(NamedTuple):
    """A signal as an entry states it. A tuple, because millions are made.

    Attributes:
        code: number of the signal type (``SignalType.code``), or ``OPAQUE``.
        value: the value's bytes.
        quality: 0-100, or None.
        name: the type's name where the code is ``OPAQUE``, else "".
        confirms: the item has it already, and this member says that it belongs there. Such a signal changes no row; it
            is kept so that it can be told which members vouch for which signals.
        unseen: added by a member that says of the item that a person looked, and of this signal that nobody did.
        stretch: of a video's frame, the stretch that it stands for: (start, end) in ms from the first frame.
    """

    code: int
    value: bytes
    quality: int | None = None
    name: str = ""
    confirms: bool = False
    unseen: bool = False
    stretch: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"ListedSignal(code={self.code}, quality={self.quality}, name={self.name!r}, confirms={self.confirms})"


class ContributionPayload(NamedTuple):
    """What a member says about an item: how it knows, its labels, and the signals it adds.

    Attributes:
        basis: ``AttestationBasis`` number.
        observed_ms: Unix time in ms when the person looked; 0 when not said.
        observer_role: function of the person who looked.
        labels: all labels that this member gives the item, sorted.
        signals: what this entry adds or confirms; their position is the low half of their signal id.
    """

    basis: int
    observed_ms: int
    observer_role: str
    labels: tuple[str, ...]
    signals: tuple[ListedSignal, ...]

    def encode(self) -> bytes:
        """The payload's bytes."""
        pieces = [_HEAD.pack(self.basis, self.observed_ms), text(self.observer_role), texts(self.labels)]
        pieces.append(u16(len(self.signals)))
        for code, value, stated, name, confirms, unseen, stretch in self.signals:
            quality = QUALITY_NONE if stated is None else stated
            part = CONFIRMS if confirms else ADDS_UNSEEN if unseen else ADDS
            if stretch is not None:
                part |= STRETCHED
            if code == OPAQUE:
                pieces += (u16(OPAQUE), text(name), u8(part), u8(quality), blob(value))
            else:
                pieces += (_SIGNAL.pack(code, part, quality, len(value)), value)
            if stretch is not None:
                pieces.append(_STRETCH.pack(*stretch))
        return b"".join(pieces)

    @classmethod
    def decode(cls, payload: bytes) -> ContributionPayload:
        """Read the payload; raises LayoutError.

        Written out, because every entry passes here, and reading field by field costs twice the time.
        """
        try:
            found, end = cls._decode(payload)
        except (struct.error, UnicodeDecodeError) as error:
            raise LayoutError("not a contribution") from error
        # Slices past the end are short without complaint, but the position moves on: one comparison finds both.
        if end != len(payload):
            raise LayoutError(f"a contribution of {len(payload)} bytes should have {end}")
        return found

    @classmethod
    def _decode(cls, payload: bytes) -> tuple[ContributionPayload, int]:
        basis, observed_ms = _HEAD.unpack_from(payload)
        role, at = _text_at(payload, _HEAD.size)
        (count,) = _U16.unpack_from(payload, at)
        at += 2
        labels = []
        for _ in range(count):
            label, at = _text_at(payload, at)
            labels.append(label)
        (count,) = _U16.unpack_from(payload, at)
        at += 2
        signals = []
        for _ in range(count):
            code, part, quality, size = _SIGNAL.unpack_from(payload, at)
            name = ""
            if code == OPAQUE:
                name, at = _text_at(payload, at + 2)
                at -= 2  # from here on as if the name had not been there
                _, part, quality, size = _SIGNAL.unpack_from(payload, at)
            start = at + _SIGNAL.size
            at = start + size
            value, stretch = payload[start:at], None
            if part & STRETCHED:
                stretch, part = _STRETCH.unpack_from(payload, at), part & ~STRETCHED
                at += _STRETCH.size
            if part not in (ADDS, CONFIRMS, ADDS_UNSEEN):
                raise LayoutError(f"a signal has part {part}: upgrade")
            stated = None if quality == QUALITY_NONE else quality
            signals.append(ListedSignal(code, value, stated, name, part == CONFIRMS, part == ADDS_UNSEEN, stretch))
        return cls(basis, observed_ms, role, tuple(labels), tuple(signals)), at


def _text_at(payload: bytes, at: int) -> tuple[str, int]:
    (size,) = _U16.unpack_from(payload, at)
    end = at + 2 + size
    return payload[at + 2 : end].decode(), end


@dataclass(frozen=True, slots=True)
class MemberClear:
    """Clear part of MEMBER_CREATED.

    Attributes:
        pseudonym: of the new member.
        roles: its rights (``Role`` numbers, sorted).
        trial: whether it is on trial. Of those that were admitted before there were trials, nothing says so.
    """

    pseudonym: bytes
    roles: tuple[int, ...]
    trial: bool = False

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return self.pseudonym + u8(len(self.roles)) + bytes(self.roles) + (u8(1) if self.trial else b"")

    @classmethod
    def decode(cls, clear: bytes) -> MemberClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym = reader.take(PSEUDONYM_BYTES)
        roles = tuple(reader.take(reader.u8()))
        trial = len(clear) > PSEUDONYM_BYTES + 1 + len(roles)
        if trial and reader.u8() != 1:
            raise LayoutError("a member is admitted in a way that is not known to this version: upgrade")
        reader.end()
        return cls(pseudonym, roles, trial)


@dataclass(frozen=True, slots=True)
class MemberPayload:
    """Payload of MEMBER_CREATED: the member's name and its corporate group."""

    name: str
    group: str

    def encode(self) -> bytes:
        """The payload's bytes."""
        return text(self.name) + text(self.group)

    @classmethod
    def decode(cls, payload: bytes) -> MemberPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        name, group = reader.text(), reader.text()
        reader.end()
        return cls(name, group)


@dataclass(frozen=True, slots=True)
class StandingClear:
    """Clear part of MEMBER_STANDING_SET: whose standing, and whether it is suspended."""

    pseudonym: bytes
    suspended: bool

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return self.pseudonym + u8(self.suspended)

    @classmethod
    def decode(cls, clear: bytes) -> StandingClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym, suspended = reader.take(PSEUDONYM_BYTES), reader.u8()
        reader.end()
        return cls(pseudonym, bool(suspended))


@dataclass(frozen=True, slots=True)
class TokenPayload:
    """Payload of TOKEN_ISSUED: SHA-256 of the token (32 bytes) and its expiry in ms (0: none)."""

    token_hash: bytes = field(repr=False)
    expiry_ms: int

    def encode(self) -> bytes:
        """The payload's bytes."""
        return self.token_hash + u64(self.expiry_ms)

    @classmethod
    def decode(cls, payload: bytes) -> TokenPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        token_hash, expiry_ms = reader.take(32), reader.u64()
        reader.end()
        return cls(token_hash, expiry_ms)


@dataclass(frozen=True, slots=True)
class EpochClear:
    """Clear part of EPOCH_STARTED: the new epoch's number and why it began (1 restored, 2 promoted)."""

    epoch: int
    cause: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u32(self.epoch) + u8(self.cause)

    @classmethod
    def decode(cls, clear: bytes) -> EpochClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        epoch, cause = reader.u32(), reader.u8()
        reader.end()
        return cls(epoch, cause)


class Undone(NamedTuple):
    """One entry of a member that a rollback undoes.

    Attributes:
        sequence: the entry.
        item: the item that it is about.
        status: where the item stands afterwards (``Status`` number).
        restored: the earlier entry of the member that is its word on the item again; 0: it says nothing any more.
        kept: positions of the entry's signals that stay listed, because others vouch for them.
    """

    sequence: int
    item: int
    status: int
    restored: int = 0
    kept: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RolledBackClear:
    """Clear part of ROLLED_BACK: a bounded part of what a rollback undoes."""

    undone: tuple[Undone, ...]

    def encode(self) -> bytes:
        """The clear part's bytes."""
        pieces = [u16(len(self.undone))]
        for sequence, item, status, restored, kept in self.undone:
            pieces += (u64(sequence), u64(item), u8(status), u64(restored), u16(len(kept)), *map(u16, kept))
        return b"".join(pieces)

    @classmethod
    def decode(cls, clear: bytes) -> RolledBackClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        undone = []
        for _ in range(reader.u16()):
            sequence, item, status, restored = reader.u64(), reader.u64(), reader.u8(), reader.u64()
            undone.append(Undone(sequence, item, status, restored, tuple(reader.u16() for _ in range(reader.u16()))))
        reader.end()
        return cls(tuple(undone))


@dataclass(frozen=True, slots=True)
class DetachedClear:
    """Clear part of SIGNALS_DETACHED: where the item stands afterwards, and (entry, position) of each signal."""

    status: int
    signals: tuple[tuple[int, int], ...]

    def encode(self) -> bytes:
        """The clear part's bytes."""
        pieces = [u8(self.status), u16(len(self.signals))]
        for sequence, position in self.signals:
            pieces += (u64(sequence), u16(position))
        return b"".join(pieces)

    @classmethod
    def decode(cls, clear: bytes) -> DetachedClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        status = reader.u8()
        signals = tuple((reader.u64(), reader.u16()) for _ in range(reader.u16()))
        reader.end()
        return cls(status, signals)
