"""Motions: what one steward proposes takes effect when another one, of another corporate group, seconds it.

::

    propose --> OPEN --second--> CARRIED    carried out in the same act
                  |--withdraw--> WITHDRAWN
                  '--its time--> LAPSED

Which acts there are stands in ``MOTION_ACTS``: for each field of ``StewardAct``, what checks it (when it is proposed,
and again when it is seconded, because the list has moved on) and what carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError
from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.ledger.codec import u8
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_steward import MotionClear, MotionEnd, MotionPayload
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules import benign, incident_motions, limits, records, redacting, rollback, rulebook
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state.motions import MotionRow, MotionState, motion
from hashpact_server.state.motions import motions as every_motion
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.state.view import View

DAY_MS: Final = 86_400_000
REASON_CHARACTERS_MAX: Final = 500
OPEN_MAX: Final = 256
"""Motions of one steward that wait: more would hide those of others."""


class MotionAct(NamedTuple):
    """What a motion of a kind does.

    Attributes:
        check: raises :class:`Refusal` when it cannot be carried out as things stand. Gets the act's own message.
        carry_out: does it, as the steward with this pseudonym; may raise :class:`Refusal` before it records anything.
    """

    check: Callable[[View, Any], None]
    carry_out: Callable[[Scene, bytes, Any], None]


MOTION_ACTS: Final[Mapping[str, MotionAct]] = MappingProxyType(
    {
        "list_benign": MotionAct(benign.check_listing, benign.carry_out_listing),
        "unlist_benign": MotionAct(benign.check_unlisting, benign.carry_out_unlisting),
        "adopt_taxonomy": MotionAct(rulebook.check_taxonomy, rulebook.adopt_taxonomy),
        "adopt_policy": MotionAct(rulebook.check_policy, rulebook.adopt_policy),
        "lift_limit": MotionAct(limits.check_lift, limits.carry_out_lift),
        "roll_back": MotionAct(rollback.check, rollback.carry_out),
        "confirm_member": MotionAct(records.check_confirm, records.confirm),
        "amend_member": MotionAct(records.check_amend, records.carry_out_amend),
        "dismiss_member": MotionAct(records.check_dismiss, records.dismiss),
        "redact_entry": MotionAct(redacting.check, redacting.carry_out),
        "open_incident": MotionAct(incident_motions.check_open, incident_motions.carry_out_open),
        "prolong_incident": MotionAct(incident_motions.check_prolong, incident_motions.carry_out_prolong),
    }
)
"""Field of ``StewardAct`` -> what it does."""


def name_of(number: int) -> str:
    """The name of an act by its field's number; "" for one of a later version."""
    field = pb.StewardAct.DESCRIPTOR.fields_by_number.get(number)
    return field.name if field is not None else ""


def check_act(view: View, act: pb.StewardAct) -> str:
    """Check what a motion would do; returns the act's name.

    Raises:
        Refusal: FIELD_INVALID for no act; what the act's own check says.
    """
    name = act.WhichOneof("act")
    if name is None or name not in MOTION_ACTS:
        raise invalid_field("act", f"set one of {', '.join(MOTION_ACTS)}")
    MOTION_ACTS[name].check(view, getattr(act, name))
    return name


def check_text(reason: str) -> str:
    """Why, as it is stored. Raises :class:`Refusal` FIELD_INVALID."""
    trimmed = reason.strip()
    if len(trimmed) > REASON_CHARACTERS_MAX or not trimmed.isprintable():
        raise invalid_field("reason", f"at most {REASON_CHARACTERS_MAX} printable characters")
    return trimmed


def propose(scene: Scene, member: bytes, act: pb.StewardAct, reason: str) -> MotionRow:
    """Propose a motion.

    Raises:
        Refusal: FIELD_INVALID, PROPOSER_NOT_FULL, LIMIT_EXCEEDED, and what the act's own check says; nothing was
            written.
    """
    if not is_full(scene, member):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_PROPOSER_NOT_FULL,
            "a member on trial proposes no motions: let two stewards confirm it first",
        )
    waiting = sum(row.proposer == member and row.state is MotionState.OPEN for row in every_motion(scene))
    if waiting >= OPEN_MAX:
        raise over_limit("motions_open_max", OPEN_MAX, waiting + 1)
    known = pb.StewardAct()
    known.CopyFrom(act)
    known.DiscardUnknownFields()  # what nobody can read when seconding it is not kept
    act = known
    name = check_act(scene, act)
    lapse_ms = scene.now_ms + policy_of(scene).motion_days * DAY_MS
    number = act.DESCRIPTOR.fields_by_name[name].number
    entry = scene.record(
        Draft(
            Kind.MOTION_PROPOSED,
            member,
            clear=MotionClear(number, lapse_ms).encode(),
            payload=MotionPayload(act.SerializeToString(deterministic=True), reason).encode(),
        )
    )
    return existing_motion(scene, entry.sequence)


