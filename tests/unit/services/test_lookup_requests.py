"""Reading a Lookup: what is gathered, what is a problem, what is over a limit."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.services.gathering import gather
from hashpact_server.services.lookup import read_radii

from tests.forum import value


def probe(*sets: tuple[str, bytes]) -> pb.Probe:
    return pb.Probe(signal_sets=[signal_pb2.SignalSet(signal_type=name, values=values) for name, values in sets])


def test_one_block_per_type() -> None:
    a, b, c = (value("pdq", n) for n in range(3))
    md5 = value("md5", 1)
    request = pb.LookupRequest(probes=[probe(("pdq", a)), probe(), probe(("md5", md5), ("pdq", b + c))])
    batches, problems = gather(request.probes, Limits())
    assert problems == []
    assert {batch.kind.name: batch.values for batch in batches} == {"md5": md5, "pdq": a + b + c}
    pdq = next(batch for batch in batches if batch.kind.name == "pdq")
    assert (pdq.probes.tolist(), pdq.starts.tolist()) == ([0, 2], [0, 1])


def test_problems_leave_the_rest_alone() -> None:
    good = value("pdq", 1)
    request = pb.LookupRequest(
        probes=[
            probe(("tmk", b"x"), ("pdq", good)),
            probe(("pdq", good[:-1]), ("md5", b""), ("PDQ", good)),
            probe(("pdq", good), ("pdq", good)),
        ]
    )
    batches, problems = gather(request.probes, Limits())
    assert [(each.probe_index, each.signal_set_index, each.reason) for each in problems] == [
        (0, 0, reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN),
        (1, 0, reasons.ERROR_REASON_SIGNAL_MALFORMED),
        (1, 1, reasons.ERROR_REASON_SIGNAL_MALFORMED),
        (1, 2, reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN),
        (2, 1, reasons.ERROR_REASON_SIGNAL_MALFORMED),
    ]
    assert all(each.message for each in problems)
    assert [batch.probes.tolist() for batch in batches] == [[0, 2]]


def test_no_probes() -> None:
    with pytest.raises(Refusal) as refused:
        gather([], Limits())
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID


@pytest.mark.parametrize(
    ("limits", "name", "found"),
    [
        (Limits(lookup_probes_max=2), "lookup_probes_max", "3"),
        (Limits(probe_values_max=2), "probe_values_max", "3"),
        (Limits(lookup_values_max=4), "lookup_values_max", "5"),
    ],
)
def test_limits(limits: Limits, name: str, found: str) -> None:
    good = value("pdq", 1)
    request = pb.LookupRequest(probes=[probe(("pdq", good)), probe(("pdq", good)), probe(("pdq", good * 3))])
    with pytest.raises(Refusal) as refused:
        gather(request.probes, limits)
    assert refused.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert refused.value.metadata["limit"] == name
    assert refused.value.metadata["value"] == found


def test_unreadable_sets_are_not_free() -> None:
    with pytest.raises(Refusal):
        gather([probe(*[("?", b"")] * 5)], Limits(probe_values_max=4))


def test_radii() -> None:
    radii = [pb.Radius(signal_type="pdq", radius=63), pb.Radius(signal_type="phash", radius=0)]
    assert read_radii(radii) == {16: 63, 17: 0}


@pytest.mark.parametrize(
    ("radii", "field"),
    [
        ([("nope", 1)], "radii[0].signal_type"),
        ([("md5", 0)], "radii[0].signal_type"),
        ([("pdq", 1), ("pdq", 1)], "radii[1].signal_type"),
        ([("phash", 0), ("pdq", 64)], "radii[1].radius"),
        ([("pdq", 2**32 - 1)], "radii[0].radius"),
    ],
)
def test_bad_radii(radii: list[tuple[str, int]], field: str) -> None:
    request = pb.LookupRequest(radii=[pb.Radius(signal_type=name, radius=radius) for name, radius in radii])
    with pytest.raises(Refusal) as refused:
        read_radii(request.radii)
    assert [name for name, _ in refused.value.violations] == [field]
