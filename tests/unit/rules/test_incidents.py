"""Incidents: who opens one, for how long, what is under it, what expires; and drills, which leave the list alone."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import incident_pb2, lookup_service_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server.clockwork import Clockwork
from hashpact_server.core import Core
from hashpact_server.debrief import debrief
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads_incidents import End, Receiver, incidents_in
from hashpact_server.refusal import Refusal
from hashpact_server.rules import incidents, members, motions
from hashpact_server.rules.amending import check_amendment
from hashpact_server.rules.due import DUE_RULES
from hashpact_server.rules.outcomes import Result
from hashpact_server.rules.policy import Policy
from hashpact_server.scene import Scene
from hashpact_server.state.incidents import IncidentRow, State, incident_of, items_under
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.rows import MemberRow, Role, Status
from hashpact_server.state.tables import Table

from tests.forum import Forum, forum_in, offer, one, signal
from tests.incidents import opened, plan, status, under

HOUR_MS = 3_600_000
PDQ = SIGNAL_TYPES["pdq"]


class Clock:
    """A clock that the test moves on."""

    def __init__(self, core: Core) -> None:
        self._real = core._clock_ms
        self._ahead_ms = 0
        core._clock_ms = lambda: self._real() + self._ahead_ms

    def pass_ms(self, milliseconds: int) -> None:
        self._ahead_ms += milliseconds


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        made.admit("second", [Role.STEWARD])
        made.admit("c", [Role.CONTRIBUTE])
        yield made


@pytest.fixture
def clock(forum: Forum) -> Clock:
    return Clock(forum.engine.state)


def now(forum: Forum, incident: int) -> IncidentRow:
    with forum.engine.state.read() as view:
        row = incident_of(view, incident)
    assert row is not None
    return row


def support(forum: Forum, incident: int, by: str, hours: float) -> IncidentRow:
    who = forum.member(by).pseudonym
    return forum.decide(lambda scene: incidents.support(scene, who, incident, round(hours * HOUR_MS)))


def refused(forum: Forum, sent: incident_pb2.IncidentPlan) -> str:
    before = forum.head()
    with pytest.raises(Refusal) as caught:
        opened(forum, sent)
    assert forum.head() == before
    return str(reasons.ErrorReason.Name(caught.value.reason)).removeprefix("ERROR_REASON_")


def turn(forum: Forum) -> None:
    Clockwork(forum.engine, DUE_RULES).turn()


def test_one_steward_opens_an_hour_and_time_ends_it(forum: Forum, clock: Clock) -> None:
    row = opened(forum)
    assert row.state is State.OPEN
    assert abs(row.end_ms - row.create_ms - HOUR_MS) < 60_000
    turn(forum)
    assert now(forum, row.incident).is_open
    clock.pass_ms(HOUR_MS)
    turn(forum)
    ended = now(forum, row.incident)
    assert (ended.state, ended.end) == (State.CLOSED, End.TIME)
    with forum.engine.state.read() as view:
        assert not view.due(1 << 60, limit=9)


@pytest.mark.parametrize(
    "laxer", [{"minutes": 61}, {"trial_items_per_day": 100_000}], ids=["longer", "more items on trial"]
)
def test_what_one_steward_may_not_takes_two(forum: Forum, laxer: dict[str, float]) -> None:
    wanted = plan(**laxer)  # type: ignore[arg-type]
    assert refused(forum, wanted) == "INCIDENT_NEEDS_SECOND"
    act = steward_pb.StewardAct(open_incident=wanted)
    motion = forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, act, "")).motion
    assert not forum.engine.published.board.open
    forum.decide(lambda scene: motions.second(scene, forum.member("second").pseudonym, motion))
    (known,) = forum.engine.published.board.open
    row = now(forum, known.incident)
    longer = steward_pb.StewardAct(
        prolong_incident=steward_pb.StewardAct.ProlongIncident(incident=row.incident, minutes=600)
    )
    motion = forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, longer, "")).motion
    forum.decide(lambda scene: motions.second(scene, forum.member("second").pseudonym, motion))
    assert now(forum, row.incident).end_ms > row.end_ms + 8 * HOUR_MS


def test_a_plan_that_cannot_be(forum: Forum) -> None:
    opened(forum)
    assert refused(forum, plan()) == "INCIDENT_EXISTS"
    for bad in (
        plan("Harbour"),
        plan("other", minutes=0),
        plan("other", minutes=15 * 24 * 60),
        plan("other", groups_min=1),
        plan("other", radii=[lookup_service_pb2.Radius(signal_type="pdq", radius=PDQ.radius_max + 1)]),
        plan("other", radii=[lookup_service_pb2.Radius(signal_type="sha256", radius=1)]),
        incident_pb2.IncidentPlan(name="other", type="", duration=plan().duration),
        incident_pb2.IncidentPlan(name="other", type="x", summary="a\nb", duration=plan().duration),
        incident_pb2.IncidentPlan(name="drill-x", type="x", duration=plan().duration),
        incident_pb2.IncidentPlan(name="other", type="x", drill=True, duration=plan().duration),
    ):
        assert refused(forum, bad) == "FIELD_INVALID"


def test_members_of_three_groups_open_and_prolong(forum: Forum, clock: Clock) -> None:
    forum.admit("sister", [Role.CONTRIBUTE], group="a")
    row = opened(forum, plan(minutes=600), forum.a)
    assert row.state is State.CALLED
    assert one(forum, forum.b, offer(signal("sha256", 1), labels=under())).result is Result.CREATED
    assert not now(forum, row.incident).contributions  # it is not open yet
    assert support(forum, row.incident, "sister", 5).state is State.CALLED  # of the same group
    assert support(forum, row.incident, "b", 5).state is State.CALLED
    assert support(forum, row.incident, "b", 4).state is State.CALLED  # twice is once
    joined = support(forum, row.incident, "c", 2)
    assert joined.is_open
    assert abs(joined.end_ms - joined.open_ms - 2 * HOUR_MS) < 60_000  # what all three want
    longer = support(forum, row.incident, "c", 8)
    assert abs(longer.end_ms - longer.open_ms - 4 * HOUR_MS) < 60_000
    clock.pass_ms(9 * HOUR_MS)
    turn(forum)
    assert now(forum, row.incident).end == End.TIME


def test_members_on_trial_and_suspended_ones_do_not_count(forum: Forum) -> None:
    forum.decide(lambda scene: scene.record(Draft(Kind.MEMBER_STANDING_SET, clear=forum.b.pseudonym + b"\x01")))
    row = opened(forum, plan(), forum.a)
    support(forum, row.incident, "b", 5)
    assert support(forum, row.incident, "c", 5).state is State.CALLED


def test_calls_are_bounded_by_member_and_keep_no_steward_out(forum: Forum) -> None:
    for name in ("one", "two"):
        opened(forum, plan(name), forum.a)
    for who in (forum.a, forum.decide(lambda scene: admit_on_trial(forum, scene))):
        with pytest.raises(Refusal) as caught:
            opened(forum, plan("three"), who)
        assert caught.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert opened(forum, plan("three")).is_open


@pytest.mark.parametrize("who", ["steward", "a"])
def test_nobody_alone_pages_everybody_again_and_again(forum: Forum, clock: Clock, who: str) -> None:
    def once_more(name: str) -> None:
        row = opened(forum, plan(name), forum.member(who))
        forum.decide(
            lambda scene: incidents.close(scene, forum.member(who).pseudonym, row.incident, steward=who == "steward")
        )

    clock.pass_ms(24 * HOUR_MS - forum.engine.state.now_ms() % (24 * HOUR_MS))
    for number in range(incidents.ALONE_PER_DAY):
        once_more(f"one-{number}")
    with pytest.raises(Refusal) as caught:
        once_more("two")
    assert caught.value.reason == reasons.ERROR_REASON_DAY_LIMIT_REACHED
    opened(forum, plan("others"), forum.b)
    clock.pass_ms(24 * HOUR_MS)
    once_more("two")


def admit_on_trial(forum: Forum, scene: Scene) -> MemberRow:
    return members.create_member(
        scene, forum.steward.pseudonym, pseudonym=bytes(15) + b"\x01", name="new", roles=(Role.CONTRIBUTE,), group="new"
    )


def test_one_steward_does_not_go_below_what_any_label_needs(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(label_groups_min={"glorification_of_terrorist_acts": 3})
    monkeypatch.setattr(incidents, "policy_of", lambda _: policy)
    assert refused(forum, plan(groups_min=2)) == "INCIDENT_NEEDS_SECOND"
    assert opened(forum, plan(groups_min=3)).is_open


def test_a_call_that_nobody_supports_lapses(forum: Forum, clock: Clock) -> None:
    row = opened(forum, plan(minutes=600), forum.a)
    clock.pass_ms(HOUR_MS)
    turn(forum)
    assert now(forum, row.incident).end == End.NOT_SUPPORTED


def test_who_may_close(forum: Forum) -> None:
    row = opened(forum)
    with pytest.raises(Refusal, match="steward"):
        forum.decide(lambda scene: incidents.close(scene, forum.a.pseudonym, row.incident, steward=False))
    called = opened(forum, plan("other"), forum.a)
    with pytest.raises(Refusal, match="steward"):
        forum.decide(lambda scene: incidents.close(scene, forum.b.pseudonym, called.incident, steward=False))
    forum.decide(lambda scene: incidents.close(scene, forum.a.pseudonym, called.incident, steward=False))
    forum.decide(lambda scene: incidents.close(scene, forum.steward.pseudonym, row.incident, steward=True))
    assert now(forum, row.incident).state is State.CLOSED
    with pytest.raises(Refusal, match="over"):
        forum.decide(lambda scene: incidents.acknowledge(scene, forum.a.pseudonym, row.incident, Receiver.PERSON))


def test_items_are_under_it_by_label_and_in_clear(forum: Forum) -> None:
    row = opened(forum)
    before = one(forum, forum.a, offer(signal("sha256", 1))).item
    mine = one(forum, forum.a, offer(signal("sha256", 2), labels=under())).item
    one(forum, forum.b, offer(signal("sha256", 1), signal("md5", 1), labels=under()))
    one(forum, forum.a, offer(signal("sha256", 3), labels=under("elsewhere")))
    with forum.engine.state.read() as view:
        assert items_under(view, row.incident) == {before, mine}
        assert incidents_in(view.entry(mine).clear) == (row.incident,)
        assert b"harbour" not in view.entry(row.incident).public + view.entry(mine).public
    (known,) = forum.engine.published.board.open
    assert known.items == {before, mine}
    forum.reopen()
    assert forum.engine.published.board.open[0].items == {before, mine}
    assert now(forum, row.incident).contributions == 2


def test_its_items_expire_unless_corroborated(forum: Forum, clock: Clock) -> None:
    old = one(forum, forum.a, offer(signal("sha256", 9))).item
    row = opened(forum, plan(expiry_ms=2 * HOUR_MS))
    alone = one(forum, forum.a, offer(signal("sha256", 1), labels=under())).item
    both = one(forum, forum.a, offer(signal("sha256", 2), labels=under())).item
    taken = one(forum, forum.a, offer(signal("sha256", 3), labels=under())).item
    one(forum, forum.a, offer(signal("sha256", 9), signal("md5", 9), labels=under()))
    one(forum, forum.b, offer(signal("sha256", 2), labels=under()))
    services = forum.as_(forum.a).contribution
    from hashpact.v1 import contribution_service_pb2  # noqa: PLC0415

    services.Withdraw(contribution_service_pb2.WithdrawRequest(item=taken), None)
    clock.pass_ms(2 * HOUR_MS + 1)
    turn(forum)
    assert [status(forum, item) for item in (old, alone, both, taken)] == [
        Status.PROVISIONAL,
        Status.EXPIRED,
        Status.CORROBORATED,
        Status.WITHDRAWN,
    ]
    assert now(forum, row.incident).state is State.CLOSED
    with forum.engine.state.read() as view:
        assert not view.due(1 << 60, limit=9)
        assert view.item_by_digest(SIGNAL_TYPES["sha256"].code, signal("sha256", 1).value or b"") is None


def test_its_quorum_holds_for_its_items_alone(forum: Forum) -> None:
    opened(forum, plan(groups_min=3))
    item = one(forum, forum.a, offer(signal("sha256", 1), labels=under())).item
    other = one(forum, forum.a, offer(signal("sha256", 2))).item
    for number in (1, 2):
        one(forum, forum.b, offer(signal("sha256", number)))
    assert (status(forum, item), status(forum, other)) == (Status.PROVISIONAL, Status.CORROBORATED)
    one(forum, forum.member("c"), offer(signal("sha256", 1)))
    assert status(forum, item) is Status.CORROBORATED


def test_a_drill_leaves_the_list_alone(forum: Forum) -> None:
    row = opened(forum, plan("drill-may"))
    item = one(forum, forum.a, offer(signal("sha256", 1))).item

    def listed() -> dict[tuple[Table, bytes], bytes]:
        kept = (Table.ITEMS, Table.CONTRIBUTIONS, Table.ITEM_ENTRIES, Table.DIGESTS, Table.VALUES)
        with forum.engine.store.read() as tx:
            rows = StoredRows(tx)
            return {(table, key): value for table in kept for key, value in rows.scan(table)}

    before, counts = listed(), forum.engine.matcher.counts()
    created, corroborated = forum.contribute(
        forum.b,
        offer(signal("pdq", 2), signal("sha256", 2), labels=under("drill-may")),
        offer(signal("sha256", 1), labels=under("drill-may")),
    )
    assert (created.result, created.item, corroborated.result, corroborated.item) == (
        Result.CREATED,
        0,
        Result.CORROBORATED,
        item,
    )
    assert "drill" in created.message
    assert (listed(), forum.engine.matcher.counts()) == (before, counts)
    assert not forum.engine.published.board.open
    with forum.engine.state.read() as view:
        assert view.entry(forum.head()).kind == Kind.DRILL_CONTRIBUTED
        told = debrief(view, now(forum, row.incident), None, float("inf"))
    part = told.members[forum.b.pseudonym]
    assert (part.contributions, part.signals, part.items) == (2, 3, 1)
    forum.decide(lambda scene: incidents.close(scene, forum.steward.pseudonym, row.incident, steward=True))
    late = one(forum, forum.b, offer(signal("sha256", 3), labels=under("drill-may")))
    assert (late.result, late.reason) == (Result.REFUSED, reasons.ERROR_REASON_LABELS_INVALID)
    with pytest.raises(Refusal):
        check_amendment(["incident:drill-may"], [], forum.limits)
    assert listed() == before


def test_acknowledgements_count_once_and_are_in_the_debrief(forum: Forum, clock: Clock) -> None:
    row = opened(forum)
    clock.pass_ms(2000)
    for who in (forum.a, forum.a, forum.b):
        known = functools.partial(
            incidents.acknowledge, actor=who.pseudonym, incident=row.incident, receiver=Receiver.SOFTWARE
        )
        forum.decide(known)
    clock.pass_ms(60_000)
    before = forum.head()
    forum.decide(lambda scene: incidents.acknowledge(scene, forum.a.pseudonym, row.incident, Receiver.SOFTWARE))
    assert forum.head() == before  # the first one stands, with its time
    forum.decide(lambda scene: incidents.acknowledge(scene, forum.b.pseudonym, row.incident, Receiver.PERSON))
    one(forum, forum.a, offer(signal("sha256", 1), signal("md5", 1), labels=under()))
    with forum.engine.state.read() as view:
        told = debrief(view, now(forum, row.incident), None, float("inf"))
    assert len(told.software_ms) == 2
    assert len(told.person_ms) == 1
    assert min(told.software_ms) >= 2000
    assert told.person_ms[0] >= 62_000
    assert {forum.a.pseudonym, forum.b.pseudonym} == told.members.keys()
    assert told.members[forum.a.pseudonym].signals == 2
