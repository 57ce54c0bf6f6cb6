"""Taxonomy and policy: read strictly, adopted by two, widened only after notice, old versions kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hashpact.v1 import steward_service_pb2 as pb
from hashpact_server import replay
from hashpact_server.refusal import Refusal
from hashpact_server.rules import motions
from hashpact_server.rules.due import DUE_RULES
from hashpact_server.rules.json_content import Fault
from hashpact_server.rules.policy import DEFAULT, RANGES, Policy, policy_from
from hashpact_server.rules.policy import widens as policy_widens
from hashpact_server.rules.rulebook import content_of, policy_of, taxonomy_of
from hashpact_server.rules.taxonomy import BUILT_IN, Taxonomy, taxonomy_from, widens
from hashpact_server.state.rows import Role, Status
from hashpact_server.state.rulebook import RulebookKind, RulebookState, versions
from hashpact_server.state.tables import Due

from tests.forum import Forum, forum_in, offer, one, signal

DAY_MS = 86_400_000


def taxonomy(**changes: Any) -> dict[str, Any]:
    """The built-in taxonomy as its JSON would be, closed."""
    axes = {axis: dict(terms) for axis, terms in BUILT_IN.axes.items()}
    return {"open": False, "axes": axes, "incident_types": {"attack": "Now."}, **changes}


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        yield made


def adopt(forum: Forum, **act: Any) -> None:
    """Have two stewards adopt a ``taxonomy`` or ``policy``."""
    ((kind, content),) = act.items()
    text = json.dumps(content)
    wanted = pb.StewardAct()
    (wanted.adopt_policy if kind == "policy" else wanted.adopt_taxonomy).content = text
    first, second = forum.steward.pseudonym, forum.member("second").pseudonym
    number = forum.decide(lambda scene: motions.propose(scene, first, wanted, "")).motion
    forum.decide(lambda scene: motions.second(scene, second, number))


def policy(forum: Forum) -> Policy:
    with forum.engine.state.read() as view:
        return policy_of(view)


def states(forum: Forum, kind: RulebookKind) -> list[RulebookState]:
    with forum.engine.state.read() as view:
        return [row.state for row in versions(view.rows, kind)]


def test_every_number_of_the_policy_has_its_range_and_the_default_lies_in_it() -> None:
    numbers = {each.name for each in fields(Policy) if isinstance(getattr(DEFAULT, each.name), int)}
    assert set(RANGES) == numbers - {"act", "four_eyes"}
    for name, (least, most) in RANGES.items():
        assert least <= getattr(DEFAULT, name) <= most
        assert getattr(policy_from(json.dumps({name: most})), name) == most
        for wrong in (least - 1, most + 1, True, "3", 2.0, None):
            with pytest.raises(Fault, match=rf"policy\.{name}"):
                policy_from(json.dumps({name: wrong}))
    assert policy_from("{}") == DEFAULT
    assert policy_from('{"of_a_later_version": 1, "groups_min": 3}', lenient=True) == Policy(groups_min=3)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("[]", "policy"),
        ("{", "policy"),
        ('{"act": 1}', "policy.act"),
        ('{"quorum": 2}', "policy.quorum"),
        ('{"groups_min": 2, "groups_min": 3}', "policy"),
        ('{"label_groups_min": {"list:un": 1}}', "policy.label_groups_min.list:un"),
        ('{"label_groups_min": {"Not A Label": 2}}', "policy.label_groups_min"),
        ('{"groups_min": NaN}', "policy"),
        ("[" * 100_000, "policy"),
    ],
)
def test_a_wrong_policy_is_refused_by_the_name_of_its_field(content: str, where: str) -> None:
    with pytest.raises(Fault) as caught:
        policy_from(content)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"open": "yes"}, "taxonomy.open"),
        ({"colour": {}}, "taxonomy.colour"),
        ({"axes": {}}, "taxonomy.axes.producer"),
        ({"axes": {**taxonomy()["axes"], "mood": {"bad": "x"}}}, "taxonomy.axes.mood"),
        ({"axes": {**taxonomy()["axes"], "media": {"Image": "x"}}}, "taxonomy.axes.media"),
        ({"axes": {**taxonomy()["axes"], "media": {"image": ""}}}, "taxonomy.axes.media.image"),
        ({"axes": {**taxonomy()["axes"], "media": {"art": "x"}}}, "taxonomy.axes.media.art"),
        ({"incident_types": ["attack"]}, "taxonomy.incident_types"),
    ],
)
def test_a_wrong_taxonomy_is_refused_by_the_name_of_its_field(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(Fault) as caught:
        taxonomy_from(json.dumps(taxonomy(**changes)))
    assert caught.value.where == where


def test_what_widens() -> None:
    def changed(axis: str, terms: dict[str, str]) -> Taxonomy:
        return taxonomy_from(json.dumps(taxonomy(axes={**taxonomy()["axes"], axis: terms})))

    now = changed("media", {"image": "A picture."})
    assert not widens(BUILT_IN, taxonomy_from(json.dumps(taxonomy())))
    assert widens(now, changed("media", {"image": "A picture.", "audio": "A sound."}))
    assert widens(now, changed("media", {"image": "Any picture, and more."}))
    assert widens(changed("context", {"art": "a", "news": "n"}), changed("context", {"art": "a"}))
    assert not widens(changed("context", {"art": "a"}), changed("context", {"art": "a", "news": "n"}))
    now_policy = Policy(notice_days=9, groups_min=3)
    for wider in (
        replace(now_policy, act=True),
        replace(now_policy, groups_min=2),
        replace(now_policy, inherited_days=366),
        replace(now_policy, notice_days=0),
    ):
        assert policy_widens(now_policy, wider)
    assert policy_widens(Policy(label_groups_min={"a": 4}), Policy())
    assert policy_widens(Policy(four_eyes=True), Policy())
    assert not policy_widens(Policy(act=True), Policy(groups_min=5, motion_days=99))


def test_what_widens_waits_for_its_notice_and_what_narrows_does_not(forum: Forum) -> None:
    adopt(forum, policy={"notice_days": 30, "groups_min": 3})
    assert policy(forum).groups_min == 3
    adopt(forum, policy={"notice_days": 30, "groups_min": 3, "act": True})
    assert not policy(forum).act
    with forum.engine.state.read() as view:
        ((what, adoption),) = [
            each for each in view.due(view.head.time_ms + 30 * DAY_MS, limit=9) if each[0] is Due.RULEBOOK
        ]
        assert not view.due(view.head.time_ms + 29 * DAY_MS, limit=9)
    assert states(forum, RulebookKind.POLICY) == [RulebookState.IN_FORCE, RulebookState.NOTICE]
    forum.decide(lambda scene: DUE_RULES[what](scene, adoption))
    assert policy(forum).act
    assert states(forum, RulebookKind.POLICY) == [RulebookState.REPLACED, RulebookState.IN_FORCE]
    adopt(forum, policy={"notice_days": 30, "groups_min": 4})
    assert (policy(forum).act, policy(forum).groups_min) == (False, 4)
    forum.close()
    report = replay.check(forum.folder)
    assert report.ok, report.problems
    forum.reopen()


def test_a_later_version_takes_the_place_of_one_that_waits(forum: Forum) -> None:
    adopt(forum, policy={"notice_days": 30})
    adopt(forum, policy={"notice_days": 30, "act": True})
    adopt(forum, policy={"notice_days": 30, "groups_min": 5})
    assert states(forum, RulebookKind.POLICY) == [
        RulebookState.REPLACED,
        RulebookState.SUPERSEDED,
        RulebookState.IN_FORCE,
    ]
    with forum.engine.state.read() as view:
        assert not [each for each in view.due(view.head.time_ms + 99 * DAY_MS, limit=9) if each[0] is Due.RULEBOOK]
        first = next(versions(view.rows, RulebookKind.POLICY))
        assert json.loads(content_of(view, first.sequence)) == {"notice_days": 30}


def test_a_closed_taxonomy_takes_its_labels_and_no_others(forum: Forum) -> None:
    before = one(forum, forum.a, offer(signal("sha256", 1), labels=["own-word"]))
    assert before.status is Status.PROVISIONAL
    adopt(forum, taxonomy=taxonomy())
    assert "taxonomy" in one(forum, forum.a, offer(signal("sha256", 2), labels=["own-word"])).message
    for label in ("glorification-of-terrorist-acts", "list:un", "incident:bondi", "canary"):
        assert one(forum, forum.a, offer(signal("sha256", label), labels=[label])).item
    axes = {**taxonomy()["axes"], "context": {"parody": "A joke."}}
    adopt(forum, taxonomy=taxonomy(axes=axes))
    item = one(forum, forum.a, offer(signal("sha256", 9), labels=["parody"])).item
    with forum.engine.state.read() as view:
        assert view.entry(item).classes == ("context:parody",)
        assert "journalism" not in taxonomy_of(view).axes["context"]


def test_a_motion_with_a_wrong_policy_is_not_even_proposed(forum: Forum) -> None:
    with pytest.raises(Refusal) as caught:
        adopt(forum, policy={"groups_min": 1})
    assert caught.value.violations == (("policy.groups_min", "a number from 2 to 100"),)
