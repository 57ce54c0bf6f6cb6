"""Counts of matches and contributions in an hour, in memory, and what is done about those that leave their course.

Matches come from look-ups at the hub, counted here, and from what members report of their replicas. An hour is
compared with the hours before it, at most a day of them. After a start nothing is known of the hours before: until the
first one is over, look-ups that match items older than the start raise no alarm; reports are kept on disk, and do.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from hashpact_server.ledger.entry import SERVICE
from hashpact_server.reports import HOUR_MS, Reports
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.duties import Duty
from hashpact_server.rules.floods import is_flood, is_outpouring
from hashpact_server.rules.limits import limit
from hashpact_server.rules.policy import Policy
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.incidents import open_by_label
from hashpact_server.state.judgement_rows import LimitCause
from hashpact_server.state.view import View

HOURS_KEPT: Final = 24
SPAN_MS: Final = 10 * 60_000
"""Counts are kept by so much time, so that an hour ends now, and not when the clock strikes."""

SPANS_PER_HOUR: Final = HOUR_MS // SPAN_MS
ITEMS_MAX: Final = 100_000
"""Items that are counted in one span; of more, those that are met later are not."""

JUDGED_EVERY_MS: Final = 10_000
PIECE_MAX: Final = 64
"""Alarms that are recorded in one act."""

REPORTED_MAX: Final = 1000
"""Items with the most reported matches of an hour, which are looked at."""


SOLE_ITEMS_MAX: Final = 100
"""Items limited in a day for matches that are all of one member: so that none can stop ``act`` on the whole list by
asking for what is listed again and again, or by reporting that it did. Stewards are told of the member instead."""


Counted = TypeVar("Counted", int, bytes)


@dataclass(slots=True)
class _Span:
    """What was counted in one span of time."""

    number: int
    matches: dict[int, int] = field(default_factory=dict)
    members: dict[int, set[bytes]] = field(default_factory=dict)
    contributions: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What left its course: an item that matches, or a member that contributes.

    ``sole``: the member that all matches are of, zero bytes where it is not known which one; None: they are of several.
    """

    kind: AlertKind
    item: int = 0
    member: bytes = SERVICE
    count: int = 0
    members: int = 0
    sole: bytes | None = None

    @property
    def about(self) -> tuple[AlertKind, int, bytes]:
        """What it is about: there is one alarm about it in a day."""
        return self.kind, self.item, self.member


