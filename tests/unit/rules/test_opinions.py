"""Opinions: what counts towards corroboration, what stops act, and what stays after a redaction."""

from __future__ import annotations

import pytest
from hashpact.v1 import incident_pb2
from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.incident_plans import plan_of
from hashpact_server.rules.incidents import open_incident
from hashpact_server.rules.limits import lift, limit
from hashpact_server.rules.opinions import check_labels, check_opinion
from hashpact_server.rules.policy import Policy
from hashpact_server.state import judgement
from hashpact_server.state.alerts import AlertKind, open_alert
from hashpact_server.state.judgement_rows import LimitCause, OpinionCode
from hashpact_server.state.rows import Basis, Role, Status

from tests.forum import PERSON, offer, one, signal
from tests.unit.rules.judging import Judging, refused

AGAINST = [code for code in OpinionCode if code.against]
ONE = Limits()


def labels_for(code: OpinionCode) -> tuple[str, ...]:
    return ("journalism",) if code is OpinionCode.DISAGREE_LABEL else ()


def test_a_persons_agreement_corroborates_and_its_revocation_takes_that_back(judging: Judging) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.CORROBORATED
    assert not judging.stopped(item)
    judging.revoke("b", item)
    assert judging.status(item) is Status.PROVISIONAL
    head = judging.forum.head()
    judging.revoke("b", item)
    assert judging.forum.head() == head


@pytest.mark.parametrize("basis", [Basis.AUTOMATIC, Basis.FOUND_THROUGH_LIST, Basis.IMPORT])
def test_only_a_persons_look_counts(judging: Judging, basis: Basis) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.AGREE, basis=basis)
    assert judging.status(item) is Status.PROVISIONAL


