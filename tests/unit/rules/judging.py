"""A forum of six platforms and the acts of judgement in one word each: for tests of opinions, disputes, challenges."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server import replay
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads_judgement import ChallengePayload
from hashpact_server.refusal import Refusal
from hashpact_server.rules import challenges, disputes, members, opinions
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state import judgement
from hashpact_server.state.judgement_rows import (
    ChallengeOutcome,
    ChallengeRow,
    DisputeOutcome,
    DisputeRow,
    OpinionCode,
    Verdict,
)
from hashpact_server.state.rows import Basis, Role, Status

from tests.forum import PERSON, Forum, offer, one, signal

DAY_MS = 86_400_000
EVERY = tuple(role for role in Role if role is not Role.STEWARD)


class Judging:
    """The acts of judgement on a forum: members are named, and exist: a to f are full, ``trial`` is on trial."""

    def __init__(self, forum: Forum) -> None:
        self.forum = forum
        for name in "cdef":
            forum.admit(name, EVERY)
        forum.decide(
            lambda scene: members.create_member(
                scene, forum.steward.pseudonym, pseudonym=secrets.token_bytes(16), name="trial", roles=EVERY, group="t"
            )
        )
        self._late_ms = 0
        clock = forum.engine.state._clock_ms
        forum.engine.state._clock_ms = lambda: clock() + self._late_ms
        self._clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])

    def who(self, name: str) -> bytes:
        return self.forum.member(name).pseudonym

    def item(self, *names: str, basis: Basis = Basis.PERSON_LOOKED, seed: int = 1) -> int:
        """An item that these members contributed to."""
        outcome = None
        for name in names:
            wish = offer(signal("sha256", seed), attestation=Attestation(basis))
            outcome = one(self.forum, self.forum.member(name), wish)
        assert outcome is not None
        return outcome.item

    def status(self, item: int) -> Status:
        with self.forum.engine.state.read() as view:
            row = view.item(item)
        assert row is not None
        return row.status

    def stopped(self, item: int) -> bool:
        with self.forum.engine.state.read() as view:
            return judgement.act_stopped(view, item)

    def say(
        self, name: str, item: int, code: OpinionCode, *, basis: Basis | None = None, labels: tuple[str, ...] = ()
    ) -> None:
        said = PERSON if basis is None else Attestation(basis)
        wish = opinions.check_opinion(code, said if code is OpinionCode.AGREE else None, labels, "", Limits())
        self.forum.decide(lambda scene: opinions.give(scene, self.who(name), item, wish))

    def revoke(self, name: str, item: int) -> None:
        self.forum.decide(lambda scene: opinions.revoke(scene, self.who(name), item))

    def dispute(self, name: str, item: int) -> int:
        return self.forum.decide(lambda scene: disputes.open_dispute(scene, self.who(name), item, 1, "wrong")).dispute

    def vote(self, name: str, number: int, verdict: Verdict, *labels: str) -> DisputeOutcome:
        row = self.forum.decide(lambda scene: disputes.vote(scene, self.who(name), number, verdict, labels, ""))
        return row.outcome

    def disputed(self, number: int) -> DisputeRow:
        with self.forum.engine.state.read() as view:
            return disputes.existing_dispute(view, number)

    def lodge(self, name: str, item: int) -> int:
        said = ChallengePayload("it is my own picture", "file 7")
        rows = self.forum.decide(lambda scene: challenges.lodge(scene, self.who(name), [item], 1, said))
        return rows[0].challenge

    def answer(self, name: str, number: int, said: ChallengeOutcome, *labels: str) -> ChallengeOutcome:
        row = self.forum.decide(lambda scene: challenges.answer(scene, self.who(name), number, said, "why", labels))
        return row.outcome

    def challenged(self, number: int) -> ChallengeRow:
        with self.forum.engine.state.read() as view:
            return challenges.existing_challenge(view, number)

    def withdraw(self, name: str, item: int) -> None:
        self.forum.decide(lambda scene: withdraw(scene, self.who(name), item, 1, steward=False))

    def redact(self, sequence: int) -> None:
        self.forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=sequence, clear=b"\x01")))

    def pass_days(self, days: float) -> None:
        """Let time go by, and the clock decide what is due."""
        self._late_ms += round(days * DAY_MS)
        while self._clockwork.turn():
            pass

    def check_replay(self) -> None:
        """The ledger adds up to the rows that stand."""
        with self.forum.engine.state.store.read() as tx:
            assert replay.check_stored(tx).problems == []


def refused(act: Callable[[], object]) -> str:
    """The reason for which an act is refused."""
    with pytest.raises(Refusal) as caught:
        act()
    return str(reasons.ErrorReason.Name(caught.value.reason)).removeprefix("ERROR_REASON_")
