"""Exit codes, and which one wins when several apply."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hashpact.errors import (
    ConfigError,
    HashpactError,
    MissingExtraError,
    NotAllowedError,
    ServiceError,
    UnavailableError,
)


class Exit(IntEnum):
    """How a command ended. Scripts rely on the numbers."""

    OK = 0
    """All fine, and nothing matched."""
    FAULT = 1
    """A fault of this program."""
    USAGE = 2
    """An option, a setting or an argument is wrong."""
    INPUT_FAILED = 3
    """Some input failed: unreadable, refused, or not there."""
    NOT_ALLOWED = 4
    """No token, a wrong one, a suspended member, or a role that is missing."""
    UNREACHABLE = 5
    """The service cannot be reached, or cannot answer now."""
    MATCHED = 10
    """All fine, and something matched (near matches too)."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read the output went away."""


_STRONGEST_FIRST: Final = (
    Exit.INTERRUPTED,
    Exit.BROKEN_PIPE,
    Exit.FAULT,
    Exit.USAGE,
    Exit.NOT_ALLOWED,
    Exit.UNREACHABLE,
    Exit.INPUT_FAILED,
    Exit.MATCHED,
    Exit.OK,
)


def strongest(*codes: Exit) -> Exit:
    """The code to end with when several apply: 2, then 4, 5, 3, 10, 0. A failure is never hidden by a match."""
    return min(codes, key=_STRONGEST_FIRST.index, default=Exit.OK)


_CANNOT_ANSWER: Final = frozenset(
    {"TOO_MANY_REQUESTS", "STORE_FULL", "INTERNAL", "UNIMPLEMENTED", "UNKNOWN", "ANSWER_INVALID"}
)
"""Reasons that tell of the service, not of what was asked."""


def exit_of(error: HashpactError) -> Exit:
    """The code that an error calls for."""
    if isinstance(error, ConfigError | MissingExtraError):
        return Exit.USAGE
    if isinstance(error, NotAllowedError):
        return Exit.NOT_ALLOWED
    if isinstance(error, UnavailableError) or (isinstance(error, ServiceError) and error.reason in _CANNOT_ANSWER):
        return Exit.UNREACHABLE
    return Exit.INPUT_FAILED
