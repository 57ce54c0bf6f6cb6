"""What changes what a match means is in force with the acknowledgement, on a hub and on its replica.

Both are asked before and after each change: what they worked out from one commit says nothing about the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from hashpact.v1 import incident_pb2, signal_pb2
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import policy_service_pb2 as policy_pb
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.rules import members, motions
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.policy import PolicyService
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

from tests.following import begun, follow, next_of
from tests.forum import LABELS, Forum, flipped, forum_in, offer, one, signal, value

ACT, REVIEW, OBSERVE = signal_pb2.ADVICE_ACT, signal_pb2.ADVICE_REVIEW, signal_pb2.ADVICE_OBSERVE
MEDIA = (signal("sha256", 1), signal("pdq", 1), signal("phash256", 1))
NAMES = ("sha256", "pdq", "phash256")


class Pair:
    """A hub and its replica, both asked the same at once, by ``a``, which wants to act and may."""

    def __init__(self, forum: Forum, replica: Engine) -> None:
        self.forum = forum
        self.engines = (forum.engine, replica)
        self._services = [LookupService(engine, forum.limits) for engine in self.engines]

    def carry_out(self, act: steward_pb.StewardAct) -> None:
        """Let two stewards do it."""
        motion = self.forum.decide(lambda scene: motions.propose(scene, self.forum.steward.pseudonym, act, "")).motion
        self.forum.decide(lambda scene: motions.second(scene, self.forum.member("second").pseudonym, motion))

    def wish(self, mode: signal_pb2.Advice.ValueType) -> None:
        """Set the policy of ``a``."""
        self.forum.as_(self.forum.a)
        request = policy_pb.SetMemberPolicyRequest(policy=policy_pb.MemberPolicy(mode=mode))
        PolicyService(self.forum.engine).SetMemberPolicy(request, None)

    def found(self, *, bits: int = 0, names: tuple[str, ...] = NAMES) -> pb.Match | None:
        """What both say about values so many bits away; they agree."""
        hub, replica = self.engines
        if next_of(replica) < next_of(hub):
            follow(replica, hub, next_of(hub))
        values = {name: flipped(value(name, 1), bits) if bits else value(name, 1) for name in names}
        sets = [signal_pb2.SignalSet(signal_type=name, values=each) for name, each in values.items()]
        request = pb.LookupRequest(probes=[pb.Probe(signal_sets=sets)])
        set_caller(Caller(self.forum.a))
        here, there = (service.Lookup(request, None) for service in self._services)
        assert here == there
        again = self._services[0].Lookup(request, None)
        assert again == here
        return here.matched[0].matches[0] if here.matched else None

    def advice(self) -> int:
        """What they advise."""
        match = self.found()
        assert match is not None
        return match.advice


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with forum_in(tmp_path / "hub") as forum:
        forum.admit("second", [Role.STEWARD])
        replica = begun(tmp_path / "replica", forum.engine)
        try:
            made = Pair(forum, replica)
            made.carry_out(_policy('{"act": true}'))
            made.wish(ACT)
            for member in (forum.a, forum.b):
                one(forum, member, offer(*MEDIA))
            assert made.advice() == ACT
            yield made
        finally:
            replica.close()


def _policy(content: str) -> steward_pb.StewardAct:
    return steward_pb.StewardAct(adopt_policy=steward_pb.StewardAct.AdoptPolicy(content=content))


def _suspend(pair: Pair) -> None:
    forum = pair.forum
    forum.decide(lambda scene: members.set_suspended(scene, forum.steward.pseudonym, "b", suspended=True))


def _list_benign(pair: Pair) -> None:
    signals = [signal_pb2.Signal(signal_type="pdq", value=value("pdq", 1), quality=100)]
    pair.carry_out(steward_pb.StewardAct(list_benign=steward_pb.StewardAct.AddBenign(signals=signals, note="a card")))


def _redact_wish(pair: Pair) -> None:
    pair.forum.as_(pair.forum.a)
    sequence = PolicyService(pair.forum.engine).GetMemberPolicy(policy_pb.GetMemberPolicyRequest(), None).sequence
    pair.forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=sequence, clear=b"\x01")))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda pair: pair.carry_out(_policy('{"act": false}')), REVIEW),
        (lambda pair: pair.carry_out(_policy('{"act": true, "groups_min": 3}')), REVIEW),
        (lambda pair: pair.wish(OBSERVE), OBSERVE),
        (_redact_wish, REVIEW),
        (_suspend, REVIEW),
        (_list_benign, OBSERVE),
    ],
    ids=["policy", "groups", "member-policy", "redaction", "suspension", "benign"],
)
def test_advice_changes_with_the_commit(pair: Pair, change: Callable[[Pair], None], expected: int) -> None:
    change(pair)
    assert pair.advice() == expected


def test_what_members_say_of_an_item_shows_with_the_commit(pair: Pair) -> None:
    forum = pair.forum
    third = forum.admit("third", [Role.CONTRIBUTE])
    before = pair.found()
    assert before is not None
    one(forum, third, offer(*MEDIA, labels=(*LABELS, "context:journalism")))
    after = pair.found()
    assert after is not None
    assert (list(before.members), list(after.members)) == (["a", "b"], ["a", "b", "third"])
    assert (before.vouching_groups, after.vouching_groups) == (2, 3)
    assert "context:journalism" in after.labels
    assert after.advice == REVIEW


def test_an_incidents_radius_holds_from_its_opening_to_its_end(pair: Pair) -> None:
    plan = incident_pb2.IncidentPlan(name="harbour", type="attack", duration=Duration(seconds=1800))
    plan.rules.radii.add(signal_type="pdq", radius=44)
    assert pair.found(bits=40, names=("pdq",)) is None
    pair.carry_out(steward_pb.StewardAct(open_incident=plan))
    assert pair.found(bits=40, names=("pdq",)) is None, "nothing is under it yet"
    one(pair.forum, pair.forum.a, offer(*MEDIA, labels=(*LABELS, "incident:harbour")))
    wide = pair.found(bits=40, names=("pdq",))
    assert wide is not None
    assert list(wide.incidents) == ["harbour"]


def test_a_suspended_member_is_out_with_the_acknowledgement(pair: Pair) -> None:
    forum = pair.forum
    _suspend(pair)
    pair.found()
    assert [engine.published.roster.members[forum.b.pseudonym].suspended for engine in pair.engines] == [True, True]


def test_each_published_head_has_facts_of_its_own(pair: Pair) -> None:
    asked: list[int] = []

    def newest(view: View) -> int:
        asked.append(view.head.sequence)
        return view.head.sequence

    state = pair.forum.engine.state
    for _ in range(2):
        with state.read() as view:
            assert view.once(newest) == pair.forum.head()
    assert len(asked) == 1, "two views of one head share what was worked out"
    pair.wish(REVIEW)
    with state.read() as view:
        assert view.once(newest) == pair.forum.head()
    asked.clear()
    pair.forum.decide(lambda scene: (scene.once(newest), scene.once(newest)))
    assert len(asked) == 2, "a scene changes while it is read: it keeps nothing"
