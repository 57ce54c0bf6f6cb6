"""What several kinds of entries do to an item: set its status, close it, take its signals off the list."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server.ledger.codec import LayoutError, u64
from hashpact_server.ledger.entry import Entry
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.state.apply_incidents import SETTLED, settle_expiry
from hashpact_server.state.judgement_rows import ConditionRow, DisputeOutcome, DisputeRow
from hashpact_server.state.rows import ItemRow, Status, signal_id
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError, signal_entries
from hashpact_server.state.tables import Due, Table, digest_key, value_key
from hashpact_server.state.transitions import may_follow


def context_among(classes: Iterable[str]) -> bool:
    """Whether one of the public classes of labels says that the content may be lawful: nobody acts on such an item."""
    return any(each.startswith("context:") for each in classes)


def stated_status(entry: Entry) -> Status:
    """The status that the first clear byte of an entry states; raises UnknownEntryError, LayoutError."""
    if not entry.clear:
        raise LayoutError(f"entry {entry.sequence} states no status")
    return status_numbered(entry.clear[0], entry)


def status_numbered(number: int, entry: Entry) -> Status:
    """The status with this number, which an entry states; raises UnknownEntryError."""
    try:
        return Status.numbered(number)
    except LayoutError as error:
        raise UnknownEntryError(f"entry {entry.sequence} states status {number}: upgrade") from error


def require_open_item(entry: Entry, scope: Scope) -> Status:
    """Where the item that an entry is about stands; raises ContradictionError unless it is open."""
    # What was unlisted stays so: an item that is closed is not opened again by somebody's speaking about it.
    value = scope.rows.get(Table.ITEMS, u64(entry.subject))
    status = None if value is None else ItemRow.decode(entry.subject, value).status
    if status is None or not status.matches:
        raise ContradictionError(f"entry {entry.sequence} is about an item that does not exist or is closed")
    return status


def set_status(scope: Scope, item: int, status: Status, by: int) -> None:
    """Let an item stand at ``status``; where that closes it, its dispute is closed too. Its signals are not touched.

    Args:
        scope: what may be touched.
        item: its id.
        status: where it stands now.
        by: sequence of the entry that says so.

    Raises:
        ContradictionError: no item may go there from where this one stands.
    """
    value = scope.rows.put(Table.ITEMS, u64(item), ItemRow(item, status, redacted=False).encode())
    before = None if value is None else ItemRow.decode(item, value)
    if not may_follow(before.status if before else None, status):
        raise ContradictionError(f"entry {by} sends item {item} where no item may go from where it stands")
    if before is not None and before.redacted:
        scope.rows.put(Table.ITEMS, u64(item), ItemRow(item, status, redacted=True).encode())
    if status in SETTLED:
        settle_expiry(item, scope)
    if not status.matches:
        _close_dispute(scope, item, by)


def _close_dispute(scope: Scope, item: int, by: int) -> None:
    """A closed item is not disputed any more: nobody votes, and no clock runs."""
    value = scope.rows.get(Table.CONDITIONS, u64(item))
    condition = None if value is None else ConditionRow.decode(item, value)
    if condition is not None and condition.dispute:
        end_dispute(scope, condition.dispute, DisputeOutcome.ITEM_CLOSED, by)
        scope.rows.put(Table.CONDITIONS, u64(item), condition._replace(dispute=0).encode())


def end_dispute(scope: Scope, dispute: int, outcome: DisputeOutcome, by: int) -> None:
    """Close a dispute, and stop its clock; raises ContradictionError when there is none that is open."""
    value = scope.rows.get(Table.DISPUTES, u64(dispute))
    row = None if value is None else DisputeRow.decode(dispute, value)
    if row is None or row.outcome is not DisputeOutcome.OPEN:
        raise ContradictionError(f"entry {by} closes a dispute that does not exist or is closed")
    scope.clear_due(row.due_ms, Due.DISPUTE, dispute)
    scope.rows.put(Table.DISPUTES, u64(dispute), row._replace(outcome=outcome, closed_by=by).encode())


def unlist_item(item: int, scope: Scope) -> None:
    """Take all signals of an item off the list."""
    for sequence in signal_entries(item, scope.rows):
        unlist_entry(scope.ledger.entry(sequence), scope)


def unlist_entry(
    entry: Entry, scope: Scope, *, keep: Collection[int] = (), only: Collection[int] | None = None
) -> None:
    """Remove the signals that one entry listed, but those at the positions ``keep``; or ``only`` those at some.

    A digest that a later entry took over is left alone.
    """
    if entry.payload is None:
        return
    for ordinal, signal in enumerate(ContributionPayload.decode(entry.payload).signals):
        identity = signal_id(entry.sequence, ordinal)
        kind = SIGNAL_TYPES_BY_CODE.get(signal.code)
        if kind is None or ordinal in keep or (only is not None and ordinal not in only):
            continue
        if kind.exact:
            key = digest_key(kind.code, signal.value)
            value = scope.rows.get(Table.DIGESTS, key)
            if value is not None and value[:8] == u64(identity):
                scope.rows.delete(Table.DIGESTS, key)
                scope.changes.digests.append((kind.code, signal.value, False))
        elif scope.rows.get(Table.VALUES, value_key(kind.code, identity)) is not None:
            scope.rows.delete(Table.VALUES, value_key(kind.code, identity))
            scope.changes.removed.append((kind.code, identity))
