"""The rows of the state, as values: what rules decide on and services answer from.

Each class encodes to and decodes from the bytes of its row (``docs/formats.md``, "State").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import LayoutError, Reader, text, texts, u8, u64

_TOKEN_BYTES: Final = 16 + 32 + 8
"""Length of the row of a token that carries all rights of its member."""
_ITEM_BYTES: Final = 2
"""Length of the row of an item."""


class Status(IntEnum):
    """Where an item stands; numbers as ``ItemStatus`` on the wire."""

    PROVISIONAL = 1
    CORROBORATED = 2
    DISPUTED = 3
    WITHDRAWN = 4
    EXPIRED = 5
    INHERITED = 6

    @property
    def matches(self) -> bool:
        """Whether an item in this state can be found by a look-up."""
        return self not in _CLOSED

    @classmethod
    def numbered(cls, number: int) -> Status:
        """The status with this number; raises LayoutError. Every entry asks, and the class itself takes long."""
        found = _BY_NUMBER.get(number)
        if found is None:
            raise LayoutError(f"there is no status {number}")
        return found


_CLOSED: Final = frozenset((Status.WITHDRAWN, Status.EXPIRED))
_BY_NUMBER: Final = {int(status): status for status in Status}


class Role(IntEnum):
    """Rights; numbers as ``Role`` on the wire."""

    CHECK = 1
    REPLICATE = 2
    CONTRIBUTE = 3
    APPROVE = 4
    REVIEW = 5
    STEWARD = 6
    AUDIT = 7


class Basis(IntEnum):
    """How a member knows; numbers as ``AttestationBasis`` on the wire. ``REDACTED`` when that is gone."""

    REDACTED = 0
    PERSON_LOOKED = 1
    AUTOMATIC = 2
    FOUND_THROUGH_LIST = 3
    IMPORT = 4


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member. ``name`` and ``group`` are empty after redaction of its admission."""

    pseudonym: bytes
    created_sequence: int
    suspended: bool
    roles: tuple[int, ...]
    name: str
    group: str

    def encode(self) -> bytes:
        """The row's value (its key is the pseudonym)."""
        return (
            u8(self.suspended)
            + u64(self.created_sequence)
            + u8(len(self.roles))
            + bytes(self.roles)
            + text(self.name)
            + text(self.group)
        )

    @classmethod
    def decode(cls, pseudonym: bytes, value: bytes) -> MemberRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        suspended, created = bool(reader.u8()), reader.u64()
        roles = tuple(reader.take(reader.u8()))
        name, group = reader.text(), reader.text()
        reader.end()
        return cls(pseudonym, created, suspended, roles, name, group)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A member token that was not revoked.

    Attributes:
        token_id: the sequence that issued it.
        pseudonym: whose it is.
        token_hash: SHA-256 of the secret.
        expiry_ms: Unix time in ms at which it stops working; 0: never.
        roles: the rights that it carries, of those that its member has; None: all of them.
    """

    token_id: int
    pseudonym: bytes
    token_hash: bytes = field(repr=False)
    expiry_ms: int
    roles: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        """The row's value (its key is the token id)."""
        fewer = b"" if self.roles is None else u8(len(self.roles)) + bytes(self.roles)
        return self.pseudonym + self.token_hash + u64(self.expiry_ms) + fewer

    @classmethod
    def decode(cls, token_id: int, value: bytes) -> TokenRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        pseudonym, token_hash, expiry_ms = reader.take(16), reader.take(32), reader.u64()
        roles = None if len(value) == _TOKEN_BYTES else tuple(reader.take(reader.u8()))
        reader.end()
        if roles == ():
            raise LayoutError("a token carries no right")
        return cls(token_id, pseudonym, token_hash, expiry_ms, roles)


class ItemRow(NamedTuple):
    """An item: where it stands, and whether something of it was redacted."""

    item: int
    status: Status
    redacted: bool

    def encode(self) -> bytes:
        """The row's value (its key is the item's id)."""
        return u8(self.status) + u8(self.redacted)

    @classmethod
    def decode(cls, item: int, value: bytes) -> ItemRow:
        """Read the row; raises LayoutError."""
        # Written out, because every entry about an item passes here.
        if len(value) != _ITEM_BYTES:
            raise LayoutError(f"an item's row has {len(value)} bytes instead of {_ITEM_BYTES}")
        return cls(item, Status.numbered(value[0]), bool(value[1]))


class ContributionRow(NamedTuple):
    """What one member says about one item today.

    Attributes:
        sequence: the entry that stated it; what else it says is read from there.
        basis: a ``Basis`` number.
        labels: sorted. After redaction: the public label classes.
    """

    item: int
    pseudonym: bytes
    sequence: int
    basis: int
    labels: tuple[str, ...]

    def encode(self) -> bytes:
        """The row's value (its key is item and pseudonym)."""
        return u64(self.sequence) + u8(self.basis) + texts(self.labels)

    @classmethod
    def decode(cls, item: int, pseudonym: bytes, value: bytes) -> ContributionRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(item, pseudonym, reader.u64(), reader.u8(), reader.texts())
        reader.end()
        return row


SIGNAL_ORDINAL_BITS: Final = 16
"""Low bits of a signal id: the signal's position in its entry. High bits: the entry's sequence."""


def signal_id(sequence: int, ordinal: int) -> int:
    """Id of the signal at position ``ordinal`` of the entry ``sequence``: never depends on what else is listed."""
    return sequence << SIGNAL_ORDINAL_BITS | ordinal
