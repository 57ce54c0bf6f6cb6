"""What the service answers about safeguards: alerts, the benign list, traces of a leaked copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hashpact.items import iso
from hashpact.signals import Signal


@dataclass(frozen=True, slots=True)
class Alert:
    """What a steward has to look at.

    Attributes:
        alert: its id.
        kind: ``flood``, ``probing``, ``disputes``, ``benign``, ``leak``, ``challenge``, ``incident`` or
            ``contributions``.
        item: the item that it is about; 0: none.
        member: the member that it is about; "": none.
        count: how many there were of what was counted; 0: nothing was.
        note: a sentence for people; "" after redaction.
        raise_time: when it was raised, in UTC.
        acknowledge_time: when a steward acknowledged it, in UTC; None: nobody did.
        acknowledged_by: which steward did.
        acknowledgement: what that one said.
    """

    alert: int
    kind: str
    item: int
    member: str
    count: int
    note: str
    raise_time: datetime | None
    acknowledge_time: datetime | None
    acknowledged_by: str
    acknowledgement: str

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "alert": self.alert,
            "kind": self.kind,
            "item": self.item,
            "member": self.member,
            "count": self.count,
            "note": self.note,
            "raise_time": iso(self.raise_time),
            "acknowledge_time": iso(self.acknowledge_time),
            "acknowledged_by": self.acknowledged_by,
            "acknowledgement": self.acknowledgement,
        }


@dataclass(frozen=True, slots=True)
class Benign:
    """Known good media on the benign list.

    Attributes:
        benign: its id.
        note: what it is; "" after redaction.
        signal_types: types of its signals, in their order.
        signals: its signals, where the caller may see their values.
        list_time: when it was listed, in UTC.
    """

    benign: int
    note: str
    signal_types: tuple[str, ...]
    signals: tuple[Signal, ...] = field(repr=False)
    list_time: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``: without values."""
        return {
            "benign": self.benign,
            "note": self.note,
            "signal_types": list(self.signal_types),
            "list_time": iso(self.list_time),
        }


@dataclass(frozen=True, slots=True)
class Traced:
    """A member whose decoys were found in a leaked copy.

    Attributes:
        member: its name; "" when it has none any more.
        decoys: how many were found; one is proof.
    """

    member: str
    decoys: int

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"member": self.member, "decoys": self.decoys}
