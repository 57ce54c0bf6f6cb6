"""Who is calling: set by the interceptors for the thread that serves the call, read by the services."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass

from hashpact_server.state.rows import MemberRow, Role


@dataclass(frozen=True, slots=True)
class Caller:
    """The member that makes a call.

    Attributes:
        member: its row.
        deadline: ``time.monotonic()`` after which nobody waits for the answer.
    """

    member: MemberRow
    deadline: float = math.inf

    @property
    def pseudonym(self) -> bytes:
        """Its name in the ledger: 16 bytes."""
        return self.member.pseudonym

    def has(self, *roles: Role) -> bool:
        """Whether it holds one of these roles."""
        return any(role in self.member.roles for role in roles)


_CALLER: ContextVar[Caller] = ContextVar("hashpact_caller")


def set_caller(caller: Caller) -> None:
    """State who calls, for the rest of this call."""
    _CALLER.set(caller)


def current_caller() -> Caller:
    """Who calls."""
    return _CALLER.get()
