"""Opening, joining, acknowledging and closing incidents; and what the service tells of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from hashpact import _convert as convert
from hashpact import _convert_matches as matches
from hashpact import _wire as wire
from hashpact._operations.returning import OnAway, Returning
from hashpact._operations.session import BUSY, Session, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.incidents import (
    Debrief,
    DebriefHour,
    DebriefMember,
    Incident,
    IncidentRules,
    IncidentUpdate,
    Percentiles,
)
from hashpact.v1 import incident_pb2
from hashpact.v1 import incident_service_pb2 as pb

STATES: Final = convert.Words(incident_pb2.IncidentState, "INCIDENT_STATE_")
ENDS: Final = convert.Words(incident_pb2.IncidentEnd, "INCIDENT_END_")
RECEIVERS: Final = convert.Words(pb.IncidentReceiver, "INCIDENT_RECEIVER_")


class Told(Returning):
    """One watch of incidents, over as many connections as it takes."""

    def __init__(self, after: str, on_away: OnAway | None) -> None:
        super().__init__(on_away)
        self._after = after

    def request(self) -> pb.WatchIncidentsRequest:
        """What to ask for with the next connection."""
        return pb.WatchIncidentsRequest(after=self._after)

    def heard(self, message: Any) -> None:
        """A message was taken care of; the next connection goes on behind it."""
        self.answered()
        self._after = message.as_of


def plan_of(
    name: str, kind: str, duration: timedelta, summary: str, drill: bool, rules: IncidentRules | None
) -> incident_pb2.IncidentPlan:
    """What is asked for, on the wire."""
    plan = incident_pb2.IncidentPlan(
        name=name, type=kind, summary=summary, drill=drill, duration=_duration("duration", duration)
    )
    if rules is not None:
        require_count("groups_min", rules.groups_min)
        require_count("trial_items_per_day", rules.trial_items_per_day)
        plan.rules.CopyFrom(
            incident_pb2.IncidentRules(
                groups_min=rules.groups_min,
                radii=matches.radius_messages(rules.radii),
                trial_items_per_day=rules.trial_items_per_day,
            )
        )
        if rules.item_expiry is not None:
            plan.rules.item_expiry.CopyFrom(_duration("item_expiry", rules.item_expiry))
    return plan


def open_incident(
    session: Session, plan: incident_pb2.IncidentPlan, *, request_id: str | None, validate_only: bool
) -> Operation[Incident]:
    """Open an incident, or call for one."""
    given_id = new_request_id(request_id)
    request = pb.OpenIncidentRequest(request_id=given_id, validate_only=validate_only, plan=plan)
    response = yield from ask(write(wire.OPEN_INCIDENT, request, given_id))
    session.wrote(response.as_of)
    return incident_of(response.incident)


def support_incident(
    session: Session, incident: int, duration: timedelta, *, request_id: str | None
) -> Operation[Incident]:
    """Want an incident to be open."""
    require_id("incident", incident)
    given_id = new_request_id(request_id)
    request = pb.SupportIncidentRequest(
        request_id=given_id, incident=incident, duration=_duration("duration", duration)
    )
    response = yield from ask(write(wire.SUPPORT_INCIDENT, request, given_id))
    session.wrote(response.as_of)
    return incident_of(response.incident)


def close_incident(session: Session, incident: int, *, request_id: str | None) -> Operation[Incident]:
    """End an incident."""
    require_id("incident", incident)
    given_id = new_request_id(request_id)
    request = pb.CloseIncidentRequest(request_id=given_id, incident=incident)
    response = yield from ask(write(wire.CLOSE_INCIDENT, request, given_id))
    session.wrote(response.as_of)
    return incident_of(response.incident)


def acknowledge_incident(session: Session, incident: int, receiver: str) -> Operation[Incident]:
    """Say who knows; doing it twice is doing it once, so it is repeated without a request_id."""
    require_id("incident", incident)
    request = pb.AcknowledgeIncidentRequest(incident=incident, receiver=RECEIVERS.number(receiver, "receiver"))
    call = wire.Call(wire.ACKNOWLEDGE_INCIDENT, request, repeatable=True, wait_for=BUSY)
    response = yield from ask(call)
    session.wrote(response.as_of)
    return incident_of(response.incident)


def list_incidents_page(open_only: bool, page_size: int, page_token: str) -> Operation[tuple[list[Incident], str]]:
    """Ask for one page of incidents."""
    require_count("page_size", page_size)
    request = pb.ListIncidentsRequest(open_only=open_only, page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_INCIDENTS, request, wait_for=BUSY))
    found = [incident_of(each) for each in response.incidents]
    return found, convert.next_page(page_token, response.next_page_token)


def debrief(incident: int) -> Operation[Debrief]:
    """How an incident went."""
    require_id("incident", incident)
    request = pb.GetDebriefRequest(incident=incident)
    response = yield from ask(wire.Call(wire.GET_DEBRIEF, request, wait_for=BUSY))
    return Debrief(
        incident=incident_of(response.incident),
        items=response.items,
        items_created=response.items_created,
        items_corroborated=response.items_corroborated,
        items_closed=response.items_closed,
        hours=tuple(
            DebriefHour(convert.time_of(each, "start_time"), each.contributions, each.signals, each.items)
            for each in response.hours
        ),
        members=tuple(_member_of(each) for each in response.members),
        software_acknowledged=_percentiles_of(response.software_acknowledged),
        person_acknowledged=_percentiles_of(response.person_acknowledged),
        with_matches=response.with_matches,
    )


def update_of(message: pb.WatchIncidentsResponse) -> IncidentUpdate:
    """A message of the watch as its reader sees it."""
    return IncidentUpdate(
        tuple(incident_of(each) for each in message.incidents), message.as_of, convert.time_of(message, "sent_time")
    )


def incident_of(message: incident_pb2.Incident) -> Incident:
    """An incident."""
    plan = message.plan
    return Incident(
        incident=message.incident,
        name=plan.name,
        type=plan.type,
        summary=plan.summary,
        drill=plan.drill,
        state=STATES.word(message.state),
        member=message.member,
        create_time=convert.time_of(message, "create_time"),
        open_time=convert.time_of(message, "open_time"),
        end_time=convert.time_of(message, "end_time"),
        end="" if message.end == incident_pb2.INCIDENT_END_UNSPECIFIED else ENDS.word(message.end),
        contributions=message.contributions,
        software_acknowledgements=message.software_acknowledgements,
        person_acknowledgements=message.person_acknowledgements,
        supporters=message.supporters,
        sequence=message.sequence,
        update_time=convert.time_of(message, "update_time"),
        rules=_rules_of(plan.rules),
    )


def _rules_of(message: incident_pb2.IncidentRules) -> IncidentRules:
    expiry = message.item_expiry
    return IncidentRules(
        message.groups_min,
        {each.signal_type: each.radius for each in message.radii},
        message.trial_items_per_day,
        timedelta(milliseconds=expiry.ToMilliseconds()) if message.HasField("item_expiry") else None,
    )


def _member_of(message: pb.IncidentMember) -> DebriefMember:
    return DebriefMember(
        member=message.member,
        contributions=message.contributions,
        signals=message.signals,
        first_contribution_time=convert.time_of(message, "first_contribution_time"),
        first_match_hour=convert.time_of(message, "first_match_hour"),
        matches=message.matches,
        software_acknowledge_time=convert.time_of(message, "software_acknowledge_time"),
        person_acknowledge_time=convert.time_of(message, "person_acknowledge_time"),
    )


def _percentiles_of(message: pb.Percentiles) -> Percentiles:
    p50_s, p95_s, p99_s, max_s = (
        each.ToMilliseconds() / 1000 for each in (message.p50, message.p95, message.p99, message.max)
    )
    return Percentiles(message.count, p50_s, p95_s, p99_s, max_s)


def _duration(field: str, given: timedelta) -> Duration:
    if not timedelta(0) <= given <= timedelta(days=3650):
        raise InvalidRequestError.about(field, f"{field} is a timedelta of up to ten years")
    made = Duration()
    made.FromTimedelta(given)
    return made
