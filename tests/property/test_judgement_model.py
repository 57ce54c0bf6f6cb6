"""Random acts of judgement, and time: items never leave their table, the ledger adds up, and no few make others act.

Every entry that is recorded is watched: where its item stood before and stands after is compared with a table that is
written down here a second time. At the end the ledger, with some of its private parts redacted, is replayed into an
empty store, which must give the rows that stand. What counts as corroborated is computed a second time from the acts.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hashpact_server import replay
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_judgement import ChallengePayload
from hashpact_server.refusal import Refusal
from hashpact_server.rules import acting, challenges, disputes, grounds, limits, members, opinions
from hashpact_server.rules.advice import Advice
from hashpact_server.rules.amending import amend
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.member_policy import MemberPolicy
from hashpact_server.rules.policy import Policy
from hashpact_server.rules.standing import groups_of, judges
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state import judgement, transitions
from hashpact_server.state.judgement_rows import ChallengeOutcome, DisputeOutcome, LimitCause, OpinionCode, Verdict
from hashpact_server.state.reach import items_of
from hashpact_server.state.rows import Basis, Role, Status

from tests.data import effort
from tests.forum import Forum, forum_in, offer, one, signal

P, I, C, D, W, E = (  # noqa: E741 - one letter per status keeps the table readable
    Status.PROVISIONAL,
    Status.INHERITED,
    Status.CORROBORATED,
    Status.DISPUTED,
    Status.WITHDRAWN,
    Status.EXPIRED,
)
TABLE: Final = {
    None: {P, I},
    P: {C, I, D, W, E},
    I: {P, C, D, W, E},
    C: {P, I, D, W, E},
    D: {P, C, I, W, E},
    W: set(),
    E: set(),
}
DAY_MS: Final = 86_400_000
STEPS: Final = 60
ACTS: Final = MemberPolicy(mode=Advice.ACT)
GROUPS: Final = {"a": "a", "a-sister": "a", "b": "b", "c": "c", "d": "d", "e": "e", "f": "f"}
BASES: Final = (Basis.PERSON_LOOKED,) * 3 + (Basis.IMPORT, Basis.AUTOMATIC, Basis.FOUND_THROUGH_LIST)


def test_the_table_is_the_one_that_is_enforced() -> None:
    assert {before: set(after) for before, after in transitions.TRANSITIONS.items()} == TABLE
    for before in TABLE:
        for after in Status:
            allowed = after in TABLE[before] or (before is after and after not in (W, E))
            assert transitions.may_follow(before, after) == allowed


class Story:
    """A forum in which things happen at random."""

    def __init__(self, forum: Forum, seed: int, who: tuple[str, ...]) -> None:
        self.rng = random.Random(seed)
        self.forum = forum
        self.late_ms = 0
        clock = forum.engine.state._clock_ms
        forum.engine.state._clock_ms = lambda: clock() + self.late_ms
        self.clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
        everything = tuple(role for role in Role if role is not Role.STEWARD)
        for name, group in GROUPS.items():
            if name not in "ab":
                forum.admit(name, everything, group=group)
        self.who = who
        self.stood: dict[int, Status] = {}
        self.ways: set[tuple[Status | None, Status]] = set()
        self.seen = forum.head()
        self.items: list[int] = []

    def pseudonym(self) -> bytes:
        return self.forum.member(self.rng.choice(self.who)).pseudonym

    def item(self) -> int:
        return self.rng.choice(self.items) if self.items else 10**9

    def decide(self, rule: Callable[[Scene], object]) -> None:
        self.forum.decide(rule)

    def contribute(self) -> None:
        basis, seed = self.rng.choice(BASES), self.rng.randrange(5)
        labels = self.rng.choice([("x",), ("x", "journalism")])
        wish = offer(signal("sha256", seed), signal("pdq", seed), labels=labels, attestation=Attestation(basis))
        outcome = one(self.forum, self.forum.member(self.rng.choice(self.who)), wish)
        if outcome.item and outcome.item not in self.items:
            self.items.append(outcome.item)

    def amend(self) -> None:
        who, item = self.pseudonym(), self.item()
        self.decide(lambda scene: amend(scene, who, item, (self.rng.choice("xyz"),), (), None))

    def withdraw(self) -> None:
        who, item = self.pseudonym(), self.item()
        self.decide(lambda scene: withdraw(scene, who, item, 1, steward=False))

    def opine(self) -> None:
        who, item, code = self.pseudonym(), self.item(), self.rng.choice(list(OpinionCode))
        said = Attestation(self.rng.choice(BASES)) if code is OpinionCode.AGREE else None
        labels = ("y",) if code is OpinionCode.DISAGREE_LABEL else ()
        wish = opinions.check_opinion(code, said, labels, "", Limits())
        self.decide(lambda scene: opinions.give(scene, who, item, wish))

    def agree(self) -> None:
        who, item = self.pseudonym(), self.item()
        wish = opinions.check_opinion(OpinionCode.AGREE, Attestation(Basis.PERSON_LOOKED), (), "", Limits())
        self.decide(lambda scene: opinions.give(scene, who, item, wish))

    def revoke(self) -> None:
        who, item = self.pseudonym(), self.item()
        self.decide(lambda scene: opinions.revoke(scene, who, item))

    def dispute(self) -> None:
        who, item = self.pseudonym(), self.item()
        self.decide(lambda scene: disputes.open_dispute(scene, who, item, 1, "wrong"))

    def vote(self) -> None:
        with self.forum.engine.state.read() as view:
            found = [row.dispute for row in judgement.disputes(view) if row.outcome is DisputeOutcome.OPEN]
        who, number = self.pseudonym(), self.rng.choice(found or [1])
        verdict = self.rng.choice([Verdict.KEEP, Verdict.KEEP, Verdict.RELABEL, Verdict.REMOVE])
        labels = (self.rng.choice(("x", "z")),) if verdict is Verdict.RELABEL else ()
        self.decide(lambda scene: disputes.vote(scene, who, number, verdict, labels, ""))

    def limit(self) -> None:
        item = self.item()
        self.decide(lambda scene: limits.limit(scene, SERVICE, item, LimitCause.FLOOD))

    def lift(self) -> None:
        item = self.item()
        self.decide(lambda scene: limits.lift(scene, self.forum.steward.pseudonym, item))

    def lodge(self) -> None:
        who, item = self.pseudonym(), self.item()
        self.decide(lambda scene: challenges.lodge(scene, who, [item], 1, ChallengePayload("mine", "7")))

    def answer(self) -> None:
        with self.forum.engine.state.read() as view:
            found = [row.challenge for row in judgement.challenges(view) if row.outcome is ChallengeOutcome.OPEN]
        who, number = self.pseudonym(), self.rng.choice(found or [1])
        said = ChallengeOutcome(self.rng.randrange(2, 5))
        labels = ("z",) if said is ChallengeOutcome.RELABELLED else ()
        self.decide(lambda scene: challenges.answer(scene, who, number, said, "why", labels))

    def time_passes(self) -> None:
        self.late_ms += round(self.rng.choice([0.5, 4, 10, 20, 370]) * DAY_MS)
        while self.clockwork.turn():
            pass

    def redact(self) -> None:
        about = [Kind.ITEM_CREATED, Kind.ITEM_CORROBORATED, Kind.OPINION_GIVEN, Kind.DISPUTE_OPENED, Kind.DISPUTE_VOTED]
        about += [Kind.CHALLENGE_LODGED, Kind.CHALLENGE_ANSWERED, Kind.CONTRIBUTION_AMENDED, Kind.ITEM_LIMITED]
        with self.forum.engine.state.read() as view:
            found = [entry.sequence for entry in view.entries() if entry.kind in about]
        if found:
            draft = Draft(Kind.REDACTED, subject=self.rng.choice(found), clear=b"\x01")
            self.decide(lambda scene: scene.record(draft))

    def suspend(self) -> None:
        name, suspended = self.rng.choice(self.who), self.rng.random() < 0.5
        self.decide(lambda scene: members.set_suspended(scene, SERVICE, name, suspended=suspended))

    def step(self) -> None:
        acts = [self.contribute] * 5 + [self.opine, self.agree, self.dispute, self.vote, self.vote, self.vote] * 2
        acts += [self.amend, self.withdraw, self.revoke, self.limit, self.lift, self.lodge, self.answer]
        acts += [self.time_passes, self.redact, self.suspend]
        with contextlib.suppress(Refusal):  # it is against the rules: nothing happened, which the entries show
            self.rng.choice(acts)()
        self.look()

    def look(self) -> None:
        """Compare what each new entry did with the table."""
        with self.forum.engine.state.read() as view:
            changed = {item for entry in view.entries(self.seen + 1) for item in items_of(entry, view)}
            for entry in view.entries(self.seen + 1):
                if entry.kind in STATED:
                    self.went(entry.subject, Status(entry.clear[0]), entry.kind)
                elif entry.kind in CLOSING:
                    self.went(entry.subject, W if entry.kind == Kind.ITEM_WITHDRAWN else E, entry.kind)
            for item in changed:
                row = view.item(item)
                assert row is not None
                assert row.status is self.stood[item], "the row says what the last entry stated"
                self.agree_with_the_rules(item, row.status)
            self.seen = view.head.sequence

    def went(self, item: int, after: Status, kind: int) -> None:
        before = self.stood.get(item)
        assert after in TABLE[before] or (before is after and after not in (W, E)), (before, after, Kind(kind))
        self.stood[item] = after
        self.ways.add((before, after))

    def agree_with_the_rules(self, item: int, status: Status) -> None:
        with self.forum.engine.state.read() as view:
            now = judgement.condition(view, item)
            disputed = now is not None and now.dispute != 0
            assert (status is D) == (disputed and status.matches)
            row = view.item(item)
            if status is C and row is not None and not row.redacted:  # a redaction leaves the status, and nobody's look
                assert len(groups_of(view, judges(view, item))) >= 2
            if disputed:
                assert judgement.act_stopped(view, item)


STATED: Final = {
    Kind.ITEM_CREATED,
    Kind.ITEM_CORROBORATED,
    Kind.CONTRIBUTION_AMENDED,
    Kind.CONTRIBUTION_WITHDRAWN,
    Kind.OPINION_GIVEN,
    Kind.OPINION_REVOKED,
    Kind.ITEM_LIMITED,
    Kind.ITEM_LIMIT_LIFTED,
    Kind.DISPUTE_OPENED,
    Kind.DISPUTE_VOTED,
    Kind.DISPUTE_LAPSED,
}
CLOSING: Final = {Kind.ITEM_WITHDRAWN, Kind.ITEM_EXPIRED}


@pytest.mark.parametrize("seed", range(effort(12)))
def test_no_act_leads_off_the_table_and_the_redacted_ledger_gives_the_same_rows(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder)) as forum:
        story = Story(forum, seed, tuple(GROUPS))
        for _ in range(STEPS):
            story.step()
        with forum.engine.state.store.read() as tx:
            assert replay.check_stored(tx).problems == []
        assert len(story.ways) > 2, "something happened"


@pytest.mark.parametrize("seed", range(effort(4)))
def test_one_group_alone_never_corroborates_and_never_resolves(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder)) as forum:
        story = Story(forum, seed, ("a", "a-sister"))
        honest = forum.b
        item = one(forum, honest, offer(signal("sha256", "honest"))).item
        against = opinions.check_opinion(OpinionCode.DOCUMENTATION_JOURNALISM, None, (), "", Limits())
        c = forum.member("c").pseudonym
        forum.decide(lambda scene: opinions.give(scene, c, item, against))
        story.items.append(item)
        story.stood[item] = P
        story.seen = forum.head()
        for _ in range(STEPS):
            story.step()
            assert C not in {status for number, status in story.stood.items() if number != item}
            with forum.engine.state.read() as view:
                assert judgement.act_stopped(view, item)


@pytest.mark.parametrize(("who", "reaches"), [(("a", "a-sister", "t1", "t2"), False), (("a", "b", "c"), True)])
@pytest.mark.parametrize("seed", range(effort(3)))
def test_one_group_and_members_on_trial_never_make_anybody_act(
    seed: int, who: tuple[str, ...], reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounds, "policy_of", lambda _: Policy(act=True))
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder)) as forum:

        def admit(scene: Scene) -> None:
            for number, name in enumerate(("t1", "t2")):
                members.create_member(
                    scene,
                    forum.steward.pseudonym,
                    pseudonym=bytes((77, number) * 8),
                    name=name,
                    group=name,
                    roles=(3, 5),
                )

        forum.decide(admit)
        story = Story(forum, seed, who)
        reached = False
        for _ in range(STEPS):
            name, number = story.rng.choice(who), story.rng.randrange(2)
            wish = offer(signal("sha256", number), signal("pdq", number), labels=("x",))
            item = one(forum, forum.member(name), wish).item
            if item and item not in story.items:
                story.items.append(item)
            with forum.engine.state.read() as view:
                found = (grounds.ground_of(view, item) for item in story.items)
                reached = reached or any(acting.may_act(each, ACTS, "", acting.types_of) for each in found if each)
            story.step()
        # Three groups reach it nearly always, but a story may object to everything in time; the first few do not.
        assert reached == reaches if seed < 3 else reaches or not reached
