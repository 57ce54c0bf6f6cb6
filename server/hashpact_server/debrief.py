"""The debrief of an incident: what the ledger tells of it, and what members reported.

::

    incident_items --entries--> hours, members ----+
    incident_acks ----------------> percentiles ---+--> Debrief
    reports (hub alone) --> first match, by member +
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.ledger.payloads_incidents import DrillClear, Receiver
from hashpact_server.refusal import Refusal
from hashpact_server.reports import HOUR_MS, Reports
from hashpact_server.state.incidents import IncidentRow, acknowledgements, contributions_under
from hashpact_server.state.rows import Status
from hashpact_server.state.view import View

_CHECK_EVERY: Final = 1024
"""Entries after which the deadline is looked at."""


@dataclass(slots=True)
class Part:
    """What was contributed in an hour, or by a member."""

    contributions: int = 0
    signals: int = 0
    items: int = 0
    first_ms: int = 0
    match_hour_ms: int = 0
    matches: int = 0
    software_ms: int = 0
    person_ms: int = 0


@dataclass(slots=True)
class Debrief:
    """How an incident went. Times in Unix ms; 0: it did not happen.

    Attributes:
        items: what is under it.
        created: of these, what was created under it: item -> where it stands.
        hours: by the time at which the hour began.
        members: by pseudonym.
        software_ms: time until each member's software acknowledged.
        person_ms: time until a person at each member acknowledged.
        with_matches: whether reports were there to be asked.
    """

    items: set[int] = field(default_factory=set)
    created: dict[int, Status] = field(default_factory=dict)
    hours: dict[int, Part] = field(default_factory=dict)
    members: dict[bytes, Part] = field(default_factory=dict)
    software_ms: list[int] = field(default_factory=list)
    person_ms: list[int] = field(default_factory=list)
    with_matches: bool = False

    def hide_matches(self, but_of: bytes) -> None:
        """Leave out what members reported, but of one: of others it is told to stewards and auditors."""
        for pseudonym, part in self.members.items():
            if pseudonym != but_of:
                part.match_hour_ms = part.matches = 0


def debrief(view: View, row: IncidentRow, reports: Reports | None, deadline: float) -> Debrief:
    """How an incident went.

    Args:
        view: the list.
        row: the incident.
        reports: what members reported; None: this server keeps none.
        deadline: ``time.monotonic()`` after which it is given up.

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    told = Debrief()
    for number, (sequence, item) in enumerate(contributions_under(view, row.incident)):
        if number % _CHECK_EVERY == 0 and time.monotonic() > deadline:
            raise too_slow()
        entry = view.entry(sequence)
        if item:
            told.items.add(item)
        if item == sequence and (standing := view.item(item)) is not None:
            told.created[item] = standing.status
        _count(told, entry)
    _acknowledged(view, row, told)
    if reports is not None:
        told.with_matches = True
        for member, hour_ms, matches in reports.first_matches(told.items, row.create_ms, deadline):
            part = told.members.setdefault(member, Part())
            part.match_hour_ms, part.matches = hour_ms, matches
    return told


def too_slow() -> Refusal:
    """The refusal where the caller's time does not suffice."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the debrief is long: ask again with a longer timeout"
    )


def percentile(values: Iterable[int], share: int) -> int:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * share / 100) - 1] if ordered else 0


def _count(told: Debrief, entry: Entry) -> None:
    contributions, signals, items = _figures(entry)
    hour = told.hours.setdefault(entry.time_ms // HOUR_MS * HOUR_MS, Part())
    member = told.members.setdefault(entry.member, Part())
    for part in (hour, member):
        part.contributions += contributions
        part.signals += signals
        part.items += items
        part.first_ms = part.first_ms or entry.time_ms


def _figures(entry: Entry) -> tuple[int, int, int]:
    """Contributions, signals that were added, and items that were created by an entry."""
    if entry.kind == Kind.DRILL_CONTRIBUTED:
        rehearsed = DrillClear.decode(entry.clear)
        return sum(rehearsed.results), rehearsed.signals, rehearsed.results[0]
    added = 0
    if entry.payload is not None:
        added = sum(not signal.confirms for signal in ContributionPayload.decode(entry.payload).signals)
    return 1, added, int(entry.kind == Kind.ITEM_CREATED)


def _acknowledged(view: View, row: IncidentRow, told: Debrief) -> None:
    began_ms = row.open_ms or row.create_ms
    for each in acknowledgements(view, row.incident, Receiver.SOFTWARE):
        told.members.setdefault(each.pseudonym, Part()).software_ms = each.time_ms
        told.software_ms.append(max(0, each.time_ms - began_ms))
    for each in acknowledgements(view, row.incident, Receiver.PERSON):
        told.members.setdefault(each.pseudonym, Part()).person_ms = each.time_ms
        told.person_ms.append(max(0, each.time_ms - began_ms))
