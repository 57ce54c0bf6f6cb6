"""Both clients' motions about members; they have them by inheritance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hashpact._operations import member_motions as operations
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact._transport_aio import AsyncTransport


class MemberMotionCalls:
    """Calls of stewards, about what takes two of them."""

    _transport: Transport
    _session: Session

    def propose_member_confirmation(self, member: str, *, reason: str = "", request_id: str | None = None) -> int:
        """Propose that a member on trial becomes a full one; another steward has to second it.

        Args:
            member: its name.
            reason: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Returns:
            The motion's number.

        Raises:
            NotFoundError: no such member.
            InvalidRequestError: it is a full member already, or has a token that a steward handed over.
        """
        operation = operations.confirm(self._session, member, reason, request_id)
        return self._transport.run(operation)

    def propose_member_change(
        self,
        member: str,
        *,
        group: str = "",
        roles: Iterable[str] = (),
        four_eyes: bool | None = None,
        on_trial: bool = False,
        reason: str = "",
        request_id: str | None = None,
    ) -> int:
        """Propose to change what decides how a member counts; another steward has to second it. What is left out stays.

        Args:
            member: its name.
            group: its corporate group.
            roles: all of its rights.
            four_eyes: whether its contributions wait for a colleague.
            on_trial: True: it is on trial from now on.
            reason: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Returns:
            The motion's number.

        Raises:
            NotFoundError: no such member.
            InvalidRequestError: nothing would change.
        """
        operation = operations.amend(self._session, member, group, roles, four_eyes, on_trial, reason, request_id)
        return self._transport.run(operation)

    def propose_member_dismissal(
        self,
        member: str,
        *,
        withdraw_contributions: bool,
        copies_deleted_time: datetime | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> int:
        """Propose that a member leaves, for good; another steward has to second it.

        Its tokens end, and its judgement counts for nothing.

        Args:
            member: its name.
            withdraw_contributions: True: all that it ever said about items is undone. False: its items stay.
            copies_deleted_time: by when it attests that its copies of the list are deleted, with a time zone.
            reason: why, for the other stewards.
            request_id: see :meth:`contribute`.

        Returns:
            The motion's number.

        Raises:
            NotFoundError: no such member.
            ConflictError: it left already, or is the last steward.
        """
        operation = operations.dismiss(
            self._session, member, withdraw_contributions, copies_deleted_time, reason, request_id
        )
        return self._transport.run(operation)


class AsyncMemberMotionCalls:
    """As :class:`MemberMotionCalls`, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def propose_member_confirmation(self, member: str, *, reason: str = "", request_id: str | None = None) -> int:
        """As :meth:`hashpact.Client.propose_member_confirmation`."""
        operation = operations.confirm(self._session, member, reason, request_id)
        return await self._transport.run(operation)

    async def propose_member_change(
        self,
        member: str,
        *,
        group: str = "",
        roles: Iterable[str] = (),
        four_eyes: bool | None = None,
        on_trial: bool = False,
        reason: str = "",
        request_id: str | None = None,
    ) -> int:
        """As :meth:`hashpact.Client.propose_member_change`."""
        operation = operations.amend(self._session, member, group, roles, four_eyes, on_trial, reason, request_id)
        return await self._transport.run(operation)

    async def propose_member_dismissal(
        self,
        member: str,
        *,
        withdraw_contributions: bool,
        copies_deleted_time: datetime | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> int:
        """As :meth:`hashpact.Client.propose_member_dismissal`."""
        operation = operations.dismiss(
            self._session, member, withdraw_contributions, copies_deleted_time, reason, request_id
        )
        return await self._transport.run(operation)
