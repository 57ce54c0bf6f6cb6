"""Incidents and their debriefs as they go over the wire."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact.v1 import incident_pb2 as pb
from hashpact.v1 import lookup_service_pb2

from hashpact_server.ledger.payloads_incidents import IncidentRules, Receiver
from hashpact_server.services.reading import timestamp
from hashpact_server.state.incidents import IncidentRow, acknowledgements, words_of
from hashpact_server.state.view import View


def duration(milliseconds: int) -> Duration:
    """A time span on the wire."""
    made = Duration()
    made.FromMilliseconds(milliseconds)
    return made


def encode_incident(view: View, row: IncidentRow) -> pb.Incident:
    """An incident as it stands in a view."""
    words = words_of(view, row.incident)
    member = view.member(row.pseudonym)
    encoded = pb.Incident(
        incident=row.incident,
        plan=pb.IncidentPlan(
            name=words.name,
            type=words.type,
            summary=words.summary,
            drill=row.drill,
            duration=duration(row.duration_ms),
            rules=_encode_rules(row.rules),
        ),
        state=pb.IncidentState.ValueType(row.state),
        member="" if member is None else member.name,
        create_time=timestamp(row.create_ms),
        end_time=timestamp(row.end_ms),
        end=pb.IncidentEnd.ValueType(row.end),
        contributions=row.contributions,
        software_acknowledgements=len(acknowledgements(view, row.incident, Receiver.SOFTWARE)),
        person_acknowledgements=len(acknowledgements(view, row.incident, Receiver.PERSON)),
        supporters=len(acknowledgements(view, row.incident, Receiver.SUPPORTER)),
        sequence=row.sequence,
        update_time=timestamp(row.update_ms),
    )
    if row.open_ms:
        encoded.open_time.CopyFrom(timestamp(row.open_ms))
    return encoded


def _encode_rules(rules: IncidentRules) -> pb.IncidentRules:
    encoded = pb.IncidentRules(
        groups_min=rules.groups_min,
        trial_items_per_day=rules.trial_items,
        radii=[
            lookup_service_pb2.Radius(signal_type=SIGNAL_TYPES_BY_CODE[code].name, radius=radius)
            for code, radius in rules.radii
            if code in SIGNAL_TYPES_BY_CODE
        ],
    )
    if rules.expiry_ms:
        encoded.item_expiry.CopyFrom(duration(rules.expiry_ms))
    return encoded
