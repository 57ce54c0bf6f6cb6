"""What waits for stewards: a line per thing, from what the list says and from who was there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from hashpact.v1 import opinion_service_pb2, safeguard_service_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.presence import Presence
from hashpact_server.rules.motions import name_of
from hashpact_server.rules.rollback import first_since
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.services.items import looked_ms
from hashpact_server.state.alerts import open_alerts
from hashpact_server.state.incidents import live_incidents, words_of
from hashpact_server.state.judgement import challenges, disputes, limited
from hashpact_server.state.judgement_rows import ChallengeOutcome, DisputeOutcome
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.motions import MotionState, motions
from hashpact_server.state.rollbacks import running
from hashpact_server.state.rows import MemberRow
from hashpact_server.state.view import View

DAY_MS: Final = 86_400_000
BEHIND_ENTRIES_MAX: Final = 1024
"""Entries that a replica may be behind without being called late: what is sent at once."""

BEHIND_MS_MAX: Final = 10_000
"""Time for which a replica may take nothing while there is something."""

REVIEW_S_MAX: Final = 1.0
"""Time for which items are looked through for overdue reviews."""


class Waiting(NamedTuple):
    """One thing that waits; as ``Concern`` on the wire, times in Unix ms, 0: none."""

    kind: pb.ConcernKind.ValueType
    subject: int
    member: str
    since_ms: int
    due_ms: int
    detail: str


class Desk:
    """What waits, as of one view.

    Args:
        view: the list.
        presence: who was there.
        now_ms: Unix time in ms.
    """

    def __init__(self, view: View, presence: Presence, now_ms: int) -> None:
        self._view = view
        self._presence = presence
        self._now_ms = now_ms

    def waiting(self) -> Iterator[Waiting]:
        """Everything, by kind."""
        parts: tuple[Callable[[], Iterable[Waiting]], ...] = (
            self._alerts,
            self._incidents,
            self._rollbacks,
            self._motions,
            self._disputes,
            self._challenges,
            self._limits,
            self._replicas,
            self._members,
            self._reviews,
        )
        for part in parts:
            yield from part()

    def _alerts(self) -> Iterator[Waiting]:
        for row in open_alerts(self._view):
            about = [safeguard_service_pb2.AlertKind.Name(_alert(row.kind)).removeprefix("ALERT_KIND_").lower()]
            about += [f"item {row.item}"] if row.item else []
            about += [f"{row.counted} counted"] if row.counted else []
            since = self._time(row.sequence)
            yield Waiting(pb.CONCERN_KIND_ALERT, row.sequence, self._name(row.member), since, 0, ", ".join(about))

    def _incidents(self) -> Iterator[Waiting]:
        for row in live_incidents(self._view):
            drill = "drill " if row.drill else ""
            state = "open" if row.is_open else "called for"
            detail = f"{drill}{words_of(self._view, row.incident).name or 'redacted'} {state}"
            who = self._name(row.pseudonym)
            yield Waiting(pb.CONCERN_KIND_INCIDENT, row.incident, who, row.create_ms, row.end_ms, detail)

    def _rollbacks(self) -> Iterator[Waiting]:
        for row in running(self._view.rows):
            who, since = self._name(row.pseudonym), self._time(row.rollback)
            yield Waiting(pb.CONCERN_KIND_ROLLBACK, row.rollback, who, since, 0, f"{row.undone} entries undone so far")

    def _motions(self) -> Iterator[Waiting]:
        for row in motions(self._view):
            if row.state is MotionState.OPEN:
                who, since = self._name(row.proposer), self._time(row.motion)
                yield Waiting(
                    pb.CONCERN_KIND_MOTION, row.motion, who, since, row.lapse_ms, name_of(row.act).replace("_", "-")
                )

    def _disputes(self) -> Iterator[Waiting]:
        for row in disputes(self._view):
            if row.outcome is DisputeOutcome.OPEN:
                grounds = opinion_service_pb2.DisputeGrounds.Name(
                    opinion_service_pb2.DisputeGrounds.ValueType(row.grounds)
                )
                detail = f"item {row.item}: {grounds.removeprefix('DISPUTE_GROUNDS_').lower()}"
                who, since = self._name(row.opener), self._time(row.dispute)
                yield Waiting(pb.CONCERN_KIND_DISPUTE, row.dispute, who, since, row.due_ms, detail)

    def _challenges(self) -> Iterator[Waiting]:
        for row in challenges(self._view):
            if row.outcome is ChallengeOutcome.OPEN:
                since = self._time(row.challenge)
                yield Waiting(pb.CONCERN_KIND_CHALLENGE, row.challenge, "", since, row.due_ms, f"item {row.item}")

    def _limits(self) -> Iterator[Waiting]:
        for row in limited(self._view):
            item = self._view.item(row.item)
            if item is not None and item.status.matches:
                entry = self._view.entry(row.limited_by)
                who, cause = self._name(entry.member), row.limit.name.lower()
                yield Waiting(pb.CONCERN_KIND_LIMITED, row.item, who, entry.time_ms, 0, f"for review only: {cause}")

    def _replicas(self) -> Iterator[Waiting]:
        head = self._view.head.sequence + 1
        kind = pb.CONCERN_KIND_LAGGING_REPLICA
        for each in self._presence.watchers():
            behind = head - each.next
            stuck = behind > 0 and self._now_ms - each.moved_ms > BEHIND_MS_MAX
            if behind > BEHIND_ENTRIES_MAX or stuck:
                yield Waiting(kind, 0, each.member, each.moved_ms, 0, f"{behind} entries behind")
        for each in self._presence.left().values():
            detail = f"does not follow any more; it was at entry {each.next}"
            yield Waiting(kind, 0, each.member, each.gone_ms, 0, detail)

    def _members(self) -> Iterator[Waiting]:
        silent_ms = policy_of(self._view).silent_days * DAY_MS
        for row in self._view.every_member():
            record = record_of(self._view, row.pseudonym)
            if row.suspended or record.tier is Tier.LEFT:
                continue
            if record.tier is Tier.TRIAL:
                since = self._time(row.created_sequence)
                yield Waiting(pb.CONCERN_KIND_TRIAL_MEMBER, 0, row.name, since, 0, "on trial, not confirmed")
            if 0 < record.next_review_ms <= self._now_ms:
                due = record.next_review_ms
                yield Waiting(pb.CONCERN_KIND_MEMBER_REVIEW, 0, row.name, due, 0, "its record is due for review")
            yield from self._silent(row, silent_ms)

    def _silent(self, row: MemberRow, silent_ms: int) -> Iterator[Waiting]:
        seen_ms = self._presence.last_seen_ms(row.name)
        since_ms = seen_ms or max(self._presence.since_ms, self._time(row.created_sequence))
        if self._now_ms - since_ms >= silent_ms:
            detail = "no call since then" if seen_ms else "no call since the server started"
            yield Waiting(pb.CONCERN_KIND_SILENT_MEMBER, 0, row.name, since_ms, 0, detail)

    def _reviews(self) -> Iterator[Waiting]:
        """Items whose newest human look is too old. Only what is old itself is looked at, for a bounded time."""
        allowed_ms = policy_of(self._view).review_days * DAY_MS
        end = first_since(self._view, max(0, self._now_ms - allowed_ms))
        until = time.monotonic() + REVIEW_S_MAX
        after = 0
        while after < end and time.monotonic() < until:
            rows = self._view.items(after=after, limit=100)
            if not rows:
                return
            for row in rows:
                after = row.item
                if row.item >= end:
                    return
                looked = max((looked_ms(self._view, each) for each in self._view.contributions(row.item)), default=0)
                if row.status.matches and looked and looked + allowed_ms <= self._now_ms:
                    due = looked + allowed_ms
                    yield Waiting(pb.CONCERN_KIND_REVIEW, row.item, "", due, 0, "nobody looked again since")

    def _time(self, sequence: int) -> int:
        return self._view.entry(sequence).time_ms

    def _name(self, pseudonym: bytes) -> str:
        row = self._view.member(pseudonym)
        return "" if row is None else row.name


def _alert(number: int) -> safeguard_service_pb2.AlertKind.ValueType:
    return safeguard_service_pb2.AlertKind.ValueType(number)
