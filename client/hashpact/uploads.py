"""Uploads that a replica remembers, what is told of them later, and reports of matches.

Small frozen objects, as in :mod:`hashpact.results`. References are yours, and in no repr.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hashpact.items import iso
from hashpact.results import Match


@dataclass(frozen=True, slots=True)
class ActedItem:
    """An item, as it stood for whoever acted.

    Attributes:
        item: its id.
        status: as ``Match.status``; "" where nobody said.
        labels: as ``Match.labels``.
    """

    item: int
    status: str = ""
    labels: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {"item": self.item, "status": self.status, "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class UploadAction:
    """What was done about an upload.

    Attributes:
        reference: your own word for the upload, 1 to 256 characters.
        action: ``none``, ``observed``, ``reviewed``, ``restricted``, ``removed``, ``referred``.
        items: because of which items: the matches of the answer, or :class:`ActedItem`.
        action_time: when, with a time zone; None: now.
    """

    reference: str = field(repr=False)
    action: str
    items: Iterable[Match | ActedItem]
    action_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ForgottenUploads:
    """How many uploads and records of actions were forgotten."""

    uploads: int
    actions: int


@dataclass(frozen=True, slots=True)
class RetroMatch:
    """An earlier upload that matches what was listed since.

    Attributes:
        reference: your own word for the upload.
        match: the match, as a look-up would answer now.
        sequence: number of the ledger entry that added what matched.
        remember_time: when the upload was remembered, in UTC.
        event: identifies this match: one that comes twice is acted upon once.
    """

    reference: str = field(repr=False)
    match: Match
    sequence: int
    remember_time: datetime | None
    event: str

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "event": self.event,
            "reference": self.reference,
            "match": self.match.to_dict(),
            "sequence": self.sequence,
            "remember_time": iso(self.remember_time),
        }


@dataclass(frozen=True, slots=True)
class RetroMatches:
    """Some of them. Keep ``as_of`` once you have taken care of them: with it you go on, and they are dropped.

    Attributes:
        matches: in the order in which they were found.
        as_of: what to give as ``after``.
        dropped: how many were dropped unseen since the memory began: too many waited, or their uploads were too old.
    """

    matches: tuple[RetroMatch, ...]
    as_of: str = field(repr=False)
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Correction:
    """An action whose ground has changed.

    Attributes:
        reference: your own word for the upload.
        item: id of the item.
        changes: ``off_list``: undo it; ``status``, ``labels``: look again. Empty: it is again as it was.
        action: what was done.
        action_time: when, in UTC.
        acted: the item as it stood for whoever acted.
        now: the item as it stands now.
        event: identifies this correction: one that comes twice is acted upon once.
    """

    reference: str = field(repr=False)
    item: int
    changes: tuple[str, ...]
    action: str
    action_time: datetime | None
    acted: ActedItem
    now: ActedItem
    event: str

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "event": self.event,
            "reference": self.reference,
            "item": self.item,
            "changes": list(self.changes),
            "action": self.action,
            "action_time": iso(self.action_time),
            "acted": self.acted.to_dict(),
            "now": self.now.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Corrections:
    """Some of them; ``as_of`` as in :class:`RetroMatches`."""

    corrections: tuple[Correction, ...]
    as_of: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MatchReport:
    """How often an item was met in one hour, in all.

    Attributes:
        item: its id.
        hour: any time within the hour, with a time zone.
        action: as :attr:`UploadAction.action`.
        count: number of matches; 0 takes an earlier report back.
    """

    item: int
    hour: datetime
    action: str
    count: int


@dataclass(frozen=True, slots=True)
class HourStatistics:
    """Matches of an item in one hour with one action."""

    hour: datetime | None
    action: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {"hour": iso(self.hour), "action": self.action, "count": self.count}


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """How often an item was met, as members reported it.

    Attributes:
        item: its id.
        matches: in all.
        member_count: how many members reported it.
        hours: by hour and action; where one item was asked for.
        members: names of those members; where one item was asked for.
    """

    item: int
    matches: int
    member_count: int
    hours: tuple[HourStatistics, ...] = ()
    members: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "item": self.item,
            "matches": self.matches,
            "member_count": self.member_count,
            "hours": [hour.to_dict() for hour in self.hours],
            "members": list(self.members),
        }


@dataclass(frozen=True, slots=True)
class MatchStatistics:
    """How often items were met, those met most often first; ``truncated`` when more were met than are named."""

    items: tuple[ItemStatistics, ...]
    truncated: bool
