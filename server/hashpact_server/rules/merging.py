"""Merging: an item of one contributor becomes part of another item, in one step."""

from __future__ import annotations

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules import four_eyes
from hashpact_server.rules.contributing import merged_statement
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.statements import not_contributor, open_item, record_statement, standing_statement
from hashpact_server.rules.trials import check_contributions
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Basis, Status
from hashpact_server.state.vouches import vouched_signals


def merge(scene: Scene, member: bytes, item: int, into_item: int, limits: Limits) -> None:
    """Close an item of which a member is the only contributor, and put its word and its signals on another one.

    Raises:
        Refusal: FIELD_INVALID, ITEM_NOT_FOUND, ITEM_CLOSED, NOT_CONTRIBUTOR, ITEM_NOT_MERGEABLE, LABELS_INVALID,
            FOUR_EYES, TRIAL_QUOTA; nothing was written.
    """
    if item == into_item:
        raise invalid_field("into_item", "is the item itself")
    four_eyes.check_alone(scene, member, "contribute with attach_to, then withdraw the other item")
    row = open_item(scene, item)
    open_item(scene, into_item)
    rows = scene.contributions(item)
    if [each.pseudonym for each in rows] != [member]:
        raise not_contributor(item)
    if row.redacted:
        raise _not_mergeable(item, "its private part was redacted")
    if row.status is Status.DISPUTED or Ground(scene, row).stopped:
        raise _not_mergeable(item, "an opinion, a dispute or a limit stands about it")
    said = standing_statement(scene, rows[0])
    check_contributions(scene, member, said.labels)
    before = scene.contributions(into_item)
    mine = next((each for each in before if each.pseudonym == member), None)
    others = [each for each in before if each.pseudonym != member]
    there = {(each.signal.code, each.signal.value): each.backers for each in vouched_signals(scene, into_item, before)}
    together = said if mine is None else merged_statement(standing_statement(scene, mine), said, limits)
    unseen = said.attestation.basis != Basis.PERSON_LOOKED == together.attestation.basis
    signals = []
    for each in vouched_signals(scene, item, rows):
        confirms = (each.signal.code, each.signal.value) in there
        if confirms and unseen:
            continue
        signals.append(each.signal._replace(confirms=confirms, unseen=unseen or each.signal.unseen))
    scene.record(Draft(Kind.ITEM_MERGED, member, item, clear=u64(into_item)))
    kind = Kind.ITEM_CORROBORATED if mine is None else Kind.CONTRIBUTION_AMENDED
    record_statement(scene, kind, member, into_item, together, signals=tuple(signals), others=others)


def _not_mergeable(item: int, message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_ITEM_NOT_MERGEABLE, message, metadata={"item": str(item)})
