"""Incidents: what is open, under which rules, and how it went. Small frozen objects, as in :mod:`hashpact.results`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from hashpact.items import iso

NO_RADII: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """Rules that hold for an incident's items while it is open; they never make it easier to be advised to act.

    Attributes:
        groups_min: corporate groups that corroborate an item; 0: as the policy says.
        radii: signal type -> radius in bits of look-ups that name none; beyond the default only its own items match.
        trial_items_per_day: items of a member on trial in a day; 0: as the policy says.
        item_expiry: time after which items that were created under it expire, unless corroborated; None: they do not.
    """

    groups_min: int = 0
    radii: Mapping[str, int] = field(default_factory=lambda: NO_RADII)
    trial_items_per_day: int = 0
    item_expiry: timedelta | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "groups_min": self.groups_min,
            "radii": dict(self.radii),
            "trial_items_per_day": self.trial_items_per_day,
            "item_expiry_s": None if self.item_expiry is None else self.item_expiry.total_seconds(),
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands.

    Attributes:
        incident: its id.
        name: its name; contributions with the label ``incident:NAME`` are under it. "" after a redaction.
        type: a word of the taxonomy.
        summary: what happened, for people.
        drill: whether it is a rehearsal, under which nothing is listed.
        state: ``called``, ``open`` or ``closed``.
        member: who opened or called for it.
        create_time: when it began, in UTC.
        open_time: when it became open; None: it is not.
        end_time: when it ends or ended; of one that is called for: until when it can be supported.
        end: why it is over: ``time``, ``closed``, ``not_supported``; "" while it is not.
        contributions: under it; in a drill those that were rehearsed.
        software_acknowledgements: members whose software acknowledged it.
        person_acknowledgements: members of which a person acknowledged it.
        supporters: members that support it.
        sequence: ledger entry that changed it last: (incident, sequence) identifies this state.
        update_time: when that was.
        rules: what holds meanwhile.
    """

    incident: int
    name: str
    type: str
    summary: str
    drill: bool
    state: str
    member: str
    create_time: datetime | None
    open_time: datetime | None
    end_time: datetime | None
    end: str
    contributions: int
    software_acknowledgements: int
    person_acknowledgements: int
    supporters: int
    sequence: int
    update_time: datetime | None
    rules: IncidentRules

    @property
    def label(self) -> str:
        """The label that puts what is contributed under it."""
        return f"incident:{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "incident": self.incident,
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "summary": self.summary,
            "drill": self.drill,
            "state": self.state,
            "member": self.member,
            "create_time": iso(self.create_time),
            "open_time": iso(self.open_time),
            "end_time": iso(self.end_time),
            "end": self.end,
            "contributions": self.contributions,
            "software_acknowledgements": self.software_acknowledgements,
            "person_acknowledgements": self.person_acknowledgements,
            "supporters": self.supporters,
            "sequence": self.sequence,
            "update_time": iso(self.update_time),
            "rules": self.rules.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class IncidentUpdate:
    """Incidents that changed; empty as a sign of life.

    Attributes:
        incidents: as they stand, in the order in which they changed.
        as_of: position in the list's history up to which everything was told; opaque.
        sent_time: the server's clock when it was sent.
    """

    incidents: tuple[Incident, ...]
    as_of: str = field(repr=False)
    sent_time: datetime | None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How a time is spread over ``count`` members, in seconds; all 0 when there are none."""

    count: int
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {name: getattr(self, name) for name in ("count", "p50_s", "p95_s", "p99_s", "max_s")}


@dataclass(frozen=True, slots=True)
class DebriefHour:
    """What was contributed in the hour that began at ``start_time``: contributions, variants, new items."""

    start_time: datetime | None
    contributions: int
    signals: int
    items: int

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "start_time": iso(self.start_time),
            "contributions": self.contributions,
            "signals": self.signals,
            "items": self.items,
        }


@dataclass(frozen=True, slots=True)
class DebriefMember:
    """One member's part in an incident.

    Attributes:
        member: its name; "" after a redaction.
        contributions: how many.
        signals: variants that they added.
        first_contribution_time: when the first was; None without any.
        first_match_hour: the hour of its first match, as it reported; None without any.
        matches: that it reported.
        software_acknowledge_time: when its software acknowledged.
        person_acknowledge_time: when a person did.
    """

    member: str
    contributions: int
    signals: int
    first_contribution_time: datetime | None
    first_match_hour: datetime | None
    matches: int
    software_acknowledge_time: datetime | None
    person_acknowledge_time: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "member": self.member,
            "contributions": self.contributions,
            "signals": self.signals,
            "first_contribution_time": iso(self.first_contribution_time),
            "first_match_hour": iso(self.first_match_hour),
            "matches": self.matches,
            "software_acknowledge_time": iso(self.software_acknowledge_time),
            "person_acknowledge_time": iso(self.person_acknowledge_time),
        }


@dataclass(frozen=True, slots=True)
class Debrief:
    """How an incident went.

    Attributes:
        incident: as it stands.
        items: under it.
        items_created: of these, created under it.
        items_corroborated: of the created: corroborated now.
        items_closed: of the created: withdrawn or expired now.
        hours: what was contributed, by the hour; those without anything are left out.
        members: everybody's part, by name.
        software_acknowledged: time from the opening to the software's acknowledgement in the ledger.
        person_acknowledged: the same for people.
        with_matches: whether matches are told; a replica does not know them.
    """

    incident: Incident
    items: int
    items_created: int
    items_corroborated: int
    items_closed: int
    hours: tuple[DebriefHour, ...]
    members: tuple[DebriefMember, ...]
    software_acknowledged: Percentiles
    person_acknowledged: Percentiles
    with_matches: bool

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "incident": self.incident.to_dict(),
            "items": self.items,
            "items_created": self.items_created,
            "items_corroborated": self.items_corroborated,
            "items_closed": self.items_closed,
            "hours": [hour.to_dict() for hour in self.hours],
            "members": [member.to_dict() for member in self.members],
            "software_acknowledged": self.software_acknowledged.to_dict(),
            "person_acknowledged": self.person_acknowledged.to_dict(),
            "with_matches": self.with_matches,
        }
