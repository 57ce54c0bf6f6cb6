"""Contributing: what becomes of what a member puts on the list.

::

    Offer --check--> Claim --contribute, on the scene--> Outcome
      |                                                    CREATED       no item has these signals
      '--> Outcome REFUSED                                 CORROBORATED  one item has; the member is new to it
                                                           ATTACHED      one item has; the member adds to its word
                                                           UNCHANGED     ... and adds nothing
                                                           AMBIGUOUS     several items have: nothing is written
                                                           REFUSED       a rule forbids it: nothing is written

``check`` (in ``claims``) needs no state and runs in the caller's thread; :func:`contribute` runs in the writer's, on
the state as the batch has changed it so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.matcher import Neighbours
from hashpact_server.refusal import Refusal
from hashpact_server.rules.attestation import check_time, raises
from hashpact_server.rules.benign import screened
from hashpact_server.rules.claims import Claim, no_identity
from hashpact_server.rules.drills import Rehearsal, of_drill, record_rehearsals, rehearse
from hashpact_server.rules.identity import Sighting, look, near_duplicates, stated_signals
from hashpact_server.rules.labels import check_known
from hashpact_server.rules.outcomes import Outcome, Result, refused
from hashpact_server.rules.rulebook import taxonomy_of
from hashpact_server.rules.statements import (
    Statement,
    existing_item,
    open_item,
    record_statement,
    statement_of,
    unsaid_signals,
)
from hashpact_server.rules.taxonomy import Taxonomy
from hashpact_server.rules.tiers import tier_of
from hashpact_server.rules.trials import check_contributions
from hashpact_server.scene import Scene
from hashpact_server.state.members import Tier
from hashpact_server.state.vouches import said_in

CANDIDATES_MAX: Final = 16


class _Batch(NamedTuple):
    """What holds for all contributions of a batch: none of them changes it."""

    scene: Scene
    member: bytes
    limits: Limits
    hint: Neighbours | None
    taxonomy: Taxonomy
    on_trial: bool


def contribute(
    scene: Scene, member: bytes, claims: Sequence[Claim | Outcome], limits: Limits, hint: Neighbours | None
) -> list[Outcome]:
    """Decide a batch, one after the other: each sees what those before it have changed.

    Args:
        scene: where to record.
        member: pseudonym of the contributing member.
        claims: what ``check`` made of each contribution; outcomes stay as they are.
        limits: those in force.
        hint: neighbours that were searched for before, outside the writer.
    """
    scene.settle(hint)
    on_trial = tier_of(scene, member) is Tier.TRIAL
    batch = _Batch(scene, member, limits, hint, taxonomy_of(scene), on_trial)
    rehearsals: list[Rehearsal] = []
    outcomes: list[Outcome] = []
    for claim in screened(scene, member, claims):
        if isinstance(claim, Outcome):
            outcomes.append(claim)
        elif of_drill(claim.labels):
            outcomes.append(_rehearse(batch, claim, rehearsals))
        else:
            outcomes.append(_decide(batch, claim))
    record_rehearsals(scene, member, rehearsals)
    return outcomes


def _rehearse(batch: _Batch, claim: Claim, rehearsals: list[Rehearsal]) -> Outcome:
    try:
        outcome, done = rehearse(batch.scene, claim, lambda: _decide(batch, claim))
    except Refusal as refusal:
        return refused(refusal.reason, refusal.message, claim.problems)
    rehearsals.append(done)
    return outcome


def _decide(batch: _Batch, claim: Claim) -> Outcome:
    scene, member, limits, hint, taxonomy, on_trial = batch
    sightings = look(scene, claim.signals, hint)
    try:
        check_time(claim.attestation, scene.now_ms)
        check_known(claim.labels, taxonomy)
        if on_trial:
            check_contributions(scene, member, claim.labels)
        outcome = (_attach if claim.attach_to else _identify)(scene, member, claim, sightings, limits)
    except Refusal as refusal:
        # Rules refuse before they record: what is refused here has left nothing behind.
        return refused(refusal.reason, refusal.message, claim.problems)
    if outcome.result is Result.REFUSED:
        return outcome
    known = frozenset((outcome.item, *outcome.candidates))
    near = near_duplicates(sightings, known, limits.near_duplicates_max)
    return replace(outcome, near_duplicates=near) if near else outcome


def _identify(scene: Scene, member: bytes, claim: Claim, sightings: Sequence[Sighting], limits: Limits) -> Outcome:
    """No item is named: the identifying signals say which one it is."""
    good, claim = _without_taken(sightings, [each for each in sightings if each.clashes], claim)
    items = sorted({item for sighting in good for item in sighting.identified})
    if len(items) > 1:
        return Outcome(Result.AMBIGUOUS, candidates=tuple(items[:CANDIDATES_MAX]), problems=claim.problems)
    if items:
        return _add(scene, member, items[0], claim, stated_signals(scene, good, items[0]), limits)
    if not any(sighting.signal.kind.identifies for sighting in good):
        return no_identity(claim.problems)
    signals = tuple(sighting.signal.listed for sighting in good)
    said = Statement(claim.attestation, claim.labels)
    item, status = record_statement(scene, Kind.ITEM_CREATED, member, None, said, signals=signals)
    return Outcome(Result.CREATED, item, status, problems=claim.problems)


def _attach(scene: Scene, member: bytes, claim: Claim, sightings: Sequence[Sighting], limits: Limits) -> Outcome:
    """An item is named: everything goes there, save signals that identify another one."""
    item = claim.attach_to
    open_item(scene, item)
    taken = [sighting for sighting in sightings if sighting.taken_from(item)]
    free, claim = _without_taken(sightings, taken, claim)
    if not free:
        return refused(
            error_reason_pb2.ERROR_REASON_SIGNAL_TAKEN, "every signal identifies another item", claim.problems
        )
    return _add(scene, member, item, claim, stated_signals(scene, free, item), limits)


def _without_taken(
    sightings: Sequence[Sighting], taken: Sequence[Sighting], claim: Claim
) -> tuple[list[Sighting], Claim]:
    """The other sightings, and the claim with the problems of those that are taken."""
    if not taken:
        return list(sightings), claim
    problems = sorted(
        (*claim.problems, *(sighting.taken_problem for sighting in taken)), key=lambda problem: problem.signal_index
    )
    dropped = {sighting.signal.signal_index for sighting in taken}
    good = [sighting for sighting in sightings if sighting.signal.signal_index not in dropped]
    return good, replace(claim, problems=tuple(problems))


def _add(
    scene: Scene, member: bytes, item: int, claim: Claim, signals: tuple[ListedSignal, ...], limits: Limits
) -> Outcome:
    """The item is known: corroborate it, or add to what this member said about it before."""
    rows = scene.contributions(item)
    mine = next((row for row in rows if row.pseudonym == member), None)
    others = [row for row in rows if row.pseudonym != member]
    if mine is None:
        kind, result, said = Kind.ITEM_CORROBORATED, Result.CORROBORATED, Statement(claim.attestation, claim.labels)
    else:
        kind, result = Kind.CONTRIBUTION_AMENDED, Result.ATTACHED
        newest = said_in(scene, mine.sequence)
        before = statement_of(mine, newest)
        said = merged_statement(before, Statement(claim.attestation, claim.labels), limits)
        signals = unsaid_signals(scene, mine, newest, signals, claim.attestation, said.attestation)
        if not signals and said == before:
            return Outcome(Result.UNCHANGED, item, existing_item(scene, item).status, problems=claim.problems)
    _, status = record_statement(scene, kind, member, item, said, signals=signals, others=others)
    return Outcome(result, item, status, problems=claim.problems)


def merged_statement(before: Statement, now: Statement, limits: Limits) -> Statement:
    """What a member says now and said before, together: all labels, and the stronger attestation.

    Raises:
        Refusal: LABELS_INVALID.
    """
    labels = tuple(sorted({*before.labels, *now.labels}))
    if len(labels) > limits.labels_max:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_LABELS_INVALID,
            f"with these the item would have {len(labels)} labels from this member, over labels_max="
            f"{limits.labels_max}; replace them with Amend",
        )
    stronger = raises(before.attestation.basis, now.attestation.basis)
    return Statement(now.attestation if stronger else before.attestation, labels)
