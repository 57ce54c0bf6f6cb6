"""How the server says no: one exception, raised anywhere below ``services``, mapped to the wire in one place.

Everything that is not a :class:`Refusal` is a bug of ours and reaches the caller as ``INTERNAL`` without details.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from hashpact.v1 import error_reason_pb2

Reason: TypeAlias = "error_reason_pb2.ErrorReason.ValueType"


class Refusal(Exception):  # noqa: N818 - the house's word for a request that is answered with an error
    """A request that is answered with an error.

    Attributes:
        reason: an ``ErrorReason``; its comment in ``error_reason.proto`` states the canonical code.
        message: one sentence that says what to do. Never contains a hash value or a token.
        metadata: what ``ErrorInfo.metadata`` carries.
        violations: (field path, description) pairs for ``BadRequest``.
        retry_after_s: for ``RetryInfo``; None when waiting does not help.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


def over_limit(name: str, limit: int, value: int) -> Refusal:
    """The refusal of a request that is larger than the limit ``name``."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_LIMIT_EXCEEDED,
        f"{value} is over the limit {name}={limit}; send less at once",
        metadata={"limit": name, "limit_value": str(limit), "value": str(value)},
    )


def invalid_field(field: str, description: str) -> Refusal:
    """The refusal of a request with one invalid field."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_FIELD_INVALID,
        f"{field}: {description}",
        violations=[(field, description)],
    )


def not_serving() -> Refusal:
    """The refusal of a server that is starting or stopping."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_NOT_SERVING,
        "the server is starting or stopping; try again shortly",
        retry_after_s=1.0,
    )
