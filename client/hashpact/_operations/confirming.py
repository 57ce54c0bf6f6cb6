"""Confirming what local points found: measured here, where the upload is, and compared where the list is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hashpact import _convert as convert
from hashpact import _convert_matches as matches
from hashpact import _wire as wire
from hashpact._operations.session import BUSY
from hashpact._wire import Operation, ask_all, compute
from hashpact.errors import InvalidRequestError, InvalidSignalError
from hashpact.evidence import Candidate
from hashpact.probes import Probe
from hashpact.results import Match, ProbeResult, Problem
from hashpact.v1 import lookup_service_pb2

if TYPE_CHECKING:
    from hashpact.hashing.local import LocalCanvas

Measured = list[tuple[int, bytes]]
"""(id of the listed signature, measurement)."""


def confirmed(
    probes: Sequence[Probe],
    canvases: Sequence[object | None],
    found: Sequence[ProbeResult],
    *,
    radii: Mapping[str, int] | None,
    use: str,
    as_of: str,
) -> Operation[list[ProbeResult]]:
    """What was found, with candidates turned into matches or dropped.

    Args:
        probes: what was looked up.
        canvases: of the uploads; None where one was not kept: its candidates are dropped.
        found: what the look-up answered.
        radii: as in the look-up.
        use: likewise.
        as_of: of the look-up's answer.
    """
    results = list(found)
    asked = [at for at, each in enumerate(found) if each.candidates and canvases[at] is not None]
    if not asked:
        return results
    every = yield from compute(lambda: [measured(canvases[at], found[at].candidates) for at in asked])
    calls = [
        wire.Call(wire.CONFIRM, _request(probes[at], measurements, radii, use, as_of), wait_for=BUSY)
        for at, measurements in zip(asked, every, strict=True)
    ]
    for at, answer in zip(asked, (yield from _each_answered(calls)), strict=True):
        if isinstance(answer, InvalidRequestError):
            problem = Problem(0, answer.reason, f"its local points could not be confirmed: {answer.message}")
            results[at] = replace(found[at], problems=(*found[at].problems, problem))
            continue
        agreed = [matches.match_of(match) for match in answer.matches if match.agreements]
        results[at] = replace(found[at], matches=merged(found[at].matches, agreed), candidates=())
    return results


def _each_answered(
    calls: Sequence[wire.Call[lookup_service_pb2.ConfirmResponse]],
) -> Operation[list[lookup_service_pb2.ConfirmResponse | InvalidRequestError]]:
    """An answer per call: a refusal of one upload's measurements is no refusal of the others'."""
    try:
        return [*(yield from ask_all(calls))]
    except InvalidRequestError as error:
        if len(calls) == 1:
            return [error]
    answers: list[lookup_service_pb2.ConfirmResponse | InvalidRequestError] = []
    for call in calls:
        answers += yield from _each_answered([call])
    return answers


def measured(canvas: object, candidates: Sequence[Candidate]) -> Measured:
    """Measure an upload at the places of its candidates.

    Raises:
        ServiceError: the service named places that cannot be.
    """
    from hashpact.hashing.local import LocalCandidate, measure  # noqa: PLC0415  # whoever has a canvas has it
    from hashpact.local_signature import Placement, Places  # noqa: PLC0415  # a thin installation has no NumPy

    try:
        places = [
            LocalCandidate(
                Placement.of(one.placement, mirrored=one.mirrored),
                Places.decode(one.places),
                one.width_px,
                one.height_px,
            )
            for one in candidates
        ]
        found = measure(cast("LocalCanvas", canvas), places)
    except (InvalidSignalError, ValueError) as error:
        raise convert.nonsense("a candidate at an impossible place") from error
    return [(one.signal, each.encode()) for one, each in zip(candidates, found, strict=True)]


def merged(looked_up: Sequence[Match], confirmed_ones: Sequence[Match]) -> tuple[Match, ...]:
    """The matches of the look-up, with what was confirmed in place of what was said before; strong ones first."""
    by_item = {match.item: match for match in (*looked_up, *confirmed_ones)}
    return tuple(sorted(by_item.values(), key=lambda match: match.level != "strong"))


def messages_of(measurements: Measured) -> list[lookup_service_pb2.Measurement]:
    """Measurements, as they are sent."""
    return [lookup_service_pb2.Measurement(signal=signal, measured=each) for signal, each in measurements]


def _request(
    probe: Probe, measurements: Measured, radii: Mapping[str, int] | None, use: str, as_of: str
) -> lookup_service_pb2.ConfirmRequest:
    return lookup_service_pb2.ConfirmRequest(
        probe=matches.probe_message(replace(probe, points=b"")),  # what was measured says more than its points
        measurements=messages_of(measurements),
        use=use,
        at_least_as_fresh=as_of,
        radii=matches.radius_messages(radii),
    )
