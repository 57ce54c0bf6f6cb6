"""What becomes of candidates: which calls are made, and what one refused measurement leaves of a batch."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hashpact._operations import confirming
from hashpact.errors import InvalidRequestError, ServiceError, UnavailableError
from hashpact.evidence import Agreement, Candidate
from hashpact.probes import Probe
from hashpact.results import Match, ProbeResult
from hashpact.v1 import lookup_service_pb2 as pb

from tests.unit.client.conftest import signals


def candidate(item: int, **more: Any) -> Candidate:
    shown = {"placement": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "mirrored": False, "width_px": 40, "height_px": 30}
    return Candidate(item, item << 16, 3, places=bytes(6), **{**shown, **more})


def match(item: int, level: str = "near") -> Match:
    return Match(item, "provisional", (), "review", (Agreement("pdq", 0, 20, False),), level=level)


def answer(*items: int) -> pb.ConfirmResponse:
    agreements = [pb.Agreement(signal_type="local_sift", confirmation=pb.Confirmation(visible_percent=60))]
    return pb.ConfirmResponse(
        matches=[pb.Match(item=item, agreements=agreements, level=pb.MATCH_LEVEL_NEAR) for item in items]
    )


def run(found: list[ProbeResult], answers: dict[int, Any], canvas: object | None = object()) -> list[ProbeResult]:
    """The operation with a service that answers by the (first) item measured, and measuring left away."""
    probes = [replace(Probe.of(signals(number)), points=bytes(46)) for number in range(len(found))]
    operation = confirming.confirmed(probes, [canvas] * len(found), found, radii={"pdq": 20}, use="u", as_of="t")
    step: Any = next(operation, None)
    try:
        while step is not None:
            if not isinstance(step, (tuple, list)):
                made = [[(one.signal, b"measured") for one in each.candidates] for each in found if each.candidates]
                step = operation.send(made)
                continue
            told = [answers[call.request.measurements[0].signal >> 16] for call in step]
            for request in (call.request for call in step):
                assert (request.use, request.at_least_as_fresh, request.probe.points) == ("u", "t", b"")
                assert [(each.signal_type, each.radius) for each in request.radii] == [("pdq", 20)]
            failed = next((each for each in told if isinstance(each, Exception)), None)
            step = operation.throw(failed) if failed is not None else operation.send(told)
    except StopIteration as done:
        result: list[ProbeResult] = done.value
        return result
    raise AssertionError("nothing came of it")


def test_what_is_confirmed_takes_the_place_of_what_was_said() -> None:
    found = [ProbeResult((match(1), match(2, "strong")), candidates=(candidate(1), candidate(3))), ProbeResult()]
    first, second = run(found, {1: answer(1, 3)})
    assert [(each.item, each.best.signal_type) for each in first.matches] == [
        (2, "pdq"),
        (1, "local_sift"),
        (3, "local_sift"),
    ]
    assert (first.candidates, second) == ((), ProbeResult())


def test_what_is_not_confirmed_is_no_match() -> None:
    (only,) = run([ProbeResult(candidates=(candidate(7),))], {7: answer()})
    assert (only.verdict, only.candidates) == ("none", ())


def test_one_refused_measurement_costs_one_upload() -> None:
    found = [ProbeResult((match(9),), candidates=(candidate(item),)) for item in (1, 2, 3)]
    refusal = InvalidRequestError("measurements[0]: no", reason="FIELD_INVALID")
    one, two, three = run(found, {1: answer(1), 2: refusal, 3: answer(3)})
    assert [[each.item for each in result.matches] for result in (one, two, three)] == [[9, 1], [9], [9, 3]]
    assert [problem.reason for problem in two.problems] == ["FIELD_INVALID"]
    assert not one.problems
    assert not three.problems


def test_an_outage_is_an_outage() -> None:
    found = [ProbeResult(candidates=(candidate(1),)), ProbeResult(candidates=(candidate(2),))]
    with pytest.raises(UnavailableError):
        run(found, {1: answer(1), 2: UnavailableError("gone", reason="UNREACHABLE")})


def test_without_the_picture_nothing_is_asked() -> None:
    found = [ProbeResult((match(4),), candidates=(candidate(1),))]
    operation = confirming.confirmed([Probe.of(signals(1))], [None], found, radii=None, use="", as_of="")
    with pytest.raises(StopIteration) as done:
        next(operation)
    assert done.value.value == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"placement": (1.0, 0.0, 0.0)},
        {"placement": (float("nan"),) * 6},
        {"placement": (0.0,) * 6},
        {"places": bytes(7)},
    ],
)
def test_places_that_cannot_be_are_the_services_fault(wrong: dict[str, Any]) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(ServiceError) as caught:
        confirming.measured(SimpleNamespace(), [replace(candidate(1), **wrong)])
    assert caught.value.reason == "ANSWER_INVALID"
