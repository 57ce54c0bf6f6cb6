"""The calls about judgement of the client for asyncio; it has them by inheritance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from hashpact._media import ContributionSource, listed_signals
from hashpact._operations import opinions
from hashpact._operations.session import Session
from hashpact._transport_aio import AsyncTransport
from hashpact.opinions import Challenge, Dispute, GivenOpinion, ItemJudgement, JudgementCounts


class AsyncOpinionCalls:
    """As :class:`hashpact._opinions.OpinionCalls`, to be awaited."""

    _transport: AsyncTransport
    _session: Session

    async def give_opinion(
        self,
        item: int,
        code: str,
        *,
        basis: str = "person_looked",
        observer_role: str = "",
        observed_time: datetime | None = None,
        labels: Iterable[str] = (),
        note: str = "",
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> GivenOpinion:
        """As :meth:`hashpact.Client.give_opinion`."""
        return await self._transport.run(
            opinions.give(
                self._session,
                item,
                code,
                basis=basis,
                observer_role=observer_role,
                observed_time=observed_time,
                labels=labels,
                note=note,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    async def revoke_opinion(self, item: int, *, request_id: str | None = None, validate_only: bool = False) -> str:
        """As :meth:`hashpact.Client.revoke_opinion`."""
        return await self._transport.run(
            opinions.revoke(self._session, item, request_id=request_id, validate_only=validate_only)
        )

    async def list_opinions(self, item: int, *, at_least_as_fresh: str = "") -> ItemJudgement:
        """As :meth:`hashpact.Client.list_opinions`."""
        return await self._transport.run(
            opinions.list_opinions(self._session, item, at_least_as_fresh=at_least_as_fresh)
        )

    async def open_dispute(
        self, item: int, grounds: str, statement: str, *, request_id: str | None = None, validate_only: bool = False
    ) -> Dispute:
        """As :meth:`hashpact.Client.open_dispute`."""
        return await self._transport.run(
            opinions.open_dispute(
                self._session, item, grounds, statement, request_id=request_id, validate_only=validate_only
            )
        )

    async def vote_on_dispute(
        self,
        dispute: int,
        verdict: str,
        *,
        labels: Iterable[str] = (),
        statement: str = "",
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Dispute:
        """As :meth:`hashpact.Client.vote_on_dispute`."""
        return await self._transport.run(
            opinions.vote(
                self._session,
                dispute,
                verdict,
                labels=labels,
                statement=statement,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    async def list_disputes(
        self, *, with_closed: bool = False, item: int = 0, page_size: int = 0, at_least_as_fresh: str = ""
    ) -> AsyncIterator[Dispute]:
        """As :meth:`hashpact.Client.list_disputes`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(
                opinions.list_disputes_page(
                    self._session,
                    page_token,
                    with_closed=with_closed,
                    item=item,
                    page_size=page_size,
                    at_least_as_fresh=at_least_as_fresh,
                )
            )
            for each in found:
                yield each
            if not page_token:
                return

    async def lodge_challenge(
        self,
        item: int = 0,
        *,
        grounds: str,
        statement: str,
        reference: str = "",
        source: ContributionSource = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> list[Challenge]:
        """As :meth:`hashpact.Client.lodge_challenge`; the picture is hashed in a thread."""
        signals = await asyncio.to_thread(listed_signals, source)
        return await self._transport.run(
            opinions.lodge(
                self._session,
                item,
                signals,
                grounds=grounds,
                statement=statement,
                reference=reference,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    async def answer_challenge(
        self,
        challenge: int,
        answer: str,
        statement: str,
        *,
        labels: Iterable[str] = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> Challenge:
        """As :meth:`hashpact.Client.answer_challenge`."""
        return await self._transport.run(
            opinions.answer(
                self._session,
                challenge,
                answer,
                statement,
                labels=labels,
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    async def list_challenges(
        self,
        *,
        with_closed: bool = False,
        item: int = 0,
        mine: bool = False,
        page_size: int = 0,
        at_least_as_fresh: str = "",
    ) -> AsyncIterator[Challenge]:
        """As :meth:`hashpact.Client.list_challenges`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(
                opinions.list_challenges_page(
                    self._session,
                    page_token,
                    with_closed=with_closed,
                    item=item,
                    mine=mine,
                    page_size=page_size,
                    at_least_as_fresh=at_least_as_fresh,
                )
            )
            for each in found:
                yield each
            if not page_token:
                return

    async def count_judgements(self, *, at_least_as_fresh: str = "") -> JudgementCounts:
        """As :meth:`hashpact.Client.count_judgements`."""
        return await self._transport.run(opinions.counts(self._session, at_least_as_fresh=at_least_as_fresh))
