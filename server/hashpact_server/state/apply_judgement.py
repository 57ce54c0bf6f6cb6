"""What entries about judgement do to the state. All of it stands in their clear parts: redaction changes no row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import Reader, u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads_judgement import (
    AnswerClear,
    ChallengeClear,
    DisputeClear,
    LapseClear,
    LimitClear,
    OpinionClear,
    VoteClear,
)
from hashpact_server.state.effects import (
    end_dispute,
    require_open_item,
    set_status,
    stated_status,
    status_numbered,
    unlist_item,
)
from hashpact_server.state.judgement_rows import (
    ChallengeOutcome,
    ChallengeRow,
    ConditionRow,
    DisputeOutcome,
    DisputeRow,
    ExpiryCause,
    LimitCause,
    OpinionCode,
    OpinionRow,
    Verdict,
    VoteRow,
    judgement_key,
    member_of,
)
from hashpact_server.state.rollbacks import remember_opinion
from hashpact_server.state.rows import Status
from hashpact_server.state.scope import ContradictionError, Scope
from hashpact_server.state.tables import Due, Table
from hashpact_server.state.tallies import Tally, count


def condition_of(scope: Scope, item: int) -> ConditionRow:
    """What holds for an item so far."""
    value = scope.rows.get(Table.CONDITIONS, u64(item))
    return ConditionRow(item) if value is None else ConditionRow.decode(item, value)


def put_opinion(scope: Scope, row: OpinionRow) -> None:
    """Write a member's opinion on an item. Whoever judged it once has done so for ever."""
    key = judgement_key(row.item, row.pseudonym)
    value = scope.rows.get(Table.OPINIONS, key)
    if value is not None and OpinionRow.decode(row.item, row.pseudonym, value).judged:
        row = row._replace(judged=True)
    scope.rows.put(Table.OPINIONS, key, row.encode())
    remember_opinion(scope, row.sequence, value)
    _keep(scope, condition_of(scope, row.item))


def opinion_stated(entry: Entry) -> OpinionRow:
    """The row that an entry OPINION_GIVEN states; raises LayoutError."""
    clear = OpinionClear.decode(entry.clear)
    code = member_of(OpinionCode, clear.code)
    judged = code is not OpinionCode.SEEN_HERE_TOO
    return OpinionRow(entry.subject, entry.member, entry.sequence, code, clear.basis, standing=True, judged=judged)


def _keep(scope: Scope, row: ConditionRow) -> None:
    scope.rows.put(Table.CONDITIONS, u64(row.item), row.encode())


