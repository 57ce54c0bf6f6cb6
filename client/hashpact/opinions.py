"""What the service answers about judgement: opinions, disputes and challenges, as small frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hashpact.items import iso


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a member thinks of an item.

    Attributes:
        member: its name; "" after its redaction.
        code: ``agree``, ``disagree_label``, ``not_terrorist``, ``benign_collision``, ``documentation_journalism``,
            ``seen_here_too`` or ``overturned_on_appeal``.
        basis: with ``agree``: how it knows; else "".
        observed_time: with ``agree``: when the person looked, in UTC; None when not said.
        observer_role: with ``agree``: function of the person who looked.
        labels: with ``disagree_label``: the labels that the item should have, sorted.
        note: what the member wrote.
        update_time: when it was given, or revoked, in UTC.
        sequence: number of the entry that gave it, or revoked it.
        standing: False after it was revoked.
        unresolved: True while it stops the advice ``act``.
        redacted: True when labels, note and observer are gone.
    """

    member: str
    code: str
    basis: str
    observed_time: datetime | None
    observer_role: str
    labels: tuple[str, ...]
    note: str
    update_time: datetime | None
    sequence: int
    standing: bool
    unresolved: bool
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "member": self.member,
            "code": self.code,
            "basis": self.basis,
            "observed_time": iso(self.observed_time),
            "observer_role": self.observer_role,
            "labels": list(self.labels),
            "note": self.note,
            "update_time": iso(self.update_time),
            "sequence": self.sequence,
            "standing": self.standing,
            "unresolved": self.unresolved,
            "redacted": self.redacted,
        }


@dataclass(frozen=True, slots=True)
class GivenOpinion:
    """An opinion as it stands now.

    Attributes:
        opinion: the opinion.
        status: where the item stands now.
        as_of: token of the write; opaque.
    """

    opinion: Opinion
    status: str
    as_of: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ItemJudgement:
    """The opinions on an item, and what holds for it.

    Attributes:
        opinions: the opinions, revoked ones too, oldest first.
        status: where the item stands.
        act_stopped: whether an unresolved opinion, an open dispute or a limit stops the advice ``act``.
        limit: why it is for review only: ``steward``, ``flood`` or ``benign``; "": it is not.
        dispute: the dispute that is open; 0: none.
        judging_groups: corporate groups whose human judgement counts for it.
        groups_needed: corporate groups that it takes to corroborate it.
    """

    opinions: tuple[Opinion, ...]
    status: str
    act_stopped: bool
    limit: str
    dispute: int
    judging_groups: int
    groups_needed: int

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "status": self.status,
            "act_stopped": self.act_stopped,
            "limit": self.limit,
            "dispute": self.dispute,
            "judging_groups": self.judging_groups,
            "groups_needed": self.groups_needed,
            "opinions": [one.to_dict() for one in self.opinions],
        }


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote on a dispute.

    Attributes:
        member: name of the resolver; "" after its redaction.
        verdict: ``keep``, ``remove`` or ``relabel``.
        labels: with ``relabel``: the labels that the item should have, sorted.
        statement: why.
        update_time: when it voted, in UTC.
        redacted: True when labels and statement are gone.
    """

    member: str
    verdict: str
    labels: tuple[str, ...]
    statement: str
    update_time: datetime | None
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "member": self.member,
            "verdict": self.verdict,
            "labels": list(self.labels),
            "statement": self.statement,
            "update_time": iso(self.update_time),
            "redacted": self.redacted,
        }


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute about an item.

    Attributes:
        dispute: its id.
        item: the item.
        opener: the member that opened it; "": the service did.
        grounds: ``not_terrorist``, ``documentation_journalism``, ``benign_collision``, ``wrong_labels``, ``legal``,
            ``bad_faith`` or ``challenge_unanswered``.
        statement: what the opener says.
        open_time: when it was opened, in UTC.
        due_time: when it ends undecided, in UTC.
        outcome: ``open``, ``kept``, ``removed``, ``relabelled``, ``lapsed``, ``item_closed`` or ``undone``.
        close_time: when it ended, in UTC; None while it is open.
        votes: the votes, oldest first.
        challenge: the challenge that it came from; 0: none.
        redacted: True when the statement is gone.
    """

    dispute: int
    item: int
    opener: str
    grounds: str
    statement: str
    open_time: datetime | None
    due_time: datetime | None
    outcome: str
    close_time: datetime | None
    votes: tuple[Vote, ...]
    challenge: int
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "dispute": self.dispute,
            "item": self.item,
            "opener": self.opener,
            "grounds": self.grounds,
            "statement": self.statement,
            "open_time": iso(self.open_time),
            "due_time": iso(self.due_time),
            "outcome": self.outcome,
            "close_time": iso(self.close_time),
            "votes": [one.to_dict() for one in self.votes],
            "challenge": self.challenge,
            "redacted": self.redacted,
        }


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge from outside. What the person wrote is told to holders, to who lodged it, and to stewards.

    Attributes:
        challenge: its id.
        item: the item.
        lodger: the member that lodged it.
        grounds: ``not_terrorist``, ``documentation_journalism``, ``benign_collision``, ``legal`` or ``decision``.
        statement: what the person says; "" for those who are not told.
        reference: the decision notice or file that it refers to; "" for those who are not told.
        lodge_time: when it was lodged, in UTC.
        due_time: until when it is to be answered, in UTC.
        outcome: ``open``, ``withdrawn``, ``kept``, ``relabelled`` or ``lapsed``.
        close_time: when it ended, in UTC; None while it is open.
        answer: the reasons of the holder whose answer closed it; "" for those who are not told.
        answered_by: that holder.
        dispute: the dispute that it became; 0: none.
        by_signals: whether signals found the item.
        redacted: True when what the person wrote is gone.
    """

    challenge: int
    item: int
    lodger: str
    grounds: str
    statement: str = field(repr=False)
    reference: str = field(repr=False)
    lodge_time: datetime | None
    due_time: datetime | None
    outcome: str
    close_time: datetime | None
    answer: str = field(repr=False)
    answered_by: str
    dispute: int
    by_signals: bool
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "challenge": self.challenge,
            "item": self.item,
            "lodger": self.lodger,
            "grounds": self.grounds,
            "statement": self.statement,
            "reference": self.reference,
            "lodge_time": iso(self.lodge_time),
            "due_time": iso(self.due_time),
            "outcome": self.outcome,
            "close_time": iso(self.close_time),
            "answer": self.answer,
            "answered_by": self.answered_by,
            "dispute": self.dispute,
            "by_signals": self.by_signals,
            "redacted": self.redacted,
        }


@dataclass(frozen=True, slots=True)
class JudgementCounts:
    """The figures that a forum publishes.

    Attributes:
        disputes: number of disputes by outcome.
        challenges: number of challenges by outcome.
    """

    disputes: Mapping[str, int]
    challenges: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"disputes": dict(self.disputes), "challenges": dict(self.challenges)}
