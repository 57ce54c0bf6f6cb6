"""The client's calls about advice and an item's signals; the clients have them by inheritance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hashpact._media import ContributionSource, Source, checked_signals, listed_signals
from hashpact._operations import advising
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.advice import Explanation, MemberPolicy
from hashpact.items import Item
from hashpact.modes import CHECK_MODE, Mode, require_mode


class AdviceCalls:
    """What a member wants to be advised, why it is advised so, and putting an item's signals in order."""

    _transport: Transport
    _session: Session

    def explain(
        self,
        source: Source,
        item: int,
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> Explanation:
        """Say why an upload matches an item, or why not. The media stays here.

        Args:
            source: as :meth:`check` takes it.
            item: id of the item.
            mode: see :meth:`check`; what one mode finds another may not.
            radii: see :meth:`lookup`.
            use: see :meth:`lookup`.
            at_least_as_fresh: see :meth:`lookup`.

        Raises:
            UnreadableMediaError: no media that can be read.
            NotFoundError: no such item.
        """
        signals = checked_signals(source, require_mode(mode))
        return self._transport.run(
            advising.explain(self._session, signals, item, radii=radii, use=use, at_least_as_fresh=at_least_as_fresh)
        )

    def get_policy(self, *, at_least_as_fresh: str = "") -> MemberPolicy:
        """The calling member's own policy: what it wants to be advised.

        Args:
            at_least_as_fresh: see :meth:`lookup`.
        """
        return self._transport.run(advising.get_policy(self._session, at_least_as_fresh=at_least_as_fresh))

    def set_policy(
        self, policy: MemberPolicy, *, request_id: str | None = None, validate_only: bool = False
    ) -> MemberPolicy:
        """Replace the calling member's own policy, for all of its tokens.

        Args:
            policy: the whole policy.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            InvalidRequestError: a mode, label, use or radius that cannot be.
            NotAllowedError: the role ``approve`` is missing.
        """
        return self._transport.run(
            advising.set_policy(self._session, policy, request_id=request_id, validate_only=validate_only)
        )

    def detach(
        self,
        item: int,
        signals: ContributionSource,
        *,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Item:
        """Take signals off an item that stays: those that this member added, and that no other member confirms.

        Args:
            item: id of the item.
            signals: a picture, its signals, or any signals.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Returns:
            The item after the change, without signals.

        Raises:
            NotAllowedError: this member has no standing contribution to the item.
            ConflictError: a signal is not this member's, another member confirms it, or none would be left.
        """
        return self._transport.run(
            advising.detach(
                self._session, item, listed_signals(signals), request_id=request_id, validate_only=validate_only
            )
        )

    def merge_items(
        self, item: int, into_item: int, *, request_id: str | None = None, validate_only: bool = False
    ) -> Item:
        """Close an item of which this member is the only contributor, and put its signals on another one, in one step.

        Args:
            item: the item that is closed.
            into_item: the item that takes over.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Returns:
            The item that took over, without signals.

        Raises:
            NotAllowedError: another member contributed to the item too.
            ConflictError: one of the two is closed, or an opinion, a dispute or a limit stands about the first.
        """
        return self._transport.run(
            advising.merge_items(self._session, item, into_item, request_id=request_id, validate_only=validate_only)
        )


class AsyncAdviceCalls:
    """As :class:`AdviceCalls`, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def explain(
        self,
        source: Source,
        item: int,
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> Explanation:
        """Say why an upload matches an item, or why not. The media stays here."""
        signals = await asyncio.to_thread(checked_signals, source, require_mode(mode))
        return await self._transport.run(
            advising.explain(self._session, signals, item, radii=radii, use=use, at_least_as_fresh=at_least_as_fresh)
        )

    async def get_policy(self, *, at_least_as_fresh: str = "") -> MemberPolicy:
        """The calling member's own policy: what it wants to be advised."""
        return await self._transport.run(advising.get_policy(self._session, at_least_as_fresh=at_least_as_fresh))

    async def set_policy(
        self, policy: MemberPolicy, *, request_id: str | None = None, validate_only: bool = False
    ) -> MemberPolicy:
        """Replace the calling member's own policy, for all of its tokens."""
        return await self._transport.run(
            advising.set_policy(self._session, policy, request_id=request_id, validate_only=validate_only)
        )

    async def detach(
        self,
        item: int,
        signals: ContributionSource,
        *,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Item:
        """Take signals off an item that stays: those that this member added, and that no other member confirms."""
        listed = await asyncio.to_thread(listed_signals, signals)
        return await self._transport.run(
            advising.detach(self._session, item, listed, request_id=request_id, validate_only=validate_only)
        )

    async def merge_items(
        self, item: int, into_item: int, *, request_id: str | None = None, validate_only: bool = False
    ) -> Item:
        """Close an item of which this member is the only contributor, and put its signals on another one."""
        return await self._transport.run(
            advising.merge_items(self._session, item, into_item, request_id=request_id, validate_only=validate_only)
        )
