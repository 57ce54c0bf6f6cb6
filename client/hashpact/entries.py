"""Entries of the ledger, as a watcher sees them: what is in clear. Hash values are in the private part, not here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hashpact.items import iso


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: one change of one item, or of the forum.

    Attributes:
        sequence: its number; the first is 0.
        time: when it was written, in UTC.
        kind: what happened, e.g. ``item_created``; ``unknown-N`` where the service knows more than this client.
        subject: number of the entry that created what this one is about; its own when it creates something.
        item: id of the item that it is about; None when it is about something else.
        status: the item's status afterwards; "" when it is not about an item.
        label_classes: classes of the labels that it gives, sorted.
        member: pseudonym of the member that acted, hex; zeros for the service itself.
        redacted: whether its private part was deleted for ever.
    """

    sequence: int
    time: datetime
    kind: str
    subject: int
    item: int | None
    status: str
    label_classes: tuple[str, ...]
    member: str
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "sequence": self.sequence,
            "time": iso(self.time),
            "kind": self.kind,
            "subject": self.subject,
            "item": self.item,
            "status": self.status,
            "label_classes": list(self.label_classes),
            "member": self.member,
            "redacted": self.redacted,
        }
