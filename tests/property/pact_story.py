"""A forum in which everything of the pact happens, at random: what the tests of "the same on hub and replica" play.

Acts go through the rules, as services carry them out; what is against the rules does not happen. Time passes by a
clock of the story's own, and redactions of private parts come in between.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from hashpact.v1 import incident_pb2 as incident_pb
from hashpact.v1 import signal_pb2
from hashpact.v1.steward_service_pb2 import RedactionReason, StewardAct
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import SALT_BYTES, SERVICE
from hashpact_server.ledger.payloads_incidents import Receiver
from hashpact_server.ledger.payloads_judgement import ChallengePayload
from hashpact_server.refusal import Refusal
from hashpact_server.rules import (
    alerts,
    challenges,
    detaching,
    disputes,
    four_eyes,
    incidents,
    limits,
    members,
    merging,
    motions,
    opinions,
    records,
)
from hashpact_server.rules import member_policy as policies
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import check
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.four_eyes import Hand
from hashpact_server.rules.incident_plans import plan_of
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state import incidents as incident_rows
from hashpact_server.state import judgement
from hashpact_server.state.alerts import AlertKind, open_alerts
from hashpact_server.state.benign import benign_listings
from hashpact_server.state.judgement_rows import ChallengeOutcome, DisputeOutcome, LimitCause, OpinionCode, Verdict
from hashpact_server.state.members import every_pending
from hashpact_server.state.motions import MotionState
from hashpact_server.state.motions import motions as all_motions
from hashpact_server.state.rows import Basis, Role

from tests import listing
from tests.forum import Forum, offer, signal, value

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
BASES: Final = (Basis.PERSON_LOOKED,) * 4 + (Basis.IMPORT, Basis.AUTOMATIC, Basis.FOUND_THROUGH_LIST)
PLATFORMS: Final = ("a", "b", "c", "d", "e", "new")
WARDEN: Final = b"warden".ljust(16, b"\x01")
TYPES: Final = ("sha256", "md5", "pdq", "phash")
SEEDS: Final = 10
TAXONOMY: Final = '{"open": true, "axes": {"producer": {"p": "P."}, "behaviour": {"x": "%s"}, "context": {"k": "K."}}}'


class PactStory:
    """A forum and what happens in it.

    Args:
        forum: fresh.
        seed: of what happens.
    """

    def __init__(self, forum: Forum, seed: int) -> None:
        self.rng = random.Random(seed)
        self.forum = forum
        self.late_ms = 0
        clock = forum.engine.state._clock_ms
        forum.engine.state._clock_ms = lambda: clock() + self.late_ms
        self.clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
        everything = tuple(role for role in Role if role is not Role.STEWARD)
        forum.admit("warden", tuple(Role), group="elsewhere")
        for name in PLATFORMS[2:-1]:
            forum.admit(name, everything)
        self.decide(
            lambda scene: members.create_member(
                scene, self.steward, pseudonym=b"new".ljust(16, b"\x01"), name="new", roles=everything, group="new"
            )
        )
        self.incidents = 0
        self.refused: dict[str, int] = {}

    @property
    def steward(self) -> bytes:
        return self.forum.steward.pseudonym

    def who(self) -> bytes:
        return self.rng.choice(PLATFORMS).encode().ljust(16, b"\x01")

    def governor(self) -> bytes:
        return self.rng.choice((self.steward, WARDEN))

    def decide(self, rule: Callable[[Scene], Any]) -> Any:
        return self.forum.decide(rule)

    def chosen(self, read: Callable[[Any], Iterator[int]]) -> int:
        """One of what there is; 10**9 where there is nothing."""
        with self.forum.engine.state.read() as view:
            return self.rng.choice(list(read(view)) or [10**9])

    def item(self) -> int:
        live = self.rng.random() < 0.9
        return self.chosen(lambda view: (row.item for row in view.items(limit=500) if row.status.matches or not live))

    def limited(self) -> int:
        return self.chosen(lambda view: (row.item for row in judgement.limited(view)))

    def benign(self) -> int:
        return self.chosen(lambda view: iter(benign_listings(view, limit=100)))

    def signals(self, seed: str = "") -> list[Any]:
        seed = f"{seed}{self.rng.randrange(SEEDS)}"
        kinds = self.rng.sample(TYPES, self.rng.randint(1, 3))
        return [signal(kind, value(kind, seed)) for kind in kinds]

    def labels(self) -> tuple[str, ...]:
        with self.forum.engine.state.read() as view:
            names = [incident_rows.words_of(view, row.incident).name for row in incident_rows.live_incidents(view)]
        under = [f"incident:{name}" for name in names if name]
        return (
            self.rng.choice(["x", "y", "journalism"]),
            *self.rng.sample(under, self.rng.randint(0, min(1, len(under)))),
        )

    def wish(self, **more: Any) -> Any:
        return offer(*self.signals(), labels=self.labels(), attestation=Attestation(self.rng.choice(BASES)), **more)

    def contribute(self) -> None:
        row = self.forum.member(self.rng.choice(PLATFORMS))
        more = {"attach_to": self.item()} if self.rng.random() < 0.3 else {}
        self.forum.contribute(row, *(self.wish(**more) for _ in range(self.rng.randint(1, 3))))

    def amend(self) -> None:
        who, item = self.who(), self.item()
        labels, fit, _ = check_amendment(self.labels(), self.signals(), self.forum.limits)
        self.decide(lambda scene: amend(scene, who, item, labels, fit, None))

    def withdraw(self) -> None:
        steward = self.rng.random() < 0.15
        who, item = self.governor() if steward else self.who(), self.item()
        self.decide(lambda scene: withdraw(scene, who, item, 1, steward=steward))

    def mine(self) -> tuple[bytes, int]:
        """A member and an item that it contributed to."""
        with self.forum.engine.state.read() as view:
            rows = [
                each for row in view.items(limit=500) if row.status.matches for each in view.contributions(row.item)
            ]
        row = self.rng.choice(rows) if rows else None
        return (self.who(), 10**9) if row is None else (row.pseudonym, row.item)

    def detach(self) -> None:
        who, item = self.mine()
        with self.forum.engine.state.read() as view:
            signals = view.item_signals(item) if view.item(item) else []
            mine = [(each.code, each.value) for number, each in signals if view.entry(number >> 16).member == who]
        values = frozenset(self.rng.sample(mine, min(len(mine), self.rng.randint(1, 2))))
        self.decide(lambda scene: detaching.detach(scene, who, item, values))

    def merge(self) -> None:
        (who, item), into = self.mine(), self.item()
        self.decide(lambda scene: merging.merge(scene, who, item, into, self.forum.limits))

    def opine(self) -> None:
        who, item, code = self.who(), self.item(), self.rng.choice([*OpinionCode, *[OpinionCode.AGREE] * 5])
        said = Attestation(self.rng.choice(BASES)) if code is OpinionCode.AGREE else None
        labels = ("y",) if code is OpinionCode.DISAGREE_LABEL else ()
        wish = opinions.check_opinion(code, said, labels, "a note", Limits())
        self.decide(lambda scene: opinions.give(scene, who, item, wish))

    def revoke(self) -> None:
        who, item = self.who(), self.item()
        self.decide(lambda scene: opinions.revoke(scene, who, item))

    def dispute(self) -> None:
        who, item = self.who(), self.item()
        self.decide(lambda scene: disputes.open_dispute(scene, who, item, 1, "wrong"))

    def vote(self) -> None:
        number = self.chosen(
            lambda view: (row.dispute for row in judgement.disputes(view) if row.outcome is DisputeOutcome.OPEN)
        )
        who, verdict = self.who(), self.rng.choice([Verdict.KEEP, Verdict.KEEP, Verdict.RELABEL, Verdict.REMOVE])
        labels = (self.rng.choice("xz"),) if verdict is Verdict.RELABEL else ()
        self.decide(lambda scene: disputes.vote(scene, who, number, verdict, labels, "because"))

    def limit(self) -> None:
        who, item, cause = self.governor(), self.item(), self.rng.choice(list(LimitCause)[1:])
        actor = who if cause is LimitCause.STEWARD else SERVICE
        self.decide(lambda scene: limits.limit(scene, actor, item, cause, "a note"))

    def lodge(self) -> None:
        who, item = self.who(), self.item()
        self.decide(lambda scene: challenges.lodge(scene, who, [item], 1, ChallengePayload("mine", "7")))

    def answer(self) -> None:
        number = self.chosen(
            lambda view: (row.challenge for row in judgement.challenges(view) if row.outcome is ChallengeOutcome.OPEN)
        )
        said = ChallengeOutcome(self.rng.randrange(2, 5))
        labels = ("z",) if said is ChallengeOutcome.RELABELLED else ()
        with self.forum.engine.state.read() as view:
            row = judgement.challenge(view, number)
            holders = [each.pseudonym for each in view.contributions(row.item)] if row else []
        who = self.rng.choice(holders or [self.who()])
        self.decide(lambda scene: challenges.answer(scene, who, number, said, "why", labels))

    def act(self) -> StewardAct:
        """Something that takes two stewards."""
        rng, act = self.rng, StewardAct
        name = rng.choice(PLATFORMS)
        since = rng.randrange(0, 3 * DAY_MS)
        rolled = act.RollBack(member=name)
        rolled.since_time.FromMilliseconds(max(0, self.forum.engine.state.now_ms() - since))
        numbers = {"groups_min": rng.randint(2, 3), "act": rng.random() < 0.7, "notice_days": rng.choice([0, 3])}
        groups = rng.choice(["", "g", name])
        often = rng.choice(["benign", ""])
        listed = [signal_pb2.Signal(signal_type=each.signal_type, value=each.value) for each in self.signals(often)]
        reason = RedactionReason.Value("REDACTION_REASON_LEGAL")
        made = [
            lambda: act(adopt_taxonomy=act.AdoptTaxonomy(content=TAXONOMY % rng.choice(["One.", "Two."]))),
            lambda: act(adopt_policy=act.AdoptPolicy(content=json.dumps(numbers))),
            lambda: act(adopt_policy=act.AdoptPolicy(content=json.dumps(numbers))),
            lambda: act(roll_back=rolled),
            lambda: act(roll_back=rolled),
            lambda: act(lift_limit=act.LiftLimit(item=self.limited())),
            lambda: act(lift_limit=act.LiftLimit(item=self.limited())),
            lambda: act(redact_entry=act.RedactEntry(sequence=self.private(), reason=reason)),
            lambda: act(confirm_member=act.ConfirmMember(member="new")),
            lambda: act(amend_member=act.AmendMember(member=name, group=groups, four_eyes=rng.random() < 0.5)),
            lambda: act(amend_member=act.AmendMember(member=name, on_trial=True)),
            lambda: act(list_benign=act.AddBenign(signals=listed, note="a logo")),
            lambda: act(list_benign=act.AddBenign(signals=listed, note="a logo")),
            lambda: act(unlist_benign=act.RemoveBenign(benign=self.benign())),
            lambda: act(open_incident=self.plan(hours=rng.choice([2, 100]))),
            lambda: act(prolong_incident=act.ProlongIncident(incident=self.incident(), minutes=rng.randint(1, 3000))),
        ]
        if rng.random() < 0.05:
            return act(dismiss_member=act.DismissMember(member=name, withdraw_contributions=rng.random() < 0.5))
        return rng.choice(made)()

    def propose(self) -> None:
        act, who = self.act(), self.governor()
        number = self.decide(lambda scene: motions.propose(scene, who, act, "a reason")).motion
        if self.rng.random() < 0.5:
            other = ({self.steward, WARDEN} - {who}).pop()
            self.decide(lambda scene: motions.second(scene, other, number))

    def second(self) -> None:
        number = self.chosen(lambda view: (row.motion for row in all_motions(view) if row.state is MotionState.OPEN))
        who, ends = self.governor(), self.rng.random() < 0.1
        self.decide(lambda scene: (motions.withdraw_motion if ends else motions.second)(scene, who, number))

    def record(self) -> None:
        change = records.Amendment(
            agreement="2",
            contact_day="day",
            contact_night=str(self.rng.random()),
            next_review_ms=self.rng.choice([0, 7]),
        )
        name = self.rng.choice(PLATFORMS)
        self.decide(lambda scene: records.amend_record(scene, self.steward, name, change))

    def set_policy(self) -> None:
        who = self.who()
        modes = [("x", self.rng.randint(1, 3))]
        uses = [("upload", [("pdq", self.rng.randint(0, 31))], 3)]
        wish = policies.check_policy(3, self.rng.choice([0, 2, 3]), modes, uses)
        self.decide(lambda scene: policies.set_policy(scene, who, wish))

    def put_off(self) -> None:
        who = self.who()
        if self.rng.random() < 0.3:
            hand, item = Hand(who, 1, (Role.CONTRIBUTE,)), self.mine()[1]
            labels, fit, _ = check_amendment(self.labels(), self.signals(), self.forum.limits)
            self.decide(lambda scene: four_eyes.put_off_amendment(scene, hand, item, labels, fit))
        claim = check(self.wish(), self.forum.limits)
        self.decide(lambda scene: four_eyes.put_off(scene, Hand(who, 1, (Role.CONTRIBUTE,)), [claim]))

    def approve(self) -> None:
        with self.forum.engine.state.read() as view:
            row = self.rng.choice([*every_pending(view)] or [None])
        if row is None:
            return
        hand = Hand(row.pseudonym, 2, (Role.APPROVE,))
        if self.rng.random() < 0.2:
            self.decide(lambda scene: four_eyes.reject(scene, hand, row.pending, "no"))
        else:
            self.decide(lambda scene: four_eyes.approve(scene, hand, row.pending, self.forum.limits, None))

    def alert(self) -> None:
        kind, item = self.rng.choice(list(AlertKind)), self.item()
        if item < 10**9 and self.rng.random() < 0.6:
            self.decide(
                lambda scene: alerts.raise_alert(scene, kind, item=item, member=self.who(), count=3, note="many")
            )
        number = self.chosen(lambda view: (row.sequence for row in open_alerts(view)))
        self.decide(lambda scene: alerts.acknowledge(scene, self.governor(), number, "seen"))

    def plan(self, hours: float) -> incident_pb.IncidentPlan:
        self.incidents += 1
        drill = self.rng.random() < 0.3
        plan = incident_pb.IncidentPlan(
            name=f"{'drill-' * drill}{self.incidents}", type="attack", summary="a summary", drill=drill
        )
        plan.duration.FromMilliseconds(round(hours * HOUR_MS))
        if self.rng.random() < 0.6:
            plan.rules.item_expiry.FromMilliseconds(2 * DAY_MS)
            plan.rules.radii.add(signal_type="pdq", radius=40)
        return plan

    def open_incident(self) -> None:
        as_steward = self.rng.random() < 0.5
        who, plan = self.governor() if as_steward else self.who(), plan_of(self.plan(0.9))
        self.decide(lambda scene: incidents.open_incident(scene, who, plan, steward=as_steward))

    def incident(self) -> int:
        return self.chosen(lambda view: (row.incident for row in incident_rows.live_incidents(view)))

    def in_incident(self) -> None:
        number, who = self.incident(), self.who()
        acts: list[Callable[[Scene], Any]] = [
            lambda scene: incidents.support(scene, who, number, 5 * HOUR_MS),
            lambda scene: incidents.support(scene, who, number, 9 * HOUR_MS),
            lambda scene: incidents.acknowledge(scene, who, number, self.rng.choice(list(Receiver)[:2])),
        ]
        if self.rng.random() < 0.15:
            acts = [lambda scene: incidents.close(scene, self.steward, number, steward=True)]
        self.decide(self.rng.choice(acts))

    def issue(self) -> None:
        who = self.who()
        roles = self.rng.choice([None, (Role.CHECK,), (Role.CHECK, Role.CONTRIBUTE)])
        self.decide(
            lambda scene: members.issue_token(
                scene, who, who, token_hash=self.rng.randbytes(32), expiry_ms=0, limits=Limits(), roles=roles
            )
        )

    def suspend(self) -> None:
        name, suspended = self.rng.choice(PLATFORMS), self.rng.random() < 0.4
        self.decide(lambda scene: members.set_suspended(scene, SERVICE, name, suspended=suspended))

    def private(self) -> int:
        """An entry that has a private part: each kind as often as each other one, whoever governs left alone."""
        found: dict[int, list[int]] = {}
        with self.forum.engine.state.read() as view:
            for entry in view.entries(9):
                if entry.private is not None and len(entry.private) > SALT_BYTES:
                    found.setdefault(entry.kind, []).append(entry.sequence)
        return self.rng.choice(found[self.rng.choice(sorted(found))]) if found else 0

    def redact(self) -> None:
        listing.record(self.forum.engine, listing.redaction(SERVICE, self.private()))

    def time_passes(self) -> None:
        self.late_ms += round(self.rng.choice([0.01, 0.01, 0.2, 0.5, 2.1, 4]) * DAY_MS)
        if self.rng.random() < 0.03:
            self.late_ms += 370 * DAY_MS
        self.settle()

    def settle(self) -> None:
        """Let the clock do what is due, and work at what goes on."""
        while self.clockwork.turn():
            pass

    def step(self) -> None:
        """Something happens, or is refused."""
        acts: list[Callable[[], None]] = [self.contribute] * 8 + [self.opine] * 6 + [self.vote] * 4
        acts += (
            [self.propose] * 4 + [self.second] * 5 + [self.dispute, self.put_off, self.approve, self.in_incident] * 2
        )
        acts += [self.amend, self.withdraw, self.detach, self.detach, self.merge, self.revoke, self.limit, self.lodge]
        acts += [self.answer, self.record, self.set_policy, self.alert, self.open_incident, self.issue, self.suspend]
        acts += [self.time_passes] * 2 + [self.settle, self.settle, self.redact, self.redact]
        act = self.rng.choice(acts)
        try:
            act()
        except Refusal:
            self.refused[act.__name__] = self.refused.get(act.__name__, 0) + 1

    def kinds(self) -> set[int]:
        """Kinds of the entries so far."""
        with self.forum.engine.state.read() as view:
            return {entry.kind for entry in view.entries()}