def second(scene: Scene, member: bytes, number: int) -> MotionRow:
    """Second a motion and carry it out.

    Raises:
        Refusal: MOTION_NOT_FOUND, MOTION_CLOSED, SECONDER_NOT_INDEPENDENT, what the act is refused with.
    """
    row = existing_motion(scene, number)
    act = stated_act(scene, row)
    if row.state is not MotionState.OPEN or act is None:
        raise _closed(row)
    _check_independent(scene, row.proposer, member)
    name = check_act(scene, act)
    scene.record(Draft(Kind.MOTION_SECONDED, member, number))
    # A refusal from here on undoes the whole act, the seconding too.
    MOTION_ACTS[name].carry_out(scene, member, getattr(act, name))
    return existing_motion(scene, number)


def withdraw_motion(scene: Scene, member: bytes, number: int) -> MotionRow:
    """Take a motion back.

    Raises:
        Refusal: MOTION_NOT_FOUND; MOTION_CLOSED when it was seconded.
    """
    row = existing_motion(scene, number)
    if row.state is MotionState.CARRIED:
        raise _closed(row)
    if row.state is MotionState.OPEN:
        scene.record(Draft(Kind.MOTION_CLOSED, member, number, clear=u8(MotionEnd.WITHDRAWN)))
    return existing_motion(scene, number)


def lapse(scene: Scene, number: int) -> None:
    """Its time has come and nobody seconded it."""
    scene.record(Draft(Kind.MOTION_CLOSED, SERVICE, number, clear=u8(MotionEnd.LAPSED)))


def existing_motion(view: View, number: int) -> MotionRow:
    """The motion. Raises :class:`Refusal` MOTION_NOT_FOUND."""
    row = motion(view, number)
    if row is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_MOTION_NOT_FOUND, f"there is no motion {number}")
    return row


def stated(view: View, row: MotionRow) -> MotionPayload | None:
    """What was proposed, in its proposer's words; None after redaction."""
    payload = view.entry(row.motion).payload
    return None if payload is None else MotionPayload.decode(payload)


def stated_act(view: View, row: MotionRow) -> pb.StewardAct | None:
    """The act that was proposed; None after redaction, and for one that this version cannot read."""
    said = stated(view, row)
    try:
        return None if said is None else pb.StewardAct.FromString(said.act)
    except DecodeError:
        return None


def _check_independent(view: View, proposer: bytes, seconder: bytes) -> None:
    first, other = view.member(proposer), view.member(seconder)
    if not _governs(view, first):
        raise _not_independent("who proposed it is no active steward any more: propose it anew")
    if proposer == seconder:
        raise _not_independent("nobody seconds a motion of its own: a steward of another corporate group does")
    if not _governs(view, other):
        raise _not_independent("a member on trial seconds no motions")
    # A group that was redacted shows no independence, and none is assumed.
    if first is None or other is None or not first.group or not other.group or first.group == other.group:
        raise _not_independent("the steward that seconds is of another corporate group than the one that proposed")


def _governs(view: View, row: MemberRow | None) -> bool:
    return row is not None and not row.suspended and Role.STEWARD in row.roles and is_full(view, row.pseudonym)


def _not_independent(why: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_SECONDER_NOT_INDEPENDENT, why)


def _closed(row: MotionRow) -> Refusal:
    if row.state is MotionState.CARRIED:
        return Refusal(error_reason_pb2.ERROR_REASON_MOTION_CLOSED, f"motion {row.motion} was carried out already")
    became = "has lost its content" if row.state is MotionState.OPEN else f"is {row.state.name.lower()}"
    return Refusal(error_reason_pb2.ERROR_REASON_MOTION_CLOSED, f"motion {row.motion} {became}: propose it anew")
