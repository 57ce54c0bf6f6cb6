"""A list on which everything of the pact happened at least once: for tests of what is stored of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from hashpact.v1 import incident_pb2, signal_pb2
from hashpact.v1.steward_service_pb2 import RedactionReason, StewardAct
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads_incidents import Receiver
from hashpact_server.ledger.payloads_judgement import ChallengePayload
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
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import check
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.four_eyes import Hand
from hashpact_server.rules.incident_plans import Plan, plan_of
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.judgement_rows import ChallengeOutcome, LimitCause, OpinionCode, Verdict
from hashpact_server.state.rows import Basis, Role

from tests import listing
from tests.forum import Forum, offer, one, signal, value

DAY_MS = 86_400_000
EVERYTHING = tuple(role for role in Role if role is not Role.STEWARD)
PACT = frozenset(Kind) - {Kind.EPOCH_STARTED, Kind.TOKEN_REVOKED}
"""Kinds that :func:`eventful` makes."""


def plan(name: str, *, drill: bool = False, expiry_ms: int = 0) -> Plan:
    """A plan of an incident of an hour."""
    made = incident_pb2.IncidentPlan(name=name, type="attack", summary="it spreads", drill=drill)
    made.duration.FromMilliseconds(3_600_000)
    made.rules.item_expiry.FromMilliseconds(expiry_ms)
    made.rules.radii.add(signal_type="pdq", radius=40)
    return plan_of(made)


class Events:
    """What happens, part by part; the later ones build on those before."""

    def __init__(self, forum: Forum) -> None:
        self.forum, self.late_ms = forum, 0
        clock = forum.engine.state._clock_ms
        forum.engine.state._clock_ms = lambda: clock() + self.late_ms
        self.clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
        self.a, self.b, self.steward = (row.pseudonym for row in (forum.a, forum.b, forum.steward))
        self.warden = forum.admit("warden", tuple(Role), group="elsewhere").pseudonym
        self.c, self.d, self.leaver, self.rogue = (
            forum.admit(name, EVERYTHING).pseudonym for name in ("c", "d", "leaver", "rogue")
        )

    def decide(self, rule: Callable[[Scene], Any]) -> Any:
        return self.forum.decide(rule)

    def later(self, ms: int) -> None:
        """Let time pass, and the clock do what is due."""
        self.late_ms += ms
        while self.clockwork.turn():
            pass

    def item(self, seed: int, *who: str, **more: Any) -> int:
        """An item that some contributed to, ``a`` alone where nobody is named."""
        signals = [signal(kind, value(kind, seed)) for kind in ("sha256", "md5", "pdq", "phash")]
        for name in who or ("a",):
            outcome = one(self.forum, self.forum.member(name), offer(*signals, **more))
        return outcome.item

    def propose(self, **act: Any) -> int:
        return int(self.decide(lambda scene: motions.propose(scene, self.steward, StewardAct(**act), "why")).motion)

    def motion(self, **act: Any) -> int:
        """Something that two stewards do; the last entry that it made."""
        number = self.propose(**act)
        self.decide(lambda scene: motions.second(scene, self.warden, number))
        return self.forum.head()

    def opinion(self, who: bytes, item: int, code: OpinionCode) -> None:
        said = Attestation(Basis.PERSON_LOOKED) if code is OpinionCode.AGREE else None
        wish = opinions.check_opinion(code, said, (), "a note", Limits())
        self.decide(lambda scene: opinions.give(scene, who, item, wish))

    def dispute(self, item: int) -> int:
        return int(self.decide(lambda scene: disputes.open_dispute(scene, self.c, item, 1, "wrong")).dispute)

    def vote(self, who: bytes, dispute: int, verdict: Verdict) -> None:
        labels = ("z",) if verdict is Verdict.RELABEL else ()
        self.decide(lambda scene: disputes.vote(scene, who, dispute, verdict, labels, "because"))

    def lodge(self, item: int) -> int:
        words = ChallengePayload("mine", "7")
        return int(self.decide(lambda scene: challenges.lodge(scene, self.c, [item], 1, words))[0].challenge)

    def limit(self, item: int) -> None:
        self.decide(lambda scene: limits.limit(scene, self.steward, item, LimitCause.STEWARD, "a note"))

    def incident(self, name: str, **more: Any) -> int:
        made = plan(name, **more)
        return int(self.decide(lambda scene: incidents.open_incident(scene, self.steward, made, steward=True)).incident)

    def rulebooks(self) -> None:
        """A taxonomy in force at once, a policy in force by the clock."""
        taxonomy = '{"open": true, "axes": {"producer": {"p": "P."}, "behaviour": {"x": "X."}, "context": {"k": "K."}}}'
        self.motion(adopt_taxonomy=StewardAct.AdoptTaxonomy(content=taxonomy))
        self.motion(adopt_policy=StewardAct.AdoptPolicy(content='{"notice_days": 1}'))
        self.motion(adopt_policy=StewardAct.AdoptPolicy(content='{"act": true, "notice_days": 1}'))
        self.later(2 * DAY_MS)

    def people(self) -> None:
        """A member on trial, one that is amended, one that left; a token with fewer rights; a member's own policy."""
        decide, steward = self.decide, self.steward
        trial = b"trial".ljust(16, b"\x01")
        decide(
            lambda scene: members.create_member(
                scene, steward, pseudonym=trial, name="trial", roles=EVERYTHING, group="t"
            )
        )
        one(self.forum, self.forum.member("trial"), offer(signal("sha256", "trial")))
        secret = secrets.token_bytes(32)
        decide(
            lambda scene: members.issue_token(
                scene, self.d, self.d, token_hash=secret, expiry_ms=0, limits=Limits(), roles=(Role.CHECK,)
            )
        )
        decide(lambda scene: records.amend_record(scene, steward, "d", records.Amendment(contact_night="+44")))
        decide(lambda scene: members.set_suspended(scene, steward, "c", True))
        decide(lambda scene: members.set_suspended(scene, steward, "c", False))
        self.motion(dismiss_member=StewardAct.DismissMember(member="leaver"))
        wish = policies.check_policy(3, 2, [("x", 3)], [("upload", [("pdq", 20)], 3)])
        decide(lambda scene: policies.set_policy(scene, self.a, wish))

    def items(self) -> int:
        """Corroborated, detached from, merged, withdrawn; and what one did is rolled back. The item that stands."""
        decide, a = self.decide, self.a
        agreed = self.item(1, "a", "b")
        one(self.forum, self.forum.a, offer(signal("phash", "more"), attach_to=agreed))
        decide(lambda scene: detaching.detach(scene, a, agreed, frozenset({(17, value("phash", "more"))})))
        gone, withdrawn, taken = (self.item(seed) for seed in (2, 3, 4))
        decide(lambda scene: merging.merge(scene, a, gone, agreed, Limits()))
        decide(lambda scene: withdraw(scene, a, withdrawn, 1, steward=False))
        decide(lambda scene: withdraw(scene, self.steward, taken, 1, steward=True))
        self.item(5, "rogue")
        self.item(1, "rogue")
        self.opinion(self.rogue, agreed, OpinionCode.AGREE)
        self.opinion(self.rogue, agreed, OpinionCode.NOT_TERRORIST)
        order = StewardAct.RollBack(member="rogue")
        order.since_time.FromMilliseconds(0)
        self.motion(roll_back=order)
        self.later(1)
        listing.record(self.forum.engine, listing.redaction(self.steward, gone))
        return agreed

    def judgement(self, agreed: int) -> int:
        """Opinions; disputes decided and lapsed; challenges answered and lapsed; limits. An item that is limited."""
        self.opinion(self.d, agreed, OpinionCode.AGREE)
        self.opinion(self.d, agreed, OpinionCode.SEEN_HERE_TOO)
        self.decide(lambda scene: opinions.revoke(scene, self.d, agreed))
        kept, lapsed, removed, asked = (self.item(seed) for seed in (10, 11, 12, 13))
        for item, verdict in ((kept, Verdict.RELABEL), (removed, Verdict.REMOVE)):
            dispute = self.dispute(item)
            self.vote(self.b, dispute, verdict)
            self.vote(self.d, dispute, verdict)
        self.dispute(lapsed)
        answered = self.lodge(kept)
        said = ChallengeOutcome.KEPT
        self.decide(lambda scene: challenges.answer(scene, self.a, answered, said, "why", ()))
        self.lodge(asked)
        self.item(14, attestation=Attestation(Basis.IMPORT))
        self.limit(kept)
        self.motion(lift_limit=StewardAct.LiftLimit(item=kept))
        self.limit(kept)
        self.propose(lift_limit=StewardAct.LiftLimit(item=kept))
        self.later(20 * DAY_MS)
        return kept

    def safeguards(self, item: int) -> None:
        """The benign list, alerts."""
        logo = [signal_pb2.Signal(signal_type="pdq", value=value("pdq", "logo"), quality=100)]
        listed = self.motion(list_benign=StewardAct.AddBenign(signals=logo, note="a logo"))
        self.motion(unlist_benign=StewardAct.RemoveBenign(benign=listed))
        self.motion(list_benign=StewardAct.AddBenign(signals=logo, note="a logo"))
        about: dict[str, Any] = {"item": item, "member": self.a, "count": 3, "note": "a note"}
        raised = self.decide(lambda scene: alerts.raise_alert(scene, AlertKind.FLOOD, **about))
        self.decide(lambda scene: alerts.acknowledge(scene, self.steward, raised, "seen"))
        self.decide(lambda scene: alerts.raise_alert(scene, AlertKind.FLOOD, **about))

    def incidents(self) -> None:
        """One that is prolonged, acknowledged, and over, whose item expires; a drill; and one that goes on."""
        first, drill = self.incident("one", expiry_ms=DAY_MS), self.incident("drill-two", drill=True)
        self.decide(lambda scene: incidents.acknowledge(scene, self.a, first, Receiver.SOFTWARE))
        self.decide(lambda scene: incidents.prolong(scene, self.steward, first, 7_200_000))
        self.item(20, labels=("x", "incident:one"))
        self.item(21, labels=("x", "incident:drill-two"))
        self.decide(lambda scene: incidents.close(scene, self.steward, drill, steward=True))
        self.later(400 * DAY_MS)
        self.incident("three", expiry_ms=DAY_MS)
        self.item(22, labels=("x", "incident:three"))

    def waiting(self) -> None:
        """Something of everything that waits for a time."""
        hand = Hand(self.a, 1, (Role.CONTRIBUTE,))
        claims = [check(offer(signal("sha256", seed)), Limits()) for seed in ("rejected", "waits")]
        rejected, _ = self.decide(lambda scene: four_eyes.put_off(scene, hand, claims))
        other = Hand(self.a, 2, (Role.APPROVE,))
        self.decide(lambda scene: four_eyes.reject(scene, other, rejected.pending, "no"))
        item = self.item(23)
        self.vote(self.d, self.dispute(item), Verdict.KEEP)
        self.opinion(self.d, item, OpinionCode.BENIGN_COLLISION)
        self.lodge(item)
        listing.record(self.forum.engine, listing.withdrawal(self.a, self.item(24)))
        self.motion(adopt_policy=StewardAct.AdoptPolicy(content='{"act": true, "inherited_days": 700}'))


def eventful(forum: Forum) -> None:
    """Let everything happen: each kind of entry of the pact is made, by its rule, and no table stays empty."""
    events = Events(forum)
    events.rulebooks()
    events.people()
    agreed = events.items()
    limited = events.judgement(agreed)
    events.safeguards(limited)
    events.incidents()
    events.waiting()
    legal = RedactionReason.Value("REDACTION_REASON_LEGAL")
    events.motion(redact_entry=StewardAct.RedactEntry(sequence=agreed, reason=legal))
    events.propose(lift_limit=StewardAct.LiftLimit(item=limited))
    with forum.engine.state.read() as view:
        missing = PACT - {entry.kind for entry in view.entries()}
    assert not missing, sorted(Kind(each).name for each in missing)
