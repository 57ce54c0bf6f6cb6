"""The seam behind which a ledger is kept.

The embedded ledger shares a transaction with the state. A clustered one, on a replicated log, would decide on the
state at ``expected_head``, append there, and apply what came back; so an append names the head it was decided on and
answers with one of three words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from hashpact_server.ledger.entry import Draft, Entry
from hashpact_server.tokens import Position


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger stands.

    Attributes:
        ledger_id: 16 random bytes, made when the ledger was.
        epoch: which part of its history; a restore or a promotion starts the next.
        sequence: number of the last entry.
        time_ms: Unix time of the last entry.
        root: root hash of the tree over all entries.
    """

    ledger_id: bytes
    epoch: int
    sequence: int
    time_ms: int
    root: bytes

    def position(self) -> Position:
        """The head as a position in history; its ``encode()`` is the ``as_of`` token."""
        return Position(self.ledger_id, self.epoch, self.sequence)


@dataclass(frozen=True, slots=True)
class Committed:
    """The entries are part of the ledger once the transaction that they were appended in is durable."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Someone else appended first: decide again on the state at ``head_sequence``."""

    head_sequence: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the entries are part of the ledger is not known: read the head again before anything else."""


class Reading(Protocol):
    """What can be read of a ledger."""

    def entry(self, sequence: int) -> Entry:
        """The entry with this number; raises KeyError where there is none."""
        ...

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Entries in order, from ``start`` on."""
        ...


class Appending(Reading, Protocol):
    """A ledger inside a write transaction."""

    def append(self, drafts: Sequence[Draft], expected_head: int) -> Committed | Conflict | Unknown:
        """Append entries after the entry ``expected_head`` (-1: the ledger is empty)."""
        ...

    def redact(self, sequence: int) -> None:
        """Delete the private part of an entry; its public part, and with it the tree, stays."""
        ...
