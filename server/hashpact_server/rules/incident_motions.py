"""What two stewards decide about incidents: longer ones, with laxer rules, and that one goes on."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from hashpact.v1 import incident_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.rules import incidents
from hashpact_server.rules.incident_plans import duration_of, plan_of
from hashpact_server.scene import Scene
from hashpact_server.state.view import View


def check_open(view: View, act: incident_pb2.IncidentPlan) -> None:
    """Whether such an incident can be opened.

    Raises:
        Refusal: FIELD_INVALID, INCIDENT_EXISTS, LIMIT_EXCEEDED.
    """
    incidents.check_free(view, plan_of(act).name)


def carry_out_open(scene: Scene, actor: bytes, act: incident_pb2.IncidentPlan) -> None:
    """Open it."""
    incidents.open_incident(scene, actor, plan_of(act), steward=True, seconded=True)


def check_prolong(view: View, act: pb.StewardAct.ProlongIncident) -> None:
    """Whether the incident can go on.

    Raises:
        Refusal: FIELD_INVALID, INCIDENT_NOT_FOUND, INCIDENT_CLOSED.
    """
    _duration_ms(act)
    incidents.live_incident(view, act.incident)


def carry_out_prolong(scene: Scene, actor: bytes, act: pb.StewardAct.ProlongIncident) -> None:
    """Let it go on."""
    incidents.prolong(scene, actor, act.incident, _duration_ms(act))


def _duration_ms(act: pb.StewardAct.ProlongIncident) -> int:
    return duration_of("prolong_incident.minutes", Duration(seconds=60 * act.minutes))
