"""Incidents: who may open one, for how long, with which rules, and how it ends.

::

    a steward alone --------- at most incident_minutes_alone, no laxer rules --> OPEN
    two stewards (motion) --- any plan ----------------------------------------> OPEN
    a member ---------------> CALLED --members of incident_members_min groups--> OPEN
    OPEN --motion, or members of so many groups--> OPEN for longer
    OPEN, CALLED --its time is over, a steward closes it--> CLOSED
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.codec import u8, u64
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_incidents import (
    AcknowledgedClear,
    End,
    IncidentClear,
    IncidentPayload,
    Receiver,
)
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules.day_limits import day_limit
from hashpact_server.rules.expiring import expire
from hashpact_server.rules.incident_plans import GROUPS_MIN, Plan
from hashpact_server.rules.policy import Policy
from hashpact_server.rules.rulebook import policy_of, taxonomy_of
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state import incidents
from hashpact_server.state.incidents import IncidentRow, State
from hashpact_server.state.judgement_rows import ExpiryCause
from hashpact_server.state.rows import MemberRow
from hashpact_server.state.tallies import DAY_MS
from hashpact_server.state.view import View

CALL_MS: Final = 3_600_000
"""Time in which members can support an incident that was called for."""

OPEN_MAX: Final = 32
"""Incidents that are open: every contribution with an incident's label looks through them."""

CALLS_MAX: Final = 2
"""Incidents that one member calls for at a time; members on trial call for none."""

ALONE_PER_DAY: Final = 8
"""Incidents that one member opens or calls for in a day (UTC) with nobody else: each tells everybody at once, takes a
name for ever, and is looked through by whoever opens another one."""


def open_incident(scene: Scene, actor: bytes, plan: Plan, *, steward: bool, seconded: bool = False) -> IncidentRow:
    """Open an incident, or call for one.

    Args:
        scene: where to record.
        actor: pseudonym of the acting member.
        plan: as ``plan_of`` returned it.
        steward: whether the actor opens it as a steward; else it calls for it.
        seconded: whether a second steward agreed.

    Raises:
        Refusal: FIELD_INVALID: a type that the taxonomy does not have; INCIDENT_EXISTS, INCIDENT_NEEDS_SECOND,
            LIMIT_EXCEEDED, DAY_LIMIT_REACHED.
    """
    check_free(scene, plan.name)
    taxonomy = taxonomy_of(scene)
    if not taxonomy.open and plan.type not in taxonomy.incident_types:
        raise invalid_field("plan.type", f"the taxonomy has {', '.join(taxonomy.incident_types) or 'no types'}")
    policy = policy_of(scene)
    opens = steward or seconded
    if not seconded:
        _check_day(scene, actor)
    if not opens:
        _check_call(scene, actor)
    elif not seconded:
        _check_alone(plan, policy)
    clear = IncidentClear(
        plan.drill, opens, plan.duration_ms, scene.now_ms + (plan.duration_ms if opens else CALL_MS), plan.rules
    )
    payload = IncidentPayload(plan.name, plan.type, plan.summary)
    incident = scene.record(Draft(Kind.INCIDENT_OPENED, actor, clear=clear.encode(), payload=payload.encode())).sequence
    if not opens:
        _record_support(scene, actor, incident, scene.now_ms + plan.duration_ms)
    return existing_incident(scene, incident)


def support(scene: Scene, actor: bytes, incident: int, duration_ms: int) -> IncidentRow:
    """Want an incident to be open for some time from now on; it is, as far as members of enough groups do.

    Raises:
        Refusal: INCIDENT_NOT_FOUND, INCIDENT_CLOSED.
    """
    live_incident(scene, incident)
    _record_support(scene, actor, incident, scene.now_ms + duration_ms)
    return existing_incident(scene, incident)


