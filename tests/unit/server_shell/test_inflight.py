"""Calls in flight, counted; and callers that are too slow to say what they want."""

from __future__ import annotations

import threading
import time

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.inflight import InFlight, Kind
from hashpact_server.interceptors import host_of
from hashpact_server.patience import Patience
from hashpact_server.refusal import Refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import effort


@settings(max_examples=effort(50))
@given(st.lists(st.tuples(st.sampled_from(Kind), st.sampled_from([b"a", b"b", b"c"]), st.booleans()), max_size=60))
def test_never_more_than_the_limits_and_nothing_is_lost(steps: list[tuple[Kind, bytes, bool]]) -> None:
    limits = {Kind.REQUEST: 4, Kind.STREAM: 3, Kind.OPEN: 2}
    shares = {
        Kind.REQUEST: ("member_requests_max", 2),
        Kind.STREAM: ("member_requests_max", 2),
        Kind.OPEN: ("host_open_calls_max", 1),
    }
    flight, inside = InFlight(limits, 2, 1), list[tuple[Kind, bytes]]()
    for kind, member, enters in steps:
        if enters:
            full = sum(each[0] is kind for each in inside) >= limits[kind]
            name, share = shares.get(kind, ("", len(steps)))
            if full or inside.count((kind, member)) >= share:
                with pytest.raises(Refusal) as raised:
                    flight.admit(kind, member)
                assert raised.value.reason == reasons.ERROR_REASON_TOO_MANY_REQUESTS
                assert raised.value.metadata["limit"] == (kind.value if full else name)
                assert raised.value.retry_after_s
            else:
                flight.admit(kind, member)
                inside.append((kind, member))
        elif (kind, member) in inside:
            inside.remove((kind, member))
            flight.release(kind, member)
        for each in Kind:
            assert flight.count(each) == sum(one[0] is each for one in inside)
    for kind, member in inside:
        flight.release(kind, member)
    assert flight.wait_idle(0)
    assert not flight._callers


def test_idle_is_waited_for_and_streams_are_not() -> None:
    flight = InFlight(dict.fromkeys(Kind, 9), 9, 9)
    flight.admit(Kind.STREAM, b"a")
    assert flight.wait_idle(0)
    flight.admit(Kind.REQUEST, b"a")
    assert not flight.wait_idle(0.01)
    threading.Timer(0.02, flight.release, (Kind.REQUEST, b"a")).start()
    assert flight.wait_idle(30)


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:4711", bytes((192, 0, 2, 7))),
        ("ipv6:%5B2001:db8:0:1::5%5D:99", bytes.fromhex("20010db800000001")),
        ("ipv6:[2001:db8:0:1:ffff::9]:99", bytes.fromhex("20010db800000001")),
        ("ipv6:%5Bfe80::1%25eth0%5D:99", bytes.fromhex("fe80000000000000")),
        ("unix:", b"unix"),
        ("ipv4:nonsense", b""),
        ("", b""),
    ],
)
def test_host_of_a_peer(peer: str, host: bytes) -> None:
    assert host_of(peer) == host


@pytest.fixture
def patience() -> object:
    made = Patience()
    yield made
    made.close()


def test_a_wait_over_its_deadline_is_cut_once(patience: Patience) -> None:
    cut = threading.Semaphore(0)
    with patience.until(time.monotonic() + 3600, lambda: pytest.fail("too early")):
        with patience.until(time.monotonic() + 0.01, cut.release):
            assert cut.acquire(timeout=30)
        assert not cut.acquire(timeout=0.05)


def test_a_wait_that_ended_is_not_cut(patience: Patience) -> None:
    late = threading.Event()
    with patience.until(time.monotonic() + 0.05, late.set):
        pass
    done = threading.Event()
    with patience.until(time.monotonic() + 0.1, done.set):
        assert done.wait(30)
    assert not late.is_set()


def test_a_sooner_deadline_wakes_it(patience: Patience) -> None:
    cuts: list[int] = []
    done = threading.Event()
    with (
        patience.until(time.monotonic() + 0.3, done.set),
        patience.until(time.monotonic() + 0.1, lambda: cuts.append(2)),
        patience.until(time.monotonic() + 0.01, lambda: cuts.append(1)),
    ):
        assert done.wait(30)
    assert cuts == [1, 2]


def test_it_sleeps_through_waits_that_end_in_time(patience: Patience) -> None:
    with patience.until(time.monotonic() + 0.1, lambda: pytest.fail("too early")):
        pass
    first, second = threading.Event(), threading.Event()
    with patience.until(time.monotonic() + 0.3, first.set), patience.until(time.monotonic() + 0.2, second.set):
        assert second.wait(30)
        assert first.wait(30)
