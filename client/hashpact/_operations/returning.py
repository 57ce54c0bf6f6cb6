"""Coming back to a service whose stream ended: when, and when not. No input or output here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from hashpact import _wire as wire
from hashpact._errors import PERMANENT
from hashpact.errors import LimitExceededError, ServiceError, UnavailableError

OnAway = Callable[[ServiceError], None]

PAUSE_S_MAX: Final = 10.0
_PASSES: Final = frozenset({"TOO_MANY_REQUESTS", "WATCHER_TOO_SLOW", "TOKEN_FROM_FUTURE"})
"""Reasons that pass by waiting; the last: another replica answers, which is a moment behind the one before."""


class Returning:
    """What the watches have in common.

    Args:
        on_away: told of each time that the service cannot be asked, before the pause.
    """

    def __init__(self, on_away: OnAway | None) -> None:
        self._on_away = on_away
        self._failures = 0
        self._answered = False

    def answered(self) -> None:
        """A message came."""
        self._answered, self._failures = True, 0

    def pause_s(self, error: ServiceError) -> float:
        """Time to wait before the next connection, in seconds.

        Raises:
            ServiceError: the one given, where waiting does not help, or nothing was ever heard.
        """
        away = isinstance(error, UnavailableError) and error.reason not in PERMANENT
        if not self._answered or not (away or error.reason in _PASSES):
            raise error
        if self._on_away is not None:
            self._on_away(error)
        self._failures += 1
        pause_s = min(wire.BACKOFF_FIRST_S * wire.BACKOFF_FACTOR ** min(self._failures, 30), PAUSE_S_MAX)
        asked_s = error.retry_after_s if isinstance(error, LimitExceededError) else None
        return max(pause_s, asked_s or 0.0) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter

    def ended(self) -> ServiceError:
        """What it means when the service ends the call without an error, which it never does by itself."""
        return UnavailableError("the service ended the watch", reason="NOT_SERVING")
