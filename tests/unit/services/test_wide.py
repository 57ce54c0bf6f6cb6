"""The wide tier: a detailed picture is compared beyond the radius, and what is found there identifies nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact._convert_matches import match_of
from hashpact.results import ProbeResult
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import lookup_service_pb2, signal_pb2
from hashpact_server.matches import WIDE_VALUES_MAX
from hashpact_server.state.rows import MemberRow, Role

from tests.forum import Forum, flipped, forum_in, offer, one, signal, value

PDQ = SIGNAL_TYPES["pdq"]
NEAR, STRONG = lookup_service_pb2.MATCH_LEVEL_NEAR, lookup_service_pb2.MATCH_LEVEL_STRONG


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        yield made


def probe_of(*values: bytes, wide: bool) -> lookup_service_pb2.Probe:
    sets = [signal_pb2.SignalSet(signal_type="pdq", values=b"".join(values))]
    return lookup_service_pb2.Probe(signal_sets=sets, wide=wide)


def found(
    forum: Forum, member: MemberRow, *probes: lookup_service_pb2.Probe, **more: object
) -> list[tuple[int, int, int, int]]:
    """(probe, item, distance as shown, level) of what matches."""
    request = lookup_service_pb2.LookupRequest(probes=probes, **more)  # type: ignore[arg-type] # fields by name
    answer = forum.as_(member).lookup.Lookup(request, None)
    return [
        (each.probe_index, match.item, match.agreements[0].distance, match.level)
        for each in answer.matched
        for match in each.matches
    ]


def test_only_a_wide_probe_sees_farther_and_only_pdq(forum: Forum) -> None:
    base = value("pdq", 1)
    near = one(forum, forum.a, offer(signal("pdq", flipped(base, 20)))).item
    far = one(forum, forum.a, offer(signal("pdq", flipped(base, 60, start=64)))).item
    one(forum, forum.a, offer(signal("pdq", flipped(base, 64, start=128))))
    assert found(forum, forum.a, probe_of(base, wide=False)) == [(0, near, 20, NEAR)]
    both = [(0, near, 20, NEAR), (0, far, 60, NEAR)]
    assert found(forum, forum.a, probe_of(base, wide=True)) == both
    # In a batch it is each probe's own affair.
    batch = [probe_of(base, wide=False), probe_of(base, wide=True), probe_of(value("pdq", 9), wide=True)]
    assert found(forum, forum.a, *batch) == [(0, near, 20, NEAR), *((1, *each[1:]) for each in both)]
    # Whoever names a radius gets that one.
    radii = [lookup_service_pb2.Radius(signal_type="pdq", radius=10)]
    assert found(forum, forum.a, probe_of(base, wide=True), radii=radii) == []


def test_distances_beyond_are_told_to_few(forum: Forum) -> None:
    forum.admit("checker", [Role.CHECK])
    base = value("pdq", 1)
    items = [one(forum, forum.a, offer(signal("pdq", flipped(base, bits, start=bits)))).item for bits in (40, 62)]
    shown = found(forum, forum.member("checker"), probe_of(base, wide=True))
    assert shown == [(0, item, PDQ.radius_max, NEAR) for item in items]


def test_the_values_of_the_picture_itself_see_farther_and_no_others(forum: Forum) -> None:
    base = value("pdq", 1)
    item = one(forum, forum.a, offer(signal("pdq", flipped(base, 50)))).item
    others = [value("pdq", number) for number in range(10, 10 + WIDE_VALUES_MAX)]
    assert found(forum, forum.a, probe_of(*others[1:], base, wide=True)) == [(0, item, 50, NEAR)]
    assert found(forum, forum.a, probe_of(*others, base, wide=True)) == []
    assert found(forum, forum.a, probe_of(*others, flipped(base, 30), wide=True)) == [(0, item, 20, NEAR)]


def test_what_is_found_there_identifies_nothing(forum: Forum) -> None:
    """Beyond the radius even PDQ says no more than "looks alike"."""
    base = value("pdq", 1)
    item = one(forum, forum.a, offer(signal("pdq", flipped(base, 50)), signal("phash256", value("phash256", 5)))).item
    probe = probe_of(base, wide=True)
    probe.signal_sets.add(signal_type="phash256", values=value("phash256", 5))
    answer = forum.as_(forum.a).lookup.Lookup(lookup_service_pb2.LookupRequest(probes=[probe]), None)
    match = answer.matched[0].matches[0]
    assert (match.item, match.level) == (item, NEAR)
    told = match_of(match)
    assert not any(each.identifies for each in told.agreements)
    assert ProbeResult((told,)).verdict == "near"


def test_explain_tells_the_radius_in_force(forum: Forum) -> None:
    base = value("pdq", 1)
    item = one(forum, forum.a, offer(signal("pdq", flipped(base, 50)))).item
    for wide in (False, True):
        request = lookup_service_pb2.ExplainRequest(item=item, probe=probe_of(base, wide=wide))
        told = forum.as_(forum.a).lookup.Explain(request, None)
        radius = PDQ.radius_max if wide else PDQ.radius_default
        assert [(each.signal_type, each.radius, each.agrees) for each in told.signals] == [("pdq", radius, wide)]
