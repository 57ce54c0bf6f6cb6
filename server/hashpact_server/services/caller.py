"""Who is calling: set by the interceptors for the thread that serves the call, read by the services."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import NamedTuple

from hashpact_server.roster import rights
from hashpact_server.state.rows import MemberRow, Role, TokenRow


class Caller(NamedTuple):
    """The member that makes a call. A tuple: every call makes one.

    Attributes:
        member: its row.
        deadline: ``time.monotonic()`` after which nobody waits for the answer.
        token: the token in the call; None where the service itself acts for the member.
    """

    member: MemberRow
    deadline: float = math.inf
    token: TokenRow | None = None

    @property
    def pseudonym(self) -> bytes:
        """Its name in the ledger: 16 bytes."""
        return self.member.pseudonym

    @property
    def roles(self) -> tuple[int, ...]:
        """Its rights: the member's, as far as the token in the call carries them."""
        return rights(self.member, self.token)

    def has(self, *roles: Role) -> bool:
        """Whether it holds one of these roles."""
        return not frozenset(self.roles).isdisjoint(roles)


_CALLER: ContextVar[Caller] = ContextVar("hashpact_caller")


def set_caller(caller: Caller) -> None:
    """State who calls, for the rest of this call."""
    _CALLER.set(caller)


def current_caller() -> Caller:
    """Who calls."""
    return _CALLER.get()
