"""What look-ups by local points say on the wire: points and measurements in, candidates and confirmations out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hashpact.errors import InvalidSignalError
from hashpact.local_signature import POINTS_MAX, Measurement, ProbePoints
from hashpact.v1 import error_reason_pb2
from hashpact.v1 import lookup_service_pb2 as pb

from hashpact_server.candidates import Candidate
from hashpact_server.config import Limits
from hashpact_server.refusal import invalid_field, over_limit
from hashpact_server.rules.points import Confirmed

MEASUREMENT_VALUES: Final = POINTS_MAX
"""What a measurement counts where values are counted."""


def read_points(
    probes: Sequence[pb.Probe], limits: Limits, values: int
) -> tuple[dict[int, ProbePoints], list[pb.ProbeProblem]]:
    """Probe index -> its local points, and those that cannot be read.

    Args:
        probes: of the call.
        limits: limits in force.
        values: values in the signal sets of the call; a point counts as one more.

    Raises:
        Refusal: LIMIT_EXCEEDED.
    """
    found: dict[int, ProbePoints] = {}
    problems: list[pb.ProbeProblem] = []
    for index, probe in enumerate(probes):
        if not probe.points:
            continue
        if len(probe.points) > limits.points_bytes_max:
            raise over_limit("points_bytes_max", limits.points_bytes_max, len(probe.points))
        try:
            points = ProbePoints.decode(probe.points)
        except InvalidSignalError as error:
            problems.append(
                pb.ProbeProblem(
                    probe_index=index,
                    signal_set_index=len(probe.signal_sets),
                    reason=error_reason_pb2.ERROR_REASON_SIGNAL_MALFORMED,
                    message=error.message,
                )
            )
            continue
        values += len(points)
        if values > limits.lookup_values_max:
            raise over_limit("lookup_values_max", limits.lookup_values_max, values)
        if len(points):
            found[index] = points
    return found, problems


def read_measurements(sent: Sequence[pb.Measurement], limits: Limits) -> list[tuple[int, Measurement]]:
    """(signal id, what was measured for it) pairs. One signal may have several: it was named at several places.

    Raises:
        Refusal: FIELD_INVALID, LIMIT_EXCEEDED.
    """
    if not sent:
        raise invalid_field("measurements", "give at least one measurement, of a candidate that Lookup named")
    if len(sent) > limits.candidates_max:
        raise over_limit("candidates_max", limits.candidates_max, len(sent))
    found: list[tuple[int, Measurement]] = []
    for position, each in enumerate(sent):
        try:
            found.append((each.signal, Measurement.decode(each.measured)))
        except InvalidSignalError as error:
            raise invalid_field(f"measurements[{position}].measured", error.message) from error
    return found


def encode_candidate(candidate: Candidate) -> pb.Candidate:
    """Where to measure. Of the listed signature it tells the places, and not what is there."""
    item, sighting, signature = candidate
    return pb.Candidate(
        item=item,
        signal=sighting.signal,
        votes=sighting.votes,
        placement=sighting.placement,
        mirrored=sighting.mirrored,
        width_px=signature.width_px,
        height_px=signature.height_px,
        places=signature.places.encode(),
    )


def encode_confirmed(confirmed: Confirmed | None, *, numbers: bool) -> pb.Confirmation | None:
    """What was confirmed.

    Args:
        confirmed: None: nothing was measured.
        numbers: whether the caller may see how well it agrees: whoever may not, and could change what it measured a
            little each time, would be led to the listed details.
    """
    if confirmed is None:
        return None
    told = pb.Confirmation(visible_percent=confirmed.visible_percent)
    if numbers:
        told.points, told.points_visible = confirmed.points, confirmed.points_visible
        told.thumbnail_percent = int(confirmed.thumbnail_percent)
        if confirmed.aligned_distance is not None:
            told.aligned_distance = confirmed.aligned_distance
    return told
