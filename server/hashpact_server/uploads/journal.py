"""The journal of actions, compared with the state: what was done because of which item, and how the item stands now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hashpact_server.database import Connection
from hashpact_server.ledger.entry import Entry
from hashpact_server.state.reach import items_of
from hashpact_server.state.view import View


class Standing(NamedTuple):
    """How an item stands. ``status`` is a ``Status`` number, 0 where nobody said; off the list, it has no labels."""

    status: int
    labels: tuple[str, ...] = ()

    @property
    def stored(self) -> tuple[int, str]:
        """As it is stored."""
        return self.status, json.dumps(self.labels)

    @classmethod
    def of_stored(cls, status: int, labels: str) -> Standing:
        """As it was stored."""
        return cls(status, tuple(json.loads(labels)))


@dataclass(frozen=True, slots=True)
class Action:
    """What was done about an upload because of an item.

    Attributes:
        reference: the member's word for the upload.
        item: its id.
        action: a ``MatchAction`` number.
        time_ms: when.
        acted: the item as it stood for whoever acted; None: as it stands now.
    """

    reference: str = field(repr=False)
    item: int
    action: int
    time_ms: int
    acted: Standing | None


def standing_of(view: View, item: int) -> Standing | None:
    """How an item stands now; None when there is none."""
    row = view.item(item)
    if row is None:
        return None
    return Standing(int(row.status), view.labels(item) if row.status.matches else ())


def record(connection: Connection, view: View, member: bytes, actions: Iterable[Action], now_ms: int) -> list[int]:
    """Write actions down; the items that do not exist are returned by the action's position."""
    missing = []
    for place, each in enumerate(actions):
        now = standing_of(view, each.item)
        if now is None:
            missing.append(place)
            continue
        acted = each.acted
        if acted is None:  # off the list, it cannot be how it stood when it led to an action
            row = view.item(each.item)
            acted = now if row is not None and row.status.matches else Standing(0)
        key = (member, each.reference, each.item)
        connection.execute("DELETE FROM journal WHERE (member, reference, item) = (?, ?, ?)", key)
        added = connection.execute(
            "INSERT INTO journal (member, reference, item, action, action_ms, recorded_ms, status, labels,"
            " told_status, told_labels) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, each.action, each.time_ms, now_ms, *acted.stored, *now.stored),
        )
        if now != acted:
            connection.execute("INSERT INTO corrections (member, record) VALUES (?, ?)", (member, added.lastrowid))
    return missing


def changed_items(view: View, entries: Sequence[Entry]) -> set[int]:
    """Items that these entries may have changed."""
    return {item for entry in entries for item in items_of(entry, view)}


def compare(connection: Connection, view: View, items: Iterable[int] | None) -> int:
    """Note a correction for each record of these items (None: of all) whose item stands otherwise than was told last.

    Returns:
        How many there were.
    """
    if items is None:
        items = [item for (item,) in connection.execute("SELECT DISTINCT item FROM journal").fetchall()]
    noted = 0
    for item in items:
        rows = connection.execute(
            "SELECT id, member, told_status, told_labels FROM journal WHERE item = ?", (item,)
        ).fetchall()
        now = standing_of(view, item) if rows else None
        if now is None:
            continue
        changed = [row for row in rows if Standing.of_stored(*row[2:]) != now]
        connection.executemany(
            "UPDATE journal SET told_status = ?, told_labels = ? WHERE id = ?",
            [(*now.stored, record_id) for record_id, *_ in changed],
        )
        # Of several that nobody has seen, the newest alone is kept.
        connection.executemany(
            "INSERT OR REPLACE INTO corrections (member, record) VALUES (?, ?)",
            [(member, record_id) for record_id, member, *_ in changed],
        )
        noted += len(changed)
    return noted
