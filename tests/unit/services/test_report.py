"""ReportService on a real list: what is taken, what is told to whom, and what is kept."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import report_service_pb2 as pb
from hashpact_server.config import Limits
from hashpact_server.core import wall_clock_ms
from hashpact_server.database import Database, DatabaseFullError, DatabaseSlowError
from hashpact_server.refusal import Refusal
from hashpact_server.reports import DAY_MS, FILE, HOUR_MS, Report, Reports
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.reading import timestamp
from hashpact_server.services.report import ReportService
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.trouble import Trouble

from tests.forum import Forum, offer, signal

OBSERVED, REMOVED = pb.MATCH_ACTION_OBSERVED, pb.MATCH_ACTION_REMOVED
NOW = wall_clock_ms() // HOUR_MS * HOUR_MS
LIMITS = Limits(reports_max=8, member_reports_max=12)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Reports]:
    reports = Reports(tmp_path / "reports", days=90, member_max=12, bytes_max=1 << 20)
    yield reports
    reports.close()


@pytest.fixture
def service(forum: Forum, kept: Reports) -> ReportService:
    return ReportService(forum.engine, kept, LIMITS)


@pytest.fixture
def items(forum: Forum) -> list[int]:
    return [forum.contribute(forum.a, offer(signal("pdq", seed)))[0].item for seed in range(3)]


def as_(member: MemberRow) -> None:
    set_caller(Caller(member))


def report(item: int, count: int, hour_ms: int = NOW, action: int = OBSERVED) -> pb.MatchReport:
    return pb.MatchReport(item=item, hour=timestamp(hour_ms), action=action, count=count)  # type: ignore[arg-type]


def send(service: ReportService, member: MemberRow, *reports: pb.MatchReport) -> list[tuple[int, int]]:
    as_(member)
    answer = service.ReportMatches(pb.ReportMatchesRequest(reports=reports), None)
    return [(each.report_index, each.reason) for each in answer.problems]


def told(service: ReportService, member: MemberRow, **asked: object) -> dict[int, int]:
    as_(member)
    answer = service.GetMatchStatistics(pb.GetMatchStatisticsRequest(**asked), None)  # type: ignore[arg-type]
    return {each.item: each.matches for each in answer.items}


def refusal(call: object, request: object) -> int:
    with pytest.raises(Refusal) as refused:
        call(request, None)  # type: ignore[operator] # a method of a service
    return refused.value.reason


def test_a_later_report_takes_the_place_of_the_earlier(forum: Forum, service: ReportService, items: list[int]) -> None:
    one, two, _ = items
    assert send(service, forum.a, report(one, 5), report(one, 2, action=REMOVED), report(two, 9)) == []
    assert send(service, forum.a, report(one, 7), report(one, 7)) == []
    assert send(service, forum.b, report(one, 10, NOW - HOUR_MS + 1)) == []
    assert told(service, forum.steward) == {one: 19, two: 9}
    assert list(told(service, forum.steward)) == [one, two]  # the most met first
    assert send(service, forum.a, report(one, 0), report(one, 0, action=REMOVED)) == []
    assert told(service, forum.steward) == {one: 10, two: 9}


def test_what_one_item_is_told_in_full(forum: Forum, service: ReportService, items: list[int]) -> None:
    send(service, forum.a, report(items[0], 5), report(items[0], 2, action=REMOVED), report(items[0], 1, NOW - HOUR_MS))
    send(service, forum.b, report(items[0], 3))
    as_(forum.steward)
    (found,) = service.GetMatchStatistics(pb.GetMatchStatisticsRequest(item=items[0]), None).items
    hours = [(each.hour.ToMilliseconds(), each.action, each.count) for each in found.hours]
    assert hours == [(NOW - HOUR_MS, OBSERVED, 1), (NOW, OBSERVED, 8), (NOW, REMOVED, 2)]
    assert (list(found.members), found.member_count, found.matches) == (["a", "b"], 2, 11)
    as_(forum.steward)
    (found, *_) = service.GetMatchStatistics(pb.GetMatchStatisticsRequest(), None).items
    assert not found.hours
    assert not found.members


def test_a_member_sees_its_own_alone(forum: Forum, service: ReportService, items: list[int]) -> None:
    checks = forum.admit("c", [Role.CHECK])
    send(service, forum.a, report(items[0], 5))
    send(service, checks, report(items[0], 3), report(items[1], 1))
    assert told(service, checks) == {items[0]: 3, items[1]: 1}
    assert told(service, forum.steward) == {items[0]: 8, items[1]: 1}
    assert told(service, forum.admit("d", [Role.AUDIT])) == {items[0]: 8, items[1]: 1}


def test_a_bad_report_fails_alone(forum: Forum, service: ReportService, items: list[int]) -> None:
    bad = [
        report(forum.head() + 1, 1),
        report(2**64 - 1, 1),
        report(1, 1),  # an entry, and no item
        report(items[0], 1, NOW + 2 * HOUR_MS),
        report(items[0], 1, NOW - 91 * DAY_MS),
        pb.MatchReport(item=items[0], hour=Timestamp(nanos=-1), action=OBSERVED, count=1),
        report(items[0], 1, action=0),
    ]
    assert send(service, forum.a, *bad, report(items[0], 4)) == [
        *((place, reasons.ERROR_REASON_ITEM_NOT_FOUND) for place in range(3)),
        *((place, reasons.ERROR_REASON_HOUR_OUT_OF_RANGE) for place in range(3, 6)),
        (6, reasons.ERROR_REASON_ACTION_INVALID),
    ]
    assert told(service, forum.a) == {items[0]: 4}
    unknown = pb.MatchReport.FromString(report(items[0], 1).SerializeToString() + b"\x18\x63")  # action 99
    assert send(service, forum.a, unknown) == [(0, reasons.ERROR_REASON_ACTION_INVALID)]


def test_bounds(forum: Forum, service: ReportService, items: list[int]) -> None:
    as_(forum.a)
    assert refusal(service.ReportMatches, pb.ReportMatchesRequest()) == reasons.ERROR_REASON_FIELD_INVALID
    many = pb.ReportMatchesRequest(reports=[report(items[0], 1)] * 9)
    assert refusal(service.ReportMatches, many) == reasons.ERROR_REASON_LIMIT_EXCEEDED
    hours = [report(items[0], 1, NOW - number * HOUR_MS) for number in range(16)]
    send(service, forum.a, *hours[:8])
    over = pb.ReportMatchesRequest(reports=hours[8:])
    assert refusal(service.ReportMatches, over) == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert told(service, forum.a) == {items[0]: 8}  # nothing of it
    assert send(service, forum.a, *hours[:8]) == []  # no more rows than before
    assert send(service, forum.b, *hours[8:]) == []  # another member's room is its own
    assert told(service, forum.steward, items_max=1) == {items[0]: 16}


def test_times_narrow_what_is_told_and_deleted(forum: Forum, service: ReportService, items: list[int]) -> None:
    for back in range(4):
        send(service, forum.a, report(items[0], 1 << back, NOW - back * HOUR_MS))
    since, until = timestamp(NOW - 2 * HOUR_MS), timestamp(NOW)
    assert told(service, forum.a, start_time=since, end_time=until) == {items[0]: 2 + 4}
    as_(forum.a)
    wrong = pb.GetMatchStatisticsRequest(start_time=until, end_time=since)
    assert refusal(service.GetMatchStatistics, wrong) == reasons.ERROR_REASON_FIELD_INVALID
    wrong = pb.GetMatchStatisticsRequest(start_time=Timestamp(seconds=-1))
    assert refusal(service.GetMatchStatistics, wrong) == reasons.ERROR_REASON_FIELD_INVALID
    assert service.DeleteReports(pb.DeleteReportsRequest(end_time=since), None).deleted == 1
    assert told(service, forum.a) == {items[0]: 1 + 2 + 4}
    as_(forum.b)
    theirs = pb.DeleteReportsRequest(member="a")
    assert refusal(service.DeleteReports, theirs) == reasons.ERROR_REASON_ROLE_MISSING
    assert service.DeleteReports(pb.DeleteReportsRequest(), None).deleted == 0
    as_(forum.steward)
    nobody = pb.DeleteReportsRequest(member="nobody")
    assert refusal(service.DeleteReports, nobody) == reasons.ERROR_REASON_MEMBER_NOT_FOUND
    assert service.DeleteReports(theirs, None).deleted == 3
    assert told(service, forum.steward) == {}


def test_what_is_old_goes(tmp_path: Path) -> None:
    now = [NOW]

    def opened() -> Reports:
        return Reports(tmp_path, days=2, member_max=99, bytes_max=1 << 20, clock_ms=lambda: now[0])

    kept = opened()
    kept.report(b"m", [Report(5, NOW - number * HOUR_MS, 1, 1) for number in range(49)])
    assert kept.figures(items_max=1)[0][0].matches == 49
    now[0] += 24 * HOUR_MS
    assert kept.figures(items_max=1)[0][0].matches == 25  # not told, whether it is gone or not
    kept.close()
    kept = opened()
    assert len(kept) == 25
    kept.close()


def test_the_file_is_its_owners_and_bounded(tmp_path: Path) -> None:
    kept = Reports(tmp_path / "reports", days=90, member_max=10**9, bytes_max=1 << 18)

    def fill() -> None:
        for item in range(1, 1000):
            kept.report(b"m" * 16, [Report(item, NOW - hour * HOUR_MS, 1, 1) for hour in range(200)])

    with pytest.raises(DatabaseFullError):
        fill()
    rows = len(kept)
    assert rows > 0
    assert rows % 200 == 0  # the call that did not fit left nothing
    files = list((tmp_path / "reports").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "reports").stat().st_mode) == 0o700
    with pytest.raises(DatabaseSlowError):
        kept.figures(items_max=1, deadline=0)
    kept.delete(b"m" * 16)
    kept.report(b"m" * 16, [Report(1, NOW, 1, 1)])  # there is room again
    kept.close()


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / FILE, "", version=99).close()
    with pytest.raises(Trouble, match="another version"):
        Reports(tmp_path, days=90, member_max=1, bytes_max=1 << 20)


def test_a_replica_keeps_none(forum: Forum) -> None:
    as_(forum.steward)
    service = ReportService(forum.engine, None, LIMITS)
    nothing = pb.GetMatchStatisticsRequest()
    assert refusal(service.GetMatchStatistics, nothing) == reasons.ERROR_REASON_REPLICA_READ_ONLY
