"""Contributing in batches, as a rehearsal, and with hints that a moment ago were true."""

from __future__ import annotations

from collections.abc import Callable

from hashpact_server.matcher import Neighbours
from hashpact_server.rules.claims import Claim, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.outcomes import Outcome, Result, hide_unwritten
from hashpact_server.scene import Scene
from hashpact_server.services.caller import Caller
from hashpact_server.services.writing import neighbours
from hashpact_server.writer import Act

from tests import listing
from tests.forum import Forum, flipped, offer, one, signal, value


def test_batch_members_see_those_before_them_and_fail_alone(forum: Forum) -> None:
    outcomes = forum.contribute(
        forum.a,
        offer(signal("md5", 1), signal("pdq", 1)),
        offer(),
        offer(signal("pdq", 1), labels=["more"]),
        offer(signal("pdq", 1), labels=["more"]),
        offer(signal("sha256", 2), signal("pdq", flipped(value("pdq", 1), 10))),
    )
    created, refused, attached, unchanged, near = outcomes
    assert [outcome.result for outcome in outcomes] == [
        Result.CREATED,
        Result.REFUSED,
        Result.ATTACHED,
        Result.UNCHANGED,
        Result.CREATED,
    ]
    assert attached.item == unchanged.item == created.item
    assert refused.item == 0
    assert [(each.item, each.signal_type, each.distance) for each in near.near_duplicates] == [
        (created.item, "pdq", 10)
    ]


def test_rehearsal_writes_nothing_and_names_no_item_that_is_not_there(forum: Forum) -> None:
    known = one(forum, forum.a, offer(signal("md5", 1), signal("phash", 1))).item
    before = forum.head()
    wishes = [
        offer(signal("md5", 2), signal("phash", 1)),
        offer(signal("md5", 2), labels=["more"]),
        offer(signal("md5", 3), signal("phash", 1)),
        offer(signal("md5", 1)),
        offer(signal("md5", 2), signal("md5", 3)),
    ]
    claims = [check(wish, forum.limits) for wish in wishes]
    assert all(isinstance(claim, Claim) for claim in claims)

    def rehearse(scene: Scene) -> list[Outcome]:
        return hide_unwritten(contribute(scene, forum.b.pseudonym, claims, forum.limits, None), before)

    outcomes = forum.decide(rehearse, validate_only=True)
    assert [(outcome.result, outcome.item) for outcome in outcomes] == [
        (Result.CREATED, 0),
        (Result.ATTACHED, 0),
        (Result.CREATED, 0),
        (Result.CORROBORATED, known),
        (Result.AMBIGUOUS, 0),
    ]
    assert [near.item for near in outcomes[2].near_duplicates] == [known]
    assert outcomes[4].candidates == ()
    assert forum.head() == before
    assert [outcome.result for outcome in forum.contribute(forum.b, *wishes[:1])] == [Result.CREATED]


def test_hint_that_is_stale_does_not_matter(forum: Forum) -> None:
    claims = [check(offer(signal("pdq", 1), signal("phash", 1)), forum.limits)]
    stale = neighbours(forum.engine, Caller(forum.b), [(16, value("pdq", 1), 31), (17, value("phash", 1), 4)])
    assert [len(values) for values in stale.apart.values()] == [1, 1]
    item = one(forum, forum.a, offer(signal("pdq", 1))).item
    outcomes = forum.decide(lambda scene: contribute(scene, forum.b.pseudonym, claims, forum.limits, stale))
    assert (outcomes[0].result, outcomes[0].item) == (Result.CORROBORATED, item)


def test_what_is_apart_in_one_request_is_not_in_the_next_of_the_same_group(forum: Forum) -> None:
    """Both requests are searched for before either is decided, and share a commit."""
    claims = [check(offer(signal("pdq", 1)), forum.limits)]
    acts, outcomes = [], []
    for member in (forum.a, forum.b):
        hint = neighbours(forum.engine, Caller(member), [(16, value("pdq", 1), 31)])

        def decide(scene: Scene, who: bytes = member.pseudonym, hint: Neighbours = hint) -> Callable[[str], bytes]:
            outcomes.extend(contribute(scene, who, claims, forum.limits, hint))
            return lambda _: b""

        acts.append(Act(decide, member.pseudonym))
    listing.together(forum.engine, acts)
    assert [outcome.result for outcome in outcomes] == [Result.CREATED, Result.CORROBORATED]
    assert outcomes[0].item == outcomes[1].item


def test_what_an_act_settled_is_not_settled_for_the_next(forum: Forum) -> None:
    """The second act of the group looks with the same old hint, and asks nothing of what came meanwhile at once."""
    pdq = value("pdq", 1)
    claims = [check(offer(signal("pdq", 1)), forum.limits)]
    hint = neighbours(forum.engine, Caller(forum.a), [(16, pdq, 31)])
    seen = []

    def first(scene: Scene) -> Callable[[str], bytes]:
        (outcome,) = contribute(scene, forum.a.pseudonym, claims, forum.limits, hint)
        return lambda _: bytes([outcome.item])

    def second(scene: Scene) -> Callable[[str], bytes]:
        seen.extend(scene.near(16, pdq, 31, hint))
        return lambda _: b""

    item, _ = listing.together(forum.engine, [Act(first, bytes(16)), Act(second, bytes(16))])
    assert isinstance(item, bytes)
    assert seen == [(item[0], 0)]
