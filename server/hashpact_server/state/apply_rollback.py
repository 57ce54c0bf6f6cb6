"""What a rollback does to the state: each entry of the member is undone by itself, the newest first.

So each time there is one act to take back, and what stood before it stands again: the member's word on the item as the
entry ``restored`` states it, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload, RolledBackClear, Undone
from hashpact_server.ledger.payloads_steward import FinishedClear, RollbackClear
from hashpact_server.state.apply_judgement import undo_dispute, undo_opinion, undo_vote
from hashpact_server.state.effects import set_status, status_numbered, unlist_entry, unlist_item
from hashpact_server.state.rollbacks import RollbackRow, rollback, rollback_key, running_key, undone_key, undone_value
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow
from hashpact_server.state.scope import ContradictionError, Scope
from hashpact_server.state.tables import Table, contribution_key


def contribution_stated(entry: Entry) -> ContributionRow:
    """The row that a contributing entry states; after its redaction: who, where, and the classes of its labels."""
    if entry.payload is None:
        return ContributionRow(entry.subject, entry.member, entry.sequence, Basis.REDACTED, entry.classes)
    payload = ContributionPayload.decode(entry.payload)
    return ContributionRow(entry.subject, entry.member, entry.sequence, payload.basis, payload.labels)


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
        undo_opinion(target, undone.restored, scope)
    elif target.kind == Kind.DISPUTE_OPENED:
        undo_dispute(target, entry.sequence, scope)
    elif target.kind == Kind.DISPUTE_VOTED:
        undo_vote(target, scope)
    else:
        raise ContradictionError(f"entry {entry.sequence} undoes entry {undone.sequence}, which is of another kind")
    _stand(undone, entry, scope)
    scope.rows.put(
        Table.ROLLBACKS, undone_key(undone.item, undone.sequence), undone_value(entry.subject, undone.kept)
    )


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
