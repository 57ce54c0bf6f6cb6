"""A rollback undoes what a member did since a time, and nothing that others did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact.v1 import steward_service_pb2 as pb
from hashpact_server import replay
from hashpact_server.clockwork import Clockwork
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import motions, rollback
from hashpact_server.rules.amending import amend
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state.rollbacks import RollbackRow, rollbacks
from hashpact_server.state.rows import Role, Status

from tests.forum import Forum, forum_in, offer, one, signal, value


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        yield made


def now_ms(forum: Forum) -> int:
    """A moment after all that was written so far, and before all that will be."""
    last = forum.engine.published.head.time_ms
    while time.time_ns() // 1_000_000 <= last:
        time.sleep(0.001)
    return last + 1


def order(forum: Forum, member: str, since_ms: int) -> int:
    """Have two stewards order a rollback; its number."""
    act = pb.StewardAct(roll_back=pb.StewardAct.RollBack(member=member))
    act.roll_back.since_time.FromMilliseconds(since_ms)
    first, second = forum.steward.pseudonym, forum.member("second").pseudonym
    number = forum.decide(lambda scene: motions.propose(scene, first, act, "")).motion
    forum.decide(lambda scene: motions.second(scene, second, number))
    return forum.head()


def finish(forum: Forum) -> RollbackRow:
    """Let the clock work until the newest rollback is finished."""
    clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
    while True:
        clockwork.turn()
        with forum.engine.state.read() as view:
            row = list(rollbacks(view.rows))[-1]
        if row.finished:
            return row


def roll_back(forum: Forum, since_ms: int, member: str = "a") -> RollbackRow:
    order(forum, member, since_ms)
    return finish(forum)


def listed(forum: Forum, kind: str, seed: int) -> int | None:
    """The item that lists a digest."""
    code = signal(kind, seed)
    with forum.engine.state.read() as view:
        return view.item_by_digest(1, value(code.signal_type, seed))


def status(forum: Forum, item: int) -> Status:
    with forum.engine.state.read() as view:
        row = view.item(item)
    assert row is not None
    return row.status


def relabel(forum: Forum, item: int, label: str) -> None:
    forum.decide(lambda scene: amend(scene, forum.a.pseudonym, item, (label,), (), None))


def redact(forum: Forum, sequence: int) -> None:
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=sequence, clear=b"\x01")))


def test_what_only_the_member_listed_leaves_the_list_and_what_was_before_stays(forum: Forum) -> None:
    old = one(forum, forum.a, offer(signal("sha256", 1))).item
    since = now_ms(forum)
    new = [one(forum, forum.a, offer(signal("sha256", seed), signal("pdq", seed))).item for seed in range(2, 9)]
    theirs = one(forum, forum.b, offer(signal("sha256", 99))).item
    row = roll_back(forum, since)
    assert row.undone == len(new)
    assert {status(forum, item) for item in new} == {Status.WITHDRAWN}
    assert {listed(forum, "sha256", seed) for seed in range(2, 9)} == {None}
    assert (listed(forum, "sha256", 1), listed(forum, "sha256", 99)) == (old, theirs)
    with forum.engine.state.read() as view:
        assert not list(view.value_blocks(16))


def test_what_others_state_too_stays_and_stands_for_them_alone(forum: Forum) -> None:
    since = now_ms(forum)
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("md5", 2))).item
    one(forum, forum.b, offer(signal("sha256", 1)))
    assert status(forum, item) is Status.CORROBORATED
    roll_back(forum, since)
    assert status(forum, item) is Status.PROVISIONAL
    assert listed(forum, "sha256", 1) == item
    with forum.engine.state.read() as view:
        assert view.item_by_digest(2, value("md5", 2)) is None
        assert [row.pseudonym for row in view.contributions(item)] == [forum.b.pseudonym]


def test_the_word_before_stands_again(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1), labels=["journalism"])).item
    one(forum, forum.b, offer(signal("sha256", 1)))
    since = now_ms(forum)
    with forum.engine.state.read() as view:
        before = view.contribution(item, forum.a.pseudonym)
    for label in ("one", "two"):
        relabel(forum, item, label)
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
    assert status(forum, item) is Status.PROVISIONAL
    one(forum, forum.a, offer(signal("sha256", 1), labels=["three"]))
    row = roll_back(forum, since)
    assert row.undone == 4
    with forum.engine.state.read() as view:
        assert view.contribution(item, forum.a.pseudonym) == before
    assert status(forum, item) is Status.CORROBORATED


def test_one_steward_cannot_and_a_second_rollback_waits_for_the_first(forum: Forum) -> None:
    since = now_ms(forum)
    one(forum, forum.a, offer(signal("sha256", 1)))
    order(forum, "a", since)
    with pytest.raises(Refusal, match="still goes on"):
        order(forum, "a", since)
    finish(forum)
    assert roll_back(forum, since).undone == 0


def test_since_when_has_to_be_said_and_to_lie_in_the_past(forum: Forum) -> None:
    with pytest.raises(Refusal, match="since_time"):
        order(forum, "a", now_ms(forum) + 60_000)
    act = pb.StewardAct(roll_back=pb.StewardAct.RollBack(member="a"))
    with pytest.raises(Refusal, match="since when"):
        forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, act, ""))


def test_a_rollback_is_cut_into_pieces_and_goes_on_after_a_restart(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "PIECE_ENTRIES_MAX", 3)
    since = now_ms(forum)
    items = [one(forum, forum.a, offer(signal("sha256", seed))).item for seed in range(8)]
    order(forum, "a", since)
    clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
    assert clockwork.turn()
    assert sum(status(forum, item) is Status.WITHDRAWN for item in items) == 3
    forum.reopen()
    assert finish(forum).undone == 8
    assert {status(forum, item) for item in items} == {Status.WITHDRAWN}
    with forum.engine.state.read() as view:
        pieces = [entry for entry in view.entries() if entry.kind == Kind.ROLLED_BACK]
    assert len(pieces) == 3


def test_a_replay_of_the_redacted_ledger_gives_the_same_rows(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1))).item
    one(forum, forum.b, offer(signal("sha256", 1), signal("sha256", 7)))
    since = now_ms(forum)
    relabel(forum, item, "one")
    both = one(forum, forum.a, offer(signal("sha256", 2), signal("pdq", 2))).item
    one(forum, forum.b, offer(signal("sha256", 2)))
    roll_back(forum, since)
    for each in (item, both):
        redact(forum, each)
    forum.close()
    report = replay.check(forum.folder)
    assert report.ok, report.problems
    forum.reopen()
    assert listed(forum, "sha256", 7) == item
    assert listed(forum, "sha256", 2) is None
