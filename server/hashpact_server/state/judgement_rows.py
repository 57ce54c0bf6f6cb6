"""The rows of the tables about judgement: opinions, what holds for an item, disputes, votes, challenges.

All that they hold stands in the clear parts of entries, so that no redaction changes them; what people wrote is read
from the entry that a row names.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple, TypeVar

from hashpact_server.ledger.codec import LayoutError, Reader, u8, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES

N = TypeVar("N", bound=IntEnum)


class OpinionCode(IntEnum):
    """What a member thinks of an item; numbers as ``OpinionCode`` on the wire."""

    AGREE = 1
    DISAGREE_LABEL = 2
    NOT_TERRORIST = 3
    BENIGN_COLLISION = 4
    DOCUMENTATION_JOURNALISM = 5
    SEEN_HERE_TOO = 6
    OVERTURNED_ON_APPEAL = 7

    @property
    def against(self) -> bool:
        """Whether it stops ``act`` until it is revoked or resolved."""
        return self not in (OpinionCode.AGREE, OpinionCode.SEEN_HERE_TOO)


class LimitCause(IntEnum):
    """Why an item was limited to review only; numbers as ``LimitCause`` on the wire."""

    NONE = 0
    STEWARD = 1
    FLOOD = 2
    BENIGN = 3


class DisputeOutcome(IntEnum):
    """How a dispute ended; numbers as ``DisputeOutcome`` on the wire, save that 0 is unspecified there."""

    OPEN = 1
    KEPT = 2
    REMOVED = 3
    RELABELLED = 4
    LAPSED = 5
    ITEM_CLOSED = 6
    UNDONE = 7


class Verdict(IntEnum):
    """What a resolver wants; numbers as ``Verdict`` on the wire."""

    KEEP = 1
    REMOVE = 2
    RELABEL = 3


class ChallengeOutcome(IntEnum):
    """How a challenge ended; numbers as ``ChallengeOutcome`` on the wire."""

    OPEN = 1
    WITHDRAWN = 2
    KEPT = 3
    RELABELLED = 4
    LAPSED = 5


class ExpiryCause(IntEnum):
    """Why an item expired."""

    INHERITED = 1
    INCIDENT = 2


def member_of(kind: type[N], number: int) -> N:
    """The member of an enumeration with this number; raises LayoutError."""
    try:
        return kind(number)
    except ValueError as error:
        raise LayoutError(f"there is no {kind.__name__} {number}: upgrade") from error


class OpinionRow(NamedTuple):
    """A member's opinion on an item.

    Attributes:
        sequence: the entry that gave it, or revoked it.
        code: what the member thinks.
        basis: for AGREE how it knows (a ``Basis`` number); else 0.
        standing: False once it was revoked. The row stays: whoever judged an item is no resolver of its disputes.
        judged: whether the member ever gave an opinion on it that is a judgement (any but SEEN_HERE_TOO).
    """

    item: int
    pseudonym: bytes
    sequence: int
    code: OpinionCode
    basis: int
    standing: bool
    judged: bool

    def encode(self) -> bytes:
        """The row's value (its key is item and pseudonym)."""
        return u64(self.sequence) + bytes((self.code, self.basis, self.standing, self.judged))

    @classmethod
    def decode(cls, item: int, pseudonym: bytes, value: bytes) -> OpinionRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        sequence, code, basis = reader.u64(), member_of(OpinionCode, reader.u8()), reader.u8()
        row = cls(item, pseudonym, sequence, code, basis, bool(reader.u8()), bool(reader.u8()))
        reader.end()
        return row


