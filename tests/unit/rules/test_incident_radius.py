"""An incident's wider radius: it reaches the incident's items alone, and is no reason to act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import lookup_service_pb2, signal_pb2
from hashpact_server.matches import Advisor, Batch, Probe
from hashpact_server.rules import incidents
from hashpact_server.state.rows import MemberRow, Role, Status

from tests.forum import Forum, flipped, forum_in, offer, one, signal, value
from tests.incidents import opened, plan, status, under

PDQ = SIGNAL_TYPES["pdq"]


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        yield made


def looked_up(forum: Forum, member: MemberRow, probe: bytes, **more: object) -> list[tuple[int, int]]:
    """(item, distance as shown) of what matches."""
    sets = [signal_pb2.SignalSet(signal_type="pdq", values=probe)]
    request = lookup_service_pb2.LookupRequest(
        probes=[lookup_service_pb2.Probe(signal_sets=sets)],
        **more,  # type: ignore[arg-type] # fields by name
    )
    answer = forum.as_(member).lookup.Lookup(request, None)
    return [(match.item, match.agreements[0].distance) for each in answer.matched for match in each.matches]


def test_its_radius_reaches_its_items_alone(forum: Forum) -> None:
    far = [lookup_service_pb2.Radius(signal_type="pdq", radius=45)]
    row = opened(forum, plan(radii=far))
    base = value("pdq", 1)
    other = one(forum, forum.a, offer(signal("pdq", flipped(base, 40)))).item
    near = one(forum, forum.a, offer(signal("pdq", flipped(base, 20, start=200)))).item
    mine = one(forum, forum.a, offer(signal("pdq", flipped(base, 42, start=100)), labels=under())).item
    forum.admit("checker", [Role.CHECK])
    checker = forum.member("checker")
    assert looked_up(forum, forum.a, base) == [(near, 20), (mine, 42)]
    assert looked_up(forum, checker, base) == [(near, 31), (mine, 45)]
    default = [lookup_service_pb2.Radius(signal_type="pdq", radius=PDQ.radius_default)]
    assert looked_up(forum, forum.a, base, radii=default) == [(near, 20)]
    widest = [lookup_service_pb2.Radius(signal_type="pdq", radius=41)]
    assert looked_up(forum, forum.a, base, radii=widest) == [(near, 20), (other, 40)]
    forum.decide(lambda scene: incidents.close(scene, forum.steward.pseudonym, row.incident, steward=True))
    assert looked_up(forum, forum.a, base) == [(near, 20)]


def test_what_is_far_is_no_reason_to_act(forum: Forum) -> None:
    """By an incident's radius an item matches; whether that is near enough to act is asked of the default alone."""
    opened(forum, plan(radii=[lookup_service_pb2.Radius(signal_type="pdq", radius=45)]))
    base = value("pdq", 1)
    item = one(forum, forum.a, offer(signal("pdq", flipped(base, 42)), labels=under())).item
    one(forum, forum.b, offer(signal("pdq", flipped(base, 42)), labels=under()))
    assert status(forum, item) is Status.CORROBORATED
    batch = Batch(PDQ, base, np.zeros(1, np.int64), np.zeros(1, np.int64))
    close = Batch(PDQ, flipped(base, 40), np.zeros(1, np.int64), np.zeros(1, np.int64))
    with forum.engine.state.read() as view:
        ground = Advisor(view, forum.a.pseudonym).ground(item)
        assert ground is not None
        signals = list(ground.signals.values())
        assert not Probe([batch], 0, {}).agreed(ground, signals)
        assert Probe([close], 0, {}).agreed(ground, signals)
