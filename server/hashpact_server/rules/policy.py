"""The forum's policy: the numbers that rules decide by. Data, adopted by two stewards and kept in the ledger.

This page has its shape and what holds until a forum adopts one; ``rulebook`` tells which one is in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

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
        return max((self.groups_min, *(self.label_groups_min.get(label, 0) for label in labels)))


DEFAULT: Final = Policy()
"""What holds until a forum adopts a policy. Nobody is advised to act."""
