"""Both clients' calls about uploads that a replica remembers, and about reports; they have them by inheritance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar

from hashpact import _wire as wire
from hashpact._operations import uploading
from hashpact._operations.returning import OnAway
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.errors import ServiceError
from hashpact.probes import ProbeSource
from hashpact.results import Problem
from hashpact.uploads import (
    Corrections,
    ForgottenUploads,
    MatchReport,
    MatchStatistics,
    RetroMatches,
    UploadAction,
)
from hashpact.v1 import upload_service_pb2

Seen = TypeVar("Seen")


class UploadCalls:
    """Calls of platforms: about their uploads to their own replica, about matches to the hub."""

    _transport: Transport
    _session: Session

    def remember_uploads(self, uploads: Iterable[tuple[str, ProbeSource]], *, as_of: str) -> tuple[Problem, ...]:
        """Let the replica remember uploads that were looked up, so that later entries find them.

        Safe to repeat. A replica whose operator did not switch it on refuses, and so does a hub.

        Args:
            uploads: (your own word for the upload, its signals), as :meth:`lookup` takes these.
            as_of: of the answer in which they were looked up.

        Returns:
            What could not be remembered, by its position; everything else is, durably.

        Raises:
            ConflictError: nothing is remembered there, or ``as_of`` is of another list.
        """
        return self._transport.run(uploading.remember(self._session, uploads, as_of))

    def record_actions(self, actions: Iterable[UploadAction]) -> tuple[Problem, ...]:
        """Let the replica write down what was done because of which items: you hear when their standing changes.

        Safe to repeat: a record about the same upload and item takes the place of the earlier.

        Args:
            actions: what was done.

        Returns:
            What was not recorded, by its position; everything else is, durably.

        Raises:
            ConflictError: nothing is remembered there.
        """
        return self._transport.run(uploading.record(self._session, actions))

    def forget_uploads(
        self, references: Iterable[str] = (), *, before_time: datetime | None = None
    ) -> ForgottenUploads:
        """Let the replica forget uploads, the actions about them, and what of them waits to be watched.

        Args:
            references: these.
            before_time: everything before this time; with a time zone.

        Raises:
            ConflictError: nothing is remembered there.
        """
        return self._transport.run(uploading.forget(references, before_time))

    def watch_retro_matches(self, after: str = "", *, on_away: OnAway | None = None) -> Iterator[RetroMatches]:
        """Earlier uploads that match what was listed since, as they are found, until you stop.

        Comes back by itself when the connection breaks. Whoever asks for the next ones has taken care of those before:
        they may be dropped by the replica then. A sign of life comes as an empty one.

        Args:
            after: ``as_of`` of what you took care of last; "": everything that waits.
            on_away: called with the error each time that the connection broke, before it is made again.

        Raises:
            UnavailableError: the replica could not be reached at first.
            ConflictError: nothing is remembered there, or ``after`` is of a memory that was deleted.
        """
        request = upload_service_pb2.WatchRetroMatchesRequest
        told = uploading.Told(after, on_away)
        return self._watched(wire.WATCH_RETRO_MATCHES, request, uploading.retro_matches, told)

    def watch_corrections(self, after: str = "", *, on_away: OnAway | None = None) -> Iterator[Corrections]:
        """Actions whose ground has changed: "undo these". As :meth:`watch_retro_matches`.

        Args:
            after: see :meth:`watch_retro_matches`.
            on_away: see :meth:`watch_retro_matches`.
        """
        request = upload_service_pb2.WatchCorrectionsRequest
        told = uploading.Told(after, on_away)
        return self._watched(wire.WATCH_CORRECTIONS, request, uploading.corrections, told)

    def _watched(
        self, method: wire.Method[Any], request: type[Any], seen: Callable[[Any], Seen], told: uploading.Told
    ) -> Iterator[Seen]:
        while True:
            try:
                for message in self._transport.stream(method, request(after=told.after)):
                    yield seen(message)
                    told.heard(message)
                raise told.ended()
            except ServiceError as error:
                time.sleep(told.pause_s(error))

    def report_matches(self, reports: Iterable[MatchReport]) -> tuple[Problem, ...]:
        """Tell the hub how often items were met; nothing about an upload. Nobody does it unless you call this.

        Safe to repeat: a report states how many there were in the hour, in all.

        Args:
            reports: the reports.

        Returns:
            Reports that were not taken, by their position; all others were.
        """
        return self._transport.run(uploading.report(self._session, reports))

    def match_statistics(
        self,
        item: int = 0,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        items_max: int = 0,
    ) -> MatchStatistics:
        """How often items were met, as members reported: all of it for stewards and auditors, else your own.

        Args:
            item: only this one, by hour and with the members that reported it; 0: all.
            start_time: only hours that begin at this time or later, with a time zone.
            end_time: only hours that begin before this time.
            items_max: most items to name; 0 for the server's default.
        """
        return self._transport.run(uploading.statistics(item, start_time, end_time, items_max))

    def delete_reports(self, member: str = "", *, before_time: datetime | None = None) -> int:
        """Delete your own reports, or as steward another member's; how many there were.

        Args:
            member: whose; "": your own.
            before_time: only hours that began before this time, with a time zone.

        Raises:
            NotFoundError: no such member.
        """
        return self._transport.run(uploading.delete_reports(member, before_time))


class AsyncUploadCalls:
    """The same, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def remember_uploads(self, uploads: Iterable[tuple[str, ProbeSource]], *, as_of: str) -> tuple[Problem, ...]:
        """As :meth:`hashpact.Client.remember_uploads`."""
        return await self._transport.run(uploading.remember(self._session, uploads, as_of))

    async def record_actions(self, actions: Iterable[UploadAction]) -> tuple[Problem, ...]:
        """As :meth:`hashpact.Client.record_actions`."""
        return await self._transport.run(uploading.record(self._session, actions))

    async def forget_uploads(
        self, references: Iterable[str] = (), *, before_time: datetime | None = None
    ) -> ForgottenUploads:
        """As :meth:`hashpact.Client.forget_uploads`."""
        return await self._transport.run(uploading.forget(references, before_time))

    def watch_retro_matches(self, after: str = "", *, on_away: OnAway | None = None) -> AsyncIterator[RetroMatches]:
        """As :meth:`hashpact.Client.watch_retro_matches`."""
        request = upload_service_pb2.WatchRetroMatchesRequest
        told = uploading.Told(after, on_away)
        return self._watched(wire.WATCH_RETRO_MATCHES, request, uploading.retro_matches, told)

    def watch_corrections(self, after: str = "", *, on_away: OnAway | None = None) -> AsyncIterator[Corrections]:
        """As :meth:`hashpact.Client.watch_corrections`."""
        request = upload_service_pb2.WatchCorrectionsRequest
        told = uploading.Told(after, on_away)
        return self._watched(wire.WATCH_CORRECTIONS, request, uploading.corrections, told)

    async def _watched(
        self, method: wire.Method[Any], request: type[Any], seen: Callable[[Any], Seen], told: uploading.Told
    ) -> AsyncIterator[Seen]:
        while True:
            try:
                async with aclosing(self._transport.stream(method, request(after=told.after))) as messages:
                    async for message in messages:
                        yield seen(message)
                        told.heard(message)
                raise told.ended()
            except ServiceError as error:
                await asyncio.sleep(told.pause_s(error))

    async def report_matches(self, reports: Iterable[MatchReport]) -> tuple[Problem, ...]:
        """As :meth:`hashpact.Client.report_matches`."""
        return await self._transport.run(uploading.report(self._session, reports))

    async def match_statistics(
        self,
        item: int = 0,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        items_max: int = 0,
    ) -> MatchStatistics:
        """As :meth:`hashpact.Client.match_statistics`."""
        return await self._transport.run(uploading.statistics(item, start_time, end_time, items_max))

    async def delete_reports(self, member: str = "", *, before_time: datetime | None = None) -> int:
        """As :meth:`hashpact.Client.delete_reports`."""
        return await self._transport.run(uploading.delete_reports(member, before_time))