class ConditionRow(NamedTuple):
    """What holds for an item beside what contributions say. There is none for nearly every item.

    Attributes:
        limit: why it is for review only; NONE: it is not.
        limited_by: the entry that limited it; 0.
        dispute: the dispute that is open; 0: none.
        void_to: judgements up to this entry do not count any more; 0: all count.
        resolved_to: opinions against it up to this entry are resolved; 0: none is.
        relabelled_by: the vote whose labels took the place of all that were given before it; 0.
    """

    item: int
    limit: LimitCause = LimitCause.NONE
    limited_by: int = 0
    dispute: int = 0
    void_to: int = 0
    resolved_to: int = 0
    relabelled_by: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the item's id)."""
        numbers = (self.limited_by, self.dispute, self.void_to, self.resolved_to, self.relabelled_by)
        return u8(self.limit) + b"".join(map(u64, numbers))

    @classmethod
    def decode(cls, item: int, value: bytes) -> ConditionRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        limit = member_of(LimitCause, reader.u8())
        row = cls(item, limit, reader.u64(), reader.u64(), reader.u64(), reader.u64(), reader.u64())
        reader.end()
        return row


class DisputeRow(NamedTuple):
    """A dispute; its id is the sequence of the entry that opened it.

    Attributes:
        opener: pseudonym; the service's where an unanswered challenge opened it.
        grounds: number of ``DisputeGrounds``.
        due_ms: Unix time in ms at which it ends undecided.
        challenge: the challenge that it came from; 0.
        closed_by: the entry that closed it; 0.
    """

    dispute: int
    item: int
    opener: bytes
    grounds: int
    due_ms: int
    challenge: int = 0
    outcome: DisputeOutcome = DisputeOutcome.OPEN
    closed_by: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the dispute's id)."""
        head = u64(self.item) + self.opener + u8(self.grounds) + u64(self.due_ms) + u64(self.challenge)
        return head + u8(self.outcome) + u64(self.closed_by)

    @classmethod
    def decode(cls, dispute: int, value: bytes) -> DisputeRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        item, opener, grounds = reader.u64(), reader.take(PSEUDONYM_BYTES), reader.u8()
        due_ms, challenge, outcome = reader.u64(), reader.u64(), member_of(DisputeOutcome, reader.u8())
        row = cls(dispute, item, opener, grounds, due_ms, challenge, outcome, reader.u64())
        reader.end()
        return row


class VoteRow(NamedTuple):
    """What a resolver wants of a dispute; ``sequence`` is the entry that says so last."""

    dispute: int
    pseudonym: bytes
    sequence: int
    verdict: Verdict

    def encode(self) -> bytes:
        """The row's value (its key is dispute and pseudonym)."""
        return u64(self.sequence) + u8(self.verdict)

    @classmethod
    def decode(cls, dispute: int, pseudonym: bytes, value: bytes) -> VoteRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        row = cls(dispute, pseudonym, reader.u64(), member_of(Verdict, reader.u8()))
        reader.end()
        return row


class ChallengeRow(NamedTuple):
    """A challenge from outside; its id is the sequence of the entry that lodged it.

    Attributes:
        lodger: pseudonym of the member that lodged it for a person.
        grounds: number of ``ChallengeGrounds``.
        due_ms: Unix time in ms until which it is to be answered.
        closed_by: the entry that closed it; 0.
        dispute: the dispute that it became, unanswered; 0.
    """

    challenge: int
    item: int
    lodger: bytes
    grounds: int
    due_ms: int
    outcome: ChallengeOutcome = ChallengeOutcome.OPEN
    closed_by: int = 0
    dispute: int = 0

    def encode(self) -> bytes:
        """The row's value (its key is the challenge's id)."""
        head = u64(self.item) + self.lodger + u8(self.grounds) + u64(self.due_ms)
        return head + u8(self.outcome) + u64(self.closed_by) + u64(self.dispute)

    @classmethod
    def decode(cls, challenge: int, value: bytes) -> ChallengeRow:
        """Read the row; raises LayoutError."""
        reader = Reader(value)
        item, lodger, grounds, due_ms = reader.u64(), reader.take(PSEUDONYM_BYTES), reader.u8(), reader.u64()
        outcome = member_of(ChallengeOutcome, reader.u8())
        row = cls(challenge, item, lodger, grounds, due_ms, outcome, reader.u64(), reader.u64())
        reader.end()
        return row


def judgement_key(number: int, pseudonym: bytes) -> bytes:
    """Key of a member's opinion on an item, or of its vote on a dispute; all of one stand together."""
    return u64(number) + pseudonym


NO_CONDITION: Final = ConditionRow(0)
