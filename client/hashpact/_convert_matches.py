"""Between messages of look-ups and the client's objects."""

from __future__ import annotations

from collections.abc import Mapping

from hashpact import _convert as convert
from hashpact._convert import Words
from hashpact.errors import InvalidRequestError
from hashpact.evidence import Agreement, Candidate, Confirmation, MatchedStretch, Overlap
from hashpact.probes import FRAME, Probe
from hashpact.results import Match, ProbeResult, Problem
from hashpact.v1 import lookup_service_pb2, signal_pb2

LEVELS = Words(lookup_service_pb2.MatchLevel, "MATCH_LEVEL_")


def probe_message(probe: Probe) -> lookup_service_pb2.Probe:
    """A probe."""
    return lookup_service_pb2.Probe(
        signal_sets=[
            signal_pb2.SignalSet(signal_type=name, values=values, times_ms=probe.times_ms if name == FRAME else None)
            for name, values in probe.signal_sets
        ],
        points=probe.points,
        wide=probe.wide,
    )


def radius_messages(radii: Mapping[str, int] | None) -> list[lookup_service_pb2.Radius]:
    """Radii by signal type."""
    messages = []
    for name, radius in (radii or {}).items():
        if not 0 <= radius < 1 << 32:
            raise InvalidRequestError.about("radii", f"the radius of {name} is a number of bits, 0 or more")
        messages.append(lookup_service_pb2.Radius(signal_type=name, radius=radius))
    return messages


def match_of(message: lookup_service_pb2.Match) -> Match:
    """A match, its agreements best first."""
    agreements = [
        Agreement(
            one.signal_type,
            one.value_index,
            one.distance,
            one.distance_is_bound,
            one.sequence,
            one.vouching_groups,
            _confirmation_of(one.confirmation) if one.HasField("confirmation") else None,
            _overlap_of(one.overlap) if one.HasField("overlap") else None,
        )
        for one in message.agreements
    ]
    return Match(
        message.item,
        convert.STATUSES.word(message.status),
        tuple(message.labels),
        convert.ADVICE.word(message.advice),
        tuple(sorted(agreements, key=lambda agreement: agreement.rank)),
        message.vouching_groups,
        message.weakly_vouched,
        tuple(message.members),
        tuple(message.incidents),
        message.sequence,
        LEVELS.word(message.level),
    )


def _confirmation_of(message: lookup_service_pb2.Confirmation) -> Confirmation:
    distance = message.aligned_distance if message.HasField("aligned_distance") else None
    return Confirmation(
        message.points,
        message.points_visible,
        message.visible_percent,
        message.thumbnail_percent,
        distance,
    )


def _overlap_of(message: lookup_service_pb2.Overlap) -> Overlap:
    return Overlap(
        message.query_percent,
        message.item_percent,
        tuple(
            MatchedStretch((one.query.start_ms, one.query.end_ms), (one.item.start_ms, one.item.end_ms))
            for one in message.stretches
        ),
        message.offset_ms,
        message.speed,
    )


def _candidate_of(message: lookup_service_pb2.Candidate) -> Candidate:
    return Candidate(
        message.item,
        message.signal,
        message.votes,
        tuple(message.placement),
        message.mirrored,
        message.width_px,
        message.height_px,
        message.places,
    )


_NOTHING = ProbeResult()


def probe_results(response: lookup_service_pb2.LookupResponse, probes: int) -> list[ProbeResult]:
    """One result per probe of the request: the answer names only those that matched.

    Raises:
        ServiceError: it names a probe that was not asked about.
    """
    if not response.matched and not response.problems:  # nearly every look-up
        return [_NOTHING] * probes
    named = (*(one.probe_index for one in response.problems), *(one.probe_index for one in response.matched))
    if any(index >= probes for index in named):
        raise convert.nonsense("a probe that was not asked about")
    results = [_NOTHING] * probes
    problems: dict[int, list[Problem]] = {}
    for one in response.problems:
        problems.setdefault(one.probe_index, []).append(
            Problem(one.signal_set_index, convert.reason(one.reason), one.message)
        )
    for index, found in problems.items():
        results[index] = ProbeResult(problems=tuple(found))
    for matched in response.matched:
        results[matched.probe_index] = ProbeResult(
            # A match without agreements says nothing that could be shown or decided on.
            tuple(match_of(match) for match in matched.matches if match.agreements),
            matched.truncated,
            tuple(problems.get(matched.probe_index, ())),
            tuple(_candidate_of(candidate) for candidate in matched.candidates),
        )
    return results
