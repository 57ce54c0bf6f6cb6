"""Pictures through the steps of local points, as a member takes them: listed, looked up, measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hashpact.hashing.local import LocalCandidate, LocalCanvas, canvas, local_signature, measure, probe_points
from hashpact.hashing.pdq import pdq
from hashpact.local_signature import Placement, Places
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact_server.rules.signals import OfferedSignal
from PIL import Image

from tests.forum import Services


class Upload(NamedTuple):
    """An upload at the member that looks it up."""

    canvas: LocalCanvas
    probe: pb.Probe


def signals_of(picture: Image.Image) -> list[OfferedSignal]:
    """PDQ and local signature of a picture, as they are listed."""
    result = pdq(np.asarray(picture.convert("L")))
    value = local_signature(canvas(picture.convert("L")), result.values[0], result.quality)
    assert value is not None
    return [OfferedSignal("pdq", result.values[0], quality=result.quality), OfferedSignal("local_sift", value)]


def upload(picture: Image.Image) -> Upload:
    """A picture as it is looked up."""
    luma = picture.convert("L")
    made = canvas(luma)
    sets = [signal_pb2.SignalSet(signal_type="pdq", values=pdq(np.asarray(luma)).values[0])]
    return Upload(made, pb.Probe(signal_sets=sets, points=probe_points(made)))


def measured(seen: Upload, candidate: pb.Candidate) -> pb.Measurement:
    """What the upload shows where a candidate says."""
    where = LocalCandidate(
        Placement.of(candidate.placement, mirrored=candidate.mirrored),
        Places.decode(candidate.places),
        candidate.width_px,
        candidate.height_px,
    )
    (found,) = measure(seen.canvas, [where])
    return pb.Measurement(signal=candidate.signal, measured=found.encode())


def candidates(services: Services, seen: Upload) -> list[pb.Candidate]:
    """What a look-up names."""
    answer = services.lookup.Lookup(pb.LookupRequest(probes=[seen.probe]), None)
    return [candidate for each in answer.matched for candidate in each.candidates]


def confirm(services: Services, seen: Upload) -> list[pb.Match]:
    """Look up, measure, confirm."""
    measurements = [measured(seen, each) for each in candidates(services, seen)]
    if not measurements:
        return []
    request = pb.ConfirmRequest(probe=seen.probe, measurements=measurements)
    return list(services.lookup.Confirm(request, None).matches)
