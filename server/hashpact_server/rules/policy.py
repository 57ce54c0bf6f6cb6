"""The forum's policy: the numbers that rules decide by. Data, adopted by two stewards and kept in the ledger.

This page has its shape and what holds until a forum adopts one; ``rulebook`` tells which one is in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from hashpact_server.rules.json_content import Fault, members_of, parse

NO_LABELS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Policy:
    """What a forum agreed on. Each field may be left out of a policy's file: then it is as here.

    Attributes:
        notice_days: time between the adoption of something that widens the list or its effect, and its taking effect.
        act: whether anybody may be advised to act at once.
        groups_min: corporate groups that each have to attest a person's look before an item is corroborated.
        label_groups_min: the same, by label; of an item's labels the highest counts.
        review_days: time after which a person should look at an item again.
        inherited_days: time for which an imported item that nobody here judged stays listed.
        dispute_days: time in which a dispute is to be resolved.
        resolvers_min: corporate groups, not involved in a dispute, that have to agree on its outcome.
        member_disputes_per_day: disputes that one member may open in a day.
        disputes_alarm_per_day: disputes in a day, of all members, that alarm the stewards.
        challenge_days: time in which a challenge from outside is to be answered.
        motion_days: time in which a motion needs its second steward.
        trial_items_per_day: items that a member on trial may contribute in a day.
        trial_writes_per_day: entries of any kind that a member on trial may make in a day.
        trial_disputes_per_day: disputes that a member on trial may open in a day.
        four_eyes: whether a contribution takes effect only when a colleague approved it.
        pending_days: time in which a colleague has to approve.
        incident_minutes_alone: time for which one steward may open an incident alone.
        incident_members_min: corporate groups that may open or prolong one without stewards.
        flood_matches_per_hour: matches of an item in an hour from which on it may be a flood.
        flood_factor: how many times the usual number a flood has at least.
        contributions_alarm_per_hour: contributions of a member in an hour from which on stewards may be told.
        silent_days: time without a sign of life after which a member is called silent.
    """

    notice_days: int = 0
    act: bool = False
    groups_min: int = 2
    label_groups_min: Mapping[str, int] = field(default_factory=lambda: NO_LABELS)
    review_days: int = 365
    inherited_days: int = 365
    dispute_days: int = 14
    resolvers_min: int = 2
    member_disputes_per_day: int = 20
    disputes_alarm_per_day: int = 50
    challenge_days: int = 7
    motion_days: int = 14
    trial_items_per_day: int = 1000
    trial_writes_per_day: int = 5000
    trial_disputes_per_day: int = 3
    four_eyes: bool = False
    pending_days: int = 7
    incident_minutes_alone: int = 60
    incident_members_min: int = 3
    flood_matches_per_hour: int = 1000
    flood_factor: int = 10
    contributions_alarm_per_hour: int = 5000
    silent_days: int = 30

    def groups_needed(self, labels: Iterable[str]) -> int:
        """Groups that have to attest a person's look before an item with these labels is corroborated."""
        if not self.label_groups_min:
            return self.groups_min
        return max((self.groups_min, *(self.label_groups_min.get(label, 0) for label in labels)))


DEFAULT: Final = Policy()
"""What holds until a forum adopts a policy. Nobody is advised to act."""

_GROUPS_MAX: Final = 100
_LABELS_MAX: Final = 100
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_\-.:/]{0,63}")

RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "notice_days": (0, 365),
        "groups_min": (2, _GROUPS_MAX),
        "review_days": (1, 3650),
        "inherited_days": (1, 3650),
        "dispute_days": (1, 365),
        "resolvers_min": (2, _GROUPS_MAX),
        "member_disputes_per_day": (1, 10_000),
        "disputes_alarm_per_day": (1, 100_000),
        "challenge_days": (1, 365),
        "motion_days": (1, 365),
        "trial_items_per_day": (0, 1_000_000),
        "trial_writes_per_day": (100, 10_000_000),
        "trial_disputes_per_day": (0, 10_000),
        "pending_days": (1, 365),
        "incident_minutes_alone": (0, 1440),
        "incident_members_min": (2, _GROUPS_MAX),
        "flood_matches_per_hour": (1, 1_000_000_000),
        "flood_factor": (2, 1_000_000),
        "contributions_alarm_per_hour": (1, 1_000_000_000),
        "silent_days": (1, 3650),
    }
)
"""The smallest and the largest value of each number of a policy."""

_WIDER_WHEN_LARGER: Final = (
    "review_days",
    "inherited_days",
    "trial_items_per_day",
    "trial_writes_per_day",
    "incident_minutes_alone",
    "flood_matches_per_hour",
    "flood_factor",
)
_WIDER_WHEN_SMALLER: Final = ("notice_days", "groups_min", "resolvers_min", "incident_members_min")


def policy_from(content: str, *, lenient: bool = False) -> Policy:
    """Read a policy.

    Args:
        content: JSON.
        lenient: leave out fields that are not known: a later version of the software may have adopted them.

    Raises:
        Fault: it breaks its format; names the field.
    """
    known = [each.name for each in fields(Policy)]
    members = members_of("policy", parse("policy", content), None if lenient else known)
    return Policy(**{name: _value(name, found) for name, found in members.items() if name in known})


def widens(old: Policy, new: Policy) -> bool:
    """Whether more is listed, acted on, or decided by fewer people than before. A shorter notice counts too."""
    labels = {*old.label_groups_min, *new.label_groups_min}
    return (
        (new.act and not old.act)
        or (old.four_eyes and not new.four_eyes)
        or any(getattr(new, name) > getattr(old, name) for name in _WIDER_WHEN_LARGER)
        or any(getattr(new, name) < getattr(old, name) for name in _WIDER_WHEN_SMALLER)
        or any(new.groups_needed((label,)) < old.groups_needed((label,)) for label in labels)
    )


def _value(name: str, found: Any) -> Any:
    where = f"policy.{name}"
    if name == "label_groups_min":
        if len(members_of(where, found)) > _LABELS_MAX:
            raise Fault(where, f"at most {_LABELS_MAX} labels")
        for label in found:
            if not _LABEL.fullmatch(label):
                raise Fault(where, "a label has 1 to 64 characters of a-z 0-9 _ - . : /")
        return MappingProxyType(
            {label: _number(f"{where}.{label}", each, 2, _GROUPS_MAX) for label, each in found.items()}
        )
    if name in RANGES:
        return _number(where, found, *RANGES[name])
    if not isinstance(found, bool):
        raise Fault(where, "true or false")
    return found


def _number(where: str, found: Any, least: int, most: int) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
        raise Fault(where, f"a number from {least} to {most}")
    return found
