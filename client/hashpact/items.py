"""What the service answers about items: small frozen objects, as in :mod:`hashpact.results`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, overload

from hashpact.results import Problem


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Another item that looks alike: a likely variant, which ``attach_to`` would keep under one item."""

    item: int
    signal_type: str
    distance: int

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"item": self.item, "signal_type": self.signal_type, "distance": self.distance}


@dataclass(frozen=True, slots=True)
class ContributionOutcome:
    """What became of one contribution.

    Attributes:
        outcome: ``created``, ``corroborated``, ``attached``, ``unchanged``, ``ambiguous``, ``refused``, or
            ``pending``: it waits for a colleague's approval.
        item: the item's id; 0 when nothing was written, and for ``created`` under ``validate_only``.
        status: where the item stands now; "" when there is none.
        candidates: the items that an ambiguous contribution identifies: choose with ``attach_to``.
        near_duplicates: other items that look alike, closest first.
        problems: signals that were not listed.
        reason: why it was refused, a word of ``ErrorReason``; "" otherwise.
        message: one sentence for people about the refusal.
        pending: the number under which it waits; 0 when it does not, and under ``validate_only``.
    """

    outcome: str
    item: int
    status: str = ""
    candidates: tuple[int, ...] = ()
    near_duplicates: tuple[NearDuplicate, ...] = ()
    problems: tuple[Problem, ...] = ()
    reason: str = ""
    message: str = ""
    pending: int = 0

    @property
    def listed(self) -> bool:
        """True when the item is on the list with what this member says about it."""
        return self.outcome not in {"ambiguous", "refused", "pending"}

    @property
    def taken(self) -> bool:
        """True when there is nothing to repair: it is listed, or waits for a colleague."""
        return self.listed or self.outcome == "pending"

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        result: dict[str, Any] = {
            "item": self.item,
            "outcome": self.outcome,
            "status": self.status,
            "near_duplicates": [near.to_dict() for near in self.near_duplicates],
            "candidates": list(self.candidates),
            "problems": [problem.to_dict() for problem in self.problems],
        }
        if self.reason:
            result |= {"reason": self.reason, "message": self.message}
        if self.outcome == "pending":
            result["pending"] = self.pending
        return result


@dataclass(frozen=True, slots=True)
class ContributeResult(Sequence[ContributionOutcome]):
    """What became of a batch: a sequence with one outcome per contribution, in the order given.

    Attributes:
        outcomes: one per contribution.
        as_of: opaque token of the state after the last write.
        request_id: the id under which the same batch can be sent again without doing anything twice.
    """

    outcomes: tuple[ContributionOutcome, ...]
    as_of: str = field(default="", repr=False)
    request_id: str = ""

    @overload
    def __getitem__(self, index: int) -> ContributionOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ContributionOutcome]: ...
    def __getitem__(self, index: int | slice) -> ContributionOutcome | Sequence[ContributionOutcome]:
        return self.outcomes[index]

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[ContributionOutcome]:
        return iter(self.outcomes)


@dataclass(frozen=True, slots=True)
class ItemContribution:
    """One member's standing contribution to an item.

    Attributes:
        member: its name.
        labels: the labels it gives the item.
        basis: how it knows: ``person_looked``, ``automatic``, ``found_through_list``, ``import``.
        observed_time: when the person looked, in UTC, or None.
        observer_role: function of the person who looked, or "".
        update_time: when the server recorded the member's latest change, in UTC.
        sequence: number of the ledger entry that recorded it.
    """

    member: str
    labels: tuple[str, ...]
    basis: str
    observed_time: datetime | None
    observer_role: str
    update_time: datetime | None
    sequence: int


@dataclass(frozen=True, slots=True)
class ItemSignal:
    """One signal of an item, as listed.

    Attributes:
        signal_type: its name.
        value: the bytes, or None for members that may not hold list values.
        quality: 0 to 100, or None.
        sequence: number of the ledger entry that listed it.
        vouching_groups: corporate groups that vouch for it.
        stretch_ms: of a video's frame, the stretch that it stands for: (start, end) in ms from the first frame.
    """

    signal_type: str
    value: bytes | None = field(repr=False)
    quality: int | None
    sequence: int
    vouching_groups: int = 0
    stretch_ms: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "signal_type": self.signal_type,
            "value": None if self.value is None else self.value.hex(),
            "quality": self.quality,
            "sequence": self.sequence,
            "vouching_groups": self.vouching_groups,
            **({} if self.stretch_ms is None else {"stretch_ms": list(self.stretch_ms)}),
        }


@dataclass(frozen=True, slots=True)
class Item:
    """One item on the list.

    Attributes:
        item: its id.
        status: ``provisional``, ``corroborated``, ``disputed``, ``withdrawn``, ``expired``, ``inherited``.
        advice: what a match with it means for the calling member.
        labels: union of the labels of its standing contributions, sorted.
        contributions: standing contributions, oldest first.
        signals: its signals; in lists only where they were asked for.
        create_time: when it was created, in UTC.
        redacted: True when part of what was recorded about it was deleted for ever.
        review_time: when a person should look at it again, in UTC; None where nobody looked.
    """

    item: int
    status: str
    advice: str
    labels: tuple[str, ...]
    contributions: tuple[ItemContribution, ...]
    signals: tuple[ItemSignal, ...]
    create_time: datetime | None
    redacted: bool
    review_time: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "item": self.item,
            "status": self.status,
            "advice": self.advice,
            "labels": list(self.labels),
            "create_time": iso(self.create_time),
            "review_time": iso(self.review_time),
            "redacted": self.redacted,
            "contributions": [
                {
                    "member": one.member,
                    "labels": list(one.labels),
                    "basis": one.basis,
                    "observed_time": iso(one.observed_time),
                    "observer_role": one.observer_role,
                    "update_time": iso(one.update_time),
                    "sequence": one.sequence,
                }
                for one in self.contributions
            ],
            "signals": [one.to_dict() for one in self.signals],
        }


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a list of items.

    Attributes:
        items: its items.
        next_page_token: what to ask for the next page with; "" on the last.
        as_of: opaque token of the position in history that this page reflects at least.
    """

    items: tuple[Item, ...]
    next_page_token: str = field(default="", repr=False)
    as_of: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AmendResult:
    """What became of an amendment.

    Attributes:
        item: the item after the change, without signals.
        problems: signals that were not listed.
        as_of: opaque token of the state after this write.
        pending: the number under which the amendment waits for a colleague's approval; 0: it took effect.
    """

    item: Item
    problems: tuple[Problem, ...] = ()
    as_of: str = field(default="", repr=False)
    pending: int = 0


@dataclass(frozen=True, slots=True)
class WithdrawResult:
    """What became of a withdrawal.

    Attributes:
        item: id of the item.
        status: where it stands now: ``withdrawn``, or what it is while others' contributions stand.
        contributions_left: contributions of other members that still stand.
        as_of: opaque token of the state after this write.
    """

    item: int
    status: str
    contributions_left: int
    as_of: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"item": self.item, "status": self.status, "contributions_left": self.contributions_left}


def iso(time: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC, e.g. ``2026-01-31T12:00:00.123Z``; None stays None."""
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
