"""What a rollback does to the state: each entry of the member is undone by itself, the newest first.

So each time there is one act to take back, and what stood before it stands again: the member's word on the item as the
entry ``restored`` states it, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, RolledBackClear, Undone
from hashpact_server.ledger.payloads_judgement import VoteClear
from hashpact_server.ledger.payloads_steward import FinishedClear, RollbackClear
from hashpact_server.state.apply_judgement import condition_of
from hashpact_server.state.effects import end_dispute, set_status, status_numbered, unlist_entry, unlist_item
from hashpact_server.state.judgement_rows import DisputeOutcome, OpinionRow, VoteRow, judgement_key
from hashpact_server.state.rollbacks import (
    RollbackRow,
    contribution_stated,
    opinion_before,
    rollback,
    rollback_key,
    running_key,
    undone_key,
    undone_value,
)
from hashpact_server.state.rows import ContributionRow, ItemRow
from hashpact_server.state.scope import ContradictionError, Scope
from hashpact_server.state.tables import Table, contribution_key


def _ordered(entry: Entry, scope: Scope) -> None:
    clear = RollbackClear.decode(entry.clear)
    row = RollbackRow(entry.sequence, clear.pseudonym, entry.member, clear.since_ms, clear.first, entry.sequence)
    _keep(scope, row)
    scope.rows.put(Table.ROLLBACKS, running_key(entry.sequence), b"")


def _rolled_back(entry: Entry, scope: Scope) -> None:
    row = _running(entry, scope)
    undone = RolledBackClear.decode(entry.clear).undone
    for each in undone:
        _undo(each, entry, scope)
    lowest = min((each.sequence for each in undone), default=row.upper)
    _keep(scope, row._replace(upper=min(row.upper, lowest), undone=row.undone + len(undone)))


def _undo(undone: Undone, entry: Entry, scope: Scope) -> None:
    target = scope.ledger.entry(undone.sequence)
    if target.subject != undone.item:
        raise ContradictionError(f"entry {entry.sequence} undoes entry {undone.sequence} on another item")
    if target.kind in CONTRIBUTING:
        unlist_entry(target, scope, keep=undone.kept)
        _undo_word(target, undone.restored, scope)
    elif target.kind == Kind.CONTRIBUTION_WITHDRAWN:
        _undo_word(target, undone.restored, scope)
    elif target.kind in (Kind.OPINION_GIVEN, Kind.OPINION_REVOKED):
        _undo_opinion(target, scope)
    elif target.kind == Kind.DISPUTE_OPENED:
        _undo_dispute(target, entry, scope)
    elif target.kind == Kind.DISPUTE_VOTED:
        _undo_vote(target, scope)
    else:
        raise ContradictionError(f"entry {entry.sequence} undoes entry {undone.sequence}, which is of another kind")
    _stand(undone, entry, scope)
    scope.rows.put(Table.ROLLBACKS, undone_key(undone.item, undone.sequence), undone_value(entry.subject, undone.kept))


def _undo_word(target: Entry, restored: int, scope: Scope) -> None:
    """The member's word is what it was before; what it said later still, if anything, is left alone."""
    key = contribution_key(target.subject, target.member)
    value = scope.rows.get(Table.CONTRIBUTIONS, key)
    stands = None if value is None else ContributionRow.decode(target.subject, target.member, value).sequence
    if stands != (target.sequence if target.kind in CONTRIBUTING else None):
        return
    if restored:
        scope.rows.put(Table.CONTRIBUTIONS, key, contribution_stated(scope.ledger.entry(restored)).encode())
    elif stands is not None:
        scope.rows.delete(Table.CONTRIBUTIONS, key)


def _undo_opinion(target: Entry, scope: Scope) -> None:
    key = judgement_key(target.subject, target.member)
    value = scope.rows.get(Table.OPINIONS, key)
    if value is None or OpinionRow.decode(target.subject, target.member, value).sequence != target.sequence:
        return
    before = opinion_before(scope.rows, target)
    if before is None:
        scope.rows.delete(Table.OPINIONS, key)
    else:
        scope.rows.put(Table.OPINIONS, key, before.encode())


def _undo_dispute(target: Entry, entry: Entry, scope: Scope) -> None:
    """One that was decided stays so: what became of it is others' judgement."""
    now = condition_of(scope, target.subject)
    if now.dispute == target.sequence:
        end_dispute(scope, target.sequence, DisputeOutcome.UNDONE, entry.sequence)
        scope.rows.put(Table.CONDITIONS, u64(target.subject), now._replace(dispute=0).encode())


def _undo_vote(target: Entry, scope: Scope) -> None:
    dispute = VoteClear.decode(target.clear).dispute
    key = judgement_key(dispute, target.member)
    value = scope.rows.get(Table.DISPUTE_VOTES, key)
    if value is None or VoteRow.decode(dispute, target.member, value).sequence != target.sequence:
        return
    if condition_of(scope, target.subject).dispute == dispute:
        scope.rows.delete(Table.DISPUTE_VOTES, key)


def _stand(undone: Undone, entry: Entry, scope: Scope) -> None:
    """Where the item stands now. One that was closed stays so."""
    value = scope.rows.get(Table.ITEMS, u64(undone.item))
    if value is None or not ItemRow.decode(undone.item, value).status.matches:
        return
    status = status_numbered(undone.status, entry)
    set_status(scope, undone.item, status, entry.sequence)
    if not status.matches:
        unlist_item(undone.item, scope)


def _finished(entry: Entry, scope: Scope) -> None:
    row = _running(entry, scope)
    FinishedClear.decode(entry.clear)
    _keep(scope, row._replace(finished=entry.sequence))
    scope.rows.delete(Table.ROLLBACKS, running_key(row.rollback))


def _running(entry: Entry, scope: Scope) -> RollbackRow:
    row = rollback(scope.rows, entry.subject)
    if row is None or row.finished:
        raise ContradictionError(f"entry {entry.sequence} goes on with a rollback that does not exist or is over")
    return row


def _keep(scope: Scope, row: RollbackRow) -> None:
    scope.rows.put(Table.ROLLBACKS, rollback_key(row.rollback), row.encode())


APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.ROLLBACK_ORDERED, 1): _ordered,
    (Kind.ROLLED_BACK, 1): _rolled_back,
    (Kind.ROLLBACK_FINISHED, 1): _finished,
}
