"""The real rules, whatever they are asked and whatever is redacted in between: they never contradict themselves.

No rule may record what apply refuses; no two live items may share an identifying value, or have the same signal twice;
and the state stays what the ledger adds up to.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE
from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.recent import apart
from hashpact_server.refusal import Refusal
from hashpact_server.rules import members
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Offer, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.identity import wanted
from hashpact_server.rules.outcomes import Outcome, Result
from hashpact_server.rules.signals import OfferedSignal, sort_out
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Role
from hashpact_server.writer import Act, Encode
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import listing
from tests.data import effort
from tests.listing import assert_sound, new_list, redaction

LIMITS = Limits(labels_max=3, member_tokens_max=2)
NAMES = ("alpha", "beta", "gamma")
LABELS = ("list:un", "behaviour:recruitment", "own/label", "Not A Label")


def pool() -> list[OfferedSignal]:
    """Few signals, so that they come back; some lie close together, some are not fit."""
    made = []
    for number in range(3):
        made += [
            OfferedSignal("sha256", listing.digest(listing.SHA256, number)),
            OfferedSignal("md5", listing.digest(listing.MD5, number)),
            OfferedSignal("pdq", listing.value(listing.PDQ, number), quality=100),
            OfferedSignal("pdq", listing.value(listing.PDQ, number, (3, 4)), quality=60),
            OfferedSignal("phash", listing.value(listing.PHASH, number)),
            OfferedSignal("url_sha256", listing.digest(listing.URL, number)),
            OfferedSignal("pdq_frame", listing.value(listing.PDQ_FRAME, number), quality=100, stretch=(0, number)),
            OfferedSignal("tlsh", listing.value(listing.TLSH, number) + b"abc"),
        ]
    alike = listing.digest(listing.SHA256, 0)[:16] + listing.digest(listing.SHA256, 1)[16:]
    return [*made, OfferedSignal("sha256", alike), OfferedSignal("pdq", bytes(32), quality=100), OfferedSignal("other")]


POOL = pool()
SIGNALS = st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=5)
ITEMS, WHO = st.integers(0, 30), st.integers(0, 2)
OFFERS = st.builds(
    lambda signals, labels, basis, attach: Offer([POOL[at] for at in signals], labels, Attestation(basis), attach),
    SIGNALS,
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=3),
    st.integers(0, 5),
    st.one_of(st.just(0), st.just(0), ITEMS),
)
CONTRIBUTE = st.tuples(st.just("contribute"), WHO, st.lists(OFFERS, min_size=1, max_size=3))
AMEND = st.tuples(st.just("amend"), WHO, ITEMS, st.lists(st.sampled_from(LABELS[:3]), max_size=2), SIGNALS)
WITHDRAW = st.tuples(st.just("withdraw"), WHO, ITEMS, st.booleans())
MEMBER = st.tuples(st.just("member"), WHO, st.sampled_from(("create", "suspend", "resume", "issue", "revoke")), ITEMS)
REDACT = st.tuples(st.just("redact"), st.integers(0, 40))
STEPS = st.lists(st.one_of(CONTRIBUTE, CONTRIBUTE, AMEND, WITHDRAW, MEMBER, REDACT), min_size=1, max_size=25)


class Played:
    """A list on which steps are played, each through the rule that a service would call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.steward = listing.steward_of(engine)
        for name in NAMES:
            self._submit(lambda scene, name=name: self._create(scene, name))

    def play(self, name: str, *arguments: object) -> None:
        """Play one step; a refusal is fine, any other error is none."""
        before = self.engine.published.head.sequence
        try:
            getattr(self, f"_play_{name}")(*arguments)
        except Refusal:
            assert self.engine.published.head.sequence == before, "refused, and something was written"

    def _submit(self, decide: object) -> None:
        def carry_out(scene: Scene) -> Encode:
            decide(scene)  # type: ignore[operator]  # any rule with its arguments
            return lambda _as_of: b""

        self.engine.writer.submit(Act(carry_out, bytes(16)))

    def _create(self, scene: Scene, name: str) -> None:
        roles = (Role.CONTRIBUTE,)
        members.create_member(scene, self.steward, pseudonym=listing.pseudonym(), name=name, roles=roles, group=name)

    def _who(self, number: int) -> bytes:
        with self.engine.state.read() as view:
            row = view.member_by_name(NAMES[number])
        return self.steward if row is None else row.pseudonym  # its admission was redacted

    def _play_contribute(self, who: int, offers: Sequence[Offer]) -> None:
        claims = [check(offer, LIMITS) for offer in offers]
        values = [signal for claim in claims if not isinstance(claim, Outcome) for signal in claim.signals]
        hint = replace(self.engine.matcher.neighbours(wanted(values)), apart=apart(wanted(values)))
        outcomes: list[Outcome] = []
        self._submit(lambda scene: outcomes.extend(contribute(scene, self._who(who), claims, LIMITS, hint)))
        assert len(outcomes) == len(offers)
        with self.engine.state.read() as view:
            for outcome in outcomes:
                row = view.item(outcome.item)
                assert (row is None) == (outcome.result in (Result.REFUSED, Result.AMBIGUOUS))

    def _play_amend(self, who: int, item: int, labels: Sequence[str], signals: Sequence[int]) -> None:
        cleaned, fit, _ = check_amendment(labels, [POOL[at] for at in signals], LIMITS)
        self._submit(lambda scene: amend(scene, self._who(who), item, cleaned, fit, None))

    def _play_withdraw(self, who: int, item: int, as_steward: bool) -> None:
        member = self.steward if as_steward else self._who(who)
        self._submit(lambda scene: withdraw(scene, member, item, 1, steward=as_steward))

    def _play_member(self, who: int, what: str, token: int) -> None:
        name, member = NAMES[who], self._who(who)
        rules = {
            "create": lambda scene: self._create(scene, name),
            "suspend": lambda scene: members.set_suspended(scene, self.steward, name, True),
            "resume": lambda scene: members.set_suspended(scene, self.steward, name, False),
            "issue": lambda scene: members.issue_token(
                scene, member, member, token_hash=listing.pseudonym() * 2, expiry_ms=0, limits=LIMITS
            ),
            "revoke": lambda scene: members.revoke_token(scene, self.steward, token, steward=True),
        }
        self._submit(rules[what])

    def _play_redact(self, sequence: int) -> None:
        target = sequence % (self.engine.published.head.sequence + 1)
        listing.record(self.engine, redaction(self.steward, target))

    def assert_no_contradiction(self) -> None:
        assert_sound(self.engine)
        listed: Counter[tuple[int, bytes]] = Counter()
        with self.engine.state.read() as view:
            for row in view.items(limit=1000):
                signals = [(signal.code, signal.value) for _, signal in view.item_signals(row.item)]
                assert len(signals) == len(set(signals)), "an item lists a signal twice"
                listed.update(key for key in signals if SIGNAL_TYPES_BY_CODE[key[0]].identifies)
                for code, value in signals:
                    if SIGNAL_TYPES_BY_CODE[code].exact:
                        assert view.item_by_digest(code, value) == row.item
        assert set(listed.values()) <= {1}, "an identifying value stands on two live items"


@settings(max_examples=effort(25), deadline=None)
@given(STEPS)
def test_rules_never_contradict_themselves(steps: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, new_list(Path(folder)) as engine:
        played = Played(engine)
        for step in steps:
            played.play(*step)
        played.assert_no_contradiction()


def test_the_pool_holds_fit_signals_of_every_kind() -> None:
    fit, problems = sort_out(POOL)
    assert len(problems) == 2
    assert {signal.kind.name for signal in fit} == set(SIGNAL_TYPES) - {"phash256", "pdq_page", "local_sift"}
