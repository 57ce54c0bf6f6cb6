"""What is asked for who opens an incident: a plan, read from the wire, with valid fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.duration_pb2 import Duration
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import incident_pb2 as pb

from hashpact_server.ledger.payloads_incidents import IncidentRules
from hashpact_server.refusal import invalid_field

HOUR_MS: Final = 3_600_000
DURATION_MS_MAX: Final = 14 * 24 * HOUR_MS
EXPIRY_MS_MAX: Final = 365 * 24 * HOUR_MS
SUMMARY_CHARACTERS_MAX: Final = 500
GROUPS_MIN: Final = 2
GROUPS_MAX: Final = 255
DRILL_PREFIX: Final = "drill-"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_TYPE: Final = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for, with valid fields; see ``IncidentPlan`` on the wire."""

    name: str
    type: str
    summary: str = field(repr=False)
    drill: bool
    duration_ms: int
    rules: IncidentRules


def plan_of(sent: pb.IncidentPlan) -> Plan:
    """The plan, trimmed.

    Raises:
        Refusal: FIELD_INVALID.
    """
    if not _NAME.fullmatch(sent.name):
        raise invalid_field("plan.name", "1 to 48 characters of a-z 0-9 -, starting with a letter or digit")
    if sent.drill != sent.name.startswith(DRILL_PREFIX):
        raise invalid_field("plan.name", f"the name of a drill, and no other, begins with {DRILL_PREFIX}")
    if not _TYPE.fullmatch(sent.type):
        raise invalid_field("plan.type", "1 to 64 characters of a-z 0-9 _ -")
    summary = sent.summary.strip()
    if len(summary) > SUMMARY_CHARACTERS_MAX or not summary.isprintable():
        raise invalid_field("plan.summary", f"one line of at most {SUMMARY_CHARACTERS_MAX} printable characters")
    duration_ms = duration_of("plan.duration", sent.duration)
    return Plan(sent.name, sent.type.replace("-", "_"), summary, sent.drill, duration_ms, _rules_of(sent.rules))


def duration_of(name: str, sent: Duration) -> int:
    """For how long an incident is to be open, in ms.

    Raises:
        Refusal: FIELD_INVALID.
    """
    duration_ms = sent.ToMilliseconds()
    if not 1000 <= duration_ms <= DURATION_MS_MAX:
        raise invalid_field(name, "from one second to 14 days")
    return duration_ms


def _rules_of(sent: pb.IncidentRules) -> IncidentRules:
    if sent.groups_min and not GROUPS_MIN <= sent.groups_min <= GROUPS_MAX:
        raise invalid_field("plan.rules.groups_min", f"from {GROUPS_MIN} to {GROUPS_MAX}, or 0 for the policy's")
    expiry_ms = sent.item_expiry.ToMilliseconds()
    if not 0 <= expiry_ms <= EXPIRY_MS_MAX:
        raise invalid_field("plan.rules.item_expiry", "at most 365 days, or 0 for none")
    return IncidentRules(sent.groups_min, sent.trial_items_per_day, expiry_ms, _radii_of(sent))


def _radii_of(sent: pb.IncidentRules) -> tuple[tuple[int, int], ...]:
    radii: dict[int, int] = {}
    for position, each in enumerate(sent.radii):
        place = f"plan.rules.radii[{position}]"
        kind = SIGNAL_TYPES.get(each.signal_type)
        if kind is None or not kind.ranged or kind.code in radii:
            raise invalid_field(f"{place}.signal_type", "a perceptual signal type of this server, named once")
        if not kind.radius_default <= each.radius <= kind.radius_max:
            raise invalid_field(
                f"{place}.radius", f"from {kind.radius_default} to {kind.radius_max} bits for {kind.name}"
            )
        radii[kind.code] = each.radius
    return tuple(sorted(radii.items()))
