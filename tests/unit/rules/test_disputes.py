"""Disputes: who decides, what that does, and what happens when nobody does."""

from __future__ import annotations

from functools import partial

import pytest
from hashpact_server.rules import disputes, members
from hashpact_server.rules.amending import amend
from hashpact_server.state.alerts import AlertKind, open_alert
from hashpact_server.state.judgement_rows import DisputeOutcome, OpinionCode, Verdict
from hashpact_server.state.rows import Basis, Role, Status
from hashpact_server.state.tables import Due

from tests.forum import LABELS
from tests.unit.rules.judging import Judging, refused


def test_a_dispute_lowers_to_review_and_two_uninvolved_groups_keep_the_item(judging: Judging) -> None:
    item = judging.item("a", "b")
    judging.say("c", item, OpinionCode.DOCUMENTATION_JOURNALISM)
    number = judging.dispute("c", item)
    assert judging.status(item) is Status.DISPUTED
    assert judging.stopped(item)
    assert judging.vote("d", number, Verdict.KEEP) is DisputeOutcome.OPEN
    assert judging.vote("e", number, Verdict.KEEP) is DisputeOutcome.KEPT
    assert judging.status(item) is Status.CORROBORATED
    assert not judging.stopped(item)  # what was said before is resolved
    judging.say("f", item, OpinionCode.DOCUMENTATION_JOURNALISM)
    assert judging.stopped(item)  # what is said later is not
    judging.check_replay()


