"""The clock decides what is due, also when one thing that is due ends another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import incident_pb2, steward_service_pb2
from hashpact_server.clockwork import Clockwork
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads import RolledBackClear
from hashpact_server.refusal import Refusal
from hashpact_server.rules import disputes, incidents, rollback
from hashpact_server.rules.due import DUE_RULES, DUTIES, Duty
from hashpact_server.rules.incident_plans import plan_of
from hashpact_server.rules.undoing import undone
from hashpact_server.scene import Scene
from hashpact_server.state import judgement
from hashpact_server.state.judgement_rows import DisputeOutcome, ExpiryCause
from hashpact_server.state.tables import Due
from hashpact_server.state.view import View

from tests.forum import Forum, forum_in, offer, one, signal
from tests.listing import assert_sound

DAY_MS = 86_400_000


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        yield made


def late(forum: Forum, by_ms: int) -> Clockwork:
    """A clockwork whose time is ahead."""
    clock = forum.engine.state._clock_ms
    forum.engine.state._clock_ms = lambda: clock() + by_ms
    return Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])


def test_an_item_expires_in_the_round_in_which_its_dispute_would_lapse(forum: Forum) -> None:
    plan = incident_pb2.IncidentPlan(name="one", type="attack")
    plan.duration.FromMilliseconds(60_000)
    plan.rules.item_expiry.FromMilliseconds(DAY_MS)
    forum.decide(lambda scene: incidents.open_incident(scene, forum.steward.pseudonym, plan_of(plan), steward=True))
    item = one(forum, forum.a, offer(signal("sha256", 1), labels=("x", "incident:one"))).item
    number = forum.decide(lambda scene: disputes.open_dispute(scene, forum.b.pseudonym, item, 1, "wrong")).dispute
    assert not late(forum, 400 * DAY_MS).turn()
    with forum.engine.state.read() as view:
        (expired,) = [entry for entry in view.entries() if entry.kind == Kind.ITEM_EXPIRED]
        assert (expired.subject, expired.clear) == (item, bytes((ExpiryCause.INCIDENT,)))
        row = judgement.dispute(view, number)
        assert row is not None
        assert row.outcome is DisputeOutcome.ITEM_CLOSED
        assert view.due(2**63, limit=9) == []
    assert_sound(forum.engine)


def test_what_cannot_be_decided_keeps_nothing_else_from_being_decided(forum: Forum) -> None:
    """A rule that raises, whatever it is, is put off alone and tried again; a duty that raises stops no other one."""
    items = [one(forum, forum.a, offer(signal("sha256", seed))).item for seed in range(3)]

    def opened(item: int) -> int:
        return forum.decide(lambda scene: disputes.open_dispute(scene, forum.b.pseudonym, item, 1, "wrong")).dispute

    numbers = [opened(item) for item in items]

    def lapse(scene: Scene, number: int) -> None:
        disputes.lapse(scene, number)
        if number == numbers[0]:
            raise ValueError("a bug")
        if number == numbers[1]:
            raise Refusal(reasons.ERROR_REASON_ITEM_CLOSED, "no")

    def fails(_view: View, _now_ms: int) -> bool:
        raise ValueError("a bug")

    def asks(_view: View, _now_ms: int) -> bool:
        asked.set()
        return False

    asked = threading.Event()
    late(forum, 400 * DAY_MS)
    duties = [Duty(fails, lambda _: False), Duty(asks, lambda _: False)]
    clockwork = Clockwork(forum.engine, {**DUE_RULES, Due.DISPUTE: lapse}, duties)
    for _ in range(2):
        assert not clockwork.turn()
        with forum.engine.state.read() as view:
            rows = [judgement.dispute(view, number) for number in numbers]
            assert [row.outcome for row in rows if row] == [
                DisputeOutcome.OPEN,
                DisputeOutcome.OPEN,
                DisputeOutcome.LAPSED,
            ]
    assert asked.is_set()
    assert not late(forum, 0).turn()
    with forum.engine.state.read() as view:
        assert view.due(2**63, limit=9) == []
    assert_sound(forum.engine)


def test_the_clock_goes_on_after_whatever_happened(forum: Forum) -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def fails(_view: View, now_ms: int) -> bool:
        asked.put(now_ms)
        raise ValueError("a bug")

    clockwork = Clockwork(forum.engine, DUE_RULES, [Duty(fails, lambda _: False)])
    clockwork.start()
    assert [asked.get(timeout=60) for _ in range(2)]
    clockwork.stop()


def test_no_piece_of_a_rollback_outgrows_an_entry(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many signals others confirm of what is undone: their positions stand in the piece."""
    first = forum.head() + 1
    forum.contribute(forum.a, *(offer(signal("sha256", seed)) for seed in range(12)))
    act = steward_service_pb2.StewardAct.RollBack(member="a")
    act.since_time.FromMilliseconds(0)
    monkeypatch.setattr(
        rollback, "undone", lambda scene, entry: undone(scene, entry)._replace(kept=tuple(range(60_000)))
    )
    forum.decide(lambda scene: rollback.carry_out(scene, forum.steward.pseudonym, act))
    clockwork = late(forum, 0)
    while clockwork.turn():
        pass
    with forum.engine.state.read() as view:
        pieces = [RolledBackClear.decode(entry.clear) for entry in view.entries() if entry.kind == Kind.ROLLED_BACK]
        assert len(pieces) > 1
        assert sorted(each.sequence for piece in pieces for each in piece.undone) == list(range(first, first + 12))
