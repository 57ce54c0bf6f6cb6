"""Watching the ledger: where to begin, what each message brings, and when to come back. No input or output here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hashpact._convert import nonsense
from hashpact._entry import entry_of
from hashpact._operations.returning import OnAway, Returning
from hashpact._operations.session import require_count
from hashpact.entries import Entry
from hashpact.errors import InvalidRequestError
from hashpact.v1 import feed_service_pb2


class Watching(Returning):
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
        super().__init__(on_away)
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
        self.answered()
        self._next = message.next_sequence
        self._after = message.as_of
        return entries


def _texts(field: str, given: Iterable[str]) -> list[str]:
    """Several words; one alone is a mistake that Python would read as its letters."""
    if isinstance(given, str):
        raise InvalidRequestError.about(field, f"{field} is a list of words")
    return list(given)
