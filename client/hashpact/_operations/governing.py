"""What stewards do: limits, motions, rulebooks, rollbacks, the digest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._operations.session import BUSY, Session, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.governing import (
    Concern,
    Digest,
    Limited,
    Motion,
    Proposal,
    Rollback,
    RollbackExtent,
    Rulebook,
    RulebookVersion,
)
from hashpact.items import iso
from hashpact.v1 import steward_service_pb2 as pb

MOTION_STATES: Final = convert.Words(pb.MotionState, "MOTION_STATE_")
RULEBOOK_KINDS: Final = convert.Words(pb.RulebookKind, "RULEBOOK_KIND_")
RULEBOOK_STATES: Final = convert.Words(pb.RulebookState, "RULEBOOK_STATE_")
REDACTION_REASONS: Final = convert.Words(pb.RedactionReason, "REDACTION_REASON_")
CONCERNS: Final = convert.Words(pb.ConcernKind, "CONCERN_KIND_")
ACTS: Final = tuple(field.name for field in pb.StewardAct.DESCRIPTOR.oneofs_by_name["act"].fields)
"""Names of all acts that can be proposed."""


def limit_item(session: Session, item: int, note: str, *, request_id: str | None) -> Operation[Limited]:
    """Limit an item to review."""
    require_id("item", item)
    given_id = new_request_id(request_id)
    request = pb.LimitItemRequest(request_id=given_id, item=item, note=note)
    response = yield from ask(write(wire.LIMIT_ITEM, request, given_id))
    session.wrote(response.as_of)
    return Limited(item, convert.STATUSES.word(response.status), response.changed)


def propose(
    session: Session,
    act: str,
    fields: Mapping[str, Any],
    *,
    reason: str,
    validate_only: bool,
    request_id: str | None,
) -> Operation[Proposal]:
    """Propose a motion."""
    given_id = new_request_id(request_id)
    request = pb.ProposeRequest(
        request_id=given_id, act=act_message(act, fields), reason=reason, validate_only=validate_only
    )
    response = yield from ask(write(wire.PROPOSE, request, given_id))
    if not validate_only:
        session.wrote(response.as_of)
    found = response.extent if response.HasField("extent") else None
    extent = None if found is None else RollbackExtent(found.entries, found.items, found.items_unlisted, found.more)
    return Proposal(_motion_of(response.motion), extent)


def second(session: Session, motion: int, *, validate_only: bool, request_id: str | None) -> Operation[Motion]:
    """Second a motion."""
    require_id("motion", motion)
    given_id = new_request_id(request_id)
    request = pb.SecondRequest(request_id=given_id, motion=motion, validate_only=validate_only)
    response = yield from ask(write(wire.SECOND, request, given_id))
    if not validate_only:
        session.wrote(response.as_of)
    return _motion_of(response.motion)


def withdraw_motion(session: Session, motion: int, *, request_id: str | None) -> Operation[Motion]:
    """Take a motion back."""
    require_id("motion", motion)
    given_id = new_request_id(request_id)
    request = pb.WithdrawMotionRequest(request_id=given_id, motion=motion)
    response = yield from ask(write(wire.WITHDRAW_MOTION, request, given_id))
    session.wrote(response.as_of)
    return _motion_of(response.motion)


def motions_page(page_size: int, page_token: str, *, open_only: bool) -> Operation[tuple[list[Motion], str]]:
    """Ask for one page of motions."""
    require_count("page_size", page_size)
    request = pb.ListMotionsRequest(page_size=page_size, page_token=page_token, open_only=open_only)
    response = yield from ask(wire.Call(wire.LIST_MOTIONS, request, wait_for=BUSY))
    return [_motion_of(each) for each in response.motions], convert.next_page(page_token, response.next_page_token)


def rulebook(kind: str, version: int | None) -> Operation[Rulebook]:
    """Ask for a rulebook."""
    if version is not None:
        require_count("version", version)
    request = pb.GetRulebookRequest(kind=RULEBOOK_KINDS.number(kind, "kind"), version=version)
    response = yield from ask(wire.Call(wire.GET_RULEBOOK, request, wait_for=BUSY))
    return Rulebook(
        RULEBOOK_KINDS.word(request.kind),
        _version_of(response.version),
        response.content,
        tuple(_version_of(each) for each in response.versions),
    )


def rollbacks_page(page_size: int, page_token: str) -> Operation[tuple[list[Rollback], str]]:
    """Ask for one page of rollbacks."""
    require_count("page_size", page_size)
    request = pb.ListRollbacksRequest(page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_ROLLBACKS, request, wait_for=BUSY))
    found = [
        Rollback(
            rollback=each.rollback,
            member=each.member,
            since_time=convert.time_of(each, "since_time"),
            order_time=convert.time_of(each, "order_time"),
            finish_time=convert.time_of(each, "finish_time"),
            undone=each.undone,
            ordered_by=each.ordered_by,
        )
        for each in response.rollbacks
    ]
    return found, convert.next_page(page_token, response.next_page_token)


def digest(concerns_max: int) -> Operation[Digest]:
    """Ask for what waits."""
    require_count("concerns_max", concerns_max)
    request = pb.GetDigestRequest(concerns_max=concerns_max)
    response = yield from ask(wire.Call(wire.GET_DIGEST, request, wait_for=BUSY))
    concerns = tuple(
        Concern(
            kind=CONCERNS.word(each.kind),
            subject=each.subject,
            member=each.member,
            since_time=convert.time_of(each, "since_time"),
            due_time=convert.time_of(each, "due_time"),
            detail=each.detail,
        )
        for each in response.concerns
    )
    return Digest(concerns, {CONCERNS.word(each.kind): each.count for each in response.counts})


def act_message(act: str, fields: Mapping[str, Any]) -> pb.StewardAct:
    """An act by its name and its fields.

    Raises:
        InvalidRequestError: no such act, no such field, or a value of another kind.
    """
    name = act.strip().lower().replace("-", "_")
    if name not in ACTS:
        raise InvalidRequestError.about("act", f"act is one of {', '.join(ACTS)}; {act!r} is not")
    message = pb.StewardAct()
    part: Message = getattr(message, name)
    part.SetInParent()
    known = part.DESCRIPTOR.fields_by_name
    for key, value in fields.items():
        field = known.get(key.strip().replace("-", "_"))
        if field is None:
            raise InvalidRequestError.about(f"{name}.{key}", f"{name} has the fields {', '.join(known) or '(none)'}")
        try:
            json_format.ParseDict({field.name: _json_of(field, value)}, part)
        except (json_format.ParseError, ValueError, TypeError) as error:
            raise InvalidRequestError.about(f"{name}.{field.name}", _not_a(field, value)) from error
    return message


def _not_a(field: Any, value: Any) -> str:
    """Why a value does not fit a field, and what would."""
    kinds = {field.TYPE_UINT64: "a whole number", field.TYPE_UINT32: "a whole number", field.TYPE_BOOL: "true or false"}
    wanted = kinds.get(field.type, "")
    if field.message_type is not None:
        messages = {"Duration": "seconds, such as 36000s", "Timestamp": "a time with its zone"}
        inside = field.message_type.fields_by_name
        wanted = messages.get(field.message_type.name, f"an object with the fields {', '.join(inside)}")
    return f"{field.name} cannot be {value!r}" + (f": it is {wanted}" if wanted else "")


def _json_of(field: Any, value: Any) -> Any:
    """A value as protobuf's JSON has it: times with their zone, enums by their short words."""
    if isinstance(value, datetime):
        return convert.timestamp(value, field.name).ToJsonString()
    if isinstance(value, (list, tuple)):
        return [_json_of(field, each) for each in value]
    if field.enum_type is not None and isinstance(value, str):
        ending = "_" + value.strip().upper().replace("-", "_")
        names = [each.name for each in field.enum_type.values if each.name.endswith(ending)]
        return min(names, key=len, default=value)
    return value


