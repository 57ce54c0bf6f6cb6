"""Members with tokens on a forum: what tests of rights, records and four eyes stand on."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import pytest
from hashpact.v1 import member_service_pb2, steward_service_pb2
from hashpact_server.refusal import Refusal
from hashpact_server.rules import motions
from hashpact_server.rules.four_eyes import Hand
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.pending import PendingService
from hashpact_server.state.rows import MemberRow, Role, TokenRow

from tests.forum import Forum, Services

DAY_MS = 86_400_000


class Held:
    """A token of a member, and calls made by it."""

    def __init__(self, forum: Forum, name: str, token_id: int) -> None:
        self.forum, self.name, self.token_id = forum, name, token_id

    @property
    def row(self) -> TokenRow:
        """The token, as it stands."""
        with self.forum.engine.state.read() as view:
            found = view.token(self.token_id)
        assert found is not None
        return found

    def calls(self) -> Services:
        """The services, called by this token."""
        set_caller(Caller(self.forum.member(self.name), token=self.row))
        return self.forum.services

    def pending(self) -> PendingService:
        """The service of what waits, called by this token."""
        self.calls()
        return PendingService(self.forum.engine, self.forum.limits)

    def hand(self) -> Hand:
        """Who holds it."""
        caller = Caller(self.forum.member(self.name), token=self.row)
        return Hand(caller.pseudonym, self.token_id, caller.roles)

    def issue(self, *roles: Role, member: str = "", **more: Any) -> Held:
        """Make one more token by this one."""
        request = member_service_pb2.IssueTokenRequest(member=member, roles=numbers(roles), **more)
        answer = self.calls().member.IssueToken(request, None)
        return Held(self.forum, member or self.name, answer.info.token_id)


def numbers(roles: Iterable[Role]) -> list[member_service_pb2.Role.ValueType]:
    """Rights for the wire."""
    return [member_service_pb2.Role.ValueType(role) for role in roles]


def held(forum: Forum, name: str, *roles: Role) -> Held:
    """A token that the operator gave out."""
    from hashpact_server.rules import members  # noqa: PLC0415 - as the operator's command does

    def issue(scene: Any) -> int:
        owner = members.existing_member(scene, name).pseudonym
        given = tuple(sorted(roles)) or None
        made = members.issue_token(
            scene, bytes(16), owner, token_hash=secrets.token_bytes(32), expiry_ms=0, limits=forum.limits, roles=given
        )
        return made.token_id

    return Held(forum, name, forum.decide(issue))


def admit_online(forum: Forum, name: str, roles: Iterable[Role], group: str = "") -> MemberRow:
    """A member that a steward admitted: on trial."""
    request = member_service_pb2.CreateMemberRequest(name=name, roles=numbers(roles), group=group)
    forum.as_(forum.steward).member.CreateMember(request, None)
    return forum.member(name)


def by_two(forum: Forum, act: steward_service_pb2.StewardAct) -> None:
    """Have two stewards do it: the forum's, and one of another group that is admitted when there is none."""
    try:
        other = forum.member("steward-2")
    except Refusal:
        other = forum.admit("steward-2", [Role.STEWARD])
    motion = forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, act, "")).motion
    forum.decide(lambda scene: motions.second(scene, other.pseudonym, motion))


def reason_of(call: Any, *arguments: Any) -> int:
    """With which reason a call is refused."""
    with pytest.raises(Refusal) as refused:
        call(*arguments)
    return refused.value.reason
