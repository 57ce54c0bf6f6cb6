"""Random acts over a small forum: fewer than k independent full groups, or one steward with all the members it makes,
never have anybody advised to act upon what they want to be hit, on the hub or on a replica.

The others do what the honest do: they agreed on items of their own, their scripts contribute again whatever the list
flags, and one of them said of an item that it is journalism. All of that the attackers may use.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import lookup_service_pb2 as lookup_pb2
from hashpact.v1 import member_service_pb2 as member_pb2
from hashpact.v1 import opinion_service_pb2 as opinion_pb2
from hashpact.v1 import policy_service_pb2 as policy_pb2
from hashpact.v1 import signal_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server.clockwork import Clockwork
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import members, motions
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.policy import PolicyService
from hashpact_server.state.rows import Basis, MemberRow, Role

from tests.data import effort
from tests.following import begun, follow, next_of
from tests.forum import LABELS, PERSON, Forum, flipped, forum_in, offer, one, value
from tests.forum import signal as listed

ACT: Final = signal_pb2.ADVICE_ACT
EVERYTHING: Final = tuple(role for role in Role if role is not Role.STEWARD)
BASES: Final = (Basis.PERSON_LOOKED,) * 4 + (Basis.AUTOMATIC, Basis.FOUND_THROUGH_LIST, Basis.IMPORT)
TYPES: Final = ("sha256", "md5", "pdq", "phash256", "phash")
TARGETS: Final = ("news", "logo", "rival")
"""Media that the attackers want to be hit; nobody else ever contributes them after a look."""
HONEST: Final = ("real", "disputed")
DAY_MS: Final = 86_400_000
STEPS: Final = 30

Attackers = Callable[[Forum], tuple[str, ...]]


def one_group(forum: Forum) -> tuple[str, ...]:
    """Two full members of one corporate group."""
    for name in ("rogue", "sister"):
        forum.admit(name, EVERYTHING, group="rogue")
    return "rogue", "sister"


def two_groups(forum: Forum) -> tuple[str, ...]:
    """Three full members of two."""
    forum.admit("other", EVERYTHING)
    return (*one_group(forum), "other")


def one_steward(forum: Forum) -> tuple[str, ...]:
    """A steward that may do everything, with members of its own making; more come."""
    forum.admit("boss", tuple(Role))
    for number in range(3):
        make_member(forum, number)
    return "boss", "made-0", "made-1", "made-2"


def make_member(forum: Forum, number: int) -> None:
    request = member_pb2.CreateMemberRequest(name=f"made-{number}", roles=list(Role), group=f"made-{number}")
    forum.as_(forum.member("boss")).member.CreateMember(request, None)


def probe(seed: str, *, near: int = 0, without: str = "") -> lookup_pb2.Probe:
    sets = []
    for name in TYPES:
        if name != without:
            original = value(name, seed)
            moved = flipped(original, near) if name in ("pdq", "phash256") else original
            sets.append(signal_pb2.SignalSet(signal_type=name, values=moved))
    return lookup_pb2.Probe(signal_sets=sets)


PROBES: Final = [
    probe(seed, near=near, without=without)
    for seed in (*TARGETS, *HONEST)
    for near in (0, 6)
    for without in ("", "sha256")
]
AT_TARGETS: Final = len(TARGETS) * 4
"""So many of the probes are of targets."""


class Story:
    """A forum under attack."""

    def __init__(self, forum: Forum, seed: int, groups_min: int, attackers: Attackers) -> None:
        self.rng = random.Random(seed)
        self.forum = forum
        self.late_ms = 0
        clock = forum.engine.state._clock_ms
        forum.engine.state._clock_ms = lambda: clock() + self.late_ms
        self.clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
        forum.admit("second", [Role.STEWARD])
        for name in ("c", "d"):
            forum.admit(name, EVERYTHING)
        policy = f'{{"act": true, "groups_min": {groups_min}, "resolvers_min": {groups_min}}}'
        act = steward_pb.StewardAct(adopt_policy=steward_pb.StewardAct.AdoptPolicy(content=policy))
        motion = forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, act, "")).motion
        forum.decide(lambda scene: motions.second(scene, forum.member("second").pseudonym, motion))
        self.honest_items = [self.agreed(seed_of) for seed_of in HONEST]
        self.disputed = self.honest_items[1]
        journalism = opinion_pb2.OPINION_CODE_DOCUMENTATION_JOURNALISM
        opinion = opinion_pb2.GiveOpinionRequest(item=self.disputed, code=journalism)
        forum.as_(forum.member("d")).opinion.GiveOpinion(opinion, None)
        self.who = list(attackers(forum))
        self.made = 3
        for name in ("a", *self.who):
            self.want(name, signal_pb2.ADVICE_ACT)

    def agreed(self, seed: str) -> int:
        wish = offer(*(listed(name, seed) for name in TYPES))
        return [one(self.forum, self.forum.member(name), wish).item for name in ("a", "b", "c")][-1]

    def want(self, name: str, mode: signal_pb2.Advice.ValueType) -> None:
        self.forum.as_(self.forum.member(name))
        request = policy_pb2.SetMemberPolicyRequest(policy=policy_pb2.MemberPolicy(mode=mode))
        PolicyService(self.forum.engine).SetMemberPolicy(request, None)

    # What is drawn.

    def attacker(self) -> MemberRow:
        return self.forum.member(self.rng.choice(self.who))

    def as_attacker(self) -> Any:
        return self.forum.as_(self.attacker())

    def items(self) -> list[int]:
        with self.forum.engine.state.read() as view:
            return [row.item for row in view.items(limit=200) if row.status.matches]

    def item(self) -> int:
        return self.rng.choice([*self.items(), *self.honest_items])

    def some(self) -> list[Any]:
        """Some signals, of targets and of what the honest listed."""
        seed = self.rng.choice((*TARGETS, *TARGETS, *HONEST))
        return [listed(name, seed) for name in self.rng.sample(TYPES, self.rng.randint(1, len(TYPES)))]

    # Acts of the attackers.

    def contribute(self) -> None:
        attach_to = self.item() if self.rng.random() < 0.5 else 0
        basis = Attestation(self.rng.choice(BASES))
        one(self.forum, self.attacker(), offer(*self.some(), attestation=basis, attach_to=attach_to))

    def whole(self) -> None:
        """All signals of a target by everybody that takes part: as near as they come."""
        seed, attach_to = self.rng.choice(TARGETS), self.rng.choice((0, 0, self.item()))
        for name in self.who:
            wish = offer(*(listed(kind, seed) for kind in TYPES), attestation=PERSON, attach_to=attach_to)
            one(self.forum, self.forum.member(name), wish)

    def amend(self) -> None:
        labels = self.rng.choice((LABELS, (*LABELS, "art"), ("un_listed_entity",)))
        signals = [
            signal_pb2.Signal(signal_type=each.signal_type, value=each.value, quality=each.quality)
            for each in self.some()
        ]
        request = contribution_pb2.AmendRequest(item=self.item(), labels=labels, attach_signals=signals)
        self.as_attacker().contribution.Amend(request, None)

    def withdraw(self) -> None:
        who = self.attacker()
        if Role.STEWARD not in who.roles:  # a steward takes items off: that lowers, and ends the story
            self.forum.as_(who).contribution.Withdraw(contribution_pb2.WithdrawRequest(item=self.item()), None)

    def detach(self) -> None:
        signals = [signal_pb2.Signal(signal_type=each.signal_type, value=each.value) for each in self.some()[:1]]
        request = contribution_pb2.DetachRequest(item=self.item(), signals=signals)
        self.as_attacker().contribution.Detach(request, None)

    def merge(self) -> None:
        request = contribution_pb2.MergeItemsRequest(item=self.item(), into_item=self.item())
        self.as_attacker().contribution.MergeItems(request, None)

    def opine(self) -> None:
        code = self.rng.choice([*[opinion_pb2.OPINION_CODE_AGREE] * 3, *list(opinion_pb2.OpinionCode.values())[1:]])
        request = opinion_pb2.GiveOpinionRequest(item=self.item(), code=code)
        if code == opinion_pb2.OPINION_CODE_AGREE:
            request.attestation.basis = self.rng.choice(BASES)  # type: ignore[assignment]
        if code == opinion_pb2.OPINION_CODE_DISAGREE_LABEL:
            request.labels.append("un_listed_entity")
        self.as_attacker().opinion.GiveOpinion(request, None)

    def revoke(self) -> None:
        self.as_attacker().opinion.RevokeOpinion(opinion_pb2.RevokeOpinionRequest(item=self.item()), None)

    def dispute(self) -> None:
        request = opinion_pb2.OpenDisputeRequest(item=self.item(), statement="no", grounds=1)  # type: ignore[arg-type]
        self.as_attacker().opinion.OpenDispute(request, None)

    def vote(self) -> None:
        disputes = self.as_attacker().opinion.ListDisputes(opinion_pb2.ListDisputesRequest(), None).disputes
        if disputes:
            number, verdict = self.rng.choice(disputes).dispute, opinion_pb2.VERDICT_KEEP
            for name in self.who:
                with contextlib.suppress(Refusal):
                    request = opinion_pb2.VoteOnDisputeRequest(dispute=number, verdict=verdict)
                    self.forum.as_(self.forum.member(name)).opinion.VoteOnDispute(request, None)

    def govern(self) -> None:
        """A steward makes members, and has what it makes second its motions."""
        if "boss" not in self.who:
            return
        acts = steward_pb.StewardAct
        made = self.rng.choice(self.who)
        act = self.rng.choice(
            [
                acts(confirm_member=acts.ConfirmMember(member=made)),
                acts(amend_member=acts.AmendMember(member=made, group="fresh")),
                acts(adopt_policy=acts.AdoptPolicy(content='{"act": true, "groups_min": 2}')),
                acts(lift_limit=acts.LiftLimit(item=self.item())),
                acts(roll_back=acts.RollBack(member="d")),
                acts(dismiss_member=acts.DismissMember(member="d")),
            ]
        )
        if self.rng.random() < 0.3:
            make_member(self.forum, self.made)
            self.who.append(f"made-{self.made}")
            self.made += 1
        boss = self.forum.member("boss").pseudonym
        motion = self.forum.decide(lambda scene: motions.propose(scene, boss, act, "")).motion
        for name in self.who:
            with contextlib.suppress(Refusal):
                seconder = self.forum.member(name).pseudonym
                self.forum.decide(lambda scene, by=seconder: motions.second(scene, by, motion))  # type: ignore[misc]

    def token(self) -> None:
        self.as_attacker().member.IssueToken(member_pb2.IssueTokenRequest(), None)

    def policy(self) -> None:
        self.want(self.rng.choice(self.who), self.rng.choice((signal_pb2.ADVICE_REVIEW, signal_pb2.ADVICE_ACT)))

    # What happens beside it.

    def echo(self) -> None:
        """A script of the honest contributes again what the list flagged, or a classifier likes."""
        basis = self.rng.choice((Basis.FOUND_THROUGH_LIST, Basis.AUTOMATIC, Basis.IMPORT))
        wish = offer(*(listed(name, self.rng.choice(TARGETS)) for name in TYPES[:1]), attestation=Attestation(basis))
        one(self.forum, self.forum.member(self.rng.choice("abc")), wish)

    def script(self) -> None:
        """As :meth:`echo`, with all signals, attached where they were attached."""
        seed, basis = self.rng.choice(TARGETS), self.rng.choice((Basis.FOUND_THROUGH_LIST, Basis.AUTOMATIC))
        wish = offer(*(listed(name, seed) for name in TYPES), attestation=Attestation(basis))
        one(self.forum, self.forum.member(self.rng.choice("abc")), wish)

    def suspend(self) -> None:
        name, suspended = self.rng.choice((*self.who, "c")), self.rng.random() < 0.5
        steward = self.forum.steward.pseudonym
        self.forum.decide(lambda scene: members.set_suspended(scene, steward, name, suspended=suspended))

    def time_passes(self) -> None:
        self.late_ms += round(self.rng.choice([0.1, 1, 15]) * DAY_MS)
        while self.clockwork.turn():
            pass

    def redact(self) -> None:
        about = [Kind.ITEM_CREATED, Kind.ITEM_CORROBORATED, Kind.CONTRIBUTION_AMENDED, Kind.MEMBER_POLICY_SET]
        with self.forum.engine.state.read() as view:
            found = [entry.sequence for entry in view.entries() if entry.kind in about]
        draft = Draft(Kind.REDACTED, subject=self.rng.choice(found), clear=b"\x01")
        self.forum.decide(lambda scene: scene.record(draft))

    def step(self) -> None:
        acts = [self.contribute] * 6 + [self.whole] * 3 + [self.script] * 2 + [self.govern] * 3
        acts += [self.amend, self.withdraw, self.detach, self.merge, self.opine, self.opine, self.revoke, self.dispute]
        acts += [self.vote, self.token, self.policy, self.echo, self.suspend, self.time_passes]
        if self.rng.random() < 0.02:
            acts = [self.redact]
        with contextlib.suppress(Refusal):
            self.rng.choice(acts)()
        self.look()

    # What has to hold.

    def look(self) -> None:
        """Nobody is advised to act upon a target, or upon what was called journalism."""
        found, items = advice(self.forum.engine, self.forum, "a")
        for place, told in enumerate(found):
            for item, given in told:
                assert given != ACT or (place >= AT_TARGETS and item != self.disputed), (place, item)
        for item, given in items:
            assert given != ACT or item == self.honest_items[0], item


def advice(engine: Engine, forum: Forum, member: str) -> tuple[list[list[tuple[int, int]]], list[tuple[int, int]]]:
    """What a member is advised: per probe (item, advice) of its matches, and (item, advice) of all items."""
    with engine.state.read() as view:
        set_caller(Caller(members.existing_member(view, member)))
    answer = LookupService(engine, forum.limits).Lookup(lookup_pb2.LookupRequest(probes=PROBES), None)
    found: list[list[tuple[int, int]]] = [[] for _ in PROBES]
    for each in answer.matched:
        found[each.probe_index] = [(match.item, match.advice) for match in each.matches]
    pages = ContributionService(engine, forum.limits).ListItems(contribution_pb2.ListItemsRequest(), None)
    return found, [(item.item, item.advice) for item in pages.items]


SCENES: Final = {
    "one group of two": (2, one_group),
    "two groups of three": (3, two_groups),
    "one steward": (2, one_steward),
}


@pytest.mark.parametrize("seed", range(effort(1)))
@pytest.mark.parametrize("scene", SCENES)
def test_too_few_never_make_others_act(scene: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder) / "hub") as forum:
        groups_min, attackers = SCENES[scene]
        story = Story(forum, seed, groups_min, attackers)
        assert (story.honest_items[0], ACT) in advice(forum.engine, forum, "a")[1], "the honest are advised to act"
        replica = begun(Path(folder) / "replica", forum.engine)
        try:
            for number in range(STEPS):
                story.step()
                if number % 10 == 9:
                    follow(replica, forum.engine, next_of(forum.engine))
                    for member in ("a", *story.who[:2]):
                        assert advice(replica, forum, member) == advice(forum.engine, forum, member)
        finally:
            replica.close()