def prolong(scene: Scene, actor: bytes, incident: int, duration_ms: int) -> IncidentRow:
    """Let an incident be open for some time from now on, by decision of two stewards.

    Raises:
        Refusal: INCIDENT_NOT_FOUND, INCIDENT_CLOSED.
    """
    live_incident(scene, incident)
    _prolong(scene, actor, incident, scene.now_ms + duration_ms)
    return existing_incident(scene, incident)


def close(scene: Scene, actor: bytes, incident: int, *, steward: bool) -> IncidentRow:
    """End an incident.

    Raises:
        Refusal: INCIDENT_NOT_FOUND, INCIDENT_CLOSED; ROLE_MISSING where it takes a steward.
    """
    row = live_incident(scene, incident)
    if not steward and (row.is_open or row.pseudonym != actor):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ROLE_MISSING,
            "only a steward closes an incident that is open, or that another member called for",
            metadata={"roles": "steward"},
        )
    _close(scene, actor, incident, End.CLOSED)
    return existing_incident(scene, incident)


def acknowledge(scene: Scene, actor: bytes, incident: int, receiver: Receiver) -> IncidentRow:
    """Note that a member knows; a second time changes nothing.

    Raises:
        Refusal: INCIDENT_NOT_FOUND, INCIDENT_CLOSED.
    """
    row = live_incident(scene, incident)
    known = incidents.acknowledgements(scene, incident, receiver)
    if all(each.pseudonym != actor for each in known):
        clear = AcknowledgedClear(receiver).encode()
        scene.record(Draft(Kind.INCIDENT_ACKNOWLEDGED, actor, incident, clear=clear))
    return row


def end_incident(scene: Scene, incident: int) -> None:
    """The time of an incident is over, or nobody supported it in time."""
    row = existing_incident(scene, incident)
    _close(scene, SERVICE, incident, End.TIME if row.is_open else End.NOT_SUPPORTED)


def expire_item(scene: Scene, item: int) -> None:
    """The time of an item that was created under an incident is over, and nobody corroborated it."""
    expire(scene, item, ExpiryCause.INCIDENT)


def existing_incident(view: View, incident: int) -> IncidentRow:
    """The incident, also when it is over.

    Raises:
        Refusal: INCIDENT_NOT_FOUND.
    """
    row = incidents.incident_of(view, incident)
    if row is None:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_INCIDENT_NOT_FOUND,
            f"there is no incident {incident}",
            metadata={"incident": str(incident)},
        )
    return row


def live_incident(view: View, incident: int) -> IncidentRow:
    """The incident, unless it is over.

    Raises:
        Refusal: INCIDENT_NOT_FOUND, INCIDENT_CLOSED.
    """
    row = existing_incident(view, incident)
    if row.state is State.CLOSED:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_INCIDENT_CLOSED,
            f"incident {incident} is over",
            metadata={"incident": str(incident)},
        )
    return row


def groups_min_under(view: View, labels: Iterable[str], needed: int) -> int:
    """Groups that corroborate an item with these labels, where ``needed`` is what the policy says.

    That of the open incident that the labels name; of several the highest. It is about the status alone: what
    it takes for anybody to be advised to act is the policy's.
    """
    stated = [row.rules.groups_min for row in incidents.open_by_label(view, labels) if row.rules.groups_min]
    return max(stated, default=needed)


def trial_items_under(view: View, labels: Iterable[str], allowed: int) -> int:
    """Items with these labels that a member on trial may contribute in a day, where the policy says ``allowed``."""
    stated = [row.rules.trial_items for row in incidents.open_by_label(view, labels) if row.rules.trial_items]
    return max(stated, default=allowed)


def check_free(scene: View, name: str) -> None:
    """Whether there is room for an incident of this name.

    Raises:
        Refusal: INCIDENT_EXISTS, LIMIT_EXCEEDED.
    """
    live = list(incidents.live_incidents(scene))
    # What members call for is counted by member: calls must not keep stewards from opening one.
    opened = sum(row.is_open for row in live)
    if opened >= OPEN_MAX:
        raise over_limit("incidents_open_max", OPEN_MAX, opened + 1)
    for row in (*live, *incidents.past_incidents(scene)):
        if incidents.words_of(scene, row.incident).name == name:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_INCIDENT_EXISTS,
                f"incident {row.incident} has this name; names are never used again",
                metadata={"incident": str(row.incident)},
            )


