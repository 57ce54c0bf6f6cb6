"""Both clients' calls about safeguards; they have them by inheritance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from hashpact._media import ContributionSource
from hashpact._operations import safeguards
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.safeguards import Alert, Benign, Traced


class SafeguardCalls:
    """Calls of stewards about alerts, the benign list and leaked copies."""

    _transport: Transport
    _session: Session

    def list_alerts(self, *, with_acknowledged: bool = False, page_size: int = 0) -> Iterator[Alert]:
        """Alerts, oldest first; pages are asked for as they are needed.

        Args:
            with_acknowledged: whether to name those that were acknowledged, too.
            page_size: alerts per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(
                safeguards.alerts_page(page_size, page_token, with_acknowledged=with_acknowledged)
            )
            yield from found
            if not page_token:
                return

    def acknowledge_alert(self, alert: int, note: str = "", *, request_id: str | None = None) -> Alert:
        """Say that a steward has seen an alert and looks after it.

        Args:
            alert: its id.
            note: what is done about it, for other stewards.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such alert.
        """
        return self._transport.run(safeguards.acknowledge_alert(self._session, alert, note, request_id=request_id))

    def list_benign(self, *, page_size: int = 0) -> Iterator[Benign]:
        """The benign list, oldest first; pages are asked for as they are needed.

        Args:
            page_size: entries per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(safeguards.benign_page(page_size, page_token))
            yield from found
            if not page_token:
                return

    def propose_benign(
        self, source: ContributionSource, note: str, *, reason: str = "", request_id: str | None = None
    ) -> int:
        """Propose to put known good media on the benign list; a second steward has to agree.

        Args:
            source: a picture, or its signals.
            note: what it is.
            reason: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Returns:
            Number of the motion.
        """
        return self._transport.run(
            safeguards.propose_benign(self._session, source, note, reason, request_id=request_id)
        )

    def propose_not_benign(self, benign: int, *, reason: str = "", request_id: str | None = None) -> int:
        """Propose to take media off the benign list; a second steward has to agree.

        Args:
            benign: its id.
            reason: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Returns:
            Number of the motion.

        Raises:
            NotFoundError: nothing on the list has this id.
        """
        return self._transport.run(safeguards.propose_not_benign(self._session, benign, reason, request_id=request_id))

    def trace_signals(self, digests: Iterable[bytes]) -> list[Traced]:
        """Whose copy of the list SHA-256 digests were taken from, by the decoys among them; most decoys first.

        Args:
            digests: 32 bytes each.

        Raises:
            ConflictError: this server hands out no decoys.
        """
        return self._transport.run(safeguards.trace(self._session, digests))


class AsyncSafeguardCalls:
    """The same calls, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def list_alerts(self, *, with_acknowledged: bool = False, page_size: int = 0) -> AsyncIterator[Alert]:
        """As :meth:`hashpact.Client.list_alerts`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(
                safeguards.alerts_page(page_size, page_token, with_acknowledged=with_acknowledged)
            )
            for alert in found:
                yield alert
            if not page_token:
                return

    async def acknowledge_alert(self, alert: int, note: str = "", *, request_id: str | None = None) -> Alert:
        """As :meth:`hashpact.Client.acknowledge_alert`."""
        return await self._transport.run(
            safeguards.acknowledge_alert(self._session, alert, note, request_id=request_id)
        )

    async def list_benign(self, *, page_size: int = 0) -> AsyncIterator[Benign]:
        """As :meth:`hashpact.Client.list_benign`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(safeguards.benign_page(page_size, page_token))
            for benign in found:
                yield benign
            if not page_token:
                return

    async def propose_benign(
        self, source: ContributionSource, note: str, *, reason: str = "", request_id: str | None = None
    ) -> int:
        """As :meth:`hashpact.Client.propose_benign`."""
        return await self._transport.run(
            safeguards.propose_benign(self._session, source, note, reason, request_id=request_id)
        )

    async def propose_not_benign(self, benign: int, *, reason: str = "", request_id: str | None = None) -> int:
        """As :meth:`hashpact.Client.propose_not_benign`."""
        return await self._transport.run(
            safeguards.propose_not_benign(self._session, benign, reason, request_id=request_id)
        )

    async def trace_signals(self, digests: Iterable[bytes]) -> list[Traced]:
        """As :meth:`hashpact.Client.trace_signals`."""
        return await self._transport.run(safeguards.trace(self._session, digests))