def _plain(message: Message) -> dict[str, Any]:
    """A message's fields for people: no bytes, so that no signal value is shown."""
    return {field.name: _plain_value(field, value) for field, value in message.ListFields()}


def _plain_value(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.name == "Signal":
        return len(value)
    if isinstance(value, Timestamp):
        return iso(value.ToDatetime(tzinfo=UTC))
    if isinstance(value, Message):
        return _plain(value)
    if field.type == field.TYPE_BYTES:
        return None
    if isinstance(value, (str, int, float, bool)):
        return _word(field, value)
    return [_plain_value(field, each) for each in value]


def _word(field: Any, value: Any) -> Any:
    if field.enum_type is None:
        return value
    known = field.enum_type.values_by_number.get(value)
    first = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return f"unknown-{value}" if known is None else known.name.removeprefix(first).lower()


def _motion_of(message: pb.Motion) -> Motion:
    name = message.act.WhichOneof("act")
    return Motion(
        motion=message.motion,
        state=MOTION_STATES.word(message.state),
        act=message.act_name,
        fields=None if name is None else _plain(getattr(message.act, name)),
        reason=message.reason,
        proposed_by=message.proposed_by,
        propose_time=convert.time_of(message, "propose_time"),
        lapse_time=convert.time_of(message, "lapse_time"),
        closed_by=message.closed_by,
        close_time=convert.time_of(message, "close_time"),
    )


def _version_of(message: pb.RulebookVersion) -> RulebookVersion:
    return RulebookVersion(
        version=message.version,
        state=RULEBOOK_STATES.word(message.state),
        adopt_time=convert.time_of(message, "adopt_time"),
        effect_time=convert.time_of(message, "effect_time"),
        sequence=message.sequence,
    )
