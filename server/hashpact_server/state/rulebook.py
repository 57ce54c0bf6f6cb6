"""Rulebooks: which versions of the taxonomy and of the policy there are, and which are in force."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import Reader, u8, u32, u64
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.tables import Table

IN_FORCE_KEY: Final = u8(0)
_VERSION: Final = u8(1)
_COMMITMENT_BYTES: Final = 32


class RulebookKind(IntEnum):
    """Kinds of rulebooks; numbers as on the wire."""

    TAXONOMY = 1
    POLICY = 2


class RulebookState(IntEnum):
    """Where a version stands; numbers as on the wire."""

    NOTICE = 1
    IN_FORCE = 2
    REPLACED = 3
    SUPERSEDED = 4


class VersionRow(NamedTuple):
    """One version of a rulebook.

    Attributes:
        sequence: the entry that adopted it and has its content.
        effect_ms: when it takes or took effect, in Unix ms.
    """

    kind: RulebookKind
    version: int
    state: RulebookState
    sequence: int
    effect_ms: int

    def encode(self) -> bytes:
        """The row's value (its key is :func:`version_key`)."""
        return u8(self.state) + u64(self.sequence) + u64(self.effect_ms)


class InForce(NamedTuple):
    """What is in force. Sequences of the adopting entries, 0: built in; and their commitments, which no two share."""

    taxonomy: int = 0
    taxonomy_id: bytes = bytes(_COMMITMENT_BYTES)
    policy: int = 0
    policy_id: bytes = bytes(_COMMITMENT_BYTES)

    def encode(self) -> bytes:
        """The row's value."""
        return u64(self.taxonomy) + self.taxonomy_id + u64(self.policy) + self.policy_id

    @classmethod
    def decode(cls, value: bytes) -> InForce:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(reader.u64(), reader.take(_COMMITMENT_BYTES), reader.u64(), reader.take(_COMMITMENT_BYTES))
        reader.end()
        return row


def version_key(kind: int, version: int) -> bytes:
    """Key of a version."""
    return _VERSION + u8(kind) + u32(version)


def in_force(rows: RowReader) -> bytes | None:
    """The row that says what is in force, undecoded; None until a forum adopts something. One read."""
    return rows.get(Table.RULEBOOK, IN_FORCE_KEY)


def versions(rows: RowReader, kind: RulebookKind) -> Iterator[VersionRow]:
    """Versions of a rulebook, the oldest first, without what is built in."""
    for key, value in rows.scan(Table.RULEBOOK, prefix=_VERSION + u8(kind)):
        reader = Reader(value)
        state = RulebookState(reader.u8())
        yield VersionRow(kind, int.from_bytes(key[2:], "big"), state, reader.u64(), reader.u64())
