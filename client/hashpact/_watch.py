"""``watch`` of both clients; they have it by inheritance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

from hashpact import _wire as wire
from hashpact._operations.returning import OnAway
from hashpact._operations.session import Session, capabilities
from hashpact._operations.watching import Watching
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.entries import Entry
from hashpact.errors import ServiceError


class WatchCalls:
    """Following the ledger."""

    _transport: Transport
    _session: Session

    def watch(
        self,
        *,
        start: int | None = None,
        after: str = "",
        signal_types: Iterable[str] = (),
        label_classes: Iterable[str] = (),
        on_away: OnAway | None = None,
    ) -> Iterator[Entry]:
        """Follow what happens to the list, in order, until you stop; what is in clear of each entry, no hash values.

        Comes back by itself when the connection breaks or the service is restarted, and goes on where it was: nothing
        is left out, nothing comes twice. For members with the role ``replicate``.

        Args:
            start: number of the first entry; 0 for the whole ledger. None: what comes from now on.
            after: an ``as_of`` token, in place of ``start``: what came after it.
            signal_types: only entries that add or confirm a signal of one of these; besides those that take something
                off the list, or are about members or many items.
            label_classes: only entries with labels of one of these classes; besides the same.
            on_away: called with the error each time that the connection broke, before it is made again.

        Raises:
            UnavailableError: the service could not be reached at first.
            NotAllowedError: the role is missing, or was taken away.
            ConflictError: the service's list is another one, or was taken back to an earlier state.
            InvalidRequestError: there is no such signal type, or no such entry yet.
        """
        watching = Watching(start, after, signal_types, label_classes, on_away)
        if watching.begins_now:
            watching.begin_after(self._transport.run(capabilities(self._session)).as_of)
        while True:
            try:
                for message in self._transport.stream(wire.WATCH, watching.request()):
                    yield from watching.take(message)
                raise watching.ended()
            except ServiceError as error:
                time.sleep(watching.pause_s(error))


class AsyncWatchCalls:
    """The same, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def watch(
        self,
        *,
        start: int | None = None,
        after: str = "",
        signal_types: Iterable[str] = (),
        label_classes: Iterable[str] = (),
        on_away: OnAway | None = None,
    ) -> AsyncIterator[Entry]:
        """As :meth:`hashpact.Client.watch`."""
        watching = Watching(start, after, signal_types, label_classes, on_away)
        if watching.begins_now:
            watching.begin_after((await self._transport.run(capabilities(self._session))).as_of)
        while True:
            try:
                async with aclosing(self._transport.stream(wire.WATCH, watching.request())) as messages:
                    async for message in messages:
                        for entry in watching.take(message):
                            yield entry
                raise watching.ended()
            except ServiceError as error:
                await asyncio.sleep(watching.pause_s(error))
