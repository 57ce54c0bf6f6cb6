"""Both clients' calls about incidents; they have them by inheritance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import timedelta

from hashpact import _wire as wire
from hashpact._operations import incidents
from hashpact._operations.returning import OnAway
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.errors import ServiceError
from hashpact.incidents import Debrief, Incident, IncidentRules, IncidentUpdate


class IncidentCalls:
    """Hours in which what is contributed must reach everybody at once."""

    _transport: Transport
    _session: Session

    def open_incident(
        self,
        name: str,
        kind: str,
        duration: timedelta,
        *,
        summary: str = "",
        drill: bool = False,
        rules: IncidentRules | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Incident:
        """Open an incident (a steward), or call for one (others; it opens when members of enough groups support it).

        Args:
            name: 1 to 48 characters of ``a-z 0-9 -``; that of a drill, and no other, begins with ``drill-``.
            kind: its type, a word of the taxonomy.
            duration: for how long.
            summary: what happened, for people; one line.
            drill: a rehearsal: nothing that is contributed under it is listed.
            rules: what holds meanwhile; None: the rules of every day.
            request_id: see :meth:`contribute`.
            validate_only: answer what would happen, and do nothing.

        Raises:
            ConflictError: the name is taken, or it takes a second steward (``INCIDENT_NEEDS_SECOND``).
        """
        plan = incidents.plan_of(name, kind, duration, summary, drill, rules)
        return self._transport.run(
            incidents.open_incident(self._session, plan, request_id=request_id, validate_only=validate_only)
        )

    def support_incident(self, incident: int, duration: timedelta, *, request_id: str | None = None) -> Incident:
        """Want an incident to be open for some time from now on; it is, as far as members of enough groups do.

        Args:
            incident: its id.
            duration: for how long.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such incident.
            ConflictError: it is over.
        """
        return self._transport.run(incidents.support_incident(self._session, incident, duration, request_id=request_id))

    def close_incident(self, incident: int, *, request_id: str | None = None) -> Incident:
        """End an incident: a steward, or who called for it while it is only that.

        Args:
            incident: its id.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such incident.
            ConflictError: it is over.
        """
        return self._transport.run(incidents.close_incident(self._session, incident, request_id=request_id))

    def list_incidents(self, *, open_only: bool = False, page_size: int = 0) -> Iterator[Incident]:
        """Incidents that are not over, then the newest; pages are asked for as they are needed.

        Args:
            open_only: leave out those that are over.
            page_size: incidents per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(incidents.list_incidents_page(open_only, page_size, page_token))
            yield from found
            if not page_token:
                return

    def acknowledge_incident(self, incident: int, receiver: str) -> Incident:
        """Say that this member knows of an incident; a second time changes nothing.

        Args:
            incident: its id.
            receiver: ``software`` or ``person``.

        Raises:
            NotFoundError: no such incident.
            ConflictError: it is over.
        """
        return self._transport.run(incidents.acknowledge_incident(self._session, incident, receiver))

    def watch_incidents(self, after: str = "", *, on_away: OnAway | None = None) -> Iterator[IncidentUpdate]:
        """Incidents as they are opened, called for, prolonged and closed, until you stop.

        First those that are not over. Comes back by itself when the connection breaks, and misses nothing; the same
        state of an incident may come twice. A sign of life comes as an empty update.

        Args:
            after: ``as_of`` of the update that you took care of last; "": what is not over, and what comes.
            on_away: called with the error each time that the connection broke, before it is made again.

        Raises:
            UnavailableError: the service could not be reached at first.
        """
        told = incidents.Told(after, on_away)
        while True:
            try:
                for message in self._transport.stream(wire.WATCH_INCIDENTS, told.request()):
                    yield incidents.update_of(message)
                    told.heard(message)
                raise told.ended()
            except ServiceError as error:
                time.sleep(told.pause_s(error))

    def incident_debrief(self, incident: int) -> Debrief:
        """How an incident went, from the ledger; matches as members reported them, when the hub is asked.

        Args:
            incident: its id.

        Raises:
            NotFoundError: no such incident.
        """
        return self._transport.run(incidents.debrief(incident))


class AsyncIncidentCalls:
    """The same, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def open_incident(
        self,
        name: str,
        kind: str,
        duration: timedelta,
        *,
        summary: str = "",
        drill: bool = False,
        rules: IncidentRules | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Incident:
        """As :meth:`hashpact.Client.open_incident`."""
        plan = incidents.plan_of(name, kind, duration, summary, drill, rules)
        return await self._transport.run(
            incidents.open_incident(self._session, plan, request_id=request_id, validate_only=validate_only)
        )

    async def support_incident(self, incident: int, duration: timedelta, *, request_id: str | None = None) -> Incident:
        """As :meth:`hashpact.Client.support_incident`."""
        return await self._transport.run(
            incidents.support_incident(self._session, incident, duration, request_id=request_id)
        )

    async def close_incident(self, incident: int, *, request_id: str | None = None) -> Incident:
        """As :meth:`hashpact.Client.close_incident`."""
        return await self._transport.run(incidents.close_incident(self._session, incident, request_id=request_id))

    async def list_incidents(self, *, open_only: bool = False, page_size: int = 0) -> AsyncIterator[Incident]:
        """As :meth:`hashpact.Client.list_incidents`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(
                incidents.list_incidents_page(open_only, page_size, page_token)
            )
            for incident in found:
                yield incident
            if not page_token:
                return

    async def acknowledge_incident(self, incident: int, receiver: str) -> Incident:
        """As :meth:`hashpact.Client.acknowledge_incident`."""
        return await self._transport.run(incidents.acknowledge_incident(self._session, incident, receiver))

    async def watch_incidents(self, after: str = "", *, on_away: OnAway | None = None) -> AsyncIterator[IncidentUpdate]:
        """As :meth:`hashpact.Client.watch_incidents`."""
        told = incidents.Told(after, on_away)
        while True:
            try:
                async with aclosing(self._transport.stream(wire.WATCH_INCIDENTS, told.request())) as messages:
                    async for message in messages:
                        yield incidents.update_of(message)
                        told.heard(message)
                raise told.ended()
            except ServiceError as error:
                await asyncio.sleep(told.pause_s(error))

    async def incident_debrief(self, incident: int) -> Debrief:
        """As :meth:`hashpact.Client.incident_debrief`."""
        return await self._transport.run(incidents.debrief(incident))
