"""Who is who: members by their tokens, in memory.

The roster is immutable. The writer publishes a new one after each commit that touches members or tokens and before it
acknowledges the write, so that a suspended member is out with the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from hashpact.v1 import error_reason_pb2 as reasons

from hashpact_server.refusal import Refusal
from hashpact_server.state.rows import MemberRow, TokenRow
from hashpact_server.state.view import View
from hashpact_server.tokens import is_member_token, member_token_hash


@dataclass(frozen=True, slots=True)
class Roster:
    """Members and tokens as of one commit.

    Attributes:
        members: by pseudonym.
        tokens: by the token's hash.
        sequence: the entry that this reflects.
    """

    members: MappingProxyType[bytes, MemberRow]
    tokens: MappingProxyType[bytes, TokenRow]
    sequence: int

    @classmethod
    def of(cls, members: Iterable[MemberRow], tokens: Iterable[TokenRow], sequence: int) -> Roster:
        """A roster of these rows."""
        return cls(
            MappingProxyType({member.pseudonym: member for member in members}),
            MappingProxyType({token.token_hash: token for token in tokens}),
            sequence,
        )

    @classmethod
    def read(cls, view: View) -> Roster:
        """The roster of a state."""
        return cls.of(view.every_member(), view.tokens(), view.head.sequence)

    def authenticate(self, token: str, now_ms: int) -> MemberRow:
        """The member that holds a token; see :meth:`identify`."""
        return self.identify(token, now_ms)[0]

    def identify(self, token: str, now_ms: int) -> tuple[MemberRow, TokenRow]:
        """The member that holds a token, and the token.

        The token is looked up by its hash: how long that takes tells nothing about tokens that exist.

        Raises:
            Refusal: TOKEN_INVALID (unknown, revoked, expired), MEMBER_SUSPENDED.
        """
        row = self.tokens.get(member_token_hash(token)) if is_member_token(token) else None
        if row is None or (row.expiry_ms and row.expiry_ms <= now_ms):
            raise Refusal(
                reasons.ERROR_REASON_TOKEN_INVALID,
                "the token is unknown, revoked or expired; ask a steward of the forum for a new one",
            )
        member = self.members[row.pseudonym]
        if member.suspended:
            raise Refusal(
                reasons.ERROR_REASON_MEMBER_SUSPENDED,
                "this member is suspended; a steward of the forum can tell why",
            )
        return member, row


def rights(member: MemberRow, token: TokenRow | None) -> tuple[int, ...]:
    """The rights of a call: its member's, as far as its token carries them. Sorted."""
    if token is None or token.roles is None:
        return member.roles
    return tuple(role for role in member.roles if role in token.roles)
