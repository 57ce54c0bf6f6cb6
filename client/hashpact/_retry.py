"""Whether and when a failed call is made again. Pure arithmetic, shared by the sync and the async client.

Reads that find nobody are repeated by gRPC itself (``_wire.service_config``), so they do not appear here.
"""

from __future__ import annotations

from hashpact import _wire as wire
from hashpact._errors import PERMANENT
from hashpact._wire import AnyCall, Repeat
from hashpact.errors import LimitExceededError, ServiceError, UnavailableError

JITTER = 0.2
"""Share by which a pause is lengthened at random, so that many clients do not come back at the same moment."""


def pause_before_retry_s(
    error: ServiceError, call: AnyCall, attempt: int, left_s: float, chance: float
) -> float | None:
    """Seconds to wait before making a call again, or None to give up.

    Args:
        error: how the last attempt failed.
        call: what was asked.
        attempt: attempts made so far, at least 1.
        left_s: seconds until the deadline.
        chance: a random number from 0 to 1.
    """
    if error.reason in call.wait_for:
        asked_s = error.retry_after_s if isinstance(error, LimitExceededError) else None
        pause_s = _backoff_s(attempt) if asked_s is None else asked_s
    elif _write_may_repeat(error, call) and attempt < wire.ATTEMPTS_MAX:
        pause_s = _backoff_s(attempt)
    else:
        return None
    pause_s *= 1 + JITTER * chance
    return pause_s if pause_s < left_s else None


def _write_may_repeat(error: ServiceError, call: AnyCall) -> bool:
    return (
        call.method.repeat is Repeat.IDEMPOTENT
        and call.repeatable
        and isinstance(error, UnavailableError)
        and error.reason not in PERMANENT
    )


def _backoff_s(attempt: int) -> float:
    return min(wire.BACKOFF_FIRST_S * wire.BACKOFF_FACTOR ** min(attempt - 1, 30), wire.BACKOFF_MAX_S)
