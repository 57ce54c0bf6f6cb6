"""The client for asyncio: the same names, arguments and answers as :class:`hashpact.Client`, to be awaited.

Hashing runs in threads, so the event loop goes on meanwhile. Both clients run the same operations (``_operations``).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self

from hashpact._advice import AsyncAdviceCalls
from hashpact._channel import endpoint
from hashpact._governing import AsyncGovernCalls
from hashpact._incidents import AsyncIncidentCalls
from hashpact._media import (
    Contribution,
    ContributionSource,
    Source,
    checked_signals,
    listed_signals,
    path_of,
    try_signals,
)
from hashpact._member_motions import AsyncMemberMotionCalls
from hashpact._operations import members, reading, writing
from hashpact._operations.session import OnUnavailable, Session, capabilities
from hashpact._opinions_aio import AsyncOpinionCalls
from hashpact._parallel import cores
from hashpact._pending import AsyncPendingCalls
from hashpact._safeguards import AsyncSafeguardCalls
from hashpact._transport_aio import AsyncTransport
from hashpact._uploads import AsyncUploadCalls
from hashpact._watch import AsyncWatchCalls
from hashpact.client import CALLS_IN_FLIGHT_MAX, CHECK_BATCH, TIMEOUT_S
from hashpact.errors import HashpactError
from hashpact.items import AmendResult, ContributeResult, ContributionOutcome, Item, ItemPage, WithdrawResult
from hashpact.media_signals import MediaSignals
from hashpact.membership import Capabilities, IssuedToken, Member
from hashpact.modes import CHECK_MODE, Mode, require_mode
from hashpact.probes import ProbeSource, probes_of
from hashpact.results import CheckResult, FailedCheck, LookupResult


class AsyncClient(
    AsyncAdviceCalls,
    AsyncGovernCalls,
    AsyncSafeguardCalls,
    AsyncWatchCalls,
    AsyncUploadCalls,
    AsyncIncidentCalls,
    AsyncPendingCalls,
    AsyncOpinionCalls,
    AsyncMemberMotionCalls,
):
    """A connection to a Hashpact service for one event loop. Arguments as :class:`hashpact.Client`.

    Raises:
        ConfigError: a setting is missing or wrong.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        token: str | None = None,
        ca: str | os.PathLike[str] | bytes | None = None,
        plaintext: bool = False,
        write_target: str | None = None,
        write_ca: str | os.PathLike[str] | bytes | None = None,
        timeout_s: float = TIMEOUT_S,
        on_unavailable: OnUnavailable = "raise",
        read_your_writes: bool = True,
        calls_in_flight_max: int = CALLS_IN_FLIGHT_MAX,
    ) -> None:
        self._session = Session(on_unavailable, read_your_writes)
        self._transport = AsyncTransport(
            endpoint(target, token=token, ca=ca, plaintext=plaintext, write_target=write_target, write_ca=write_ca),
            timeout_s,
            calls_in_flight_max,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.target!r})"

    @property
    def as_of(self) -> str:
        """As :attr:`hashpact.Client.as_of`."""
        return self._session.as_of

    # --- looking up ---------------------------------------------------------------------------------------------

    async def lookup(
        self,
        probes: Iterable[ProbeSource],
        *,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> LookupResult:
        """As :meth:`hashpact.Client.lookup`."""
        return await self._transport.run(
            reading.lookup(
                self._session,
                probes_of(probes),
                radii=radii,
                matches_max=matches_max,
                use=use,
                at_least_as_fresh=at_least_as_fresh,
            )
        )

    async def check(
        self,
        source: Source,
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> CheckResult:
        """As :meth:`hashpact.Client.check`; the picture is hashed in a thread."""
        upload = (path_of(source), await asyncio.to_thread(checked_signals, source, require_mode(mode)))
        return (await self._check([upload], radii, matches_max, use, at_least_as_fresh))[0]

    async def check_many(
        self,
        sources: Iterable[Source],
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
        workers: int | None = None,
    ) -> AsyncIterator[CheckResult | FailedCheck]:
        """As :meth:`hashpact.Client.check_many`: ``async for result in client.check_many(paths)``."""
        async for batch in _hashed_batches(sources, workers or cores() + 1, require_mode(mode)):
            uploads = [(path_of(source), got) for source, got in batch if not isinstance(got, HashpactError)]
            found = await self._check(uploads, radii, matches_max, use, at_least_as_fresh) if uploads else []
            answers = iter(found)
            for source, got in batch:
                yield FailedCheck(path_of(source), got) if isinstance(got, HashpactError) else next(answers)

    async def _check(
        self,
        uploads: Sequence[tuple[Any, MediaSignals]],
        radii: Mapping[str, int] | None,
        matches_max: int,
        use: str,
        at_least_as_fresh: str,
    ) -> list[CheckResult]:
        return await self._transport.run(
            reading.check(
                self._session,
                uploads,
                radii=radii,
                matches_max=matches_max,
                use=use,
                at_least_as_fresh=at_least_as_fresh,
            )
        )

    # --- contributing -------------------------------------------------------------------------------------------

    async def contribute(
        self,
        source: ContributionSource,
        *,
        labels: Iterable[str],
        basis: str = "person_looked",
        observer_role: str = "",
        observed_time: datetime | None = None,
        attach_to: int = 0,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> ContributionOutcome:
        """As :meth:`hashpact.Client.contribute`."""
        one = Contribution(source, labels, basis, observer_role, observed_time, attach_to)
        return (await self.contribute_many([one], request_id=request_id, validate_only=validate_only))[0]

    async def contribute_many(
        self,
        contributions: Iterable[Contribution],
        *,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> ContributeResult:
        """As :meth:`hashpact.Client.contribute_many`."""
        hashed = [(one, await asyncio.to_thread(listed_signals, one.source)) for one in contributions]
        return await self._transport.run(
            writing.contribute(self._session, hashed, request_id=request_id, validate_only=validate_only)
        )

    async def amend(
        self,
        item: int,
        *,
        labels: Iterable[str] = (),
        attach: ContributionSource = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> AmendResult:
        """As :meth:`hashpact.Client.amend`."""
        return await self._transport.run(
            writing.amend(
                self._session,
                item,
                labels=labels,
                signals=await asyncio.to_thread(listed_signals, attach),
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    async def withdraw(
        self,
        item: int,
        *,
        reason: str | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> WithdrawResult:
        """As :meth:`hashpact.Client.withdraw`."""
        return await self._transport.run(
            writing.withdraw(self._session, item, reason=reason, request_id=request_id, validate_only=validate_only)
        )

    # --- items --------------------------------------------------------------------------------------------------

    async def get_item(self, item: int, *, at_least_as_fresh: str = "") -> Item:
        """As :meth:`hashpact.Client.get_item`."""
        return await self._transport.run(reading.get_item(self._session, item, at_least_as_fresh=at_least_as_fresh))

    async def list_items(
        self,
        *,
        statuses: Iterable[str] = (),
        label: str = "",
        member: str = "",
        page_size: int = 0,
        at_least_as_fresh: str = "",
        signals: bool = False,
    ) -> AsyncIterator[Item]:
        """As :meth:`hashpact.Client.list_items`: ``async for item in client.list_items()``."""
        which = reading.ItemFilter(tuple(statuses), label, member, page_size, at_least_as_fresh, signals)
        page = ItemPage(())
        while True:
            page = await self._transport.run(reading.list_items_page(self._session, which, page.next_page_token))
            for item in page.items:
                yield item
            if not page.next_page_token:
                return

    async def items_page(
        self, page_token: str = "", *, changed_after: str = "", statuses: Iterable[str] = (), page_size: int = 0
    ) -> ItemPage:
        """As :meth:`hashpact.Client.items_page`."""
        which = reading.ItemFilter(tuple(statuses), "", "", page_size, "", True, changed_after)
        return await self._transport.run(reading.list_items_page(self._session, which, page_token))

    # --- members ------------------------------------------------------------------------------------------------

    async def create_member(
        self, name: str, roles: Iterable[str], *, group: str = "", request_id: str | None = None
    ) -> Member:
        """As :meth:`hashpact.Client.create_member`."""
        return await self._transport.run(
            members.create_member(self._session, name, roles, group=group, request_id=request_id)
        )

    async def list_members(self, *, page_size: int = 0) -> AsyncIterator[Member]:
        """As :meth:`hashpact.Client.list_members`."""
        page_token = ""
        while True:
            found, page_token = await self._transport.run(members.list_members_page(page_size, page_token))
            for member in found:
                yield member
            if not page_token:
                return

    async def get_member(self, member: str = "") -> Member:
        """As :meth:`hashpact.Client.get_member`."""
        return await self._transport.run(members.get_member(member))

    async def amend_member(
        self,
        member: str,
        *,
        agreement: str | None = None,
        contact_day: str | None = None,
        contact_night: str | None = None,
        next_review_time: datetime | None = None,
        four_eyes: bool = False,
        remove_roles: Iterable[str] = (),
        request_id: str | None = None,
    ) -> Member:
        """As :meth:`hashpact.Client.amend_member`."""
        change = members.RecordChange(agreement, contact_day, contact_night, next_review_time, four_eyes, remove_roles)
        return await self._transport.run(members.amend_member(self._session, member, change, request_id=request_id))

    async def suspend_member(self, member: str, *, request_id: str | None = None) -> Member:
        """As :meth:`hashpact.Client.suspend_member`."""
        return await self._transport.run(members.suspend_member(self._session, member, request_id=request_id))

    async def resume_member(self, member: str, *, request_id: str | None = None) -> Member:
        """As :meth:`hashpact.Client.resume_member`."""
        return await self._transport.run(members.resume_member(self._session, member, request_id=request_id))

    async def issue_token(
        self, member: str = "", *, expire_time: datetime | None = None, roles: Iterable[str] = ()
    ) -> IssuedToken:
        """As :meth:`hashpact.Client.issue_token`."""
        operation = members.issue_token(self._session, member, expire_time=expire_time, roles=roles)
        return await self._transport.run(operation)

    async def revoke_token(self, token_id: int) -> None:
        """As :meth:`hashpact.Client.revoke_token`."""
        await self._transport.run(members.revoke_token(self._session, token_id))

    async def capabilities(self) -> Capabilities:
        """As :meth:`hashpact.Client.capabilities`."""
        return await self._transport.run(capabilities(self._session))

    async def close(self) -> None:
        """Close the connection; calls that are in flight fail. Closing twice is fine."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _hashed_batches(
    sources: Iterable[Source], workers: int, mode: Mode
) -> AsyncIterator[list[tuple[Source, MediaSignals | HashpactError]]]:
    """Hash in threads, a little ahead of what is taken; batches in input order."""
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hashpact-media")
    pending: deque[tuple[Source, asyncio.Future[MediaSignals | HashpactError]]] = deque()
    source_iter = iter(sources)
    batch: list[tuple[Source, MediaSignals | HashpactError]] = []

    def start(count: int) -> None:
        for source in islice(source_iter, count):
            pending.append((source, loop.run_in_executor(pool, try_signals, source, mode)))

    try:
        start(2 * workers)
        while pending:
            source, future = pending.popleft()
            batch.append((source, await future))
            start(1)
            if len(batch) == CHECK_BATCH or not pending:
                yield batch
                batch = []
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
