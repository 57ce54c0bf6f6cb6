"""Opinions: what a member thinks of an item. One stands per member and item; a new one takes its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads_judgement import OpinionClear, OpinionPayload
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.attestation import Attestation, check_time, clean_attestation
from hashpact_server.rules.day_limits import day_limit, watch_objections
from hashpact_server.rules.drills import refuse_drill
from hashpact_server.rules.labels import classes_of, clean_labels
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.standing import status_of
from hashpact_server.rules.statements import existing_item, open_item
from hashpact_server.rules.texts import clean_text
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state.judgement import condition, opinion, opinions
from hashpact_server.state.judgement_rows import ConditionRow, OpinionCode, OpinionRow
from hashpact_server.state.rows import Basis, Status
from hashpact_server.state.tallies import Tally, counted

NOTE_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Opinion:
    """An opinion that may be given: every field is checked, save that nobody looks in the future."""

    code: OpinionCode
    basis: int
    payload: OpinionPayload


def check_opinion(
    code: int, attestation: Attestation | None, labels: Sequence[str], note: str, limits: Limits
) -> Opinion:
    """Check every field that can be checked without the list.

    Raises:
        Refusal: FIELD_INVALID, ATTESTATION_MISSING.
    """
    try:
        known = OpinionCode(code)
    except ValueError as error:
        raise invalid_field("code", "is no OpinionCode that this server knows, or unspecified") from error
    note = clean_text("note", note, NOTE_CHARACTERS_MAX)
    cleaned = check_labels(labels, limits, wanted=known is OpinionCode.DISAGREE_LABEL, by="code DISAGREE_LABEL")
    if known is not OpinionCode.AGREE:
        if attestation is not None:
            raise invalid_field("attestation", "goes with code AGREE alone")
        return Opinion(known, 0, OpinionPayload(labels=cleaned, note=note))
    said = clean_attestation(attestation)
    return Opinion(known, said.basis, OpinionPayload(said.observed_ms, said.observer_role, note=note))


def check_labels(labels: Sequence[str], limits: Limits, *, wanted: bool, by: str) -> tuple[str, ...]:
    """The labels in the form that is stored, where some are wanted; none where none are.

    Raises:
        Refusal: FIELD_INVALID.
    """
    if not wanted:
        if labels:
            raise invalid_field("labels", f"go with {by} alone")
        return ()
    try:
        cleaned = clean_labels(labels, limits.labels_max)
        refuse_drill(cleaned)
    except Refusal as refusal:
        raise invalid_field("labels", refusal.message) from refusal
    return cleaned


def give(scene: Scene, member: bytes, item: int, wish: Opinion) -> OpinionRow:
    """Let a member's opinion stand; record nothing when it stands so already.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, FIELD_INVALID for a look in the future.
    """
    open_item(scene, item)
    check_time(Attestation(wish.basis, wish.payload.observed_ms), scene.now_ms)
    before = opinion(scene, item, member)
    basis = wish.basis
    if before is not None and before.standing:
        if before.basis == Basis.FOUND_THROUGH_LIST and basis:
            basis = Basis.FOUND_THROUGH_LIST  # it stays so, as in ``attestation.raises``
        kept = scene.entry(before.sequence).payload
        if (before.code, before.basis) == (wish.code, basis) and kept == wish.payload.encode():
            return before
    if wish.code.against:
        _check_objections(scene, member)
    row = OpinionRow(item, member, scene.head.sequence + 1, wish.code, basis, standing=True, judged=True)
    status = _status_with(scene, row)
    scene.record(
        Draft(
            Kind.OPINION_GIVEN,
            member,
            item,
            classes_of(wish.payload.labels),
            clear=OpinionClear(status, wish.code, basis).encode(),
            payload=wish.payload.encode(),
        )
    )
    if wish.code.against:
        watch_objections(scene, member)
    return _standing(scene, item, member)


def revoke(scene: Scene, member: bytes, item: int) -> Status:
    """Take a member's opinion back; record nothing when it was taken back before. Where the item stands then.

    Raises:
        Refusal: ITEM_NOT_FOUND, OPINION_NOT_FOUND, ITEM_CLOSED.
    """
    status = existing_item(scene, item).status
    before = opinion(scene, item, member)
    if before is None:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_OPINION_NOT_FOUND,
            f"this member gave no opinion on item {item}",
            metadata={"item": str(item)},
        )
    if not before.standing:
        return status
    open_item(scene, item)
    status = _status_with(scene, before._replace(standing=False))
    scene.record(Draft(Kind.OPINION_REVOKED, member, item, clear=bytes((status,))))
    return status


def _check_objections(scene: Scene, member: bytes) -> None:
    """A member on trial could stop ``act`` on the whole list alone: it objects to so many items a day.

    Raises:
        Refusal: DAY_LIMIT_REACHED.
    """
    most = policy_of(scene).trial_items_per_day
    if counted(scene, Tally.OBJECTIONS, scene.now_ms, member) >= most and not is_full(scene, member):
        raise day_limit("trial_items_per_day", most, scene.now_ms)


def _status_with(scene: Scene, row: OpinionRow) -> Status:
    """Where the item will stand once this opinion is the member's."""
    now = condition(scene, row.item)
    others = [each for each in opinions(scene, row.item) if each.pseudonym != row.pseudonym]
    return status_of(
        scene,
        row.item,
        scene.contributions(row.item),
        said=[*others, row],
        now=now or ConditionRow(row.item),
    )


def _standing(scene: Scene, item: int, member: bytes) -> OpinionRow:
    row = opinion(scene, item, member)
    if row is None:
        raise AssertionError("an opinion that was recorded has a row")
    return row
