"""Both clients' calls of stewards; they have them by inheritance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from hashpact._operations import governing
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport
from hashpact.governing import Digest, Limited, Motion, Proposal, Rollback, Rulebook


class GovernCalls:
    """Calls of stewards: limits, motions, rulebooks, rollbacks, the digest."""

    _transport: Transport
    _session: Session

    def limit_item(self, item: int, note: str = "", *, request_id: str | None = None) -> Limited:
        """Limit an item to review at once: nobody is advised to act on it until two stewards lift that.

        Args:
            item: its id.
            note: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            ConflictError: it is withdrawn or expired.
        """
        return self._transport.run(governing.limit_item(self._session, item, note, request_id=request_id))

    def propose(
        self,
        act: str,
        fields: Mapping[str, Any],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str | None = None,
    ) -> Proposal:
        """Propose a motion, which takes effect when a steward of another corporate group seconds it.

        Args:
            act: what it would do, e.g. ``roll_back``; ``StewardAct`` in ``steward_service.proto`` has them all.
            fields: the act's fields, e.g. ``{"member": "acme", "since_time": since}``.
            reason: why, for the other stewards.
            validate_only: check everything and write nothing; for a rollback, tell what it would undo.
            request_id: see :meth:`contribute`.

        Raises:
            InvalidRequestError: no such act or field, or a taxonomy or policy that breaks its format.
            NotFoundError, ConflictError: the act cannot be carried out as things stand.
        """
        return self._transport.run(
            governing.propose(
                self._session, act, fields, reason=reason, validate_only=validate_only, request_id=request_id
            )
        )

    def second(self, motion: int, *, validate_only: bool = False, request_id: str | None = None) -> Motion:
        """Second a motion; it is carried out in the same act.

        Args:
            motion: its number.
            validate_only: check everything and write nothing.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such motion.
            ConflictError: it is not open any more, or cannot be carried out as things stand.
            NotAllowedError: the caller proposed it, is of the same group as who did, or is on trial.
        """
        return self._transport.run(
            governing.second(self._session, motion, validate_only=validate_only, request_id=request_id)
        )

    def withdraw_motion(self, motion: int, *, request_id: str | None = None) -> Motion:
        """Take a motion back.

        Args:
            motion: its number.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such motion.
            ConflictError: it was seconded.
        """
        return self._transport.run(governing.withdraw_motion(self._session, motion, request_id=request_id))

    def list_motions(self, *, open_only: bool = False, page_size: int = 0) -> Iterator[Motion]:
        """Motions, the newest first; pages are asked for as they are needed.

        Args:
            open_only: only those that wait for a second steward.
            page_size: motions per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(governing.motions_page(page_size, page_token, open_only=open_only))
            yield from found
            if not page_token:
                return

    def rulebook(self, kind: str, version: int | None = None) -> Rulebook:
        """The taxonomy or the policy.

        Args:
            kind: ``taxonomy`` or ``policy``.
            version: its number; None: the one in force; 0: what is built in.

        Raises:
            NotFoundError: no such version.
        """
        return self._transport.run(governing.rulebook(kind, version))

    def list_rollbacks(self, *, page_size: int = 0) -> Iterator[Rollback]:
        """Rollbacks, the newest first; pages are asked for as they are needed.

        Args:
            page_size: rollbacks per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = self._transport.run(governing.rollbacks_page(page_size, page_token))
            yield from found
            if not page_token:
                return

    def steward_digest(self, *, concerns_max: int = 0) -> Digest:
        """What waits for stewards: disputes, limits, motions, alerts, silent members and more.

        Args:
            concerns_max: most concerns of a kind to name; 0 for the server's default.
        """
        return self._transport.run(governing.digest(concerns_max))


class AsyncGovernCalls:
    """As :class:`GovernCalls`, for asyncio."""

    _transport: AsyncTransport
    _session: Session

    async def limit_item(self, item: int, note: str = "", *, request_id: str | None = None) -> Limited:
        """Limit an item to review at once: nobody is advised to act on it until two stewards lift that.

        Args:
            item: its id.
            note: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            ConflictError: it is withdrawn or expired.
        """
        return await self._transport.run(governing.limit_item(self._session, item, note, request_id=request_id))

    async def propose(
        self,
        act: str,
        fields: Mapping[str, Any],
        *,
        reason: str = "",
        validate_only: bool = False,
        request_id: str | None = None,
    ) -> Proposal:
        """Propose a motion, which takes effect when a steward of another corporate group seconds it.

        Args:
            act: what it would do, e.g. ``roll_back``; ``StewardAct`` in ``steward_service.proto`` has them all.
            fields: the act's fields, e.g. ``{"member": "acme", "since_time": since}``.
            reason: why, for the other stewards.
            validate_only: check everything and write nothing; for a rollback, tell what it would undo.
            request_id: see :meth:`contribute`.

        Raises:
            InvalidRequestError: no such act or field, or a taxonomy or policy that breaks its format.
            NotFoundError, ConflictError: the act cannot be carried out as things stand.
        """
        return await self._transport.run(
            governing.propose(
                self._session, act, fields, reason=reason, validate_only=validate_only, request_id=request_id
            )
        )

    async def second(self, motion: int, *, validate_only: bool = False, request_id: str | None = None) -> Motion:
        """Second a motion; it is carried out in the same act.

        Args:
            motion: its number.
            validate_only: check everything and write nothing.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such motion.
            ConflictError: it is not open any more, or cannot be carried out as things stand.
            NotAllowedError: the caller proposed it, is of the same group as who did, or is on trial.
        """
        return await self._transport.run(
            governing.second(self._session, motion, validate_only=validate_only, request_id=request_id)
        )

    async def withdraw_motion(self, motion: int, *, request_id: str | None = None) -> Motion:
        """Take a motion back.

        Args:
            motion: its number.
            request_id: see :meth:`contribute`.

        Raises:
            NotFoundError: no such motion.
            ConflictError: it was seconded.
        """
        return await self._transport.run(governing.withdraw_motion(self._session, motion, request_id=request_id))

    async def list_motions(self, *, open_only: bool = False, page_size: int = 0) -> AsyncIterator[Motion]:
        """Motions, the newest first; pages are asked for as they are needed.

        Args:
            open_only: only those that wait for a second steward.
            page_size: motions per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = await self._transport.run(
                governing.motions_page(page_size, page_token, open_only=open_only)
            )
            for each in found:
                yield each
            if not page_token:
                return

    async def rulebook(self, kind: str, version: int | None = None) -> Rulebook:
        """The taxonomy or the policy.

        Args:
            kind: ``taxonomy`` or ``policy``.
            version: its number; None: the one in force; 0: what is built in.

        Raises:
            NotFoundError: no such version.
        """
        return await self._transport.run(governing.rulebook(kind, version))

    async def list_rollbacks(self, *, page_size: int = 0) -> AsyncIterator[Rollback]:
        """Rollbacks, the newest first; pages are asked for as they are needed.

        Args:
            page_size: rollbacks per call; 0 for the server's default.
        """
        page_token = ""
        while True:
            found, page_token = await self._transport.run(governing.rollbacks_page(page_size, page_token))
            for each in found:
                yield each
            if not page_token:
                return

    async def steward_digest(self, *, concerns_max: int = 0) -> Digest:
        """What waits for stewards: disputes, limits, motions, alerts, silent members and more.

        Args:
            concerns_max: most concerns of a kind to name; 0 for the server's default.
        """
        return await self._transport.run(governing.digest(concerns_max))
