"""What the service answers to stewards: motions, rulebooks, rollbacks, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hashpact.items import iso


@dataclass(frozen=True, slots=True)
class Limited:
    """An item that is limited to review.

    Attributes:
        item: its id.
        status: where it stands; a limit changes no status.
        changed: False when it was limited before.
    """

    item: int
    status: str
    changed: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"item": self.item, "status": self.status, "changed": self.changed}


@dataclass(frozen=True, slots=True)
class Motion:
    """What one steward proposed.

    Attributes:
        motion: its number; 0 where nothing was written.
        state: ``open``, ``carried``, ``withdrawn`` or ``lapsed``.
        act: what it would do, e.g. ``roll_back``.
        fields: the act's fields, without signal values; None after redaction.
        reason: why; "" after redaction.
        proposed_by: name of the steward.
        propose_time: when, in UTC.
        lapse_time: when it lapses, in UTC.
        closed_by: name of the steward that seconded it or took it back.
        close_time: when it was seconded, withdrawn, or lapsed, in UTC; None while it is open.
    """

    motion: int
    state: str
    act: str
    fields: Mapping[str, Any] | None
    reason: str
    proposed_by: str
    propose_time: datetime | None
    lapse_time: datetime | None
    closed_by: str
    close_time: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "motion": self.motion,
            "state": self.state,
            "act": self.act,
            "fields": None if self.fields is None else dict(self.fields),
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "propose_time": iso(self.propose_time),
            "lapse_time": iso(self.lapse_time),
            "closed_by": self.closed_by,
            "close_time": iso(self.close_time),
        }


@dataclass(frozen=True, slots=True)
class RollbackExtent:
    """What a rollback would undo.

    Attributes:
        entries: entries of the member.
        items: items that they are about.
        items_unlisted: those of them that nobody else speaks for: they leave the list.
        more: whether counting ended early.
    """

    entries: int
    items: int
    items_unlisted: int
    more: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "entries": self.entries,
            "items": self.items,
            "items_unlisted": self.items_unlisted,
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A motion as it was proposed.

    Attributes:
        motion: the motion.
        extent: with ``validate_only``, what a rollback would undo; else None.
    """

    motion: Motion
    extent: RollbackExtent | None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {**self.motion.to_dict(), "extent": None if self.extent is None else self.extent.to_dict()}


@dataclass(frozen=True, slots=True)
class RulebookVersion:
    """One version of the taxonomy or of the policy.

    Attributes:
        version: its number; 0: what is built in.
        state: ``notice``, ``in_force``, ``replaced`` or ``superseded``.
        adopt_time: when it was adopted, in UTC; None for what is built in.
        effect_time: when it takes or took effect, in UTC.
        sequence: the entry that adopted it; 0 for what is built in.
    """

    version: int
    state: str
    adopt_time: datetime | None
    effect_time: datetime | None
    sequence: int

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "version": self.version,
            "state": self.state,
            "adopt_time": iso(self.adopt_time),
            "effect_time": iso(self.effect_time),
            "sequence": self.sequence,
        }


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The taxonomy or the policy.

    Attributes:
        kind: ``taxonomy`` or ``policy``.
        version: the version.
        content: JSON, as it was adopted.
        versions: every version, the newest first, at most 100.
    """

    kind: str
    version: RulebookVersion
    content: str = field(repr=False)
    versions: tuple[RulebookVersion, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "kind": self.kind,
            "version": self.version.to_dict(),
            "content": self.content,
            "versions": [each.to_dict() for each in self.versions],
        }


@dataclass(frozen=True, slots=True)
class Rollback:
    """One rollback.

    Attributes:
        rollback: its number.
        member: whose acts are undone; "" after redaction.
        since_time: since when, in UTC.
        order_time: when it was ordered, in UTC.
        finish_time: when everything was undone, in UTC; None while it goes on.
        undone: entries undone so far.
        ordered_by: name of the steward that seconded it.
    """

    rollback: int
    member: str
    since_time: datetime | None
    order_time: datetime | None
    finish_time: datetime | None
    undone: int
    ordered_by: str

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "rollback": self.rollback,
            "member": self.member,
            "since_time": iso(self.since_time),
            "order_time": iso(self.order_time),
            "finish_time": iso(self.finish_time),
            "undone": self.undone,
            "ordered_by": self.ordered_by,
        }


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that waits for stewards.

    Attributes:
        kind: e.g. ``motion``, ``dispute``, ``alert``, ``silent_member``.
        subject: its number; 0 for a member.
        member: the member that it is about or that began it; "" where there is none.
        since_time: since when it waits, in UTC.
        due_time: when it will be decided without anybody, in UTC; None where it never is.
        detail: one line for people.
    """

    kind: str
    subject: int
    member: str
    since_time: datetime | None
    due_time: datetime | None
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "member": self.member,
            "since_time": iso(self.since_time),
            "due_time": iso(self.due_time),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Digest:
    """What waits for stewards.

    Attributes:
        concerns: by kind, each with the oldest first; of each kind at most as many as were asked for.
        counts: how many things of each kind wait.
    """

    concerns: tuple[Concern, ...]
    counts: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"concerns": [each.to_dict() for each in self.concerns], "counts": dict(self.counts)}
