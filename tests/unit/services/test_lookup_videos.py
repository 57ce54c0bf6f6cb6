"""Videos looked up on a real list: which item comes first, what a match says, who may act, what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

from tests.forum import Forum, forum_in, offer, one, signal, value
from tests.unit.services.test_advice import ACT, OBSERVE, REVIEW, adopt, wish
from tests.unit.test_videos import changed, drifting

STRONG, NEAR = pb.MATCH_LEVEL_STRONG, pb.MATCH_LEVEL_NEAR
ITEM = drifting(21, 120)
"""Twelve seconds at ten frames per second."""


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    """A forum whose policy lets members act, with ``a``, which wants to."""
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        adopt(made, act=True)
        wish(made, made.a, mode=ACT)
        yield made


def video(seed: int, frames: Sequence[bytes] = ITEM) -> tuple[OfferedSignal, ...]:
    """A video as it is contributed."""
    listed = [
        OfferedSignal("pdq_frame", each, quality=90, stretch=(100 * place, 100 * place + 100))
        for place, each in enumerate(frames)
    ]
    return signal("sha256", seed), *listed


def asked(frames: Sequence[bytes], *, step: int = 10, timed: bool = True) -> pb.Probe:
    """An upload, a frame per second of it."""
    values = changed(frames[::step], 6)
    times = [1000 * place for place in range(len(values))] if timed else []
    return pb.Probe(
        signal_sets=[signal_pb2.SignalSet(signal_type="pdq_frame", values=b"".join(values), times_ms=times)]
    )


def matches(forum: Forum, *probes: pb.Probe) -> list[pb.Match]:
    answer = forum.as_(forum.a).lookup.Lookup(pb.LookupRequest(probes=probes), None)
    assert not answer.problems
    return [match for each in answer.matched for match in each.matches]


def test_most_of_it_in_order_is_strong_and_may_be_acted_upon(forum: Forum) -> None:
    item = one(forum, forum.a, offer(*video(1))).item
    (single,) = matches(forum, asked(ITEM))
    assert (single.item, single.level, single.advice) == (item, STRONG, REVIEW)  # one group vouches
    assert one(forum, forum.b, offer(*video(1))).item == item
    (found,) = matches(forum, asked(ITEM))
    assert (found.level, found.advice, found.vouching_groups) == (STRONG, ACT, 2)
    (agreement,) = found.agreements
    assert (agreement.signal_type, agreement.distance) == ("pdq_frame", 6)
    overlap = agreement.overlap
    assert (overlap.query_percent, overlap.item_percent, len(overlap.stretches)) == (100, 100, 1)
    assert (overlap.stretches[0].query.end_ms, overlap.stretches[0].item.end_ms) == (12_000, 12_000)
    told = forum.as_(forum.a).lookup.Explain(pb.ExplainRequest(probe=asked(ITEM), item=item), None)
    assert told.match == found
    assert all(each.holds for each in told.conditions)
    assert told.signals[0].counts_for_act
    (part,) = matches(forum, asked([*drifting(22, 100), *ITEM[40:70]]))
    assert (part.level, part.advice) == (NEAR, REVIEW)
    (alone,) = matches(forum, asked([*drifting(22, 100), ITEM[40]], step=1))
    assert (alone.level, alone.advice) == (NEAR, OBSERVE)


def test_only_frames_that_enough_groups_vouch_for_are_acted_upon(forum: Forum) -> None:
    """The other half was added by one member: what is advised counts what two of them saw."""
    item = one(forum, forum.a, offer(*video(1))).item
    one(forum, forum.b, offer(*video(1)[:51]))
    (found,) = matches(forum, asked(ITEM))
    assert (found.item, found.level, found.advice) == (item, STRONG, ACT)  # all of what both vouch for
    (rest,) = matches(forum, asked(ITEM[50:]))
    assert (rest.item, rest.advice) == (item, REVIEW)


def test_an_opening_is_not_the_item_whoever_vouches_for_it_alone(forum: Forum) -> None:
    """All of what two groups vouch for is there, and less than half of the item: a clip that a hundred films have."""
    item = one(forum, forum.a, offer(*video(1))).item
    one(forum, forum.b, offer(*video(1)[:51]))
    upload = asked([*ITEM[:50], *drifting(22, 300)], step=5)
    (found,) = matches(forum, upload)
    assert (found.item, found.level, found.advice) == (item, NEAR, REVIEW)
    told = forum.as_(forum.a).lookup.Explain(pb.ExplainRequest(probe=upload, item=item), None)
    assert [each.condition for each in told.conditions if not each.holds] == [pb.ActCondition.CONDITION_AGREEMENT]


def test_without_times_frames_are_only_counted(forum: Forum) -> None:
    one(forum, forum.a, offer(*video(1)))
    (found,) = matches(forum, asked(ITEM, timed=False))
    assert (found.level, found.advice) == (NEAR, OBSERVE)
    assert not found.agreements[0].HasField("overlap")
    both = asked(ITEM)
    both.signal_sets[0].times_ms.pop()
    answer = forum.as_(forum.a).lookup.Lookup(pb.LookupRequest(probes=[both, asked(ITEM)]), None)
    (problem,) = answer.problems
    assert (problem.probe_index, problem.reason) == (0, reasons.ERROR_REASON_SIGNAL_MALFORMED)
    assert "12 values, 11 times" in problem.message
    assert [each.probe_index for each in answer.matched] == [1]


def test_the_item_with_most_frames_comes_first(forum: Forum) -> None:
    """Fifteen videos share its opening, and are as near there as it is."""
    opening = ITEM[:5]
    outcomes = forum.contribute(
        forum.a, *(offer(*video(seed, [*opening, *drifting(100 + seed, 40)])) for seed in range(2, 17))
    )
    assert all(each.item for each in outcomes)
    item = one(forum, forum.a, offer(*video(1))).item
    upload = asked(ITEM)
    found = matches(forum, upload, upload)
    assert [match.item for match in (found[0], found[10])] == [item] * 2
    assert [match.advice for match in found[1:10]] == [OBSERVE] * 9
    assert len(found) == 20


def test_frames_meet_no_pictures(forum: Forum) -> None:
    one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", value("pdq", 5))))
    one(forum, forum.a, offer(*video(2, [value("pdq", 6)])))
    pictures = signal_pb2.SignalSet(signal_type="pdq", values=value("pdq", 6))
    frames = signal_pb2.SignalSet(signal_type="pdq_frame", values=value("pdq", 5), times_ms=[0])
    assert matches(forum, pb.Probe(signal_sets=[pictures, frames])) == []


def test_what_was_redacted_is_found_no_more(forum: Forum) -> None:
    item = one(forum, forum.a, offer(*video(1))).item

    def stretches(view: View) -> list[tuple[int, int] | None]:
        return [each.stretch for _, each in view.item_signals(item) if each.code == 32]

    with forum.engine.state.read() as view:
        assert stretches(view)[:2] == [(0, 100), (100, 200)]
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, forum.steward.pseudonym, item, clear=b"\x01")))
    assert matches(forum, asked(ITEM)) == []
    with forum.engine.state.read() as view:
        assert stretches(view) == []
        assert view.entry(item).payload is None
