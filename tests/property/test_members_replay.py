"""Members, whatever is asked of them and whatever is redacted in between.

The state stays what the ledger adds up to, and what a snapshot of it holds; nobody becomes full but by two stewards; a
token never carries more than the one that made it, nor for longer; nobody approves what it contributed.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import Any

from hashpact.v1 import error_reason_pb2
from hashpact.v1.steward_service_pb2 import StewardAct
from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads_members import DecidedClear, PendingClear
from hashpact_server.refusal import Refusal
from hashpact_server.roster import rights
from hashpact_server.rules import four_eyes, members, motions, records
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Offer, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.four_eyes import Hand
from hashpact_server.rules.grants import grant
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state.members import every_pending
from hashpact_server.state.rows import MemberRow, Role, TokenRow
from hashpact_server.writer import Act, Encode
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import listing
from tests.data import effort
from tests.listing import assert_sound, new_list, redaction
from tests.members import numbers

LIMITS = Limits(member_tokens_max=20)
ROLES = (Role.CONTRIBUTE, Role.APPROVE, Role.CHECK, Role.STEWARD)
NAMES = ("one", "two", "new", "other")
GROUPS = ("", "g", "h")

WHO = st.integers(0, len(NAMES) - 1)
SOME_ROLES = st.lists(st.sampled_from(ROLES), max_size=3)
ACTS = st.one_of(
    st.builds(lambda n: StewardAct(confirm_member=StewardAct.ConfirmMember(member=NAMES[n])), WHO),
    st.builds(
        lambda n, group, roles, eyes, trial: StewardAct(
            amend_member=StewardAct.AmendMember(
                member=NAMES[n], group=group, roles=numbers(roles), four_eyes=eyes, on_trial=trial
            )
        ),
        WHO,
        st.sampled_from(GROUPS),
        SOME_ROLES,
        st.sampled_from((None, True, False)),
        st.booleans(),
    ),
    st.builds(
        lambda n, withdrawn: StewardAct(
            dismiss_member=StewardAct.DismissMember(member=NAMES[n], withdraw_contributions=withdrawn)
        ),
        WHO,
        st.booleans(),
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), WHO, WHO, SOME_ROLES),
        st.tuples(st.just("motion"), WHO, WHO, ACTS),
        st.tuples(st.just("amend"), WHO, WHO, st.booleans(), SOME_ROLES),
        st.tuples(st.just("suspend"), WHO, st.booleans()),
        st.tuples(st.just("issue"), st.integers(0, 20), WHO, SOME_ROLES, st.integers(0, 3)),
        st.tuples(st.just("contribute"), st.integers(0, 20), st.integers(0, 3)),
        st.tuples(st.just("contribute"), st.integers(0, 20), st.integers(0, 3)),
        st.tuples(st.just("approve"), st.integers(0, 20), st.integers(0, 5)),
        st.tuples(st.just("approve"), st.integers(0, 20), st.integers(0, 5)),
        st.tuples(st.just("reject"), st.integers(0, 20), st.integers(0, 5)),
        st.tuples(st.just("redact"), st.integers(0, 60)),
    ),
    min_size=1,
    max_size=30,
)


class Played:
    """A list on which steps are played, each through the rule that a service would call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.steward = listing.steward_of(engine)
        self.tokens: list[TokenRow] = []
        self.full: set[bytes] = {listing.steward_of(engine)}
        for name in NAMES[:2]:
            self._submit(lambda scene, name=name: self._admit(scene, bytes(16), name, (Role.STEWARD, *ROLES[:2])))
        for name, roles in ((NAMES[0], None), (NAMES[1], (Role.CONTRIBUTE,)), (NAMES[1], (Role.APPROVE,))):
            self._give(name, roles)

    def play(self, name: str, *arguments: Any) -> None:
        """Play one step; a refusal is fine, any other error is none."""
        before = self.engine.published.head.sequence
        try:
            getattr(self, f"_play_{name}")(*arguments)
        except Refusal:
            assert self.engine.published.head.sequence == before, "refused, and something was written"
        with self.engine.state.read() as view:
            for row in view.every_member():
                assert not is_full(view, row.pseudonym) or row.pseudonym in self.full, "full by less than two stewards"

    def _submit(self, decide: Any) -> Any:
        kept: list[Any] = []

        def carry_out(scene: Scene) -> Encode:
            kept.append(decide(scene))
            return lambda _as_of: b""

        self.engine.writer.submit(Act(carry_out, bytes(16)))
        return kept[0]

    def _admit(self, scene: Scene, actor: bytes, name: str, roles: tuple[Role, ...]) -> MemberRow:
        made = members.create_member(
            scene, actor, pseudonym=listing.pseudonym(), name=name, roles=tuple(sorted(roles)), group=name
        )
        if actor == bytes(16):
            self.full.add(made.pseudonym)
        return made

    def _give(self, name: str, roles: tuple[Role, ...] | None) -> None:
        owner = self._who(name)
        self.tokens.append(
            self._submit(
                lambda scene: members.issue_token(
                    scene,
                    bytes(16),
                    owner,
                    token_hash=secrets.token_bytes(32),
                    expiry_ms=0,
                    limits=LIMITS,
                    roles=roles,
                )
            )
        )

    def _who(self, name: str) -> bytes:
        with self.engine.state.read() as view:
            row = view.member_by_name(name)
        return self.steward if row is None else row.pseudonym

    def _hand(self, number: int) -> tuple[MemberRow, TokenRow, Hand]:
        """Who calls by a token: nobody does by one that is over, or of a member that is out."""
        token = self.tokens[number % len(self.tokens)]
        with self.engine.state.read() as view:
            member = view.member(token.pseudonym)
            if view.token(token.token_id) is None or member is None or member.suspended:
                raise Refusal(error_reason_pb2.ERROR_REASON_TOKEN_INVALID, "not let in")
        return member, token, Hand(member.pseudonym, token.token_id, rights(member, token))

    def _play_create(self, who: int, name: int, roles: list[Role]) -> None:
        self._submit(
            lambda scene: self._admit(scene, self._who(NAMES[who]), NAMES[name], tuple(set(roles)) or ROLES[:1])
        )

    def _play_motion(self, first: int, second: int, act: StewardAct) -> None:
        one, other = self._who(NAMES[first]), self._who(NAMES[second])
        motion = self._submit(lambda scene: motions.propose(scene, one, act, "")).motion
        try:
            self._submit(lambda scene: motions.second(scene, other, motion))
        except Refusal:
            return
        assert {one, other} <= self.full
        assert one != other
        if act.HasField("confirm_member"):
            self.full.add(self._who(act.confirm_member.member))

    def _play_amend(self, who: int, name: int, eyes: bool, roles: list[Role]) -> None:
        change = records.Amendment(four_eyes=eyes, agreement=str(who), remove_roles=frozenset(map(int, roles)))
        self._submit(lambda scene: records.amend_record(scene, self._who(NAMES[who]), NAMES[name], change))

    def _play_suspend(self, name: int, suspended: bool) -> None:
        steward = self.steward
        self._submit(lambda scene: members.set_suspended(scene, steward, NAMES[name], suspended))

    def _play_issue(self, by: int, name: int, roles: list[Role], days: int) -> None:
        member, token, hand = self._hand(by)
        target = self._who(NAMES[name]) if Role.STEWARD in hand.roles else member.pseudonym
        expiry = days and self.engine.state.now_ms() + days * 86_400_000

        def issue(scene: Scene) -> TokenRow:
            owner = scene.member(target)
            assert owner is not None
            made = grant(scene, member.pseudonym, token, owner, map(int, roles), expiry)
            return members.issue_token(
                scene,
                member.pseudonym,
                target,
                token_hash=secrets.token_bytes(32),
                expiry_ms=made.expiry_ms,
                limits=LIMITS,
                roles=made.roles,
            )

        made: TokenRow = self._submit(issue)
        self.tokens.append(made)
        if target == member.pseudonym:
            assert set(rights(member, made)) <= set(hand.roles)
            assert not token.expiry_ms or 0 < made.expiry_ms <= token.expiry_ms

    def _play_contribute(self, by: int, seed: int) -> None:
        _, _, hand = self._hand(by)
        if Role.CONTRIBUTE not in hand.roles:
            return
        signal = OfferedSignal("md5", listing.digest(listing.MD5, seed))
        claims = [check(Offer([signal], ["list:un"], Attestation(1)), LIMITS)]

        def decide(scene: Scene) -> None:
            if four_eyes.wanted(scene, hand.pseudonym):
                four_eyes.put_off(scene, hand, claims)
            else:
                contribute(scene, hand.pseudonym, claims, LIMITS, None)

        self._submit(decide)

    def _pending(self, number: int) -> int:
        with self.engine.state.read() as view:
            waiting = [row.pending for row in every_pending(view)]
        return waiting[number % len(waiting)] if waiting else 0

    def _play_approve(self, by: int, number: int) -> None:
        _, _, hand = self._hand(by)
        if Role.APPROVE in hand.roles:
            self._submit(lambda scene: four_eyes.approve(scene, hand, self._pending(number), LIMITS, None))

    def _play_reject(self, by: int, number: int) -> None:
        _, _, hand = self._hand(by)
        self._submit(lambda scene: four_eyes.reject(scene, hand, self._pending(number), "no"))

    def _play_redact(self, sequence: int) -> None:
        target = sequence % (self.engine.published.head.sequence + 1)
        listing.record(self.engine, redaction(self.steward, target))

    def assert_kept(self) -> None:
        assert_sound(self.engine)
        with self.engine.state.read() as view:
            for entry in view.entries():
                if entry.kind == Kind.CONTRIBUTION_DECIDED and DecidedClear.decode(entry.clear).verdict == 1:
                    made_by = PendingClear.decode(view.entry(entry.subject).clear).token
                    assert DecidedClear.decode(entry.clear).token != made_by, "approved its own"


@settings(max_examples=effort(40), deadline=None)
@given(STEPS)
def test_members_never_contradict_the_rules(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, new_list(Path(folder)) as engine:
        played = Played(engine)
        for step in steps:
            played.play(*step)
        played.assert_kept()
