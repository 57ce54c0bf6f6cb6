"""Both clients' calls about what waits for a colleague; they have them by inheritance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from hashpact._operations import pending as operations
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.items import ContributionOutcome
from hashpact.pending import PendingContribution


class PendingCalls:
    """Calls of colleagues, where contributions take four eyes."""

    _transport: Transport
    _session: Session

    def list_pending(self, *, page_size: int = 0) -> Iterator[PendingContribution]:
        """What waits of this member's contributions, the oldest first; pages are asked for as they are needed.

        Args:
            page_size: contributions per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(operations.list_pending_page(page_size, page_token))
            yield from found
            if not page_token:
                return

    def approve_contribution(
        self, pending: int, *, request_id: str | None = None, validate_only: bool = False
    ) -> ContributionOutcome:
        """Approve a colleague's contribution: it is decided now, as if it had been contributed now.

        Args:
            pending: its number, as :meth:`list_pending` and the outcome of :meth:`contribute` tell it.
            request_id: see :meth:`contribute`.
            validate_only: decide, answer and write nothing.

        Raises:
            NotFoundError: nothing of this member waits under this number.
            NotAllowedError: this token may contribute too, so it approves nothing.
        """
        return self._transport.run(
            operations.approve(self._session, pending, request_id=request_id, validate_only=validate_only)
        )

    def reject_contribution(self, pending: int, *, reason: str = "", request_id: str | None = None) -> None:
        """Reject a colleague's contribution, or take one's own back before it was approved.

        Args:
            pending: its number.
            reason: why, for the colleague; private.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: nothing of this member waits under this number.
        """
        self._transport.run(operations.reject(self._session, pending, reason=reason, request_id=request_id))


class AsyncPendingCalls:
    """As :class:`PendingCalls`, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def list_pending(self, *, page_size: int = 0) -> AsyncIterator[PendingContribution]:
        """As :meth:`hashpact.Client.list_pending`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(operations.list_pending_page(page_size, page_token))
            for one in found:
                yield one
            if not page_token:
                return

    async def approve_contribution(
        self, pending: int, *, request_id: str | None = None, validate_only: bool = False
    ) -> ContributionOutcome:
        """As :meth:`hashpact.Client.approve_contribution`."""
        return await self._transport.run(
            operations.approve(self._session, pending, request_id=request_id, validate_only=validate_only)
        )

    async def reject_contribution(self, pending: int, *, reason: str = "", request_id: str | None = None) -> None:
        """As :meth:`hashpact.Client.reject_contribution`."""
        await self._transport.run(operations.reject(self._session, pending, reason=reason, request_id=request_id))