def test_removed(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.dispute("c", item)
    judging.vote("d", number, Verdict.KEEP)
    judging.vote("e", number, Verdict.REMOVE)
    assert judging.vote("d", number, Verdict.REMOVE) is DisputeOutcome.REMOVED
    assert judging.status(item) is Status.WITHDRAWN
    with judging.forum.engine.state.read() as view:
        assert not view.due(2**62, limit=9)
    assert judging.item("a") != item  # its signals are off the list
    judging.check_replay()


def test_relabelled_takes_the_place_of_all_labels_given_before(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.dispute("c", item)
    assert judging.vote("d", number, Verdict.RELABEL, "journalism") is DisputeOutcome.OPEN
    assert judging.vote("e", number, Verdict.RELABEL, "art") is DisputeOutcome.OPEN
    assert judging.vote("f", number, Verdict.RELABEL, "journalism") is DisputeOutcome.RELABELLED
    with judging.forum.engine.state.read() as view:
        assert view.labels(item) == ("journalism",)
    a = judging.who("a")
    judging.forum.decide(lambda scene: amend(scene, a, item, ("manifesto_author",), (), None))
    with judging.forum.engine.state.read() as view:
        assert view.labels(item) == ("journalism", "manifesto_author")
    judging.redact(judging.disputed(number).closed_by)
    with judging.forum.engine.state.read() as view:
        assert view.labels(item) == ("context:journalism", "manifesto_author")
    judging.check_replay()


@pytest.mark.parametrize(
    ("name", "cause"),
    [("a", "contributed"), ("a-sister", "same group"), ("b", "agreed"), ("c", "opened"), ("d", "was against")],
)
def test_whoever_is_involved_does_not_vote(judging: Judging, name: str, cause: str) -> None:
    judging.forum.admit("a-sister", [Role.REVIEW], group="a")
    item = judging.item("a")
    judging.say("b", item, OpinionCode.AGREE)
    judging.say("d", item, OpinionCode.NOT_TERRORIST)
    number = judging.dispute("c", item)
    assert refused(lambda: judging.vote(name, number, Verdict.KEEP)) == "VOTE_NOT_ALLOWED", cause


def test_to_have_been_involved_is_enough(judging: Judging) -> None:
    item = judging.item("a", "b")
    judging.say("c", item, OpinionCode.AGREE)
    judging.say("c", item, OpinionCode.SEEN_HERE_TOO)
    judging.withdraw("b", item)
    judging.say("d", item, OpinionCode.AGREE)
    judging.revoke("d", item)
    number = judging.dispute("e", item)
    for name in "bcd":
        assert refused(partial(judging.vote, name, number, Verdict.KEEP)) == "VOTE_NOT_ALLOWED"
    assert judging.vote("f", number, Verdict.KEEP) is DisputeOutcome.OPEN


def test_members_on_trial_suspended_or_without_a_known_group_do_not_decide(judging: Judging) -> None:
    item = judging.item("a", "b")
    number = judging.dispute("c", item)
    assert refused(lambda: judging.vote("trial", number, Verdict.KEEP)) == "VOTE_NOT_ALLOWED"
    judging.vote("d", number, Verdict.KEEP)
    judging.forum.decide(lambda scene: members.set_suspended(scene, bytes(16), "d", suspended=True))
    assert judging.vote("e", number, Verdict.KEEP) is DisputeOutcome.OPEN
    f = judging.forum.member("f")
    judging.redact(f.created_sequence)
    vote = partial(disputes.vote, member=f.pseudonym, number=number, verdict=Verdict.KEEP, labels=(), statement="")
    assert refused(lambda: judging.forum.decide(vote)) == "VOTE_NOT_ALLOWED"


def test_two_members_of_a_group_count_once_and_for_nothing_when_they_differ(judging: Judging) -> None:
    judging.forum.admit("d-sister", [Role.REVIEW], group="d")
    item = judging.item("a", "b")
    number = judging.dispute("c", item)
    judging.vote("d", number, Verdict.KEEP)
    assert judging.vote("d-sister", number, Verdict.KEEP) is DisputeOutcome.OPEN
    judging.vote("d-sister", number, Verdict.REMOVE)
    assert judging.vote("e", number, Verdict.KEEP) is DisputeOutcome.OPEN
    judging.vote("d-sister", number, Verdict.KEEP)
    assert judging.disputed(number).outcome is DisputeOutcome.KEPT


def test_undecided_it_lapses_and_all_earlier_judgements_are_void(judging: Judging) -> None:
    item = judging.item("a", "b")
    judging.say("c", item, OpinionCode.AGREE)
    number = judging.dispute("d", item)
    judging.pass_days(13.9)
    assert judging.status(item) is Status.DISPUTED
    judging.pass_days(0.2)
    assert judging.disputed(number).outcome is DisputeOutcome.LAPSED
    assert judging.status(item) is Status.PROVISIONAL
    a = judging.who("a")
    judging.forum.decide(lambda scene: amend(scene, a, item, ("art", *LABELS), (), None))
    judging.say("e", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.PROVISIONAL  # to amend is not to look again
    judging.say("a", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.CORROBORATED
    judging.check_replay()


def test_a_lapse_makes_an_imported_item_inherited_again_and_a_new_contribution_counts(judging: Judging) -> None:
    item = judging.item("a", basis=Basis.IMPORT)
    judging.say("b", item, OpinionCode.AGREE)
    judging.dispute("c", item)
    judging.pass_days(15)
    assert judging.status(item) is Status.INHERITED
    judging.item("d")
    assert judging.status(item) is Status.PROVISIONAL
    judging.item("e")
    assert judging.status(item) is Status.CORROBORATED


def test_new_words_do_not_end_a_dispute_and_the_last_withdrawal_does(judging: Judging) -> None:
    item = judging.item("a")
    number = judging.dispute("c", item)
    judging.item("b")
    judging.say("d", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.DISPUTED
    for name in "ab":
        judging.withdraw(name, item)
    assert judging.status(item) is Status.WITHDRAWN
    assert judging.disputed(number).outcome is DisputeOutcome.ITEM_CLOSED
    assert refused(lambda: judging.vote("e", number, Verdict.KEEP)) == "DISPUTE_IS_CLOSED"
    judging.pass_days(30)
    judging.check_replay()


def test_one_dispute_at_a_time_and_so_many_a_day(judging: Judging) -> None:
    items = [judging.item("a", seed=seed) for seed in range(22)]
    judging.dispute("b", items[0])
    assert refused(lambda: judging.dispute("c", items[0])) == "DISPUTE_IS_OPEN"
    for item in items[1:20]:
        judging.dispute("b", item)
    assert refused(lambda: judging.dispute("b", items[20])) == "DAY_LIMIT_REACHED"
    for item in items[20:22]:
        judging.dispute("trial", item)
    judging.pass_days(1)
    assert judging.status(items[20]) is Status.DISPUTED
    judging.dispute("b", judging.item("a", seed=99))
    judging.check_replay()


def test_members_on_trial_open_fewer(judging: Judging) -> None:
    items = [judging.item("a", seed=seed) for seed in range(4)]
    for item in items[:3]:
        judging.dispute("trial", item)
    assert refused(lambda: judging.dispute("trial", items[3])) == "DAY_LIMIT_REACHED"


def test_mass_disputes_alarm_the_stewards(judging: Judging) -> None:
    items = [judging.item("a", seed=seed) for seed in range(50)]
    for name, part in (("b", items[:20]), ("c", items[20:40]), ("d", items[40:49])):
        for item in part:
            judging.dispute(name, item)
    with judging.forum.engine.state.read() as view:
        assert open_alert(view, AlertKind.DISPUTES, 0, bytes(16)) is None
    judging.dispute("d", items[49])
    with judging.forum.engine.state.read() as view:
        alert = open_alert(view, AlertKind.DISPUTES, 0, bytes(16))
    assert alert is not None
    assert alert.counted == 50


def test_a_dispute_has_its_time_in_the_table_of_due_times(judging: Judging) -> None:
    number = judging.dispute("b", judging.item("a"))
    with judging.forum.engine.state.read() as view:
        row = judging.disputed(number)
        assert view.due(row.due_ms, limit=9) == [(Due.DISPUTE, number)]
        assert not view.due(row.due_ms - 1, limit=9)


def test_unknown_disputes(judging: Judging) -> None:
    assert refused(lambda: judging.vote("a", 10**9, Verdict.KEEP)) == "DISPUTE_NOT_FOUND"
    assert refused(lambda: judging.dispute("a", 10**9)) == "ITEM_NOT_FOUND"
