"""Watching the ledger: where to begin, what each message brings, and when to come back. No input or output here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Final

from hashpact import _wire as wire
from hashpact._convert import nonsense
from hashpact._entry import entry_of
from hashpact._errors import PERMANENT
from hashpact._operations.session import require_count
from hashpact.entries import Entry
from hashpact.errors import InvalidRequestError, LimitExceededError, ServiceError, UnavailableError
from hashpact.v1 import feed_service_pb2

OnAway = Callable[[ServiceError], None]

PAUSE_S_MAX: Final = 10.0
_PASSES: Final = frozenset({"TOO_MANY_REQUESTS", "WATCHER_TOO_SLOW", "TOKEN_FROM_FUTURE"})
"""Reasons that pass by waiting; the last: another replica answers, which is a moment behind the one before."""


class Watching:
    """One watch, over as many connections as it takes.

    Args:
        start: number of the first entry that is wanted; None: those after ``after``.
        after: an ``as_of`` token: what comes after it is wanted.
        signal_types: only entries about signals of these; see the filter in ``feed_service.proto``.
        label_classes: only entries with labels of these.
        on_away: told of each time that the service cannot be asked, before the pause.
    """

    def __init__(
        self,
        start: int | None,
        after: str,
        signal_types: Iterable[str],
        label_classes: Iterable[str],
        on_away: OnAway | None,
    ) -> None:
        if start is not None:
            if after:
                raise InvalidRequestError.about("start", "give start or after, not both")
            require_count("start", start)
        self._start = start
        self._after = after
        self._next: int | None = None
        self._filter = feed_service_pb2.WatchFilter(
            signal_types=_texts("signal_types", signal_types), label_classes=_texts("label_classes", label_classes)
        )
        self._on_away = on_away
        self._failures = 0
        self._answered = False

    @property
    def begins_now(self) -> bool:
        """Whether it is to begin with what comes next, which the service has to be asked for."""
        return self._start is None and not self._after

    def begin_after(self, as_of: str) -> None:
        """Begin with what comes after a token."""
        self._after = as_of

    def request(self) -> feed_service_pb2.WatchRequest:
        """What to ask for with the next connection."""
        request = feed_service_pb2.WatchRequest(after=self._after)
        if not self._after:
            request.start_sequence = self._start or 0
        if self._filter.signal_types or self._filter.label_classes:
            request.filter.CopyFrom(self._filter)
        return request

    def take(self, message: Any) -> list[Entry]:
        """The entries of a message; afterwards the next connection goes on behind them.

        Raises:
            ServiceError: they are not those that come next.
        """
        entries = [entry_of(each.public_part, redacted=not each.HasField("private_part")) for each in message.entries]
        expected = message.next_sequence if self._next is None else self._next
        whole = not (self._filter.signal_types or self._filter.label_classes)
        for entry in entries:
            if entry.sequence < expected or (whole and entry.sequence != expected):
                raise nonsense(f"entry {entry.sequence} where {expected} comes next")
            expected = entry.sequence + 1
        if message.next_sequence < expected or (whole and message.next_sequence != expected):
            raise nonsense(f"entry {message.next_sequence} comes next where {expected} does")
        self._answered, self._failures = True, 0
        self._next = message.next_sequence
        self._after = message.as_of
        return entries

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


def _texts(field: str, given: Iterable[str]) -> list[str]:
    """Several words; one alone is a mistake that Python would read as its letters."""
    if isinstance(given, str):
        raise InvalidRequestError.about(field, f"{field} is a list of words")
    return list(given)