def test_members_of_one_group_count_once(judging: Judging) -> None:
    judging.forum.admit("a-sister", [Role.REVIEW], group="a")
    item = judging.item("a")
    judging.say("a-sister", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.PROVISIONAL


def test_what_was_found_through_the_list_stays_so_however_it_is_put(judging: Judging) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.AGREE, basis=Basis.FOUND_THROUGH_LIST)
    judging.say("b", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.PROVISIONAL
    assert judging.item("c", basis=Basis.FOUND_THROUGH_LIST) == item
    judging.say("c", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.PROVISIONAL


@pytest.mark.parametrize("code", AGAINST)
def test_one_opinion_against_stops_act_until_it_is_revoked(judging: Judging, code: OpinionCode) -> None:
    item = judging.item("a", "b")
    judging.say("c", item, code, labels=labels_for(code))
    assert judging.stopped(item)
    assert judging.status(item) is Status.CORROBORATED
    judging.revoke("c", item)
    assert not judging.stopped(item)


def test_seen_here_too_is_no_judgement(judging: Judging) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.SEEN_HERE_TOO)
    assert judging.status(item) is Status.PROVISIONAL
    assert not judging.stopped(item)


def test_who_speaks_against_an_item_does_not_corroborate_it_any_more(judging: Judging) -> None:
    item = judging.item("a", "b")
    judging.say("b", item, OpinionCode.DOCUMENTATION_JOURNALISM)
    assert judging.status(item) is Status.PROVISIONAL
    judging.say("b", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.CORROBORATED
    assert not judging.stopped(item)


def test_the_same_opinion_again_records_nothing(judging: Judging) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.NOT_TERRORIST)
    head = judging.forum.head()
    judging.say("b", item, OpinionCode.NOT_TERRORIST)
    assert judging.forum.head() == head
    with judging.forum.engine.state.read() as view:
        assert len(judgement.opinions(view, item)) == 1


def test_an_imported_item_that_a_person_judged_is_inherited_no_more(judging: Judging) -> None:
    item = judging.item("a", basis=Basis.IMPORT)
    judging.say("b", item, OpinionCode.AGREE)
    assert judging.status(item) is Status.PROVISIONAL
    judging.revoke("b", item)
    assert judging.status(item) is Status.INHERITED


def test_redaction_changes_no_row_of_an_opinion(judging: Judging) -> None:
    item = judging.item("a")
    judging.say("b", item, OpinionCode.AGREE)
    judging.say("c", item, OpinionCode.DISAGREE_LABEL, labels=("journalism",))
    head = judging.forum.head()
    for sequence in (head, head - 1):
        judging.redact(sequence)
    assert judging.status(item) is Status.CORROBORATED
    assert judging.stopped(item)
    judging.check_replay()


@pytest.mark.parametrize(
    ("code", "attestation", "labels", "note", "reason"),
    [
        (0, None, (), "", "FIELD_INVALID"),
        (99, None, (), "", "FIELD_INVALID"),
        (OpinionCode.AGREE, None, (), "", "ATTESTATION_MISSING"),
        (OpinionCode.NOT_TERRORIST, PERSON, (), "", "FIELD_INVALID"),
        (OpinionCode.DISAGREE_LABEL, None, (), "", "FIELD_INVALID"),
        (OpinionCode.DISAGREE_LABEL, None, ("Not a label!",), "", "FIELD_INVALID"),
        (OpinionCode.NOT_TERRORIST, None, ("journalism",), "", "FIELD_INVALID"),
        (OpinionCode.NOT_TERRORIST, None, (), "x" * 501, "FIELD_INVALID"),
        (OpinionCode.NOT_TERRORIST, None, (), "a\x07b", "FIELD_INVALID"),
    ],
)
def test_fields_are_checked(
    code: int, attestation: Attestation | None, labels: tuple[str, ...], note: str, reason: str
) -> None:
    assert refused(lambda: check_opinion(code, attestation, labels, note, ONE)) == reason


def test_closed_and_unknown_items_and_opinions_never_given(judging: Judging) -> None:
    item = judging.item("a")
    assert refused(lambda: judging.revoke("b", item)) == "OPINION_NOT_FOUND"
    assert refused(lambda: judging.say("b", 10**9, OpinionCode.SEEN_HERE_TOO)) == "ITEM_NOT_FOUND"
    judging.say("b", item, OpinionCode.NOT_TERRORIST)
    judging.withdraw("a", item)
    assert refused(lambda: judging.say("b", item, OpinionCode.SEEN_HERE_TOO)) == "ITEM_CLOSED"
    assert refused(lambda: judging.revoke("b", item)) == "ITEM_CLOSED"


def test_a_limit_stops_act_keeps_the_status_and_its_first_cause(judging: Judging) -> None:
    item, decide, steward = judging.item("a", "b"), judging.forum.decide, judging.forum.steward.pseudonym
    assert refused(lambda: decide(lambda scene: lift(scene, steward, item))) == "ITEM_NOT_LIMITED"
    assert decide(lambda scene: limit(scene, steward, item, LimitCause.FLOOD))
    assert judging.stopped(item)
    assert judging.status(item) is Status.CORROBORATED
    assert not decide(lambda scene: limit(scene, steward, item, LimitCause.STEWARD))
    with judging.forum.engine.state.read() as view:
        now = judgement.condition(view, item)
    assert now is not None
    assert now.limit is LimitCause.FLOOD
    decide(lambda scene: lift(scene, steward, item))
    assert not judging.stopped(item)
    judging.check_replay()


def test_who_objects_to_many_items_alarms_the_stewards_and_on_trial_is_capped(
    judging: Judging, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(disputes_alarm_per_day=3, trial_items_per_day=2)
    monkeypatch.setattr("hashpact_server.rules.opinions.policy_of", lambda _: policy)
    monkeypatch.setattr("hashpact_server.rules.day_limits.policy_of", lambda _: policy)
    items = [judging.item("a", seed=seed) for seed in range(4)]
    for item in items[:2]:
        judging.say("b", item, OpinionCode.NOT_TERRORIST)
        judging.say("trial", item, OpinionCode.NOT_TERRORIST)
    assert refused(lambda: judging.say("trial", items[2], OpinionCode.NOT_TERRORIST)) == "DAY_LIMIT_REACHED"
    judging.say("trial", items[2], OpinionCode.AGREE)
    with judging.forum.engine.state.read() as view:
        assert open_alert(view, AlertKind.DISPUTES, 0, judging.who("b")) is None
    judging.say("b", items[2], OpinionCode.BENIGN_COLLISION)
    with judging.forum.engine.state.read() as view:
        assert open_alert(view, AlertKind.DISPUTES, 0, judging.who("b")) is not None
    judging.check_replay()


@pytest.mark.parametrize("label", ["journalism", "incident:many"])
def test_labels_that_stop_act_on_what_others_listed_are_objections_too(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    policy = Policy(disputes_alarm_per_day=3)
    monkeypatch.setattr("hashpact_server.rules.day_limits.policy_of", lambda _: policy)
    plan = incident_pb2.IncidentPlan(name="many", type="attack", rules=incident_pb2.IncidentRules(groups_min=5))
    plan.duration.FromMilliseconds(60_000)
    forum = judging.forum
    forum.decide(lambda scene: open_incident(scene, forum.steward.pseudonym, plan_of(plan), steward=True))
    items = [judging.item("a", "b", seed=seed) for seed in range(3)]
    one(forum, forum.member("d"), offer(signal("sha256", "its own"), labels=("journalism",)))
    for seed in range(3):
        with forum.engine.state.read() as view:
            assert open_alert(view, AlertKind.DISPUTES, 0, judging.who("d")) is None
        one(forum, forum.member("c"), offer(signal("sha256", seed)))  # says nothing against it
        labels = ("glorification_of_terrorist_acts", label)
        assert one(forum, forum.member("d"), offer(signal("sha256", seed), labels=labels)).item == items[seed]
    with forum.engine.state.read() as view:
        assert open_alert(view, AlertKind.DISPUTES, 0, judging.who("d")) is not None
        assert open_alert(view, AlertKind.DISPUTES, 0, judging.who("c")) is None
    judging.check_replay()


def test_no_verdict_or_answer_puts_the_label_of_a_drill_on_a_real_item() -> None:
    """Whoever listens for real incidents alone would be blind to it."""
    with pytest.raises(Refusal, match="rehearsed"):
        check_labels(["incident:drill-spring"], ONE, wanted=True, by="verdict RELABEL")
