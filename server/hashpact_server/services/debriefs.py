"""A debrief as it goes over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from hashpact.v1 import incident_service_pb2 as pb

from hashpact_server.debrief import Debrief, Part, percentile
from hashpact_server.services.incidents import duration, encode_incident
from hashpact_server.services.reading import timestamp
from hashpact_server.state.incidents import IncidentRow
from hashpact_server.state.rows import Status
from hashpact_server.state.view import View


def encode_debrief(view: View, row: IncidentRow, told: Debrief) -> pb.GetDebriefResponse:
    """How an incident went."""
    standing = list(told.created.values())
    members = [_encode_member(view, pseudonym, part) for pseudonym, part in told.members.items()]
    return pb.GetDebriefResponse(
        incident=encode_incident(view, row),
        items=len(told.items),
        items_created=len(standing),
        items_corroborated=standing.count(Status.CORROBORATED),
        items_closed=sum(not status.matches for status in standing),
        hours=[_encode_hour(hour_ms, part) for hour_ms, part in sorted(told.hours.items())],
        members=sorted(members, key=lambda member: member.member),
        software_acknowledged=_encode_percentiles(told.software_ms),
        person_acknowledged=_encode_percentiles(told.person_ms),
        with_matches=told.with_matches,
    )


def _encode_hour(hour_ms: int, part: Part) -> pb.IncidentHour:
    return pb.IncidentHour(
        start_time=timestamp(hour_ms), contributions=part.contributions, signals=part.signals, items=part.items
    )


def _encode_member(view: View, pseudonym: bytes, part: Part) -> pb.IncidentMember:
    member = view.member(pseudonym)
    encoded = pb.IncidentMember(
        member="" if member is None else member.name,
        contributions=part.contributions,
        signals=part.signals,
        matches=part.matches,
    )
    for name, when_ms in (
        ("first_contribution_time", part.first_ms),
        ("first_match_hour", part.match_hour_ms),
        ("software_acknowledge_time", part.software_ms),
        ("person_acknowledge_time", part.person_ms),
    ):
        if when_ms:
            getattr(encoded, name).CopyFrom(timestamp(when_ms))
    return encoded


def _encode_percentiles(values: Sequence[int]) -> pb.Percentiles:
    return pb.Percentiles(
        count=len(values),
        p50=duration(percentile(values, 50)),
        p95=duration(percentile(values, 95)),
        p99=duration(percentile(values, 99)),
        max=duration(max(values, default=0)),
    )
