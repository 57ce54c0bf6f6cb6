"""Apply: what entries about an item's signals do, and what sets a member's own policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.codec import Reader, u64
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import DetachedClear
from hashpact_server.state.effects import require_open_item, set_status, status_numbered, unlist_entry, unlist_item
from hashpact_server.state.rows import Status
from hashpact_server.state.scope import ContradictionError, Scope
from hashpact_server.state.tables import Table


def _signals_detached(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    clear = DetachedClear.decode(entry.clear)
    set_status(scope, entry.subject, status_numbered(clear.status, entry), entry.sequence)
    positions: dict[int, set[int]] = {}
    for sequence, position in clear.signals:
        positions.setdefault(sequence, set()).add(position)
    for sequence, places in positions.items():
        target = scope.ledger.entry(sequence)
        if target.subject != entry.subject:
            raise ContradictionError(f"entry {entry.sequence} takes signals off an item that are another item's")
        unlist_entry(target, scope, only=places)


def _item_merged(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    reader = Reader(entry.clear)
    reader.u64()
    reader.end()
    set_status(scope, entry.subject, Status.WITHDRAWN, entry.sequence)
    unlist_item(entry.subject, scope)


def _member_policy_set(entry: Entry, scope: Scope) -> None:
    if scope.rows.get(Table.MEMBERS, entry.member) is None:
        raise ContradictionError(f"entry {entry.sequence} is of a member that does not exist")
    scope.rows.put(Table.MEMBER_POLICIES, entry.member, u64(entry.sequence))


APPLY_SIGNALS: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.SIGNALS_DETACHED, 1): _signals_detached,
    (Kind.ITEM_MERGED, 1): _item_merged,
    (Kind.MEMBER_POLICY_SET, 1): _member_policy_set,
}
"""{kind, format} -> function."""
