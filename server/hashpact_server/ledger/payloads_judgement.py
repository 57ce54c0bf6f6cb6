"""What entries about judgement say: clear parts and private payloads, format 1 (``payloads`` says how to read this).

::

    kind                 clear                                                  payload
    OPINION_GIVEN        status u8, code u8, basis u8                           opinion
    OPINION_REVOKED      status u8                                              -
    ITEM_LIMITED         status u8, cause u8                                    note text
    ITEM_LIMIT_LIFTED    status u8                                              -
    DISPUTE_OPENED       status u8, grounds u8, due_ms u64, challenge u64       statement text
    DISPUTE_VOTED        status u8, dispute u64, verdict u8, outcome u8         labels texts, statement text
    DISPUTE_LAPSED       status u8, dispute u64                                 -
    CHALLENGE_LODGED     item u64, grounds u8, due_ms u64, by signals u8        statement text, reference text
    CHALLENGE_ANSWERED   answer u8, outcome u8                                  statement text
    CHALLENGE_LAPSED     dispute u64 (0: the item was closed)                   -
    ITEM_EXPIRED         cause u8                                               -

    opinion: observed_ms u64 (0: not said), observer_role text, labels texts, note text
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hashpact_server.ledger.codec import Reader, text, texts, u8, u64


@dataclass(frozen=True, slots=True)
class OpinionClear:
    """Clear part of OPINION_GIVEN: the item's status afterwards, ``OpinionCode`` and ``Basis`` numbers (0: none)."""

    status: int
    code: int
    basis: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return bytes((self.status, self.code, self.basis))

    @classmethod
    def decode(cls, clear: bytes) -> OpinionClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u8(), reader.u8())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class OpinionPayload:
    """Payload of OPINION_GIVEN: when and in which function a person looked, the labels it should have, and a note."""

    observed_ms: int = 0
    observer_role: str = ""
    labels: tuple[str, ...] = ()
    note: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        return u64(self.observed_ms) + text(self.observer_role) + texts(self.labels) + text(self.note)

    @classmethod
    def decode(cls, payload: bytes) -> OpinionPayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        made = cls(reader.u64(), reader.text(), reader.texts(), reader.text())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class LimitClear:
    """Clear part of ITEM_LIMITED: the item's status, which stays, and the ``LimitCause`` number."""

    status: int
    cause: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return bytes((self.status, self.cause))

    @classmethod
    def decode(cls, clear: bytes) -> LimitClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u8())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class DisputeClear:
    """Clear part of DISPUTE_OPENED: status afterwards, grounds, when it ends, and the challenge that it came from."""

    status: int
    grounds: int
    due_ms: int
    challenge: int = 0

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.status) + u8(self.grounds) + u64(self.due_ms) + u64(self.challenge)

    @classmethod
    def decode(cls, clear: bytes) -> DisputeClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u8(), reader.u64(), reader.u64())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class VoteClear:
    """Clear part of DISPUTE_VOTED: status afterwards, the dispute, the verdict, and its outcome afterwards."""

    status: int
    dispute: int
    verdict: int
    outcome: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.status) + u64(self.dispute) + u8(self.verdict) + u8(self.outcome)

    @classmethod
    def decode(cls, clear: bytes) -> VoteClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u64(), reader.u8(), reader.u8())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class VotePayload:
    """Payload of DISPUTE_VOTED: the labels that the item should have (RELABEL alone), and why."""

    labels: tuple[str, ...] = ()
    statement: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        return texts(self.labels) + text(self.statement)

    @classmethod
    def decode(cls, payload: bytes) -> VotePayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        made = cls(reader.texts(), reader.text())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class LapseClear:
    """Clear part of DISPUTE_LAPSED: the item's status afterwards, and the dispute."""

    status: int
    dispute: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u8(self.status) + u64(self.dispute)

    @classmethod
    def decode(cls, clear: bytes) -> LapseClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u64())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class ChallengeClear:
    """Clear part of CHALLENGE_LODGED: the item, the grounds, until when to answer, and whether signals found it."""

    item: int
    grounds: int
    due_ms: int
    by_signals: bool = False

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return u64(self.item) + u8(self.grounds) + u64(self.due_ms) + u8(self.by_signals)

    @classmethod
    def decode(cls, clear: bytes) -> ChallengeClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u64(), reader.u8(), reader.u64(), bool(reader.u8()))
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class ChallengePayload:
    """Payload of CHALLENGE_LODGED: what the person says, and the reference of the decision that it holds."""

    statement: str = field(repr=False)
    reference: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """The payload's bytes."""
        return text(self.statement) + text(self.reference)

    @classmethod
    def decode(cls, payload: bytes) -> ChallengePayload:
        """Read the payload; raises LayoutError."""
        reader = Reader(payload)
        made = cls(reader.text(), reader.text())
        reader.end()
        return made


@dataclass(frozen=True, slots=True)
class AnswerClear:
    """Clear part of CHALLENGE_ANSWERED: a holder's answer, and the outcome (OPEN: others still have to answer)."""

    answer: int
    outcome: int

    def encode(self) -> bytes:
        """The clear part's bytes."""
        return bytes((self.answer, self.outcome))

    @classmethod
    def decode(cls, clear: bytes) -> AnswerClear:
        """Read the clear part; raises LayoutError."""
        reader = Reader(clear)
        made = cls(reader.u8(), reader.u8())
        reader.end()
        return made


def said(payload: bytes | None) -> str:
    """The text of a payload that is one text; "" when it was redacted. Raises LayoutError."""
    if not payload:
        return ""
    reader = Reader(payload)
    found = reader.text()
    reader.end()
    return found
