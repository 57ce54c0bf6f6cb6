"""What is decided when its time has come, by what is due; and what is worked at piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hashpact_server.rules import challenges, disputes, expiring, four_eyes, incidents, motions, rollback, rulebook
from hashpact_server.rules.duties import Duty, Rule
from hashpact_server.state.tables import Due

DUE_RULES: Final[Mapping[Due, Rule]] = MappingProxyType(
    {
        Due.MOTION: motions.lapse,
        Due.RULEBOOK: rulebook.take_effect,
        Due.PENDING: four_eyes.lapse,
        Due.INCIDENT: incidents.end_incident,
        Due.ITEM_EXPIRY: incidents.expire_item,
        Due.DISPUTE: disputes.lapse,
        Due.CHALLENGE: challenges.lapse,
    }
)

DUTIES: Final[tuple[Callable[[], Duty], ...]] = (rollback.duty, expiring.inherited_duty)
"""What makes the duties of one clockwork: a duty may remember how far it came."""

__all__ = ["DUE_RULES", "DUTIES", "Duty", "Rule"]
