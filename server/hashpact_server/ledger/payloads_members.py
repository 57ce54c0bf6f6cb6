"""What the entries about a member's record say: see the table in :mod:`hashpact_server.ledger.payloads`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hashpact_server.ledger.codec import Reader, text, u8, u16, u32, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES


@dataclass(frozen=True, slots=True)
class RecordClear:
    """Clear part of MEMBER_AMENDED: the whole of a member's record that others must see.

    Attributes:
        pseudonym: whose.
        tier: a ``Tier`` number.
        four_eyes: whether its contributions wait for a colleague, whatever the forum's policy says.
        next_review_ms: Unix time in ms at which the record is to be looked at again; 0: not said.
        roles: its rights (``Role`` numbers, sorted).
    """

    pseudonym: bytes
    tier: int
    four_eyes: bool
    next_review_ms: int
    roles: tuple[int, ...]

    def encode(self) -> bytes:
        """The clear part's bytes."""
        pieces = (self.pseudonym, u8(self.tier), u8(self.four_eyes), u64(self.next_review_ms))
        return b"".join(pieces) + u8(len(self.roles)) + bytes(self.roles)

    @classmethod
    def decode(cls, clear: bytes) -> RecordClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym, tier, four_eyes = reader.take(PSEUDONYM_BYTES), reader.u8(), bool(reader.u8())
        next_review_ms, roles = reader.u64(), tuple(reader.take(reader.u8()))
        reader.end()
        return cls(pseudonym, tier, four_eyes, next_review_ms, roles)


@dataclass(frozen=True, slots=True)
class RecordPayload:
    """Payload of MEMBER_AMENDED.

    Attributes:
        group: corporate group.
        agreement: version of the agreement that the member signed.
        contact_day: how a person there is reached by day.
        contact_night: the same by night.
    """

    group: str = field(default="", repr=False)
    agreement: str = field(default="", repr=False)
    contact_day: str = field(default="", repr=False)
    contact_night: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        return text(self.group) + text(self.agreement) + text(self.contact_day) + text(self.contact_night)

    @classmethod
    def decode(cls, payload: bytes) -> RecordPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        record = cls(reader.text(), reader.text(), reader.text(), reader.text())
        reader.end()
        return record


@dataclass(frozen=True, slots=True)
class LeftClear:
    """Clear part of MEMBER_LEFT.

    Attributes:
        pseudonym: who left.
        withdrawn: whether its contributions are withdrawn; else its items stay.
        copies_deleted_ms: Unix time in ms by which it attested that its copies of the list are deleted; 0: not said.
        tokens: ids of its tokens, which end.
    """

    pseudonym: bytes
    withdrawn: bool
    copies_deleted_ms: int
    tokens: tuple[int, ...]

    def encode(self) -> bytes:
        """The clear part's bytes."""
        head = self.pseudonym + u8(self.withdrawn) + u64(self.copies_deleted_ms) + u32(len(self.tokens))
        return head + b"".join(map(u64, self.tokens))

    @classmethod
    def decode(cls, clear: bytes) -> LeftClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym, withdrawn, deleted = reader.take(PSEUDONYM_BYTES), bool(reader.u8()), reader.u64()
        tokens = tuple(reader.u64() for _ in range(reader.u32()))
        reader.end()
        return cls(pseudonym, withdrawn, deleted, tokens)


@dataclass(frozen=True, slots=True)
class TokenClear:
    """Clear part of TOKEN_ISSUED: whose token, and its rights where they are fewer than its member's.

    Attributes:
        pseudonym: whose.
        roles: ``Role`` numbers, sorted; None: all that its member has.
    """

    pseudonym: bytes
    roles: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return self.pseudonym if self.roles is None else self.pseudonym + u8(len(self.roles)) + bytes(self.roles)

    @classmethod
    def decode(cls, clear: bytes) -> TokenClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        pseudonym = reader.take(PSEUDONYM_BYTES)
        roles = None if len(clear) == PSEUDONYM_BYTES else tuple(reader.take(reader.u8()))
        reader.end()
        return cls(pseudonym, roles)


@dataclass(frozen=True, slots=True)
class PendingClear:
    """Clear part of CONTRIBUTION_PENDING.

    Attributes:
        token: id of the token by which it was made.
        lapse_ms: Unix time in ms at which it lapses.
        amends: the item that it amends; 0: it is a contribution.
        attach_to: the item that it names; 0: none.
    """

    token: int
    lapse_ms: int
    amends: int = 0
    attach_to: int = 0

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u64(self.token) + u64(self.lapse_ms) + u64(self.amends) + u64(self.attach_to)

    @classmethod
    def decode(cls, clear: bytes) -> PendingClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u64(), reader.u64(), reader.u64(), reader.u64())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class DecidedClear:
    """Clear part of CONTRIBUTION_DECIDED.

    Attributes:
        verdict: a ``Verdict`` number.
        token: id of the token by which it was decided; 0: its time was over.
        result: what became of it when it was approved, as ``ContributionOutcome.Result``; 0: it was not.
        item: the item that it came to belong to; 0: none.
    """

    verdict: int
    token: int = 0
    result: int = 0
    item: int = 0

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.verdict) + u64(self.token) + u16(self.result) + u64(self.item)

    @classmethod
    def decode(cls, clear: bytes) -> DecidedClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u64(), reader.u16(), reader.u64())
        reader.end()
        return made
