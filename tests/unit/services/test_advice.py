"""Advice to act: what each of its conditions is worth, told by look-ups, GetItem and Explain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as lookup_pb2
from hashpact.v1 import policy_service_pb2 as policy_pb2
from hashpact.v1 import signal_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server import replay
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import members, motions
from hashpact_server.rules.attestation import Attestation
from hashpact_server.services.policy import PolicyService
from hashpact_server.state.rows import Basis, MemberRow, Role

from tests.forum import LABELS, Forum, flipped, forum_in, offer, one, signal, value

NONE, OBSERVE, REVIEW, ACT = (
    signal_pb2.ADVICE_NONE,
    signal_pb2.ADVICE_OBSERVE,
    signal_pb2.ADVICE_REVIEW,
    signal_pb2.ADVICE_ACT,
)
NEAR, STRONG = lookup_pb2.MATCH_LEVEL_NEAR, lookup_pb2.MATCH_LEVEL_STRONG
EVERYTHING = tuple(role for role in Role if role is not Role.STEWARD)
MEDIA = (signal("sha256", 1), signal("pdq", 1), signal("phash256", 1))
PROBE = {"sha256": [value("sha256", 1)], "pdq": [value("pdq", 1)], "phash256": [value("phash256", 1)]}
PERCEPTUAL = {name: values for name, values in PROBE.items() if name != "sha256"}


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    """A forum whose policy lets members act, with ``a``, which wants to."""
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        adopt(made, act=True)
        wish(made, made.a, mode=ACT)
        yield made


def adopt(forum: Forum, **policy: object) -> None:
    act = steward_pb.StewardAct(adopt_policy=steward_pb.StewardAct.AdoptPolicy(content=json.dumps(policy)))
    motion = forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, act, "")).motion
    second = forum.member("second").pseudonym
    forum.decide(lambda scene: motions.second(scene, second, motion))


def wish(forum: Forum, member: MemberRow, **policy: object) -> None:
    forum.as_(member)
    request = policy_pb2.SetMemberPolicyRequest(policy=policy_pb2.MemberPolicy(**policy))  # type: ignore[arg-type]
    PolicyService(forum.engine).SetMemberPolicy(request, None)


def probe(values: Mapping[str, list[bytes]]) -> lookup_pb2.Probe:
    sets = [signal_pb2.SignalSet(signal_type=name, values=b"".join(each)) for name, each in values.items()]
    return lookup_pb2.Probe(signal_sets=sets)


def match(forum: Forum, values: Mapping[str, list[bytes]] = PROBE, *, use: str = "") -> lookup_pb2.Match:
    request = lookup_pb2.LookupRequest(probes=[probe(values)], use=use)
    answer = forum.as_(forum.a).lookup.Lookup(request, None)
    ((found,),) = [each.matches for each in answer.matched]
    told = explain(forum, found.item, values, use=use)
    assert told.match == found, "what is explained is what is told"
    assert told.advice == found.advice
    if found.advice != OBSERVE:
        assert (found.advice == ACT) == all(each.holds for each in told.conditions)
    return found


def advice(forum: Forum, values: Mapping[str, list[bytes]] = PROBE, *, use: str = "") -> int:
    return int(match(forum, values, use=use).advice)


def explain(forum: Forum, item: int, values: Mapping[str, list[bytes]], *, use: str = "") -> lookup_pb2.ExplainResponse:
    request = lookup_pb2.ExplainRequest(probe=probe(values), item=item, use=use)
    return forum.as_(forum.a).lookup.Explain(request, None)


def missing(forum: Forum, item: int, values: Mapping[str, list[bytes]] = PROBE) -> set[str]:
    """Conditions of acting that do not hold."""
    name = lookup_pb2.ActCondition.Condition.Name
    told = explain(forum, item, values).conditions
    assert len(told) == len(lookup_pb2.ActCondition.Condition.values()) - 1
    return {name(each.condition).removeprefix("CONDITION_") for each in told if not each.holds}


def corroborated(forum: Forum, *signals: object, labels: tuple[str, ...] = LABELS) -> int:
    media = signals or MEDIA
    item = one(forum, forum.a, offer(*media, labels=labels)).item  # type: ignore[arg-type]
    assert one(forum, forum.b, offer(*media, labels=labels)).item == item  # type: ignore[arg-type]
    return item


def get_item_advice(forum: Forum, item: int) -> int:
    request = contribution_pb2.GetItemRequest(item=item)
    return int(forum.as_(forum.a).contribution.GetItem(request, None).item.advice)


def test_two_full_groups_that_looked_and_a_member_that_wants_to(forum: Forum) -> None:
    item = corroborated(forum)
    found = match(forum)
    assert (found.advice, found.vouching_groups, found.weakly_vouched) == (ACT, 2, False)
    assert list(found.members) == ["a", "b"]
    assert {each.sequence for each in found.agreements} == {item}
    assert found.sequence == item + 1
    assert get_item_advice(forum, item) == ACT
    assert not missing(forum, item)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sha256": PROBE["sha256"]}, ACT),
        (PERCEPTUAL, REVIEW),  # both see the lowest frequencies of the whole picture: one witness
        ({"pdq": PROBE["pdq"]}, REVIEW),
        ({"md5": [value("md5", 1)]}, REVIEW),
        ({"md5": [value("md5", 1)], "phash256": [flipped(value("phash256", 1), 47)]}, ACT),
        ({"md5": [value("md5", 1)], "pdq": [flipped(value("pdq", 1), 31)]}, ACT),
        ({"md5": [value("md5", 1)], "phash": [value("phash", 1)]}, REVIEW),  # flat pictures share it
    ],
)
def test_what_agrees_has_to_be_enough(forum: Forum, values: dict[str, list[bytes]], expected: int) -> None:
    item = corroborated(forum, *MEDIA, signal("md5", 1), signal("phash", 1))
    found = match(forum, values)
    assert (found.advice, found.level) == (expected, STRONG if expected == ACT else NEAR)
    assert missing(forum, item, values) == (set() if expected == ACT else {"AGREEMENT"})


def test_a_wide_radius_finds_more_and_acts_on_no_more(forum: Forum) -> None:
    corroborated(forum, *MEDIA, signal("md5", 1))
    radii = [lookup_pb2.Radius(signal_type="pdq", radius=60), lookup_pb2.Radius(signal_type="phash256", radius=60)]
    wish(forum, forum.a, mode=ACT, uses=[policy_pb2.Use(name="wide", radii=radii)])
    md5 = [value("md5", 1)]
    far = {"md5": md5, "pdq": [flipped(value("pdq", 1), 40)], "phash256": [flipped(value("phash256", 1), 50)]}
    found = match(forum, far, use="wide")
    assert (len(found.agreements), found.advice, found.level) == (3, REVIEW, NEAR)
    assert advice(forum, {**far, "pdq": [flipped(value("pdq", 1), 31)]}, use="wide") == ACT
    with pytest.raises(Refusal) as refused:
        advice(forum, far, use="narrow")
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID


def test_the_forum_and_the_member_both_have_to_want_it(forum: Forum) -> None:
    item = corroborated(forum)
    wish(forum, forum.a, mode=REVIEW)
    assert (advice(forum), missing(forum, item)) == (REVIEW, {"MEMBER_POLICY"})
    wish(forum, forum.a, mode=OBSERVE)
    assert (advice(forum), get_item_advice(forum, item)) == (OBSERVE, OBSERVE)
    wish(forum, forum.a, mode=ACT, groups_min=3)
    assert (advice(forum), missing(forum, item)) == (REVIEW, {"GROUPS", "AGREEMENT"})
    wish(forum, forum.a, mode=ACT, labels=[policy_pb2.LabelMode(label=LABELS[0], mode=REVIEW)])
    assert (advice(forum), missing(forum, item)) == (REVIEW, {"MEMBER_POLICY"})
    wish(forum, forum.a, mode=REVIEW, uses=[policy_pb2.Use(name="uploads", mode=ACT)])
    assert (advice(forum), advice(forum, use="uploads")) == (REVIEW, ACT)
    wish(forum, forum.a, mode=ACT)
    adopt(forum, act=False)
    assert (advice(forum), missing(forum, item)) == (REVIEW, {"FORUM_POLICY"})


def test_a_label_may_ask_for_more_groups(forum: Forum) -> None:
    adopt(forum, act=True, label_groups_min={"un_listed_entity": 3})
    labels = (*LABELS, "un_listed_entity")
    item = corroborated(forum, labels=labels)
    assert missing(forum, item) == {"STATUS", "GROUPS", "AGREEMENT"}
    third = forum.admit("third", EVERYTHING)
    one(forum, third, offer(*MEDIA, labels=labels))
    assert advice(forum) == ACT


@pytest.mark.parametrize("label", ["journalism", "context:art"])
def test_one_context_label_stops_it(forum: Forum, label: str) -> None:
    item = corroborated(forum)
    forum.as_(forum.b).contribution.Amend(contribution_pb2.AmendRequest(item=item, labels=[*LABELS, label]), None)
    assert (advice(forum), missing(forum, item)) == (REVIEW, {"CONTEXT"})


@pytest.mark.parametrize("basis", [Basis.AUTOMATIC, Basis.FOUND_THROUGH_LIST, Basis.IMPORT])
def test_only_people_count(forum: Forum, basis: Basis) -> None:
    item = one(forum, forum.a, offer(*MEDIA)).item
    one(forum, forum.b, offer(*MEDIA, attestation=Attestation(basis)))
    assert missing(forum, item) == {"STATUS", "GROUPS", "AGREEMENT"}


def test_members_that_one_steward_made_do_not_count(forum: Forum) -> None:
    item = one(forum, forum.a, offer(*MEDIA)).item
    for number in range(3):
        forum.decide(
            lambda scene, number=number: members.create_member(  # type: ignore[misc]
                scene,
                forum.steward.pseudonym,
                pseudonym=bytes([200 + number]) * 16,
                name=f"made-{number}",
                roles=(Role.CONTRIBUTE,),
                group=f"made-{number}",
            )
        )
        one(forum, forum.member(f"made-{number}"), offer(*MEDIA))
    found = match(forum)
    assert (found.status, found.advice, found.vouching_groups, found.weakly_vouched) == (2, REVIEW, 1, True)
    assert missing(forum, item) == {"GROUPS", "AGREEMENT"}


def test_sisters_are_one_group_and_the_suspended_are_none(forum: Forum) -> None:
    sister = forum.admit("sister", EVERYTHING, group="a")
    item = one(forum, forum.a, offer(*MEDIA)).item
    one(forum, sister, offer(*MEDIA))
    assert missing(forum, item) == {"STATUS", "GROUPS", "AGREEMENT"}
    one(forum, forum.b, offer(*MEDIA))
    assert advice(forum) == ACT
    forum.decide(lambda scene: members.set_suspended(scene, forum.steward.pseudonym, "b", suspended=True))
    assert missing(forum, item) == {"GROUPS", "AGREEMENT"}


def test_what_one_outsider_attached_is_acted_upon_by_nobody(forum: Forum) -> None:
    """The hijack: a signal of lawful media is attached to what everybody agreed on."""
    item = corroborated(forum)
    outsider = forum.admit("outsider", EVERYTHING)
    hijack = (signal("sha256", 9), signal("pdq", 9), signal("phash256", 9))
    one(forum, outsider, offer(*hijack, attach_to=item))
    lawful = {each.signal_type: [each.value or b""] for each in hijack}
    found = match(forum, lawful)
    assert (found.item, found.status, found.advice) == (item, 2, REVIEW)
    assert (found.vouching_groups, found.weakly_vouched) == (1, True)
    assert advice(forum) == ACT
    # The others may vouch for it: by saying it too, though they contributed before.
    assert one(forum, forum.a, offer(*hijack, attach_to=item)).result.name == "ATTACHED"
    assert match(forum, lawful).advice == ACT
    assert one(forum, forum.a, offer(*hijack, attach_to=item)).result.name == "UNCHANGED"


def test_a_nearer_signal_that_nobody_vouches_for_hides_none_that_many_do(forum: Forum) -> None:
    item = corroborated(forum, *MEDIA, signal("md5", 1))
    near = {name: [flipped(values[0], 4)] for name, values in PERCEPTUAL.items()} | {"md5": [value("md5", 1)]}
    outsider = forum.admit("outsider", EVERYTHING)
    one(forum, outsider, offer(*(signal(name, near[name][0]) for name in PERCEPTUAL), attach_to=item))
    found = match(forum, near)
    assert [each.distance for each in found.agreements] == [0, 0, 0]
    assert [each.vouching_groups for each in found.agreements] == [2, 1, 1]
    assert (found.advice, found.weakly_vouched) == (ACT, False)


def test_what_a_script_attaches_where_a_person_looked_before_is_not_looked_at(forum: Forum) -> None:
    item = corroborated(forum)
    more = signal("sha256", 9)
    for member in (forum.a, forum.b):
        one(forum, member, offer(more, attach_to=item, attestation=Attestation(Basis.AUTOMATIC)))
    assert match(forum, {"sha256": [value("sha256", 9)]}).vouching_groups == 0
    for member in (forum.a, forum.b):
        one(forum, member, offer(more, attach_to=item))
    assert advice(forum, {"sha256": [value("sha256", 9)]}) == ACT


def test_whoever_leaves_takes_its_voice_and_its_signals_along(forum: Forum) -> None:
    item = one(forum, forum.a, offer(*MEDIA)).item
    one(forum, forum.b, offer(signal("sha256", 1), signal("md5", 5)))
    forum.as_(forum.a).contribution.Withdraw(contribution_pb2.WithdrawRequest(item=item), None)
    with forum.engine.state.read() as view:
        left = {(each.code, each.value) for _, each in view.item_signals(item)}
        assert left == {(1, value("sha256", 1)), (2, value("md5", 5))}
    one(forum, forum.a, offer(signal("sha256", 1)))
    assert advice(forum, {"sha256": PROBE["sha256"]}) == ACT
    assert missing(forum, item, {"md5": [value("md5", 5)]}) == {"AGREEMENT"}
    assert not forum.as_(forum.a).lookup.Lookup(lookup_pb2.LookupRequest(probes=[probe(PERCEPTUAL)]), None).matched


def test_a_redacted_policy_says_review(forum: Forum) -> None:
    corroborated(forum)
    assert advice(forum) == ACT
    services = PolicyService(forum.engine)
    forum.as_(forum.a)
    sequence = services.GetMemberPolicy(policy_pb2.GetMemberPolicyRequest(), None).sequence
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=sequence, clear=b"\x01")))
    assert advice(forum) == REVIEW
    forum.as_(forum.a)
    told = services.GetMemberPolicy(policy_pb2.GetMemberPolicyRequest(), None)
    assert (told.sequence, told.policy.mode) == (0, REVIEW)
    forum.engine.close()
    assert replay.check(forum.folder).problems == []
    forum.reopen()


def test_a_policy_comes_back_as_it_was_set(forum: Forum) -> None:
    sent = policy_pb2.MemberPolicy(
        mode=ACT,
        groups_min=3,
        labels=[
            policy_pb2.LabelMode(label="incident", mode=ACT),
            policy_pb2.LabelMode(label="Journalism", mode=OBSERVE),
        ],
        uses=[policy_pb2.Use(name="live", radii=[lookup_pb2.Radius(signal_type="pdq", radius=0)], mode=OBSERVE)],
    )
    services = PolicyService(forum.engine)
    forum.as_(forum.b)
    assert services.GetMemberPolicy(policy_pb2.GetMemberPolicyRequest(), None).sequence == 0
    first = services.SetMemberPolicy(policy_pb2.SetMemberPolicyRequest(policy=sent), None)
    assert services.SetMemberPolicy(policy_pb2.SetMemberPolicyRequest(policy=sent), None).sequence == first.sequence
    told = services.GetMemberPolicy(policy_pb2.GetMemberPolicyRequest(), None).policy
    assert {each.label: each.mode for each in told.labels} == {"incident": ACT, "context:journalism": OBSERVE}
    assert (told.mode, told.groups_min, list(told.uses)) == (ACT, 3, list(sent.uses))


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({}, "policy.mode"),
        ({"mode": NONE}, "policy.mode"),
        ({"mode": ACT, "groups_min": 101}, "policy.groups_min"),
        ({"mode": ACT, "labels": [policy_pb2.LabelMode(label="a b", mode=ACT)]}, "policy.labels[0].label"),
        ({"mode": ACT, "labels": [policy_pb2.LabelMode(label="art", mode=9)]}, "policy.labels[0].mode"),  # type: ignore[arg-type]
        (
            {"mode": ACT, "labels": [policy_pb2.LabelMode(label=each, mode=ACT) for each in ("art", "context:art")]},
            "policy.labels[1].label",
        ),
        ({"mode": ACT, "uses": [policy_pb2.Use(name="Live")]}, "policy.uses[0].name"),
        ({"mode": ACT, "uses": [policy_pb2.Use(name="x"), policy_pb2.Use(name="x")]}, "policy.uses[1].name"),
        (
            {"mode": ACT, "uses": [policy_pb2.Use(name="x", radii=[lookup_pb2.Radius(signal_type="md5")])]},
            "policy.uses[0].radii[0].signal_type",
        ),
        (
            {"mode": ACT, "uses": [policy_pb2.Use(name="x", radii=[lookup_pb2.Radius(signal_type="pdq", radius=99)])]},
            "policy.uses[0].radii[0].radius",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused_by_name(forum: Forum, policy: dict[str, object], field: str) -> None:
    before = forum.head()
    with pytest.raises(Refusal) as refused:
        wish(forum, forum.b, **policy)
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID
    assert refused.value.violations[0][0] == field
    assert forum.head() == before


def test_who_may_not_see_distances_cannot_walk_a_boundary(forum: Forum) -> None:
    checker = forum.admit("checker", [Role.CHECK])
    item = corroborated(forum)
    away = {"pdq": [flipped(value("pdq", 1), 20)]}

    def found(member: MemberRow, radius: int) -> bool:
        radii = [lookup_pb2.Radius(signal_type="pdq", radius=radius)]
        request = lookup_pb2.LookupRequest(probes=[probe(away)], radii=radii)
        return bool(forum.as_(member).lookup.Lookup(request, None).matched)

    assert [found(forum.a, radius) for radius in (15, 19, 20, 31)] == [False, False, True, True]
    assert [found(checker, radius) for radius in (0, 15, 16, 19, 20, 31)] == [False, False, True, True, True, True]
    far = {"pdq": [flipped(value("pdq", 1), 40)]}
    request = lookup_pb2.ExplainRequest(probe=probe(far), item=item)
    (told,) = forum.as_(checker).lookup.Explain(request, None).signals
    assert (told.agrees, told.HasField("distance"), told.sequence) == (False, False, 0)
    (told,) = forum.as_(forum.a).lookup.Explain(request, None).signals
    assert (told.agrees, told.distance, told.radius, told.listed) == (False, 40, 31, 1)
