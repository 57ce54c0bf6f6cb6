"""Motions: what takes two stewards of two groups is never done by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import steward_service_pb2 as pb
from hashpact_server.clockwork import Clockwork
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import members, motions
from hashpact_server.rules.due import DUE_RULES
from hashpact_server.state.motions import MotionRow, MotionState
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.state.tables import Due

from tests.forum import Forum, forum_in, offer, one, signal


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        yield made


def redaction(sequence: int) -> pb.StewardAct:
    return pb.StewardAct(redact_entry=pb.StewardAct.RedactEntry(sequence=sequence, reason=pb.REDACTION_REASON_LEGAL))


def proposed(forum: Forum, act: pb.StewardAct | None = None, by: MemberRow | None = None) -> int:
    wanted = act or redaction(one(forum, forum.a, offer(signal("sha256", 1))).item)
    who = (by or forum.steward).pseudonym
    return forum.decide(lambda scene: motions.propose(scene, who, wanted, "because")).motion


def second(forum: Forum, number: int, by: str = "second") -> MotionRow:
    who = forum.member(by).pseudonym
    return forum.decide(lambda scene: motions.second(scene, who, number))


def refused(forum: Forum, number: int, by: str = "second") -> str:
    before = forum.head()
    with pytest.raises(Refusal) as caught:
        second(forum, number, by)
    assert forum.head() == before
    return str(reasons.ErrorReason.Name(caught.value.reason)).removeprefix("ERROR_REASON_")


def redacted(forum: Forum, sequence: int) -> bool:
    with forum.engine.state.read() as view:
        return view.entry(sequence).redacted


def test_a_motion_is_carried_out_when_another_group_seconds_it(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1))).item
    number = proposed(forum, redaction(item))
    assert not redacted(forum, item)
    assert second(forum, number).state is MotionState.CARRIED
    assert redacted(forum, item)
    assert refused(forum, number) == "MOTION_CLOSED"


def test_nobody_seconds_alone_or_within_a_group_or_on_trial(forum: Forum) -> None:
    number = proposed(forum)
    forum.admit("sister", [Role.STEWARD], group="steward")

    def admit_on_trial(scene: object) -> None:
        members.create_member(
            scene,  # type: ignore[arg-type]
            forum.steward.pseudonym,
            pseudonym=b"trial".ljust(16, b"\x01"),
            name="trial",
            roles=(Role.STEWARD,),
            group="trial",
        )

    forum.decide(admit_on_trial)
    for by in ("steward", "sister", "trial"):
        assert refused(forum, number, by) == "SECONDER_NOT_INDEPENDENT"
    with pytest.raises(Refusal, match="trial"):
        proposed(forum, by=forum.member("trial"))


def test_a_steward_that_was_suspended_or_whose_group_is_gone_lends_no_independence(forum: Forum) -> None:
    number = proposed(forum)
    forum.decide(lambda scene: members.set_suspended(scene, bytes(16), "steward", suspended=True))
    assert refused(forum, number) == "SECONDER_NOT_INDEPENDENT"
    forum.decide(lambda scene: members.set_suspended(scene, bytes(16), "steward", suspended=False))
    admission = forum.steward.created_sequence
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=admission, clear=b"\x01")))
    assert refused(forum, number) == "SECONDER_NOT_INDEPENDENT"


def test_a_motion_lapses_in_its_time_and_then_nobody_seconds_it(forum: Forum) -> None:
    number = proposed(forum)
    with forum.engine.state.read() as view:
        row = motions.existing_motion(view, number)
        assert not view.due(row.lapse_ms - 1, limit=9)
        assert view.due(row.lapse_ms, limit=9) == [(Due.MOTION, number)]
    forum.decide(lambda scene: DUE_RULES[Due.MOTION](scene, number))
    assert refused(forum, number) == "MOTION_CLOSED"
    with forum.engine.state.read() as view:
        assert motions.existing_motion(view, number).state is MotionState.LAPSED
        assert not view.due(row.lapse_ms, limit=9)
    assert not Clockwork(forum.engine, DUE_RULES).turn()


def test_a_withdrawn_motion_stays_withdrawn(forum: Forum) -> None:
    number = proposed(forum)
    for _ in range(2):
        row = forum.decide(lambda scene: motions.withdraw_motion(scene, forum.steward.pseudonym, number))
        assert row.state is MotionState.WITHDRAWN
    assert refused(forum, number) == "MOTION_CLOSED"


def test_a_motion_whose_content_was_redacted_cannot_be_carried_out(forum: Forum) -> None:
    number = proposed(forum)
    assert second(forum, proposed(forum, redaction(number))).state is MotionState.CARRIED
    assert refused(forum, number) == "MOTION_CLOSED"


@pytest.mark.parametrize("sequence", [0, 10**6])
def test_an_entry_without_a_private_part_is_not_redacted(forum: Forum, sequence: int) -> None:
    with pytest.raises(Refusal, match="no entry"):
        proposed(forum, redaction(sequence))


def test_a_motion_without_an_act_is_refused(forum: Forum) -> None:
    with pytest.raises(Refusal, match="act"):
        proposed(forum, pb.StewardAct())


def test_no_steward_hides_what_waits_under_motions_without_end(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motions, "OPEN_MAX", 2)
    act = redaction(one(forum, forum.a, offer(signal("sha256", 1))).item)
    first, _ = proposed(forum, act), proposed(forum, act)
    with pytest.raises(Refusal) as caught:
        proposed(forum, act)
    assert caught.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert proposed(forum, act, forum.member("second"))
    forum.decide(lambda scene: motions.withdraw_motion(scene, forum.steward.pseudonym, first))
    assert proposed(forum, act)


def test_what_nobody_can_read_is_no_part_of_a_motion(forum: Forum) -> None:
    act = redaction(one(forum, forum.a, offer(signal("sha256", 1))).item)
    padded = pb.StewardAct.FromString(act.SerializeToString() + b"\xfa\x7f\x04more")
    number = proposed(forum, padded)
    with forum.engine.state.read() as view:
        said = motions.stated(view, motions.existing_motion(view, number))
    assert said is not None
    assert said.act == act.SerializeToString()
