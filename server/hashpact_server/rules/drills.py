"""Drills: contributions that are decided as they would be, counted, and leave the list as it is.

A label that begins with ``incident:drill-`` never reaches the list, whether a drill of that name is open or not: so
that nobody lists a test picture because a drill is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads_incidents import RESULTS, DrillClear
from hashpact_server.refusal import Refusal
from hashpact_server.rules.claims import Claim
from hashpact_server.rules.incident_plans import DRILL_PREFIX
from hashpact_server.rules.outcomes import Outcome, hide_unwritten
from hashpact_server.scene import Scene, Undo
from hashpact_server.state.incidents import open_by_label

DRILL_LABEL: Final = f"incident:{DRILL_PREFIX}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One contribution of a drill."""

    drill: int
    result: int
    signals: int


def of_drill(labels: Iterable[str]) -> bool:
    """Whether labels name a drill, open or not."""
    return any(label.startswith(DRILL_LABEL) for label in labels)


def rehearse(scene: Scene, claim: Claim, decide: Callable[[], Outcome]) -> tuple[Outcome, Rehearsal]:
    """What would become of a contribution; nothing of it is left.

    Args:
        scene: where it is decided.
        claim: the contribution; one of its labels names a drill.
        decide: decides it on the scene.

    Raises:
        Refusal: LABELS_INVALID: there is no such drill, or several are named.
    """
    drills = [row for row in open_by_label(scene, claim.labels) if row.drill]
    if len(drills) != 1:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_LABELS_INVALID,
            f"no drill of this name is open, or several are named; {DRILL_LABEL}... lists nothing",
        )
    before = scene.head.sequence
    kept: list[Outcome] = []
    with scene.trial():
        kept.append(decide())
        raise Undo
    (outcome,) = hide_unwritten(kept, before)
    message = outcome.message or "rehearsed for a drill: nothing was listed"
    return replace(outcome, message=message), Rehearsal(drills[0].incident, outcome.result, len(claim.signals))


def record_rehearsals(scene: Scene, member: bytes, rehearsals: Sequence[Rehearsal]) -> None:
    """Count what was rehearsed: one entry for each drill."""
    for drill in sorted({each.drill for each in rehearsals}):
        of_it = [each for each in rehearsals if each.drill == drill]
        results = tuple(sum(each.result == number for each in of_it) for number in range(1, RESULTS + 1))
        clear = DrillClear(results, sum(each.signals for each in of_it))
        scene.record(Draft(Kind.DRILL_CONTRIBUTED, member, drill, clear=clear.encode()))


def refuse_drill(labels: Iterable[str]) -> None:
    """An item that is listed takes no label of a drill.

    Raises:
        Refusal: LABELS_INVALID.
    """
    if of_drill(labels):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_LABELS_INVALID, f"{DRILL_LABEL}... is for contributions that are rehearsed"
        )
