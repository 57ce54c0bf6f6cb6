"""How the sidecar says no: one shape, ``{"error": {"reason", "message"}}``, with the status code that fits."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse

from hashpact.errors import (
    ConflictError,
    HashpactError,
    InvalidRequestError,
    InvalidSignalError,
    LimitExceededError,
    NotAllowedError,
    NotFoundError,
    UnavailableError,
    UnreadableMediaError,
)


class RefusedError(HashpactError):
    """A request that is not taken.

    Attributes:
        status: HTTP status code.
    """

    reason = "REFUSED"

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message, reason=reason)
        self.status = status


_STATUS: Final[tuple[tuple[type[HashpactError], int], ...]] = (
    (UnreadableMediaError, 422),
    (InvalidSignalError, 400),
    (InvalidRequestError, 400),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (UnavailableError, 503),
)
_CLOSING: Final = frozenset({400, 401, 403, 408, 413, 415, 421, 503})
"""Codes after which the rest of a request is not read."""


def status_of(error: HashpactError) -> int:
    """The status code that an error calls for."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, LimitExceededError):
        return 400 if error.retry_after_s is None else 503
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 502)


class JSONLine(JSONResponse):
    """JSON with a line's end, since people read it in terminals."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return super().render(content) + b"\n"


def error_response(error: HashpactError) -> JSONResponse:
    """The answer that an error becomes."""
    status = status_of(error)
    headers = {"connection": "close"} if status in _CLOSING else {}
    if status == 503:
        waits = error.retry_after_s if isinstance(error, LimitExceededError) else None
        headers["retry-after"] = str(max(1, round(waits or 1)))
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONLine(error_body(error), status, headers)


def error_body(error: HashpactError) -> dict[str, Any]:
    """As in the command line's ``--json``."""
    return {"error": {"reason": error.reason, "message": error.message}}
