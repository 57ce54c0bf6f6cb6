"""Motions about members: what takes two stewards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._operations.session import Session, new_request_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.v1 import steward_service_pb2
from hashpact.v1.steward_service_pb2 import StewardAct


def confirm(session: Session, member: str, reason: str, request_id: str | None) -> Operation[int]:
    """Propose to confirm a member."""
    act = StewardAct(confirm_member=StewardAct.ConfirmMember(member=member))
    return (yield from _propose(session, act, reason, request_id))


def amend(
    session: Session,
    member: str,
    group: str,
    roles: Iterable[str],
    four_eyes: bool | None,
    on_trial: bool,
    reason: str,
    request_id: str | None,
) -> Operation[int]:
    """Propose to change what decides how a member counts."""
    if isinstance(roles, str):
        raise InvalidRequestError.about("roles", 'roles is a list of roles, e.g. ["check"]')
    change = StewardAct.AmendMember(
        member=member,
        group=group,
        roles=[convert.ROLES.number(role, "role") for role in roles],
        four_eyes=four_eyes,
        on_trial=on_trial,
    )
    return (yield from _propose(session, StewardAct(amend_member=change), reason, request_id))


def dismiss(
    session: Session,
    member: str,
    withdraw_contributions: bool,
    copies_deleted_time: datetime | None,
    reason: str,
    request_id: str | None,
) -> Operation[int]:
    """Propose to let a member leave."""
    deleted = copies_deleted_time
    act = StewardAct.DismissMember(
        member=member,
        withdraw_contributions=withdraw_contributions,
        copies_deleted_time=None if deleted is None else convert.timestamp(deleted, "copies_deleted_time"),
    )
    return (yield from _propose(session, StewardAct(dismiss_member=act), reason, request_id))


def _propose(session: Session, act: StewardAct, reason: str, request_id: str | None) -> Operation[int]:
    given_id = new_request_id(request_id)
    request = steward_service_pb2.ProposeRequest(request_id=given_id, act=act, reason=reason)
    response = yield from ask(write(wire.PROPOSE, request, given_id))
    session.wrote(response.as_of)
    return int(response.motion.motion)
