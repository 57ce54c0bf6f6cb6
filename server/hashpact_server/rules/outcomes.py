"""Outcomes: what became of one contribution. Plain values, with the fields of ``ContributionOutcome`` on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Reason
from hashpact_server.rules.signals import SignalProblem
from hashpact_server.state.rows import Status


class Result(IntEnum):
    """The outcome in one word; numbers as ``ContributionOutcome.Result`` on the wire."""

    CREATED = 1
    CORROBORATED = 2
    ATTACHED = 3
    UNCHANGED = 4
    AMBIGUOUS = 5
    REFUSED = 6
    PENDING = 7


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Another item that looks alike: the type that is closest, and its distance in bits."""

    item: int
    signal_type: str
    distance: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contribution. ``item`` 0 and ``status`` None: it belongs to no item.

    ``pending`` is the number under which it waits for a colleague.
    """

    result: Result
    item: int = 0
    status: Status | None = None
    candidates: tuple[int, ...] = ()
    near_duplicates: tuple[NearDuplicate, ...] = ()
    problems: tuple[SignalProblem, ...] = ()
    reason: Reason = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    message: str = ""
    pending: int = 0


def refused(reason: Reason, message: str, problems: tuple[SignalProblem, ...] = ()) -> Outcome:
    """The outcome of a contribution that a rule forbids."""
    return Outcome(Result.REFUSED, problems=problems, reason=reason, message=message)


def hide_unwritten(outcomes: Sequence[Outcome], head_sequence: int) -> list[Outcome]:
    """The outcomes of a rehearsal, without the ids of items that exist in it only (``item`` is 0 in their place).

    Args:
        outcomes: as decided.
        head_sequence: where the ledger stood before the rehearsal.
    """
    return [
        replace(
            outcome,
            item=outcome.item if outcome.item <= head_sequence else 0,
            pending=0,
            near_duplicates=tuple(near for near in outcome.near_duplicates if near.item <= head_sequence),
            candidates=tuple(item for item in outcome.candidates if item <= head_sequence),
        )
        for outcome in outcomes
    ]
