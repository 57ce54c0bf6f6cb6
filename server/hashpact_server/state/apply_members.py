"""Apply: what entries about a member's record do to the state, and what those on trial did today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import SERVICE, Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING
from hashpact_server.ledger.payloads_members import LeftClear, PendingClear, RecordClear, RecordPayload
from hashpact_server.state.members import DAY_MS, PendingRow, RecordRow, TallyRow, Tier
from hashpact_server.state.rows import MemberRow
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import Due, Table

_TRIAL: Final = bytes((Tier.TRIAL,))


def begin_trial(pseudonym: bytes, scope: Scope) -> None:
    """A member that was admitted online is on trial."""
    scope.rows.put(Table.MEMBER_RECORDS, pseudonym, RecordRow(Tier.TRIAL).encode())


def tally(entry: Entry, scope: Scope) -> None:
    """Count an entry, when whoever made it is on trial. One read for everybody else."""
    if entry.member == SERVICE:
        return
    record = scope.rows.get(Table.MEMBER_RECORDS, entry.member)
    if record is None or record[:1] != _TRIAL:
        return
    day, value = entry.time_ms // DAY_MS, scope.rows.get(Table.TALLIES, entry.member)
    row = TallyRow(day) if value is None else TallyRow.decode(value)
    if row.day != day:
        row = TallyRow(day)
    row = row._replace(
        entries=row.entries + 1,
        contributions=row.contributions + (entry.kind in CONTRIBUTING),
    )
    scope.rows.put(Table.TALLIES, entry.member, row.encode())


def record_redacted(target: Entry, scope: Scope) -> None:
    """Undo what the private part of a MEMBER_AMENDED wrote: the group, where no later entry states it."""
    pseudonym = RecordClear.decode(target.clear).pseudonym
    record, row = _record(scope, pseudonym), _member(target, pseudonym, scope)
    if record.sequence == target.sequence:
        scope.rows.put(Table.MEMBERS, pseudonym, replace(row, group="").encode())
        scope.changes.people = True


def states_group(pseudonym: bytes, scope: Scope) -> bool:
    """Whether a member's group was stated by a later entry than its admission."""
    record = _record(scope, pseudonym)
    return bool(record.sequence or record.left_sequence)


def _member_amended(entry: Entry, scope: Scope) -> None:
    clear = RecordClear.decode(entry.clear)
    try:
        tier = Tier(clear.tier)
    except ValueError as error:
        raise UnknownEntryError(f"entry {entry.sequence} states tier {clear.tier}: upgrade") from error
    row, before = _member(entry, clear.pseudonym, scope), _record(scope, clear.pseudonym)
    if before.tier is Tier.LEFT:
        raise ContradictionError(f"entry {entry.sequence} is about a member that left")
    group = "" if entry.payload is None else RecordPayload.decode(entry.payload).group
    scope.rows.put(Table.MEMBERS, clear.pseudonym, replace(row, roles=clear.roles, group=group).encode())
    record = RecordRow(tier, entry.sequence, clear.four_eyes, clear.next_review_ms)
    scope.rows.put(Table.MEMBER_RECORDS, clear.pseudonym, record.encode())
    if tier is not Tier.TRIAL:
        scope.rows.delete(Table.TALLIES, clear.pseudonym)
    scope.changes.people = True


def _member_left(entry: Entry, scope: Scope) -> None:
    clear = LeftClear.decode(entry.clear)
    row, before = _member(entry, clear.pseudonym, scope), _record(scope, clear.pseudonym)
    if before.tier is Tier.LEFT:
        raise ContradictionError(f"entry {entry.sequence} is about a member that left")
    # Without a group its judgement counts nowhere; suspended, none of its tokens would open anything.
    scope.rows.put(Table.MEMBERS, clear.pseudonym, replace(row, suspended=True, group="").encode())
    record = before._replace(tier=Tier.LEFT, left_sequence=entry.sequence)
    scope.rows.put(Table.MEMBER_RECORDS, clear.pseudonym, record.encode())
    scope.rows.delete(Table.TALLIES, clear.pseudonym)
    for token in clear.tokens:
        scope.rows.delete(Table.TOKENS, u64(token))
    scope.changes.people = True


def _contribution_pending(entry: Entry, scope: Scope) -> None:
    lapse_ms = PendingClear.decode(entry.clear).lapse_ms
    scope.rows.put(Table.PENDING, u64(entry.sequence), PendingRow(entry.sequence, entry.member, lapse_ms).encode())
    scope.set_due(lapse_ms, Due.PENDING, entry.sequence)


def _contribution_decided(entry: Entry, scope: Scope) -> None:
    key = u64(entry.subject)
    value = scope.rows.get(Table.PENDING, key)
    if value is None:
        raise ContradictionError(f"entry {entry.sequence} decides what does not wait")
    scope.clear_due(PendingRow.decode(entry.subject, value).lapse_ms, Due.PENDING, entry.subject)
    scope.rows.delete(Table.PENDING, key)


def _record(scope: Scope, pseudonym: bytes) -> RecordRow:
    value = scope.rows.get(Table.MEMBER_RECORDS, pseudonym)
    return RecordRow() if value is None else RecordRow.decode(value)


def _member(entry: Entry, pseudonym: bytes, scope: Scope) -> MemberRow:
    value = scope.rows.get(Table.MEMBERS, pseudonym)
    if value is None:
        raise ContradictionError(f"entry {entry.sequence} is about a member that does not exist")
    return MemberRow.decode(pseudonym, value)


APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.MEMBER_AMENDED, 1): _member_amended,
    (Kind.MEMBER_LEFT, 1): _member_left,
    (Kind.CONTRIBUTION_PENDING, 1): _contribution_pending,
    (Kind.CONTRIBUTION_DECIDED, 1): _contribution_decided,
}
