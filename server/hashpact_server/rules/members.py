"""Members: who takes part, with which rights, by which tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads import MemberClear, MemberPayload, StandingClear, TokenPayload
from hashpact_server.ledger.payloads_members import TokenClear
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules.grants import check_ends, member_left
from hashpact_server.scene import Scene
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.rows import MemberRow, Role, TokenRow
from hashpact_server.state.view import View

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NAME_SHAPE: Final = "1 to 64 characters of a-z 0-9 -, starting with a letter or digit"


def check_name(field: str, name: str) -> str:
    """The name of a member or group.

    Raises:
        Refusal: FIELD_INVALID.
    """
    if not _NAME.fullmatch(name):
        raise invalid_field(field, _NAME_SHAPE)
    return name


def check_roles(roles: Iterable[int]) -> tuple[int, ...]:
    """The rights: sorted, each one once.

    Raises:
        Refusal: FIELD_INVALID: none, or one that does not exist.
    """
    wanted = tuple(sorted(set(roles)))
    if not wanted:
        raise invalid_field("roles", "give at least one role")
    if any(role not in tuple(Role) for role in wanted):
        raise invalid_field("roles", f"the roles are {', '.join(role.name.lower() for role in Role)}")
    return wanted


def create_member(
    scene: Scene, actor: bytes, *, pseudonym: bytes, name: str, roles: tuple[int, ...], group: str
) -> MemberRow:
    """Admit a member. It has no token yet.

    Args:
        scene: where to record.
        actor: pseudonym of the acting steward.
        pseudonym: 16 random bytes under which the ledger will know the new member.
        name: unique, and never used again.
        roles: its rights, sorted.
        group: its corporate group.

    Raises:
        Refusal: MEMBER_EXISTS.
    """
    if scene.member_by_name(name) is not None:
        raise Refusal(error_reason_pb2.ERROR_REASON_MEMBER_EXISTS, "the name is taken; names are never used again")
    scene.record(
        Draft(
            Kind.MEMBER_CREATED,
            actor,
            clear=MemberClear(pseudonym, roles, trial=actor != SERVICE).encode(),
            payload=MemberPayload(name, group).encode(),
        )
    )
    return existing_member(scene, name)


def existing_member(view: View, name: str) -> MemberRow:
    """The member with this name.

    Raises:
        Refusal: MEMBER_NOT_FOUND.
    """
    row = view.member_by_name(name)
    if row is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_MEMBER_NOT_FOUND, "no member has this name")
    return row


def set_suspended(scene: Scene, actor: bytes, name: str, suspended: bool) -> MemberRow:
    """Suspend a member or let it take part again; nothing is recorded when it stands so already.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT; LAST_STEWARD when no active steward would be left.
    """
    row = existing_member(scene, name)
    if record_of(scene, row.pseudonym).tier is Tier.LEFT:
        raise member_left()
    if row.suspended == suspended:
        return row
    if suspended:
        check_not_last_steward(scene, row)
    scene.record(
        Draft(
            Kind.MEMBER_STANDING_SET,
            actor,
            subject=row.created_sequence,
            clear=StandingClear(row.pseudonym, suspended).encode(),
        )
    )
    return existing_member(scene, name)


def issue_token(
    scene: Scene,
    actor: bytes,
    pseudonym: bytes,
    *,
    token_hash: bytes,
    expiry_ms: int,
    limits: Limits,
    roles: tuple[int, ...] | None = None,
) -> TokenRow:
    """Record a token of the member with this pseudonym.

    Args:
        scene: where to record.
        actor: pseudonym of the acting member.
        pseudonym: whose token it will be.
        token_hash: SHA-256 of the secret, which itself never reaches the ledger.
        expiry_ms: Unix time in ms at which it stops working; 0: never.
        limits: those in force.
        roles: the rights that it carries, sorted; None: all that its member has. See ``grants`` for what it may carry.

    Raises:
        Refusal: FIELD_INVALID for an expiry in the past; LIMIT_EXCEEDED.
    """
    if expiry_ms and expiry_ms <= scene.now_ms:
        raise invalid_field("expire_time", "is in the past")
    live = sum(token.pseudonym == pseudonym and not 0 < token.expiry_ms <= scene.now_ms for token in scene.tokens())
    if live >= limits.member_tokens_max:
        raise over_limit("member_tokens_max", limits.member_tokens_max, live + 1)
    clear, payload = TokenClear(pseudonym, roles), TokenPayload(token_hash, expiry_ms)
    entry = scene.record(Draft(Kind.TOKEN_ISSUED, actor, clear=clear.encode(), payload=payload.encode()))
    return TokenRow(entry.sequence, pseudonym, token_hash, expiry_ms, roles)


def revoke_token(
    scene: Scene, actor: bytes, token_id: int, *, steward: bool, held: tuple[int, ...] | None = None
) -> None:
    """Revoke a token; a token that was revoked before stays so.

    Args:
        scene: where to record.
        actor: pseudonym of the acting member.
        token_id: which.
        steward: whether it acts as steward, which may end any token.
        held: the rights of the call; None: all that there are.

    Raises:
        Refusal: TOKEN_NOT_FOUND; ROLE_MISSING when it is another member's and the caller is no steward, or when it
            carries more rights than the call.
    """
    owner = _token_owner(scene, token_id)
    if owner is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_TOKEN_NOT_FOUND, f"there is no token {token_id}")
    if not steward and owner != actor:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ROLE_MISSING,
            "only a steward revokes another member's token",
            metadata={"roles": "steward"},
        )
    token, member = scene.token(token_id), scene.member(owner)
    if token is None:
        return
    if not steward and held is not None and member is not None:
        check_ends(member, held, token)
    scene.record(Draft(Kind.TOKEN_REVOKED, actor, subject=token_id))


def _token_owner(view: View, token_id: int) -> bytes | None:
    """Whose token that is or was; from the ledger, since a revoked token has no row any more."""
    if token_id > view.head.sequence:
        return None
    entry = view.entry(token_id)
    return TokenClear.decode(entry.clear).pseudonym if entry.kind == Kind.TOKEN_ISSUED else None


def check_not_last_steward(view: View, row: MemberRow) -> None:
    """Before a member stops being a steward.

    Raises:
        Refusal: LAST_STEWARD.
    """
    if Role.STEWARD in row.roles and not any(
        Role.STEWARD in other.roles and not other.suspended and other.pseudonym != row.pseudonym
        for other in view.every_member()
    ):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_LAST_STEWARD, "it is the last active steward; admit another one first"
        )