def _opinion_given(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    row = opinion_stated(entry)
    put_opinion(scope, row)
    if row.code.against:
        count(scope, Tally.OBJECTIONS, entry)
    set_status(scope, entry.subject, stated_status(entry), entry.sequence)


def _opinion_revoked(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    key = judgement_key(entry.subject, entry.member)
    value = scope.rows.get(Table.OPINIONS, key)
    if value is None:
        raise ContradictionError(f"entry {entry.sequence} revokes an opinion that was never given")
    row = OpinionRow.decode(entry.subject, entry.member, value)
    scope.rows.put(Table.OPINIONS, key, row._replace(sequence=entry.sequence, standing=False).encode())
    remember_opinion(scope, entry.sequence, value)
    set_status(scope, entry.subject, stated_status(entry), entry.sequence)


def _item_limited(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    clear = LimitClear.decode(entry.clear)
    cause = member_of(LimitCause, clear.cause)
    _keep(scope, condition_of(scope, entry.subject)._replace(limit=cause, limited_by=entry.sequence))
    set_status(scope, entry.subject, status_numbered(clear.status, entry), entry.sequence)


def _item_limit_lifted(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    _keep(scope, condition_of(scope, entry.subject)._replace(limit=LimitCause.NONE, limited_by=0))
    set_status(scope, entry.subject, stated_status(entry), entry.sequence)


def _dispute_opened(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    clear = DisputeClear.decode(entry.clear)
    now = condition_of(scope, entry.subject)
    if now.dispute:
        raise ContradictionError(f"entry {entry.sequence} opens a second dispute about an item")
    row = DisputeRow(entry.sequence, entry.subject, entry.member, clear.grounds, clear.due_ms, clear.challenge)
    scope.rows.put(Table.DISPUTES, u64(entry.sequence), row.encode())
    scope.set_due(clear.due_ms, Due.DISPUTE, entry.sequence)
    count(scope, Tally.DISPUTES, entry)
    _keep(scope, now._replace(dispute=entry.sequence))
    set_status(scope, entry.subject, status_numbered(clear.status, entry), entry.sequence)


def _dispute_voted(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    clear = VoteClear.decode(entry.clear)
    outcome = member_of(DisputeOutcome, clear.outcome)
    now = condition_of(scope, entry.subject)
    if not clear.dispute or now.dispute != clear.dispute:
        raise ContradictionError(f"entry {entry.sequence} votes on a dispute that is not open")
    row = VoteRow(clear.dispute, entry.member, entry.sequence, member_of(Verdict, clear.verdict))
    scope.rows.put(Table.DISPUTE_VOTES, judgement_key(clear.dispute, entry.member), row.encode())
    if outcome is not DisputeOutcome.OPEN:
        end_dispute(scope, clear.dispute, outcome, entry.sequence)
        now = now._replace(dispute=0)
        if outcome in (DisputeOutcome.KEPT, DisputeOutcome.RELABELLED):
            now = now._replace(resolved_to=entry.sequence)
        if outcome is DisputeOutcome.RELABELLED:
            now = now._replace(relabelled_by=entry.sequence)
        _keep(scope, now)
    _set(scope, entry, status_numbered(clear.status, entry))


def _dispute_lapsed(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    clear = LapseClear.decode(entry.clear)
    end_dispute(scope, clear.dispute, DisputeOutcome.LAPSED, entry.sequence)
    _keep(scope, condition_of(scope, entry.subject)._replace(dispute=0, void_to=entry.sequence))
    set_status(scope, entry.subject, status_numbered(clear.status, entry), entry.sequence)


def _item_expired(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    reader = Reader(entry.clear)
    member_of(ExpiryCause, reader.u8())
    reader.end()
    _set(scope, entry, Status.EXPIRED)


def _set(scope: Scope, entry: Entry, status: Status) -> None:
    set_status(scope, entry.subject, status, entry.sequence)
    if not status.matches:
        unlist_item(entry.subject, scope)


def _challenge_lodged(entry: Entry, scope: Scope) -> None:
    clear = ChallengeClear.decode(entry.clear)
    row = ChallengeRow(entry.sequence, clear.item, entry.member, clear.grounds, clear.due_ms)
    scope.rows.put(Table.CHALLENGES, u64(entry.sequence), row.encode())
    scope.set_due(clear.due_ms, Due.CHALLENGE, entry.sequence)
    count(scope, Tally.CHALLENGES, entry)


def _challenge_answered(entry: Entry, scope: Scope) -> None:
    clear = AnswerClear.decode(entry.clear)
    row = _open_challenge(entry, scope)
    outcome = member_of(ChallengeOutcome, clear.outcome)
    if outcome is not ChallengeOutcome.OPEN:
        _end_challenge(scope, row._replace(outcome=outcome, closed_by=entry.sequence))


def _challenge_lapsed(entry: Entry, scope: Scope) -> None:
    reader = Reader(entry.clear)
    dispute = reader.u64()
    reader.end()
    row = _open_challenge(entry, scope)
    # Without a dispute there was nothing left to dispute: the item is off the list, as the person asked.
    outcome = ChallengeOutcome.LAPSED if dispute else ChallengeOutcome.WITHDRAWN
    _end_challenge(scope, row._replace(outcome=outcome, closed_by=entry.sequence, dispute=dispute))


def _open_challenge(entry: Entry, scope: Scope) -> ChallengeRow:
    value = scope.rows.get(Table.CHALLENGES, u64(entry.subject))
    row = None if value is None else ChallengeRow.decode(entry.subject, value)
    if row is None or row.outcome is not ChallengeOutcome.OPEN:
        raise ContradictionError(f"entry {entry.sequence} is about a challenge that does not exist or is closed")
    return row


def _end_challenge(scope: Scope, row: ChallengeRow) -> None:
    scope.clear_due(row.due_ms, Due.CHALLENGE, row.challenge)
    scope.rows.put(Table.CHALLENGES, u64(row.challenge), row.encode())


APPLY_JUDGEMENT: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.OPINION_GIVEN, 1): _opinion_given,
    (Kind.OPINION_REVOKED, 1): _opinion_revoked,
    (Kind.ITEM_LIMITED, 1): _item_limited,
    (Kind.ITEM_LIMIT_LIFTED, 1): _item_limit_lifted,
    (Kind.DISPUTE_OPENED, 1): _dispute_opened,
    (Kind.DISPUTE_VOTED, 1): _dispute_voted,
    (Kind.DISPUTE_LAPSED, 1): _dispute_lapsed,
    (Kind.ITEM_EXPIRED, 1): _item_expired,
    (Kind.CHALLENGE_LODGED, 1): _challenge_lodged,
    (Kind.CHALLENGE_ANSWERED, 1): _challenge_answered,
    (Kind.CHALLENGE_LAPSED, 1): _challenge_lapsed,
}
"""{kind, format} -> function, of the kinds about judgement."""