class FloodWatch:
    """Counts, and tells what leaves its course.

    Args:
        reports: what members report; None: nothing.
        first_new_item: items from this one on are younger than this process: all that they matched is known.
        clock_ms: Unix time in ms.
    """

    def __init__(
        self,
        reports: Reports | None,
        first_new_item: int,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._reports = reports
        self._first_new_item = first_new_item
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._now = _Span(clock_ms() // SPAN_MS)
        self._before: deque[_Span] = deque(maxlen=HOURS_KEPT * SPANS_PER_HOUR)
        self._judge_at_ms = 0
        self._waiting: list[Alarm] = []
        self._told: dict[tuple[AlertKind, int, bytes], int] = {}
        self._sole_day = 0
        self._sole: Counter[bytes] = Counter()

    @property
    def duty(self) -> Duty:
        """What the clockwork has to do."""
        return Duty(self._wanted, self._carry_out)

    def matched(self, member: bytes, items: Iterable[int]) -> None:
        """Count matches of a member's look-up."""
        with self._lock:
            now = self._span()
            for item in items:
                if item not in now.matches and len(now.matches) >= ITEMS_MAX:
                    continue
                now.matches[item] = now.matches.get(item, 0) + 1
                now.members.setdefault(item, set()).add(member)

    def contributed(self, member: bytes, count: int) -> None:
        """Count what a member contributed."""
        with self._lock:
            now = self._span()
            now.contributions[member] = now.contributions.get(member, 0) + count

    def _span(self) -> _Span:
        number = self._clock_ms() // SPAN_MS
        if number != self._now.number:
            self._before.append(self._now)
            self._now = _Span(number)
        return self._now

    # Judging, in the clockwork's thread.

    def _wanted(self, view: View, _now_ms: int) -> bool:
        now_ms = self._clock_ms()
        if now_ms >= self._judge_at_ms:
            self._judge_at_ms = now_ms + JUDGED_EVERY_MS
            self._waiting += [alarm for alarm in self._judged(policy_of(view)) if self._news(alarm, now_ms)]
        return bool(self._waiting)

    def _news(self, alarm: Alarm, now_ms: int) -> bool:
        """Whether nothing was told about the same in a day."""
        day_ms = HOURS_KEPT * HOUR_MS
        self._told = {about: at_ms for about, at_ms in self._told.items() if now_ms - at_ms < day_ms}
        if alarm.about in self._told:
            return False
        self._told[alarm.about] = now_ms
        return True

    def _judged(self, policy: Policy) -> list[Alarm]:
        with self._lock:  # short: look-ups wait for it
            now = self._span()
            newest = _Span(now.number, dict(now.matches), dict(now.members), dict(now.contributions))
            spans = [span for span in self._before if span.number > now.number - HOURS_KEPT * SPANS_PER_HOUR]
        first = newest.number - SPANS_PER_HOUR + 1
        hour = [*(span for span in spans if span.number >= first), newest]
        before = [span for span in spans if span.number < first]
        hours = max(1.0, (first - before[0].number) / SPANS_PER_HOUR if before else 0.0)
        found = []
        for item, count in _sums(span.matches for span in hour).items():
            known = bool(before) or item >= self._first_new_item
            if count < policy.flood_matches_per_hour or not known:
                continue
            if is_flood(count, sum(span.matches.get(item, 0) for span in before) / hours, policy):
                members = set[bytes]().union(*(span.members.get(item, ()) for span in hour))
                sole = next(iter(members)) if len(members) == 1 else None
                found.append(Alarm(AlertKind.FLOOD, item, count=count, members=len(members), sole=sole))
        for member, count in _sums(span.contributions for span in hour).items():
            if is_outpouring(count, sum(span.contributions.get(member, 0) for span in before) / hours, policy):
                found.append(Alarm(AlertKind.CONTRIBUTIONS, member=member, count=count))
        return found + self._reported(policy)

    def _reported(self, policy: Policy) -> list[Alarm]:
        """Floods among what members report of this hour and the one before, which fills while they report it."""
        if self._reports is None:
            return []
        found = []
        hour = self._clock_ms() // HOUR_MS
        for hour_ms in ((hour - 1) * HOUR_MS, hour * HOUR_MS):
            seen, _ = self._reports.figures(start_ms=hour_ms, end_ms=hour_ms + HOUR_MS, items_max=REPORTED_MAX)
            for each in seen:
                if each.matches < policy.flood_matches_per_hour:
                    break  # those met most often come first
                start_ms = hour_ms - HOURS_KEPT * HOUR_MS
                day, _ = self._reports.figures(item=each.item, start_ms=start_ms, end_ms=hour_ms, items_max=1)
                usual = day[0].matches / HOURS_KEPT if day else 0.0
                if is_flood(each.matches, usual, policy):
                    sole = SERVICE if each.member_count == 1 else None
                    found.append(
                        Alarm(AlertKind.FLOOD, each.item, count=each.matches, members=each.member_count, sole=sole)
                    )
        return found

    def _carry_out(self, scene: Scene) -> bool:
        piece, left = self._waiting[:PIECE_MAX], self._waiting[PIECE_MAX:]
        for alarm in piece:
            _record(scene, self._as_told(alarm))
        self._waiting = left
        return bool(left)

    def _as_told(self, alarm: Alarm) -> Alarm:
        """The alarm; or one about the member that all these matches are of, when they are of too many items."""
        if alarm.sole is None:
            return alarm
        day = self._clock_ms() // (HOURS_KEPT * HOUR_MS)
        if day != self._sole_day:
            self._sole_day = day
            self._sole.clear()
        self._sole[alarm.sole] += 1
        if self._sole[alarm.sole] <= SOLE_ITEMS_MAX:
            return alarm
        return Alarm(AlertKind.FLOOD, member=alarm.sole, count=self._sole[alarm.sole])


def _record(scene: Scene, alarm: Alarm) -> None:
    """Tell the stewards, and limit the item to review, unless an open incident explains what it matches."""
    if alarm.kind is AlertKind.CONTRIBUTIONS:
        note = "contributions in an hour; look at some, and roll the member back where they are not what they should be"
    elif not alarm.item:
        note = f"items that one member alone meets too often today; no more than {SOLE_ITEMS_MAX} were limited for it"
    else:
        row = scene.item(alarm.item)
        if row is None or not row.status.matches:
            return
        of = "one member" if alarm.members == 1 else f"{alarm.members} members"
        if open_by_label(scene, scene.labels(alarm.item)):
            note = f"matches in an hour, of {of}; it belongs to an open incident, and was left as it is"
        else:
            note = f"matches in an hour, of {of}; review only until two stewards lift that"
            limit(scene, SERVICE, alarm.item, LimitCause.FLOOD)
    raise_alert(scene, alarm.kind, item=alarm.item, member=alarm.member, count=alarm.count, note=note)


def _sums(counts: Iterable[Mapping[Counted, int]]) -> dict[Counted, int]:
    found: dict[Counted, int] = {}
    for each in counts:
        for what, count in each.items():
            found[what] = found.get(what, 0) + count
    return found
