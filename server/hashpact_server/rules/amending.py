"""Amending: a member changes what it says about an item."""

from __future__ import annotations

from collections.abc import Sequence

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Kind
from hashpact_server.matcher import Neighbours
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules.benign import check_not_benign
from hashpact_server.rules.drills import refuse_drill
from hashpact_server.rules.identity import look, stated_signals
from hashpact_server.rules.labels import check_known, clean_labels
from hashpact_server.rules.rulebook import taxonomy_of
from hashpact_server.rules.signals import FitSignal, OfferedSignal, SignalProblem, sort_out
from hashpact_server.rules.statements import (
    Statement,
    not_contributor,
    open_item,
    record_statement,
    statement_of,
    unsaid_signals,
)
from hashpact_server.rules.trials import check_contributions
from hashpact_server.scene import Scene
from hashpact_server.state.vouches import said_in


def check_amendment(
    labels: Sequence[str], signals: Sequence[OfferedSignal], limits: Limits
) -> tuple[tuple[str, ...], tuple[FitSignal, ...], tuple[SignalProblem, ...]]:
    """Check every field that can be checked without the list.

    Returns:
        The labels as stored (empty: leave them), the signals that are fit, and the problems of the others.

    Raises:
        Refusal: FIELD_INVALID for the labels, LIMIT_EXCEEDED for too many signals.
    """
    if len(signals) > limits.contribution_signals_max:
        raise over_limit("contribution_signals_max", limits.contribution_signals_max, len(signals))
    try:
        cleaned = clean_labels(labels, limits.labels_max) if labels else ()
        refuse_drill(cleaned)
    except Refusal as refusal:
        raise invalid_field("labels", refusal.message) from refusal
    return cleaned, *sort_out(signals)


def amend(
    scene: Scene,
    member: bytes,
    item: int,
    labels: tuple[str, ...],
    signals: Sequence[FitSignal],
    hint: Neighbours | None,
) -> None:
    """Give the member's word on an item other labels and more signals; record nothing when that changes nothing.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, NOT_CONTRIBUTOR, SIGNAL_TAKEN, SIGNAL_BENIGN, TRIAL_QUOTA; nothing was
            written.
    """
    open_item(scene, item)
    check_known(labels, taxonomy_of(scene))
    rows = scene.contributions(item)
    mine = next((row for row in rows if row.pseudonym == member), None)
    if mine is None:
        raise not_contributor(item)
    check_not_benign(scene, signals)
    sightings = look(scene, signals, hint)
    taken = [sighting for sighting in sightings if sighting.taken_from(item)]
    if taken:
        problem = taken[0].taken_problem
        fields = [f"attach_signals[{sighting.signal.signal_index}]" for sighting in taken]
        violations = [(name, "identifies another item") for name in fields]
        raise Refusal(problem.reason, f"{fields[0]}: {problem.message}", violations=violations)
    newest = said_in(scene, mine.sequence)
    before = statement_of(mine, newest)
    stated, basis = stated_signals(scene, sightings, item), before.attestation
    added = unsaid_signals(scene, mine, newest, stated, basis, basis)
    said = Statement(before.attestation, labels or before.labels)
    if added or said != before:
        check_contributions(scene, member, said.labels)
        others = [row for row in rows if row.pseudonym != member]
        record_statement(scene, Kind.CONTRIBUTION_AMENDED, member, item, said, signals=added, others=others)
