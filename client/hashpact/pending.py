"""What waits for a colleague's approval, as the client tells it: a small frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hashpact.items import iso
from hashpact.signals import Signal


@dataclass(frozen=True, slots=True)
class PendingContribution:
    """A contribution of one's own member that waits.

    Attributes:
        pending: its number.
        signals: what describes the item.
        labels: what it is; for an amendment, the labels to come, none: as they are.
        basis: how the member knows; "" for an amendment.
        observed_time: when a person looked, in UTC.
        observer_role: function of the person who looked.
        attach_to: the item to attach to; 0: decided by identity.
        amends: the item that it amends; 0: it is a contribution.
        token_id: the token by which it was made.
        create_time: when, in UTC.
        lapse_time: when it lapses, in UTC.
        redacted: True when its content is gone: it can only be rejected.
    """

    pending: int
    signals: tuple[Signal, ...]
    labels: tuple[str, ...]
    basis: str
    observed_time: datetime | None
    observer_role: str
    attach_to: int
    amends: int
    token_id: int
    create_time: datetime | None
    lapse_time: datetime | None
    redacted: bool

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``: the types of the signals, and no values."""
        return {
            "pending": self.pending,
            "signal_types": sorted({signal.signal_type for signal in self.signals}),
            "labels": list(self.labels),
            "basis": self.basis,
            "observed_time": iso(self.observed_time),
            "observer_role": self.observer_role,
            "attach_to": self.attach_to,
            "amends": self.amends,
            "token_id": self.token_id,
            "create_time": iso(self.create_time),
            "lapse_time": iso(self.lapse_time),
            "redacted": self.redacted,
        }
