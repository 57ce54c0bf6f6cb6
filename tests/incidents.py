"""Incidents on a small forum, for tests of rules."""

from __future__ import annotations

from hashpact.v1 import incident_pb2
from hashpact_server.rules import incidents
from hashpact_server.rules.incident_plans import plan_of
from hashpact_server.state.incidents import IncidentRow
from hashpact_server.state.rows import MemberRow, Role, Status

from tests.forum import Forum


def plan(name: str = "harbour", *, minutes: float = 60, **rules: object) -> incident_pb2.IncidentPlan:
    made = incident_pb2.IncidentPlan(name=name, type="perpetrator_content", drill=name.startswith("drill-"))
    made.duration.FromMilliseconds(round(minutes * 60_000))
    expiry_ms = rules.pop("expiry_ms", 0)
    made.rules.CopyFrom(incident_pb2.IncidentRules(**rules))  # type: ignore[arg-type]
    if expiry_ms:
        made.rules.item_expiry.FromMilliseconds(int(str(expiry_ms)))
    return made


def opened(forum: Forum, sent: incident_pb2.IncidentPlan | None = None, by: MemberRow | None = None) -> IncidentRow:
    wanted, who = plan_of(sent or plan()), by or forum.steward
    steward = Role.STEWARD in who.roles
    return forum.decide(lambda scene: incidents.open_incident(scene, who.pseudonym, wanted, steward=steward))


def status(forum: Forum, item: int) -> Status:
    with forum.engine.state.read() as view:
        row = view.item(item)
    assert row is not None
    return row.status


def under(name: str = "harbour") -> tuple[str, ...]:
    return ("glorification_of_terrorist_acts", f"incident:{name}")
