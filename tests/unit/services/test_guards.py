"""Guards of a hub: quotas, floods of matches and contributions, decoys; on a real list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hashpact.v1 import contribution_service_pb2, item_pb2, lookup_service_pb2, safeguard_service_pb2, signal_pb2
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Limits
from hashpact_server.decoys import ITEMS_PER_DECOY, Decoys
from hashpact_server.guards import FloodWatch, Guards, ProbingWatch, Quotas, floods
from hashpact_server.ledger.entry import SERVICE
from hashpact_server.refusal import Refusal
from hashpact_server.reports import HOUR_MS, Report, Reports
from hashpact_server.rules.floods import is_flood
from hashpact_server.rules.policy import Policy
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.safeguard import SafeguardService
from hashpact_server.state.alerts import AlertKind, AlertRow, open_alerts
from hashpact_server.state.judgement import act_stopped
from hashpact_server.state.rows import MemberRow, Role

from tests.forum import Forum, offer, one, signal, value

MINUTE_MS = 60_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_000 * HOUR_MS

    def __call__(self) -> int:
        return self.ms

    def seconds(self) -> float:
        return self.ms / 1000


class Hub:
    """A forum with guards and its own clock."""

    def __init__(self, forum: Forum, reports: Reports | None, *, first_new_item: int, limits: Limits) -> None:
        self.forum, self.clock = forum, Clock()
        floods = FloodWatch(reports, first_new_item, self.clock)
        self.guards = Guards(
            Quotas(limits, self.clock.seconds), floods, ProbingWatch(self.clock.seconds), Decoys(b"\x07" * 32)
        )
        self._clockwork = Clockwork(forum.engine, {}, self.guards.duties)

    def look_up(self, member: MemberRow, *seeds: int | str) -> lookup_service_pb2.LookupResponse:
        """Ask for some PDQ values."""
        set_caller(Caller(member))
        probes = [
            lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type="pdq", values=value("pdq", seed))])
            for seed in seeds
        ]
        service = LookupService(self.forum.engine, self.forum.limits, self.guards)
        return service.Lookup(lookup_service_pb2.LookupRequest(probes=probes), None)

    def contribution(self, member: MemberRow) -> ContributionService:
        """The service, called by a member."""
        set_caller(Caller(member))
        return ContributionService(self.forum.engine, self.forum.limits, self.guards)

    def alerts(self) -> list[AlertRow]:
        """What stewards are told, after a round of the clockwork."""
        self.clock.ms += MINUTE_MS
        while self._clockwork.turn():
            pass
        with self.forum.engine.state.read() as view:
            return sorted(open_alerts(view))


@contextmanager
def hub(forum: Forum, reports: Reports | None = None, *, new: int = 0, limits: Limits | None = None) -> Iterator[Hub]:
    yield Hub(forum, reports, first_new_item=new, limits=limits or forum.limits)


def listed(forum: Forum, *seeds: int | str) -> list[int]:
    return [one(forum, forum.a, offer(signal("pdq", seed))).item for seed in seeds]


def stopped(forum: Forum, item: int) -> bool:
    with forum.engine.state.read() as view:
        return act_stopped(view, item)


def test_an_item_that_leaves_its_course_goes_to_review_and_stewards_are_told_once(forum: Forum) -> None:
    item, other = listed(forum, 1, 2)
    with hub(forum) as here:
        for _ in range(10):
            here.look_up(forum.a, *[1] * 90)
        here.look_up(forum.b, *[1] * 99, 2, "nothing")
        assert not here.alerts()
        here.look_up(forum.b, 1)
        (row,) = here.alerts()
        assert (row.kind, row.item, row.counted) == (AlertKind.FLOOD, item, 1000)
        assert (stopped(forum, item), stopped(forum, other)) == (True, False)
        head = forum.head()
        here.look_up(forum.b, *[1] * 4000)
        here.alerts()
        assert forum.head() == head


def test_what_was_met_as_often_before_is_no_flood_and_nothing_is_known_just_after_a_start(forum: Forum) -> None:
    old, usual = listed(forum, 1, 2)
    with hub(forum, new=forum.head() + 1) as here:
        here.look_up(forum.a, *[1] * 1500, *[2] * 500)
        assert not here.alerts()
        here.clock.ms += HOUR_MS
        here.look_up(forum.a, *[1] * 3000)
        here.look_up(forum.a, *[2] * 3000)
        assert not here.alerts()
        for _ in range(2):
            here.look_up(forum.a, *[2] * 1500)
        assert [(row.kind, row.item) for row in here.alerts()] == [(AlertKind.FLOOD, usual)]
        assert not stopped(forum, old)


def test_no_member_alone_stops_act_on_the_whole_list_by_asking(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods, "SOLE_ITEMS_MAX", 3)
    items = listed(forum, *range(6))
    with hub(forum) as here:
        for seed in range(5):
            here.look_up(forum.b, *[seed] * 1000)
        rows = here.alerts()
        assert [stopped(forum, item) for item in items] == [True] * 3 + [False] * 3
        assert sorted((row.item, row.member) for row in rows) == sorted(
            [(0, forum.b.pseudonym), *((item, SERVICE) for item in items[:3])]
        )
        # What another one meets too, or meets alone, is limited as ever.
        here.look_up(forum.a, *[5] * 1000)
        here.alerts()
        assert stopped(forum, items[5])


def test_an_hour_ends_now_and_not_when_the_clock_strikes(forum: Forum) -> None:
    (item,) = listed(forum, 1)
    with hub(forum) as here:
        here.clock.ms += 50 * MINUTE_MS
        here.look_up(forum.a, *[1] * 600)
        here.clock.ms += 20 * MINUTE_MS
        here.look_up(forum.a, *[1] * 399)
        assert not here.alerts()
        here.look_up(forum.a, 1)
        assert [row.item for row in here.alerts()] == [item]


def test_floods_on_replicas_are_found_in_what_members_report(forum: Forum, tmp_path: Path) -> None:
    quiet, flooded = listed(forum, 1, 2)
    clock = Clock()
    reports = Reports(tmp_path, days=90, member_max=10**6, bytes_max=1 << 30, clock_ms=clock)
    try:
        with hub(forum, reports, new=forum.head() + 1) as here:
            hour = clock.ms
            before = [Report(quiet, hour - n * HOUR_MS, 1, 400) for n in range(1, 25)]
            reports.report(forum.a.pseudonym, [*before, Report(quiet, hour, 1, 3000), Report(flooded, hour, 1, 600)])
            assert not here.alerts()
            reports.report(forum.b.pseudonym, [Report(flooded, hour, 5, 600)])
            (row,) = here.alerts()
            assert (row.item, row.counted) == (flooded, 1200)
            assert stopped(forum, flooded)
    finally:
        reports.close()


def test_a_member_that_pours_out_contributions_is_told_of(forum: Forum) -> None:
    with hub(forum) as here:
        here.guards.floods.contributed(forum.b.pseudonym, 4999)
        here.guards.floods.contributed(forum.a.pseudonym, 4999)
        sent = contribution_service_pb2.Contribution(
            signals=[signal_pb2.Signal(signal_type="sha256", value=value("sha256", 1))],
            labels=["glorification_of_terrorist_acts"],
            attestation=item_pb2.Attestation(basis=item_pb2.ATTESTATION_BASIS_PERSON_LOOKED),
        )
        request = contribution_service_pb2.ContributeRequest(contributions=[sent], validate_only=True)
        here.contribution(forum.a).Contribute(request, None)
        assert not here.alerts()
        request.validate_only = False
        here.contribution(forum.a).Contribute(request, None)
        (row,) = here.alerts()
        assert (row.kind, row.member, row.counted) == (AlertKind.CONTRIBUTIONS, forum.a.pseudonym, 5000)


@pytest.mark.parametrize(
    ("matches", "usual", "flood"), [(999, 0.0, False), (1000, 0.0, True), (1000, 100.0, False), (1001, 100.0, True)]
)
def test_a_flood_is_many_and_many_times_the_usual(matches: int, usual: float, flood: bool) -> None:
    assert is_flood(matches, usual, Policy(flood_matches_per_hour=1000, flood_factor=10)) is flood


def test_a_member_that_asks_too_much_waits_and_others_do_not(forum: Forum) -> None:
    with hub(forum, limits=Limits(member_lookup_values_per_s=10)) as here:
        here.look_up(forum.a, *range(100))
        with pytest.raises(Refusal) as refused:
            here.look_up(forum.a, 1)
        assert refused.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
        assert refused.value.retry_after_s == pytest.approx(0.1)
        here.look_up(forum.b, 1)
        here.clock.ms += 100
        here.look_up(forum.a, 1)
        # A call larger than the bucket is answered once it is full, and paid for afterwards.
        here.clock.ms += 60_000
        here.look_up(forum.a, *range(200))
        with pytest.raises(Refusal) as refused:
            here.look_up(forum.a, 1)
        assert refused.value.retry_after_s == pytest.approx(10.1)


def test_a_leaked_copy_tells_whose_it_was_and_nobody_else_is_named(forum: Forum) -> None:
    reader = forum.admit("reader", [Role.REPLICATE])
    forum.contribute(forum.a, *(offer(signal("sha256", n), signal("pdq", n)) for n in range(4 * ITEMS_PER_DECOY)))
    with hub(forum) as here:
        copies = {}
        for member in (reader, forum.b, forum.a):
            request = contribution_service_pb2.ListItemsRequest(with_signals=True, page_size=1000)
            first, second = (here.contribution(member).ListItems(request, None).items for _ in range(2))
            assert first == second  # the same member is always handed the same
            copies[member.name] = [each.value for item in first for each in item.signals if len(each.value) == 32]
        real = {value("sha256", n) for n in range(4 * ITEMS_PER_DECOY)}
        decoys = {
            name: set(copy) - real - {value("pdq", n) for n in range(4 * ITEMS_PER_DECOY)}
            for name, copy in copies.items()
        }
        assert not decoys["a"]  # it contributed them all
        assert decoys["reader"]
        assert decoys["b"] - decoys["reader"] == decoys["b"]
        set_caller(Caller(forum.steward))
        service = SafeguardService(forum.engine, forum.limits, here.guards)
        trace = safeguard_service_pb2.TraceSignalsRequest(digests=[*copies["reader"], value("sha256", "else")])
        (traced,) = service.TraceSignals(trace, None).members
        assert (traced.member, traced.decoys) == ("reader", len(decoys["reader"]))
        assert [row.kind for row in here.alerts()] == [AlertKind.LEAK]
        clean = safeguard_service_pb2.TraceSignalsRequest(digests=sorted(real))
        assert not service.TraceSignals(clean, None).members
        # Nothing of it is on the list.
        answer = here.look_up(forum.a, "nothing")
        assert not answer.matched


def test_without_decoys_nothing_can_be_traced(forum: Forum) -> None:
    set_caller(Caller(forum.steward))
    service = SafeguardService(forum.engine, forum.limits)
    with pytest.raises(Refusal) as refused:
        service.TraceSignals(safeguard_service_pb2.TraceSignalsRequest(digests=[bytes(32)]), None)
    assert refused.value.reason == reasons.ERROR_REASON_DECOYS_OFF


def test_the_secret_of_the_decoys_is_kept_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "decoy.key"
    made = Decoys.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = Decoys.open(path)
    member = bytes(range(16))
    carried = [decoy for item in range(1000) if (decoy := made.decoy(member, item))]
    others = [again.decoy(member, item) for item in range(1000)]
    assert carried == list(filter(None, others))
    assert {again.whose(decoy) for decoy in carried} == {member}
    assert Decoys(b"\x00" * 32).whose(carried[0]) != member
    assert not re.search(re.escape(member.hex()), b"".join(carried).hex())
