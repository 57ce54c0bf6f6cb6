"""What an entry can have changed, told from the entry: for whoever follows the ledger without applying it.

Indexes that catch up, copies that are kept by "what changed since", the journal of actions: all of them ask here, so
that a new kind of entry is described once.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import ABOUT_ITEM, CONTRIBUTING, DetachedClear, RolledBackClear
from hashpact_server.state.view import View


def items_of(entry: Entry, view: View) -> frozenset[int]:
    """Items that an entry is about or may have changed."""
    if entry.kind in ABOUT_ITEM:
        return frozenset((entry.subject,))
    if entry.kind == Kind.REDACTED:
        target = view.entry(entry.subject)
        return frozenset((target.subject,)) if target.kind in ABOUT_ITEM else frozenset()
    if entry.kind == Kind.ROLLED_BACK:
        return frozenset(each.item for each in RolledBackClear.decode(entry.clear).undone)
    return frozenset()


def unlisting(entry: Entry, view: View) -> Iterator[int]:
    """Sequences of the contributions whose signals an entry may have taken off the list, as the list stands now."""
    if entry.kind == Kind.REDACTED:
        if view.entry(entry.subject).kind in CONTRIBUTING:
            yield entry.subject
    elif entry.kind == Kind.ROLLED_BACK:
        undone = RolledBackClear.decode(entry.clear).undone
        yield from (each.sequence for each in undone if view.entry(each.sequence).kind in CONTRIBUTING)
        for item in {each.item for each in undone}:
            yield from _closed(item, view)
    elif entry.kind == Kind.SIGNALS_DETACHED:
        yield from {sequence for sequence, _ in DetachedClear.decode(entry.clear).signals}
    elif entry.kind in ABOUT_ITEM and entry.kind not in CONTRIBUTING:
        yield from _closed(entry.subject, view)


def _closed(item: int, view: View) -> Iterator[int]:
    row = view.item(item)
    if row is not None and not row.status.matches:
        yield from view.signal_entries(item)
