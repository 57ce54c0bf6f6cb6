"""Members and their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._operations.session import BUSY, Session, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.membership import IssuedToken, Member
from hashpact.v1 import member_service_pb2


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What of a member's record changes; see :meth:`hashpact.Client.amend_member`."""

    agreement: str | None = None
    contact_day: str | None = None
    contact_night: str | None = None
    next_review_time: datetime | None = None
    four_eyes: bool = False
    remove_roles: Iterable[str] = ()


def create_member(
    session: Session, name: str, roles: Iterable[str], *, group: str, request_id: str | None
) -> Operation[Member]:
    """Admit a member."""
    if isinstance(roles, str):
        raise InvalidRequestError.about("roles", 'roles is a list of roles, e.g. ["check"]')
    given_id = new_request_id(request_id)
    request = member_service_pb2.CreateMemberRequest(
        request_id=given_id,
        name=name,
        roles=[convert.ROLES.number(role, "role") for role in roles],
        group=group,
    )
    response = yield from ask(write(wire.CREATE_MEMBER, request, given_id))
    session.wrote(response.as_of)
    return convert.member_of(response.member)


def list_members_page(page_size: int, page_token: str) -> Operation[tuple[list[Member], str]]:
    """Ask for one page of members."""
    require_count("page_size", page_size)
    request = member_service_pb2.ListMembersRequest(page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_MEMBERS, request, wait_for=BUSY))
    return [convert.member_of(member) for member in response.members], convert.next_page(
        page_token, response.next_page_token
    )


def suspend_member(session: Session, member: str, *, request_id: str | None) -> Operation[Member]:
    """Suspend a member."""
    given_id = new_request_id(request_id)
    request = member_service_pb2.SuspendMemberRequest(request_id=given_id, member=member)
    response = yield from ask(write(wire.SUSPEND_MEMBER, request, given_id))
    session.wrote(response.as_of)
    return convert.member_of(response.member)


def resume_member(session: Session, member: str, *, request_id: str | None) -> Operation[Member]:
    """Let a member take part again."""
    given_id = new_request_id(request_id)
    request = member_service_pb2.ResumeMemberRequest(request_id=given_id, member=member)
    response = yield from ask(write(wire.RESUME_MEMBER, request, given_id))
    session.wrote(response.as_of)
    return convert.member_of(response.member)


def get_member(member: str) -> Operation[Member]:
    """Ask for one member."""
    request = member_service_pb2.GetMemberRequest(member=member)
    response = yield from ask(wire.Call(wire.GET_MEMBER, request, wait_for=BUSY))
    return convert.member_of(response.member)


def amend_member(session: Session, member: str, change: RecordChange, *, request_id: str | None) -> Operation[Member]:
    """Change a member's record."""
    if isinstance(change.remove_roles, str):
        raise InvalidRequestError.about("remove_roles", 'remove_roles is a list of roles, e.g. ["replicate"]')
    given_id = new_request_id(request_id)
    review = change.next_review_time
    request = member_service_pb2.AmendMemberRequest(
        request_id=given_id,
        member=member,
        agreement=change.agreement,
        contact_day=change.contact_day,
        contact_night=change.contact_night,
        next_review_time=None if review is None else convert.timestamp(review, "next_review_time"),
        four_eyes=True if change.four_eyes else None,
        remove_roles=[convert.ROLES.number(role, "remove_roles") for role in change.remove_roles],
    )
    response = yield from ask(write(wire.AMEND_MEMBER, request, given_id))
    session.wrote(response.as_of)
    return convert.member_of(response.member)


def issue_token(
    session: Session, member: str, *, expire_time: datetime | None, roles: Iterable[str]
) -> Operation[IssuedToken]:
    """Issue a token; never sent twice."""
    if isinstance(roles, str):
        raise InvalidRequestError.about("roles", 'roles is a list of roles, e.g. ["check"]')
    request = member_service_pb2.IssueTokenRequest(
        member=member,
        expire_time=None if expire_time is None else convert.timestamp(expire_time, "expire_time"),
        roles=[convert.ROLES.number(role, "role") for role in roles],
    )
    response = yield from ask(wire.Call(wire.ISSUE_TOKEN, request))
    session.wrote(response.as_of)
    return IssuedToken(response.token, convert.token_of(response.info))


def revoke_token(session: Session, token_id: int) -> Operation[None]:
    """Revoke a token; doing it twice is doing it once, so it is repeated without a request_id."""
    require_id("token_id", token_id)
    request = member_service_pb2.RevokeTokenRequest(token_id=token_id)
    call = wire.Call(wire.REVOKE_TOKEN, request, repeatable=True, wait_for=BUSY)
    response = yield from ask(call)
    session.wrote(response.as_of)