def _check_day(scene: Scene, actor: bytes) -> None:
    """Whether a member may do it once more today; what it did and ended counts; raises Refusal."""
    today = scene.now_ms // DAY_MS
    rows = (*incidents.live_incidents(scene), *incidents.past_incidents(scene))
    # One that was opened by motion counts for the steward that seconded it: the two can go on by motion.
    if sum(row.pseudonym == actor and row.create_ms // DAY_MS == today for row in rows) >= ALONE_PER_DAY:
        raise day_limit("incidents_alone_per_day", ALONE_PER_DAY, scene.now_ms)


def _check_call(scene: Scene, actor: bytes) -> None:
    """Whether a member may call for one more; raises Refusal."""
    calls = sum(row.state is State.CALLED and row.pseudonym == actor for row in incidents.live_incidents(scene))
    most = CALLS_MAX if is_full(scene, actor) else 0
    if calls >= most:
        raise over_limit("incident_calls_max", most, calls + 1)


def _check_alone(plan: Plan, policy: Policy) -> None:
    if plan.duration_ms > policy.incident_minutes_alone * 60_000:
        raise _needs_second("duration", f"one steward opens an incident for {policy.incident_minutes_alone} minutes")
    # Of an incident's items nobody knows yet which labels they will have: the policy's highest number is the bound.
    groups = max(policy.groups_min, *policy.label_groups_min.values(), 0)
    if 0 < plan.rules.groups_min < groups:
        raise _needs_second("rules.groups_min", f"one steward cannot go below {groups} groups")
    if plan.rules.trial_items > policy.trial_items_per_day:
        raise _needs_second(
            "rules.trial_items_per_day", f"one steward cannot go beyond {policy.trial_items_per_day} items"
        )


def _needs_second(name: str, why: str) -> Refusal:
    return Refusal(
        error_reason_pb2.ERROR_REASON_INCIDENT_NEEDS_SECOND,
        f"{why}: ask for less, or propose it as a motion",
        metadata={"field": name},
    )


def _record_support(scene: Scene, actor: bytes, incident: int, until_ms: int) -> None:
    clear = AcknowledgedClear(Receiver.SUPPORTER, until_ms).encode()
    scene.record(Draft(Kind.INCIDENT_ACKNOWLEDGED, actor, incident, clear=clear))
    row = existing_incident(scene, incident)
    agreed_ms = _agreed_until(scene, incident)
    if agreed_ms > (row.end_ms if row.is_open else scene.now_ms):
        _prolong(scene, actor, incident, agreed_ms)


def _agreed_until(view: View, incident: int) -> int:
    """The latest time until which members of enough corporate groups want an incident to be open; 0: none."""
    until: dict[str, int] = {}
    for row in incidents.acknowledgements(view, incident, Receiver.SUPPORTER):
        member = view.member(row.pseudonym)
        if member is not None and _counts(view, member):
            until[member.group] = max(row.until_ms, until.get(member.group, 0))
    wanted = sorted(until.values(), reverse=True)
    enough = max(GROUPS_MIN, policy_of(view).incident_members_min)
    return wanted[enough - 1] if len(wanted) >= enough else 0


def _counts(view: View, member: MemberRow) -> bool:
    """Whether a member's support counts: of a known group, taking part, and not on trial."""
    return bool(member.group) and not member.suspended and is_full(view, member.pseudonym)


def _prolong(scene: Scene, actor: bytes, incident: int, end_ms: int) -> None:
    scene.record(Draft(Kind.INCIDENT_PROLONGED, actor, incident, clear=u64(end_ms)))


def _close(scene: Scene, actor: bytes, incident: int, end: End) -> None:
    scene.record(Draft(Kind.INCIDENT_CLOSED, actor, incident, clear=u8(end)))
