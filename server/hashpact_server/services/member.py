"""MemberService: who takes part, with which rights, by which tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, TypeVar

from hashpact.v1 import error_reason_pb2, member_service_pb2_grpc
from hashpact.v1 import member_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import PSEUDONYM_BYTES
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules import members, records
from hashpact_server.rules.grants import grant
from hashpact_server.scene import Scene
from hashpact_server.services.caller import Caller, current_caller
from hashpact_server.services.member_records import amendment_of, encode_member, encode_token
from hashpact_server.services.reading import (
    bad_page_token,
    fresh_head,
    page_key,
    page_size,
    page_token,
    time_ms,
)
from hashpact_server.services.writing import write
from hashpact_server.state.rows import Role
from hashpact_server.tokens import member_token_hash, new_member_token

_SCOPE: Final = b"ListMembers"

Standing = TypeVar("Standing", pb.SuspendMemberResponse, pb.ResumeMemberResponse)
"""The answers that say how a member stands now."""


class MemberService(member_service_pb2_grpc.MemberServiceServicer):
    """Admits and suspends members, and gives out the tokens by which they are known."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def CreateMember(  # noqa: N802 - the name in the wire
        self, request: pb.CreateMemberRequest, context: Any
    ) -> pb.CreateMemberResponse:
        """Admit a member."""
        caller = current_caller()
        name = members.check_name("name", request.name)
        group = members.check_name("group", request.group) if request.group else name
        roles = members.check_roles(request.roles)
        pseudonym = secrets.token_bytes(PSEUDONYM_BYTES)

        def decide(scene: Scene) -> Callable[[str], pb.CreateMemberResponse]:
            row = members.create_member(
                scene, caller.pseudonym, pseudonym=pseudonym, name=name, roles=roles, group=group
            )
            member = encode_member(scene, row, (), contacts=True)
            return lambda as_of: pb.CreateMemberResponse(member=member, as_of=as_of)

        return write(self._engine, caller, request, pb.CreateMemberResponse, decide)

    def ListMembers(  # noqa: N802 - the name in the wire
        self, request: pb.ListMembersRequest, context: Any
    ) -> pb.ListMembersResponse:
        """Return a page of members, by name."""
        caller = current_caller()
        head = fresh_head(self._engine)
        after = page_key(request.page_token, head, _SCOPE) if request.page_token else b""
        if not all(byte < 128 for byte in after):
            raise bad_page_token()
        size = page_size(request.page_size, self._limits.page_size_max)
        with self._engine.state.read() as view:
            rows = view.members(after=after.decode(), limit=size + 1)
            tokens = list(view.tokens())
            encoded = [encode_member(view, row, tokens, contacts=caller.has(Role.STEWARD)) for row in rows[:size]]
        more = page_token(head, _SCOPE, rows[size - 1].name.encode()) if len(rows) > size else ""
        return pb.ListMembersResponse(members=encoded, next_page_token=more, as_of=head.position().encode())

    def GetMember(self, request: pb.GetMemberRequest, context: Any) -> pb.GetMemberResponse:  # noqa: N802 - the name in the wire
        """Return one member with its record."""
        caller = current_caller()
        own = not request.member or request.member == caller.member.name
        if not own and not caller.has(Role.STEWARD, Role.AUDIT):
            raise Refusal(
                error_reason_pb2.ERROR_REASON_ROLE_MISSING,
                "only stewards and auditors read of other members; leave member empty to read of your own",
                metadata={"roles": "steward, audit"},
            )
        head = fresh_head(self._engine)
        with self._engine.state.read() as view:
            row = view.member(caller.pseudonym) if own else None
            row = row or members.existing_member(view, request.member)
            told = encode_member(view, row, view.tokens(), contacts=own or caller.has(Role.STEWARD))
        return pb.GetMemberResponse(member=told, as_of=head.position().encode())

    def AmendMember(  # noqa: N802 - the name in the wire
        self, request: pb.AmendMemberRequest, context: Any
    ) -> pb.AmendMemberResponse:
        """Change what one steward may change of a member's record."""
        caller, change = current_caller(), amendment_of(request)

        def decide(scene: Scene) -> Callable[[str], pb.AmendMemberResponse]:
            row = records.amend_record(scene, caller.pseudonym, request.member, change)
            member = encode_member(scene, row, scene.tokens(), contacts=True)
            return lambda as_of: pb.AmendMemberResponse(member=member, as_of=as_of)

        return write(self._engine, caller, request, pb.AmendMemberResponse, decide)

    def SuspendMember(  # noqa: N802 - the name in the wire
        self, request: pb.SuspendMemberRequest, context: Any
    ) -> pb.SuspendMemberResponse:
        """Suspend a member."""
        return self._set_suspended(request, pb.SuspendMemberResponse, suspended=True)

    def ResumeMember(  # noqa: N802 - the name in the wire
        self, request: pb.ResumeMemberRequest, context: Any
    ) -> pb.ResumeMemberResponse:
        """Let a suspended member take part again."""
        return self._set_suspended(request, pb.ResumeMemberResponse, suspended=False)

    def _set_suspended(
        self, request: pb.SuspendMemberRequest | pb.ResumeMemberRequest, answer: type[Standing], *, suspended: bool
    ) -> Standing:
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], Standing]:
            row = members.set_suspended(scene, caller.pseudonym, request.member, suspended=suspended)
            member = encode_member(scene, row, scene.tokens(), contacts=True)
            return lambda as_of: answer(member=member, as_of=as_of)

        return write(self._engine, caller, request, answer, decide)

    def IssueToken(  # noqa: N802 - the name in the wire
        self, request: pb.IssueTokenRequest, context: Any
    ) -> pb.IssueTokenResponse:
        """Issue one more token."""
        caller = current_caller()
        _check_issuer(caller, request.member)
        expiry_ms = time_ms(request.expire_time) if request.HasField("expire_time") else 0
        if expiry_ms is None or (request.HasField("expire_time") and not expiry_ms):
            raise invalid_field("expire_time", "is in the past, or not a time")
        roles = members.check_roles(request.roles) if request.roles else ()
        token = new_member_token()

        def decide(scene: Scene) -> Callable[[str], pb.IssueTokenResponse]:
            named = members.existing_member(scene, request.member) if request.member else caller.member
            made = grant(scene, caller.pseudonym, caller.token, named, roles, expiry_ms)
            row = members.issue_token(
                scene,
                caller.pseudonym,
                named.pseudonym,
                token_hash=member_token_hash(token),
                expiry_ms=made.expiry_ms,
                limits=self._limits,
                roles=made.roles,
            )
            info = encode_token(scene, row)
            return lambda as_of: pb.IssueTokenResponse(token=token, info=info, as_of=as_of)

        return write(self._engine, caller, request, pb.IssueTokenResponse, decide)

    def RevokeToken(  # noqa: N802 - the name in the wire
        self, request: pb.RevokeTokenRequest, context: Any
    ) -> pb.RevokeTokenResponse:
        """Revoke a token."""
        caller = current_caller()

        def decide(scene: Scene) -> Callable[[str], pb.RevokeTokenResponse]:
            steward = caller.has(Role.STEWARD)
            members.revoke_token(scene, caller.pseudonym, request.token_id, steward=steward, held=caller.roles)
            return lambda as_of: pb.RevokeTokenResponse(as_of=as_of)

        return write(self._engine, caller, request, pb.RevokeTokenResponse, decide)


def _check_issuer(caller: Caller, member: str) -> None:
    if member and member != caller.member.name and not caller.has(Role.STEWARD):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ROLE_MISSING,
            "only a steward issues tokens for other members; leave member empty for a token of your own",
            metadata={"roles": "steward"},
        )
