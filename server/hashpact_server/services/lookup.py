"""LookupService: probes in, matches out. See ``lookup`` for the path in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hashpact.local_signature import Measurement, ProbePoints
from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE, SignalType
from hashpact.v1 import lookup_service_pb2, lookup_service_pb2_grpc

from hashpact_server.candidates import Candidate, Confirming, candidates, certain_of
from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.guards import Guards
from hashpact_server.guards.measured import batches_of, watched
from hashpact_server.guards.probing import coarse
from hashpact_server.ledger.base import Head
from hashpact_server.lookup import check_deadline, look_up, soften
from hashpact_server.matches import SEES_DISTANCES, Advisor, Batch, Found, Match
from hashpact_server.refusal import invalid_field
from hashpact_server.rules.advice import Advice
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.member_policy import member_policy
from hashpact_server.rules.statements import existing_item
from hashpact_server.services.caller import Caller, current_caller
from hashpact_server.services.explaining import Explaining, withhold
from hashpact_server.services.gathering import PDQ, gather
from hashpact_server.services.items import encode_advice, encode_status, encode_stretch
from hashpact_server.services.measuring import (
    MEASUREMENT_VALUES,
    encode_candidate,
    encode_confirmed,
    read_measurements,
    read_points,
)
from hashpact_server.services.reading import fresh_head
from hashpact_server.state.rows import Role
from hashpact_server.videos import Overlap


class LookupService(lookup_service_pb2_grpc.LookupServiceServicer):
    """Answers whether probes are on the list.

    Args:
        engine: the list.
        limits: limits in force.
        guards: what a hub watches with; None: nothing is counted.
    """

    def __init__(self, engine: Engine, limits: Limits, guards: Guards | None = None) -> None:
        self._engine = engine
        self._limits = limits
        self._guards = guards
        head = engine.published.head
        self._nothing = head, _nothing_at(head)

    def Lookup(  # noqa: N802 - the name in the wire
        self, request: lookup_service_pb2.LookupRequest, context: Any
    ) -> lookup_service_pb2.LookupResponse:
        """Look up a batch of probes."""
        caller, limits = current_caller(), self._limits
        batches, problems = gather(request.probes, limits)
        points, unread = read_points(request.probes, limits, _values_in(batches))
        problems += unread
        self._spend(caller, batches, sum(map(len, points.values())))
        head = fresh_head(self._engine, request.at_least_as_fresh)
        radii = self._radii(request)
        found = look_up(
            self._engine,
            batches,
            radii=radii,
            matches_max=min(request.matches_max or limits.matches_default, limits.matches_max),
            exact_distances=caller.has(*SEES_DISTANCES),
            deadline=caller.deadline,
            member=caller.pseudonym,
            use=request.use,
        )
        if self._guards is not None:
            found = self._guards.probing.asked(caller.pseudonym, batches, found, radii)
            if found:
                self._guards.floods.matched(caller.pseudonym, _counted(found))
        seen = self._candidates(points, found, caller.deadline)
        nothing = self._nothing_as_of(head)
        if not found and not problems and not seen:
            return nothing
        matched = [_encode_found(each, seen.pop(each.probe, ())) for each in found]
        matched += (_encode_found(Found(probe, (), truncated=False), each) for probe, each in seen.items())
        matched.sort(key=_probe_index)
        return lookup_service_pb2.LookupResponse(matched=matched, problems=problems, as_of=nothing.as_of)

    def Confirm(  # noqa: N802 - the name in the wire
        self, request: lookup_service_pb2.ConfirmRequest, context: Any
    ) -> lookup_service_pb2.ConfirmResponse:
        """Compare what was measured with the listed local signatures."""
        caller, limits = current_caller(), self._limits
        batches, _ = gather([request.probe], limits)
        measured = read_measurements(request.measurements, limits)
        self._spend(caller, batches, MEASUREMENT_VALUES * len(measured))
        self._may_measure(caller, measured)
        head = fresh_head(self._engine, request.at_least_as_fresh)
        radii, exact = self._radii(request), caller.has(*SEES_DISTANCES)
        if request.probe.wide:
            radii.setdefault(PDQ.code, PDQ.radius_max)
        with self._engine.state.read() as view:
            advisor = Advisor(view, caller.pseudonym, request.use)
            confirming = Confirming(self._engine, view, advisor, batches, radii, exact_distances=exact)
            found = Found(0, tuple(confirming.matches(measured)), truncated=False)
            found = soften(view, self._engine.published.benign, batches, found)
        told = [found] if found.matches else []
        if self._guards is not None:
            self._guards.probing.measured(caller.pseudonym, watched(confirming.compared))
            told = self._guards.probing.asked(caller.pseudonym, batches, told, radii)
            # What its other signals agree with was counted when it was looked up.
            self._guards.floods.matched(caller.pseudonym, _counted(map(_by_points_alone, told)))
        matches = [encode_match(match, numbers=exact) for each in told for match in each.matches]
        return lookup_service_pb2.ConfirmResponse(matches=matches, as_of=head.position().encode())

    def _candidates(
        self, points: Mapping[int, ProbePoints], found: Sequence[Found], deadline: float
    ) -> dict[int, list[Candidate]]:
        """Probe index -> what its local points may show."""
        certain = {each.probe: certain_of(each.matches) for each in found}
        seen = {}
        for probe, each in points.items():
            check_deadline(deadline)
            seen[probe] = candidates(self._engine, each, certain.get(probe, frozenset()), self._limits.candidates_max)
        return {probe: each for probe, each in seen.items() if each}

    def Explain(  # noqa: N802 - the name in the wire
        self, request: lookup_service_pb2.ExplainRequest, context: Any
    ) -> lookup_service_pb2.ExplainResponse:
        """Say why a probe matches an item, or why not."""
        caller = current_caller()
        batches, problems = gather([request.probe], self._limits)
        points, unread = read_points([request.probe], self._limits, _values_in(batches))
        problems += unread
        measured = read_measurements(request.measurements, self._limits) if request.measurements else []
        self._spend(caller, batches, MEASUREMENT_VALUES * len(measured))
        self._may_measure(caller, measured)
        head = fresh_head(self._engine, request.at_least_as_fresh)
        radii = self._engine.published.board.radii_of(request.item) | self._radii(request)
        if request.probe.wide:
            radii.setdefault(PDQ.code, PDQ.radius_max)
        with self._engine.state.read() as view:
            row = existing_item(view, request.item)
            ground = Ground(view, row)
            exact = caller.has(*SEES_DISTANCES)
            advisor = Advisor(view, caller.pseudonym, request.use)
            mine = any(each.pseudonym == caller.pseudonym for each in ground.rows)
            seen = mine or caller.has(Role.REPLICATE)
            confirming = Confirming(self._engine, view, advisor, batches, radii, exact_distances=exact)
            told = confirming.confirmations(measured).get(request.item, {}) if points else None
            if self._guards is not None:
                self._guards.probing.measured(caller.pseudonym, watched(confirming.compared))
            explaining = Explaining(advisor, ground, batches, radii, told, exact_distances=exact, sees_values=seen)
            signals, match = explaining.signals(), explaining.match()
            matches = (match,) if match else ()
            # The benign list is asked about whatever the probe matches, as in a look-up.
            found = soften(view, self._engine.published.benign, batches, Found(0, matches, truncated=False))
            milder = any(each.advice is not match.advice for each in found.matches) if match else False
            match = found.matches[0] if found.matches else None
            if self._withholds(caller, batches, explaining.near(), radii):
                withhold(signals)
                match, exact = coarse(match, radii) if match else None, False
            return lookup_service_pb2.ExplainResponse(
                status=encode_status(ground.status),
                match=encode_match(match, numbers=exact) if match else None,
                advice=encode_advice(match.advice if match else Advice.NONE),
                signals=signals,
                conditions=explaining.conditions(benign=milder),
                problems=problems,
                as_of=head.position().encode(),
            )

    def _withholds(
        self, caller: Caller, batches: Sequence[Batch], near: Match | None, radii: Mapping[int, int]
    ) -> bool:
        """Whether no distances are told, since the member feels its way along this item. Raises :class:`Refusal`."""
        if self._guards is None:
            return False
        found = [Found(0, (near,), truncated=False)] if near else []
        told = self._guards.probing.asked(caller.pseudonym, batches, found, radii)
        return any(each.matches[0] is not near for each in told)

    def _spend(self, caller: Caller, batches: Sequence[Batch], more: int = 0) -> None:
        """Whether the member may ask about so much, and about this. Raises :class:`Refusal` QUOTA_EXCEEDED."""
        guards = self._guards
        if guards is not None:
            guards.quotas.take(caller.pseudonym, Role.CHECK, _values_in(batches) + more)
            guards.probing.check(caller.pseudonym, batches)

    def _may_measure(self, caller: Caller, measured: Iterable[tuple[int, Measurement]]) -> None:
        """Whether the member may ask about these measurements. Raises :class:`Refusal` QUOTA_EXCEEDED."""
        if self._guards is not None:
            self._guards.probing.check(caller.pseudonym, batches_of(each for _, each in measured))

    def _radii(
        self,
        request: lookup_service_pb2.LookupRequest
        | lookup_service_pb2.ExplainRequest
        | lookup_service_pb2.ConfirmRequest,
    ) -> dict[int, int]:
        """Signal type code -> radius in bits: those asked for, else those of the use, as the caller may choose them."""
        radii = read_radii(request.radii) if request.radii else {}
        if not request.use and not radii:
            return radii
        caller = current_caller()
        if request.use:
            with self._engine.state.read() as view:
                use = view.once(member_policy, caller.pseudonym)[0].uses.get(request.use)
            if use is None:
                raise invalid_field("use", "the member's policy names no such use; SetMemberPolicy adds it")
            radii = {SIGNAL_TYPES[name].code: radius for name, radius in use.radii.items()} | radii
        if caller.has(*SEES_DISTANCES):
            return radii
        return {code: snapped_radius(SIGNAL_TYPES_BY_CODE[code], radius) for code, radius in radii.items()}

    def _nothing_as_of(self, head: Head) -> lookup_service_pb2.LookupResponse:
        """The answer that nothing matched, made once for all who get it until the list changes."""
        known_head, nothing = self._nothing
        if known_head is not head:
            nothing = _nothing_at(head)
            self._nothing = head, nothing
        return nothing


def _nothing_at(head: Head) -> lookup_service_pb2.LookupResponse:
    return lookup_service_pb2.LookupResponse(as_of=head.position().encode())


def snapped_radius(kind: SignalType, radius: int) -> int:
    """The radius for a caller that cannot choose it freely: the first of a few that is not below what it asks for."""
    return next(each for each in (kind.radius_default // 2, kind.radius_default, kind.radius_max) if each >= radius)


def read_radii(sent: Sequence[lookup_service_pb2.Radius]) -> dict[int, int]:
    """Signal type code -> radius in bits.

    Raises:
        Refusal: FIELD_INVALID: unknown or exact type, named twice, over the type's ``radius_max``.
    """
    radii: dict[int, int] = {}
    for position, each in enumerate(sent):
        kind = SIGNAL_TYPES.get(each.signal_type)
        if kind is None or not kind.ranged:
            raise invalid_field(f"radii[{position}].signal_type", "not a perceptual signal type of this server")
        if kind.code in radii:
            raise invalid_field(f"radii[{position}].signal_type", f"{kind.name} is named twice")
        if each.radius > kind.radius_max:
            raise invalid_field(f"radii[{position}].radius", f"at most {kind.radius_max} for {kind.name}")
        radii[kind.code] = each.radius
    return radii


def _counted(found: Iterable[Found]) -> Iterator[int]:
    """Items that count as met: those that somebody shall look at. A canary is met every minute."""
    return (match.item for each in found for match in each.matches if match.advice >= Advice.REVIEW)


def _by_points_alone(found: Found) -> Found:
    alone = (match for match in found.matches if all(each.confirmed for each in match.agreements))
    return found._replace(matches=tuple(alone))


def _values_in(batches: Sequence[Batch]) -> int:
    values = 0
    for batch in batches:
        values += len(batch.values) // batch.kind.size_bytes
    return values


def _encode_found(found: Found, seen: Iterable[Candidate]) -> lookup_service_pb2.ProbeMatches:
    return lookup_service_pb2.ProbeMatches(
        probe_index=found.probe,
        matches=[encode_match(match) for match in found.matches],
        truncated=found.truncated,
        candidates=map(encode_candidate, seen),
    )


def _encode_overlap(overlap: Overlap) -> lookup_service_pb2.Overlap:
    return lookup_service_pb2.Overlap(
        query_percent=round(overlap.query_percent, 1),
        item_percent=round(overlap.item_percent, 1),
        stretches=[
            lookup_service_pb2.MatchedStretch(query=encode_stretch(each.query), item=encode_stretch(each.item))
            for each in overlap.stretches
        ],
        offset_ms=overlap.offset_ms,
        speed=overlap.speed,
    )


def _probe_index(matched: lookup_service_pb2.ProbeMatches) -> int:
    return matched.probe_index


def encode_match(match: Match, *, numbers: bool = False) -> lookup_service_pb2.Match:
    """A match; every look-up that found something passes here. ``numbers``: see :func:`encode_confirmed`."""
    return lookup_service_pb2.Match(
        item=match.item,
        status=encode_status(match.status),
        labels=match.labels,
        advice=encode_advice(match.advice),
        agreements=[
            lookup_service_pb2.Agreement(
                signal_type=agreement.signal_type,
                value_index=agreement.value_index,
                distance=agreement.distance,
                distance_is_bound=agreement.is_bound,
                sequence=agreement.sequence,
                vouching_groups=groups,
                overlap=_encode_overlap(agreement.overlap) if agreement.overlap else None,
                confirmation=encode_confirmed(agreement.confirmed, numbers=numbers),
            )
            for agreement, groups in zip(match.agreements, match.vouching, strict=True)
        ],
        vouching_groups=max(match.vouching, default=0),
        weakly_vouched=match.weakly_vouched,
        members=match.members,
        incidents=match.incidents,
        sequence=match.sequence,
        level=lookup_service_pb2.MatchLevel.ValueType(match.level),
    )
