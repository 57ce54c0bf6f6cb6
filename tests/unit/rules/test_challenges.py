"""Challenges from outside, and imported items that nobody judges."""

from __future__ import annotations

import pytest
from hashpact_server.matcher import Neighbours
from hashpact_server.rules import challenges, expiring
from hashpact_server.rules.day_limits import SEARCHES_PER_DAY, Searches
from hashpact_server.rules.identity import look
from hashpact_server.rules.signals import sort_out
from hashpact_server.state.alerts import AlertKind, open_alert
from hashpact_server.state.judgement_rows import ChallengeOutcome, DisputeOutcome, OpinionCode, Verdict
from hashpact_server.state.rows import Basis, Status

from tests.forum import flipped, offer, one, signal, value
from tests.unit.rules.judging import DAY_MS, Judging, refused


def test_a_holder_keeps_it_for_reasons(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.lodge("c", item)
    assert judging.status(item) is Status.CORROBORATED  # the holders' word stands until they are heard
    assert refused(lambda: judging.answer("d", number, ChallengeOutcome.KEPT)) == "NOT_CONTRIBUTOR"
    assert judging.answer("b", number, ChallengeOutcome.KEPT) is ChallengeOutcome.KEPT
    assert refused(lambda: judging.answer("a", number, ChallengeOutcome.KEPT)) == "CHALLENGE_IS_CLOSED"
    judging.pass_days(30)
    assert judging.status(item) is Status.CORROBORATED
    judging.check_replay()


def test_withdrawn_takes_the_holders_word_back_and_leaves_the_challenge_to_the_others(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.lodge("c", item)
    assert judging.answer("a", number, ChallengeOutcome.WITHDRAWN) is ChallengeOutcome.OPEN
    assert judging.status(item) is Status.PROVISIONAL
    assert refused(lambda: judging.answer("a", number, ChallengeOutcome.KEPT)) == "NOT_CONTRIBUTOR"
    assert judging.answer("b", number, ChallengeOutcome.WITHDRAWN) is ChallengeOutcome.WITHDRAWN
    assert judging.status(item) is Status.WITHDRAWN
    judging.check_replay()


def test_relabelled_gives_other_labels(judging: Judging) -> None:
    item = judging.item("a")
    number = judging.lodge("c", item)
    assert judging.answer("a", number, ChallengeOutcome.RELABELLED, "journalism") is ChallengeOutcome.RELABELLED
    with judging.forum.engine.state.read() as view:
        assert view.labels(item) == ("journalism",)


def test_unanswered_it_becomes_a_dispute_and_alarms(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.lodge("c", item)
    judging.pass_days(7.1)
    row = judging.challenged(number)
    assert row.outcome is ChallengeOutcome.LAPSED
    assert judging.status(item) is Status.DISPUTED
    assert judging.disputed(row.dispute).challenge == number
    assert refused(lambda: judging.vote("c", row.dispute, Verdict.REMOVE)) == "VOTE_NOT_ALLOWED"  # it lodged it
    with judging.forum.engine.state.read() as view:
        assert open_alert(view, AlertKind.CHALLENGE, item, bytes(16)) is not None
    judging.vote("d", row.dispute, Verdict.REMOVE)
    assert judging.vote("e", row.dispute, Verdict.REMOVE) is DisputeOutcome.REMOVED
    judging.check_replay()


def test_unanswered_beside_an_open_dispute_it_joins_that_one(judging: Judging) -> None:
    item = judging.item("a")
    number = judging.lodge("b", item)
    judging.pass_days(1)
    dispute = judging.dispute("c", item)
    judging.pass_days(6.1)
    assert judging.challenged(number).dispute == dispute


def test_about_an_item_that_went_it_is_granted_in_its_time(judging: Judging) -> None:
    item = judging.item("a")
    number = judging.lodge("b", item)
    judging.withdraw("a", item)
    assert refused(lambda: judging.answer("a", number, ChallengeOutcome.KEPT)) == "ITEM_CLOSED"
    judging.pass_days(8)
    assert judging.challenged(number).outcome is ChallengeOutcome.WITHDRAWN
    judging.check_replay()


def test_so_many_a_day(judging: Judging) -> None:
    item = judging.item("a")
    for _ in range(20):
        judging.lodge("b", item)
    assert refused(lambda: judging.lodge("b", item)) == "DAY_LIMIT_REACHED"
    assert refused(lambda: judging.lodge("c", 10**9)) == "ITEM_NOT_FOUND"
    assert refused(lambda: judging.answer("a", 10**9, ChallengeOutcome.KEPT)) == "CHALLENGE_NOT_FOUND"
    judging.pass_days(8)  # twenty challenges, and one dispute
    judging.check_replay()


def test_signals_find_items_closest_first_and_the_coarse_hash_none(judging: Judging) -> None:
    near, far = value("pdq", 1), flipped(value("pdq", 1), 20)
    first = one(judging.forum, judging.forum.a, offer(signal("pdq", near))).item
    second = one(judging.forum, judging.forum.a, offer(signal("pdq", far), signal("phash", 5))).item
    fit, _ = sort_out([signal("pdq", flipped(near, 2)), signal("phash", 5)])

    def found(wanted: Neighbours | None = None) -> list[int]:
        return judging.forum.decide(lambda scene: challenges.found(look(scene, fit, wanted)))

    assert found() == [first, second]
    coarse, _ = sort_out([signal("phash", 5)])
    assert judging.forum.decide(lambda scene: challenges.found(look(scene, coarse, None))) == []


def test_what_was_only_imported_expires_in_its_time_unless_a_person_judged_it(
    judging: Judging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "WALK_ITEMS_MAX", 2)
    monkeypatch.setattr(expiring, "EXPIRE_ITEMS_MAX", 2)
    imported = [judging.item("a", basis=Basis.IMPORT, seed=seed) for seed in range(7)]
    contributed = judging.item("a", seed=50)
    judging.say("b", imported[0], OpinionCode.AGREE)
    judging.pass_days(300)
    judging.item("b", basis=Basis.IMPORT, seed=1)  # imported again by another member
    young = judging.item("a", basis=Basis.IMPORT, seed=60)
    judging.pass_days(66)
    for _ in range(20):
        judging.pass_days(0)
    assert [judging.status(item) for item in imported] == [
        Status.PROVISIONAL,
        Status.INHERITED,
        *[Status.EXPIRED] * 5,
    ]
    assert judging.status(contributed) is Status.PROVISIONAL
    assert judging.status(young) is Status.INHERITED
    assert judging.item("a", basis=Basis.IMPORT, seed=2) != imported[2]
    judging.check_replay()


def test_searches_by_signals_are_capped_for_each_member_and_day() -> None:
    searches = Searches()
    for _ in range(SEARCHES_PER_DAY):
        searches.count(b"a", 0)
    assert refused(lambda: searches.count(b"a", DAY_MS - 1)) == "DAY_LIMIT_REACHED"
    searches.count(b"b", 0)
    searches.count(b"a", DAY_MS)


def test_a_member_of_four_eyes_does_not_relabel_by_an_answer(judging: Judging, monkeypatch: pytest.MonkeyPatch) -> None:
    item = judging.item("a")
    number = judging.lodge("c", item)
    monkeypatch.setattr("hashpact_server.rules.four_eyes.wanted", lambda *_: True)
    assert refused(lambda: judging.answer("a", number, ChallengeOutcome.RELABELLED, "x")) == "FIELD_INVALID"
    assert judging.answer("a", number, ChallengeOutcome.KEPT) is ChallengeOutcome.KEPT
