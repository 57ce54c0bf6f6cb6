"""Thousands of look-alikes: they cost the one writer little, and nobody holds it beyond a deadline."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server import matcher as matchers
from hashpact_server.refusal import Refusal
from hashpact_server.rules.claims import Claim, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.identity import wanted
from hashpact_server.rules.outcomes import Result
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.scene import Scene
from hashpact_server.services import writing
from hashpact_server.services.caller import Caller
from hashpact_server.writer import Act

from tests.forum import Forum, look_alikes, offer

PDQ = 16
LOOK_ALIKES = 200


def pdq(value: bytes) -> OfferedSignal:
    return OfferedSignal("pdq", value, quality=100)


def test_a_rule_sees_the_closest_look_alikes_and_every_equal_one(forum: Forum) -> None:
    values = look_alikes(LOOK_ALIKES)
    made = forum.contribute(forum.a, *[offer(pdq(value)) for value in values])
    assert {each.result for each in made} == {Result.CREATED}
    for item, value in zip(made, values, strict=True):
        near = forum.engine.matcher.near(PDQ, value, 31)
        assert len(near) == matchers.NEAR_HITS_MAX
        assert (near[0][1], near[0][2]) == (item.item, 0)
        distances = sorted((int.from_bytes(value, "big") ^ int.from_bytes(each, "big")).bit_count() for each in values)
        assert [distance for _, _, distance in near] == distances[: matchers.NEAR_HITS_MAX]


def test_what_was_recorded_a_moment_ago_is_cut_in_the_same_way(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    lists = Scene.lists

    def counted(self: Scene, code: int, signal: int) -> bool:
        asked.append(signal)
        return lists(self, code, signal)

    monkeypatch.setattr(Scene, "lists", counted)
    outcomes = forum.contribute(forum.a, *[offer(pdq(value)) for value in look_alikes(LOOK_ALIKES)])
    assert len(outcomes[-1].near_duplicates) == forum.limits.near_duplicates_max
    assert len(asked) <= LOOK_ALIKES * matchers.NEAR_HITS_MAX


def test_an_act_whose_time_is_over_is_given_up_and_undone(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    before = forum.head()
    claims = [check(offer(pdq(value)), forum.limits) for value in look_alikes(3)]
    asked = []

    def decide(scene: Scene) -> Callable[[str], bytes]:
        def ask() -> None:
            asked.append(scene.head.sequence)
            if len(asked) == 3:
                scene.deadline = -math.inf
            original(scene)

        original = Scene.check_deadline
        monkeypatch.setattr(scene, "check_deadline", ask)
        contribute(scene, forum.a.pseudonym, claims, forum.limits, None)
        return lambda _: b""

    with pytest.raises(Refusal) as refused:
        forum.engine.writer.submit(Act(decide, forum.a.pseudonym))
    assert refused.value.reason == reasons.ERROR_REASON_DEADLINE_EXCEEDED
    assert asked == [before, before + 1, before + 2]
    assert forum.head() == before


def test_the_writer_tells_rules_when_time_is_over(forum: Forum) -> None:
    seen = []

    def decide(scene: Scene) -> Callable[[str], bytes]:
        seen.append(scene.deadline)
        return lambda _: b""

    for deadline in (math.inf, 1e12):
        forum.engine.writer.submit(Act(decide, forum.a.pseudonym, deadline=deadline))
    assert seen == [math.inf, 1e12]


def test_hits_that_are_held_for_the_writer_are_bounded(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    values = look_alikes(LOOK_ALIKES)
    forum.contribute(forum.a, *[offer(pdq(value)) for value in values])
    monkeypatch.setattr(writing, "_HINT_VALUES_MAX", 10)
    monkeypatch.setattr(writing, "_HINT_HITS_MAX", 25 * matchers.NEAR_HITS_MAX)
    claims = [check(offer(pdq(value)), forum.limits) for value in values]
    signals = [signal for claim in claims if isinstance(claim, Claim) for signal in claim.signals]
    hint = writing.neighbours(forum.engine, Caller(forum.b), wanted(signals))
    assert len(hint.found) == 30
    # What is not in the hint is searched for by the writer: the outcome is the same.
    outcomes = forum.decide(lambda scene: contribute(scene, forum.b.pseudonym, claims, forum.limits, hint))
    assert {each.result for each in outcomes} == {Result.CORROBORATED}
