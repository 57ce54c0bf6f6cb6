"""What a client remembers between calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._wire import Operation, ask
from hashpact.errors import ConfigError, InvalidRequestError, LimitExceededError
from hashpact.membership import Capabilities, Limits
from hashpact.plugins import require_plugins
from hashpact.v1 import capabilities_service_pb2

OnUnavailable = Literal["raise", "open", "closed"]

BUSY: Final = frozenset({"TOO_MANY_REQUESTS", "QUOTA_EXCEEDED"})
"""Reasons that pass by waiting."""


@dataclass(slots=True)
class Session:
    """What a client remembers between calls.

    Attributes:
        on_unavailable: what a check answers when the service cannot be asked.
        read_your_writes: whether reads ask to be at least as fresh as the client's own last write.
        as_of: token of the write that was acknowledged last; "" before any.
        limits: the server's limits, once they were asked for.
    """

    on_unavailable: OnUnavailable = "raise"
    read_your_writes: bool = True
    as_of: str = ""
    limits: Limits | None = None

    def __post_init__(self) -> None:
        if self.on_unavailable not in ("raise", "open", "closed"):
            raise ConfigError('on_unavailable is "raise", "open" or "closed"')
        require_plugins()

    def wrote(self, as_of: str) -> None:
        """Remember the token of a write."""
        self.as_of = as_of or self.as_of

    def forget(self, token: str) -> None:
        """Drop a token that the server does not know, unless a newer one took its place."""
        if self.as_of == token:
            self.as_of = ""


def capabilities(session: Session) -> Operation[Capabilities]:
    """Ask what the server can do, and remember its limits."""
    request = capabilities_service_pb2.GetCapabilitiesRequest()
    response = yield from ask(wire.Call(wire.GET_CAPABILITIES, request, wait_for=BUSY))
    answer = convert.capabilities_of(response)
    session.limits = answer.limits
    return answer


def limits_of(session: Session) -> Operation[Limits]:
    """The server's limits, asked for once."""
    if session.limits is None:
        yield from capabilities(session)
    assert session.limits is not None  # noqa: S101  # set by the line above
    return session.limits


@contextmanager
def limits_may_be_old(session: Session) -> Iterator[None]:
    """Forget the limits that a batch was cut by when the server says that it is over one.

    It may have been started again with other limits: they are asked for anew with the next batch.
    """
    try:
        yield
    except LimitExceededError as error:
        if error.reason == "LIMIT_EXCEEDED":
            session.limits = None
        raise


def new_request_id(given: str | None) -> str:
    """The caller's request_id, or a random one; "" stays "": such a write is never sent twice."""
    return uuid.uuid4().hex if given is None else given


def require_id(field: str, value: object) -> None:
    """Refuse what cannot be an id.

    Raises:
        InvalidRequestError: not a positive whole number of 64 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 1 << 64:
        raise InvalidRequestError.about(field, f"{field} is a positive whole number")


def require_count(field: str, value: object) -> None:
    """Refuse what cannot be a count.

    Raises:
        InvalidRequestError: not a whole number from 0 to 32 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise InvalidRequestError.about(field, f"{field} is a whole number, 0 or more")
