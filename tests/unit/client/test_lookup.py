"""Look-ups and checks: verdicts, order, and batches cut by the server's limits."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from hashpact import Client, Contribution, FailedCheck, Probe, Signal
from hashpact._operations.chunks import cut
from hashpact._operations.session import OnUnavailable
from hashpact.errors import (
    InvalidRequestError,
    InvalidSignalError,
    LimitExceededError,
    NotAllowedError,
    UnavailableError,
    UnreadableMediaError,
)
from hashpact.evidence import Agreement
from hashpact.results import CheckResult, Match, strongest_advice
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import TOKEN, LoopbackService, Refused


def test_verdicts(client: Client) -> None:
    item = client.contribute(signals(1), labels=["one"]).item
    listed = signals(1)
    same, near, phash_only, other = client.lookup([listed, signals(1, flips=20, digest=9), [listed.phash], signals(2)])
    assert [result.verdict for result in (same, near, phash_only, other)] == ["match", "match", "near", "none"]
    assert (same.matches[0].signal_type, same.matches[0].distance) == ("sha256", 0)
    assert (near.matches[0].signal_type, near.matches[0].distance) == ("pdq", 20)
    assert phash_only.matches[0].signal_type == "phash"
    assert same.matches[0].item == item
    assert same.advice == "review"
    assert other.advice == "none"
    assert other.matches == ()


def test_best_agreement_first() -> None:
    names = ["unheard-of", "phash256", "phash", "pdq", "md5", "sha256"]
    ordered = sorted((Agreement(name, 0, 1, False) for name in names), key=lambda one: one.rank)
    assert [one.signal_type for one in ordered] == ["sha256", "md5", "pdq", "phash", "phash256", "unheard-of"]


def test_the_strongest_advice_counts() -> None:
    def match(advice: str) -> Match:
        return Match(1, "provisional", (), advice, (Agreement("pdq", 0, 0, False),))

    assert strongest_advice([]) == "none"
    assert strongest_advice([match("observe"), match("act"), match("review")]) == "act"
    assert strongest_advice([match("observe"), match("unknown-9")]) == "review"


def test_json_shape_of_a_check(client: Client) -> None:
    client.contribute(signals(1), labels=["b", "a"])
    line = client.check(signals(1)).to_dict()
    assert set(line) == {"path", "verdict", "advice", "matches", "truncated"}
    match = line["matches"][0]
    assert {"item", "signal_type", "distance", "status", "labels"} <= set(match)
    assert match["status"] == "provisional"
    assert match["labels"] == ["b", "a"]


def test_no_hash_value_in_a_repr(client: Client) -> None:
    client.contribute(signals(1), labels=["x"])
    probe = Probe.of(signals(1))
    shown = repr([client.check(signals(1)), client.get_item(1), probe, client.lookup([signals(1)])])
    for signal in signals(1):
        assert signal.hex not in shown
        assert repr(signal.value) not in shown


def test_all_variants_are_one_set(client: Client, service: LoopbackService) -> None:
    client.check(signals(1, dihedral=True))
    (probe,) = service.asked[-1].request.probes
    sizes = {one.signal_type: len(one.values) for one in probe.signal_sets}
    assert sizes == {"sha256": 32, "md5": 16, "pdq": 8 * 32, "phash": 8, "phash256": 32}


def test_a_blank_picture_has_no_pdq_to_ask_for() -> None:
    blank = replace(signals(1), pdq=Signal("pdq", bytes(32), 0))
    assert "pdq" not in dict(Probe.of(blank).signal_sets)


@pytest.mark.parametrize("wrong", [signals(1), Probe.of(signals(1)), signals(1).pdq, b"x", "x", 3])
def test_a_batch_is_a_batch(client: Client, wrong: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"lookup\(\[signals\]\)"):
        client.lookup(wrong)


@pytest.mark.parametrize("wrong", ["upload.jpg", b"bytes", 3, [3], [signals(1)], signals(1).pdq])
def test_a_probe_is_signals(client: Client, wrong: Any) -> None:
    with pytest.raises(InvalidRequestError):
        client.lookup([wrong])


def test_a_value_is_bytes_and_hex_has_its_own_way_in() -> None:
    value: Any = "0" * 32
    with pytest.raises(InvalidSignalError, match="from_hex"):
        Signal("md5", value)
    assert Signal.from_hex("md5", value).value == bytes(16)


def test_a_probe_is_not_empty_and_even(client: Client) -> None:
    with pytest.raises(InvalidSignalError):
        client.lookup([[]])
    with pytest.raises(InvalidSignalError):
        client.lookup([[Signal("tmk", b"abc"), Signal("tmk", b"abcd")]])


def test_an_unknown_signal_type_is_a_problem_of_its_own(client: Client) -> None:
    (result,) = client.lookup([[Signal("tmk", b"abc"), signals(1).pdq]])
    assert [problem.reason for problem in result.problems] == ["SIGNAL_TYPE_UNKNOWN"]


def test_no_probes_need_no_call(client: Client, service: LoopbackService) -> None:
    assert len(client.lookup([])) == 0
    assert service.asked == []


def test_a_large_batch_is_cut_by_the_limits(client: Client, service: LoopbackService) -> None:
    service.limits.lookup_probes_max = 7
    client.contribute(signals(3), labels=["x"])
    results = client.lookup([signals(seed) for seed in range(30)])
    assert [index for index, result in enumerate(results) if result.verdict == "match"] == [3]
    sizes = [len(asked.request.probes) for asked in service.asked if asked.method == "Lookup"]
    assert sorted(sizes, reverse=True) == [7, 7, 7, 7, 2]
    assert service.methods().count("GetCapabilities") == 1


def test_local_points_count_as_values(client: Client, service: LoopbackService) -> None:
    service.limits.lookup_values_max = 1000
    uploads = [replace(signals(seed), points=bytes(8 + 300 * 38)) for seed in range(5)]
    assert len(client.lookup(uploads)) == 5
    sizes = [len(asked.request.probes) for asked in service.asked if asked.method == "Lookup"]
    assert sorted(sizes, reverse=True) == [3, 2]


def test_parts_are_no_older_than_the_first(client: Client, service: LoopbackService) -> None:
    service.limits.lookup_probes_max = 2
    found = client.lookup([signals(seed) for seed in range(6)])
    tokens = [asked.request.at_least_as_fresh for asked in service.asked if asked.method == "Lookup"]
    assert tokens == ["", found.as_of, found.as_of]


def test_several_calls_are_in_flight(target: str, service: LoopbackService) -> None:
    service.limits.lookup_probes_max = 1
    together = threading.Barrier(3, timeout=5)
    answer = service.Lookup

    def wait_for_the_others(request: Any) -> Any:
        if request.at_least_as_fresh:  # the first call goes alone
            together.wait()
        return answer(request)

    service.answers["Lookup"] = wait_for_the_others
    with Client(target, token=TOKEN, plaintext=True, calls_in_flight_max=3) as client:
        assert len(client.lookup([signals(seed) for seed in range(4)])) == 4


def test_limits_are_asked_for_again_when_they_changed(client: Client, service: LoopbackService) -> None:
    client.lookup([signals(1), signals(2)])
    service.limits.lookup_probes_max = 1
    service.refusals["Lookup"] = [Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")]
    with pytest.raises(LimitExceededError):
        client.lookup([signals(1), signals(2)])
    assert len(client.lookup([signals(1), signals(2)])) == 2
    assert service.methods().count("GetCapabilities") == 2
    service.limits.contributions_max = 1
    service.refusals["Contribute"] = [Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")]
    batch = [Contribution(signals(number), ["x"]) for number in (1, 2)]
    with pytest.raises(LimitExceededError):
        client.contribute_many(batch)
    assert len(client.contribute_many(batch)) == 2
    assert service.methods()[-3:] == ["GetCapabilities", "Contribute", "Contribute"]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9000)), min_size=1, max_size=40),
    members_max=st.integers(0, 9),
    values_max=st.integers(0, 20),
    message_bytes_max=st.sampled_from([0, 10_000, 20_000, 100_000]),
)
def test_parts_keep_the_limits_and_the_order(
    sizes: list[tuple[int, int]], members_max: int, values_max: int, message_bytes_max: int
) -> None:
    members = list(range(len(sizes)))
    parts = cut(members, sizes, members_max=members_max, values_max=values_max, message_bytes_max=message_bytes_max)
    assert [member for part in parts for member in part] == members
    for part in parts:
        assert part
        if len(part) > 1:
            assert not members_max or len(part) <= members_max
            assert not values_max or sum(sizes[member][0] for member in part) <= values_max
            assert not message_bytes_max or sum(sizes[member][1] for member in part) <= message_bytes_max


def test_radii_and_matches_are_sent(client: Client, service: LoopbackService) -> None:
    client.lookup([signals(1)], radii={"pdq": 20}, matches_max=3)
    request = service.asked[-1].request
    assert [(one.signal_type, one.radius) for one in request.radii] == [("pdq", 20)]
    assert request.matches_max == 3
    for wrong in (-1, 1 << 32, True):
        with pytest.raises(InvalidRequestError):
            client.lookup([signals(1)], matches_max=wrong)
    with pytest.raises(InvalidRequestError):
        client.lookup([signals(1)], radii={"pdq": -1})


def test_check_many_goes_on_after_a_bad_input(client: Client, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    client.contribute(signals(1), labels=["x"])
    first, second, third = client.check_many([signals(1), text, signals(2)])
    assert isinstance(first, CheckResult)
    assert first.verdict == "match"
    assert isinstance(second, FailedCheck)
    assert second.path == text
    assert isinstance(second.error, UnreadableMediaError)
    assert isinstance(third, CheckResult)
    assert third.verdict == "none"


def test_check_many_takes_no_more_than_it_needs(client: Client) -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield signals(taken)

    answers = client.check_many(endless(), workers=2)
    for _ in range(5):
        next(answers)
    assert taken < 100


CLOSED = "127.0.0.1:1"


def test_fail_open_and_fail_closed() -> None:
    modes: list[tuple[OnUnavailable, str]] = [("open", "none"), ("closed", "review")]
    for mode, advice in modes:
        with Client(CLOSED, token=TOKEN, plaintext=True, on_unavailable=mode) as client:
            result = client.check(signals(1))
        assert (result.verdict, result.advice, result.unchecked) == ("none", advice, True)
        assert isinstance(result.unavailable, UnavailableError)
        assert result.to_dict()["unchecked"] is True


def test_a_refusal_is_never_passed_over(target: str) -> None:
    with (
        Client(target, token="wrong", plaintext=True, on_unavailable="open") as client,
        pytest.raises(NotAllowedError),
    ):
        client.check(signals(1))
