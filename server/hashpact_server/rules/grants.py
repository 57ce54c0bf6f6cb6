"""Grants: what a new token may carry, and which tokens a call may end.

A token never makes another one that can do more than itself, or for longer: else whoever found the token of an upload
server would hold all rights of its member, for ever. And no steward alone makes a token by which it could speak as
another full member: it takes several of those to make everybody act.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.entry import SERVICE
from hashpact_server.ledger.payloads import MemberClear
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.tiers import tier_of
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.rows import MemberRow, Role, TokenRow
from hashpact_server.state.view import View


class Grant(NamedTuple):
    """What a new token will carry.

    Attributes:
        roles: the rights, sorted; None: all that its member has.
        expiry_ms: Unix time in ms at which it stops working; 0: never.
    """

    roles: tuple[int, ...] | None
    expiry_ms: int


def grant(
    view: View, issuer: bytes, by: TokenRow | None, owner: MemberRow, roles: Iterable[int], expiry_ms: int
) -> Grant:
    """What the token carries that a member asks for.

    Args:
        view: the list.
        issuer: pseudonym of the calling member. Whether it may act for another one was checked.
        by: the token in the call; None: the service itself.
        owner: whose token it will be.
        roles: the rights asked for; none: as many as may be.
        expiry_ms: asked for; 0: as late as may be.

    Raises:
        Refusal: MEMBER_LEFT, TWO_STEWARDS_NEEDED, FIELD_INVALID, ROLE_MISSING, TOKEN_INVALID.
    """
    if record_of(view, owner.pseudonym).tier is Tier.LEFT:
        raise member_left()
    wanted = tuple(sorted(set(roles)))
    if not set(wanted) <= set(owner.roles):
        raise invalid_field("roles", f"the member has {_names(owner.roles)}, and no token can carry more")
    if issuer not in (owner.pseudonym, SERVICE):
        if tier_of(view, owner.pseudonym) is Tier.FULL and _had_another_steward(view, issuer):
            raise Refusal(
                error_reason_pb2.ERROR_REASON_TWO_STEWARDS_NEEDED,
                "a full member makes its own tokens; when it lost all of them, the operator of the data directory "
                "gives it one (hashpact-server member token)",
            )
        return Grant(wanted or None, expiry_ms)
    if by is None:
        return Grant(wanted or None, expiry_ms)
    if view.token(by.token_id) is None:  # revoked since the call began
        raise Refusal(error_reason_pb2.ERROR_REASON_TOKEN_INVALID, "the token in the call was revoked meanwhile")
    if by.roles is not None:
        if not set(wanted) <= set(by.roles):
            raise _too_much(f"it carries {_names(by.roles)}, and makes no token that carries more")
        wanted = wanted or by.roles
    if by.expiry_ms and expiry_ms > by.expiry_ms:
        raise invalid_field("expire_time", "is after that of the token in the call")
    return Grant(wanted or None, expiry_ms or by.expiry_ms)


def check_ends(owner: MemberRow, held: tuple[int, ...], token: TokenRow) -> None:
    """Before a member ends a token of its own.

    Args:
        owner: the member.
        held: the rights of the call.
        token: the token to end.

    Raises:
        Refusal: ROLE_MISSING: the token carries a right that the call does not.
    """
    carried = owner.roles if token.roles is None else set(owner.roles) & set(token.roles)
    if not set(carried) <= set(held):
        raise _too_much("it ends no token that carries more rights than itself")


def member_left() -> Refusal:
    """The refusal of an act about a member that left."""
    return Refusal(error_reason_pb2.ERROR_REASON_MEMBER_LEFT, "the member left the forum, which is for good")


def _had_another_steward(view: View, issuer: bytes) -> bool:
    """Whether the forum ever could do what takes two stewards. Where it could not, there is nobody to deceive yet.

    Not whether it can now: one steward alone may suspend the others, and take their rights away. The first two were
    admitted as stewards by the operator, since it takes two to make another full one.
    """
    admissions = (view.entry(member.created_sequence) for member in view.every_member() if member.pseudonym != issuer)
    return any(
        entry.member == SERVICE and Role.STEWARD in MemberClear.decode(entry.clear).roles for entry in admissions
    )


def _too_much(what: str) -> Refusal:
    return Refusal(
        error_reason_pb2.ERROR_REASON_ROLE_MISSING,
        f"the token in the call does not allow this: {what}",
        metadata={"roles": "steward"},
    )


def _names(roles: Iterable[int]) -> str:
    return ", ".join(Role(role).name.lower() for role in roles)
