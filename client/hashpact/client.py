"""The client for programs: one object per service, safe to share between threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from hashpact._advice import AdviceCalls
from hashpact._channel import endpoint
from hashpact._governing import GovernCalls
from hashpact._incidents import IncidentCalls
from hashpact._items import ItemCalls
from hashpact._media import (
    Contribution,
    ContributionSource,
    Source,
    checked_signals,
    listed_signals,
    path_of,
    try_signals,
)
from hashpact._member_motions import MemberMotionCalls
from hashpact._operations import reading, writing
from hashpact._operations.session import OnUnavailable, Session, capabilities
from hashpact._opinions import OpinionCalls
from hashpact._parallel import OrderedMap, batches
from hashpact._pending import PendingCalls
from hashpact._safeguards import SafeguardCalls
from hashpact._steward import MemberCalls
from hashpact._transport import Transport
from hashpact._uploads import UploadCalls
from hashpact._watch import WatchCalls
from hashpact.errors import HashpactError
from hashpact.items import AmendResult, ContributeResult, ContributionOutcome, WithdrawResult
from hashpact.media_signals import MediaSignals
from hashpact.membership import Capabilities
from hashpact.modes import CHECK_MODE, Mode, require_mode
from hashpact.probes import ProbeSource, probes_of
from hashpact.results import CheckResult, FailedCheck, LookupResult

TIMEOUT_S = 10.0
CALLS_IN_FLIGHT_MAX = 4
CHECK_BATCH = 32
"""Uploads in one look-up of ``check_many``: answers keep flowing while the next ones are hashed."""


class Client(
    AdviceCalls,
    MemberCalls,
    GovernCalls,
    SafeguardCalls,
    WatchCalls,
    UploadCalls,
    IncidentCalls,
    ItemCalls,
    PendingCalls,
    OpinionCalls,
    MemberMotionCalls,
):
    """A connection to a Hashpact service.

    Connects when the first call is made, and again by itself when the connection breaks. Every method may be called
    from several threads. After ``os.fork`` make a new one: gRPC does not survive it.

    Args:
        target: ``HOST:PORT`` or ``unix:/path``; None takes ``HASHPACT_TARGET``.
        token: the member's token; None takes ``HASHPACT_TOKEN``.
        ca: certificate authority of the service, a path or PEM bytes; None takes ``HASHPACT_CA``, else those that
            the system trusts.
        plaintext: leave TLS away; only to this machine.
        write_target: where writes go when ``target`` is a replica: the hub; None takes ``HASHPACT_WRITE_TARGET``, else
            ``target``. Reads ask the replica to be as fresh as this client's last write, and it waits until it is.
        write_ca: certificate authority of the hub; None takes ``HASHPACT_WRITE_CA``.
        timeout_s: deadline of each call, tries included.
        on_unavailable: what :meth:`check` answers when the service cannot be asked (an outage, never a refusal):
            ``"raise"`` the error; ``"open"``: verdict ``none``, let the upload pass; ``"closed"``: advice ``review``,
            hold it for a person. The last two set ``unchecked``.
        read_your_writes: whether reads ask to be at least as fresh as this client's last acknowledged write.
        calls_in_flight_max: calls made at the same time for one large batch.

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
        self._transport = Transport(
            endpoint(target, token=token, ca=ca, plaintext=plaintext, write_target=write_target, write_ca=write_ca),
            timeout_s,
            calls_in_flight_max,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.target!r})"

    @property
    def as_of(self) -> str:
        """Token of the write that was acknowledged last; "" before any."""
        return self._session.as_of

    def lookup(
        self,
        probes: Iterable[ProbeSource],
        *,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> LookupResult:
        """Look up a batch of uploads by their signals.

        A batch over the server's limits is cut, with several calls in flight.

        Args:
            probes: one entry per upload: what :func:`hashpact.hash_image` gave, signals, or a :class:`hashpact.Probe`.
            radii: distance in bits, by signal type, that counts as a match; else the type's default.
            matches_max: most items to name per probe; 0 for the server's default.
            use: name of a use in the member's own policy (:meth:`set_policy`): its radii and its mode hold.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.

        Returns:
            One result per probe, in the order given.

        Raises:
            ServiceError: see the tree in :mod:`hashpact.errors`.
        """
        return self._transport.run(
            reading.lookup(
                self._session,
                probes_of(probes),
                radii=radii,
                matches_max=matches_max,
                use=use,
                at_least_as_fresh=at_least_as_fresh,
            )
        )

    def check(
        self,
        source: Source,
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
    ) -> CheckResult:
        """Hash one upload, turned and mirrored variants included, and look it up. The media stays here.

        What local points find is measured here and confirmed by the service, with a second call.

        Args:
            source: a path or a file's bytes, of a picture or a video; a Pillow image; or what hashing it gave.
            mode: how far to look into pictures: ``fast``, ``standard`` or ``deep`` (:mod:`hashpact.modes`).
            radii: see :meth:`lookup`.
            matches_max: see :meth:`lookup`.
            use: see :meth:`lookup`.
            at_least_as_fresh: see :meth:`lookup`.

        Raises:
            UnreadableMediaError: no media that can be read.
            InvalidRequestError: there is no such mode.
            MissingExtraError: the media extra is not installed.
            ServiceError: the service refused, or could not be asked and ``on_unavailable`` is ``"raise"``.
        """
        upload = (path_of(source), checked_signals(source, require_mode(mode)))
        return self._check([upload], radii, matches_max, use, at_least_as_fresh)[0]

    def check_many(
        self,
        sources: Iterable[Source],
        *,
        mode: Mode = CHECK_MODE,
        radii: Mapping[str, int] | None = None,
        matches_max: int = 0,
        use: str = "",
        at_least_as_fresh: str = "",
        workers: int | None = None,
    ) -> Iterator[CheckResult | FailedCheck]:
        """Check many uploads: hashed in threads, looked up in batches, answered in order, few at a time in memory.

        Args:
            sources: see :meth:`check`; taken as they are needed.
            mode: see :meth:`check`.
            radii: see :meth:`lookup`.
            matches_max: see :meth:`lookup`.
            use: see :meth:`lookup`.
            at_least_as_fresh: see :meth:`lookup`.
            workers: threads that hash; None: one more than cores.

        Yields:
            A :class:`CheckResult`, or a :class:`FailedCheck` where the input cannot be read.

        Raises:
            ServiceError: as :meth:`check`.
        """
        hashed = OrderedMap(partial(try_signals, mode=require_mode(mode)), sources, workers=workers)
        for batch in batches(hashed, CHECK_BATCH):
            uploads = [(path_of(source), got) for source, got in batch if not isinstance(got, HashpactError)]
            answers = iter(self._check(uploads, radii, matches_max, use, at_least_as_fresh) if uploads else ())
            for source, got in batch:
                yield FailedCheck(path_of(source), got) if isinstance(got, HashpactError) else next(answers)

    def _check(
        self,
        uploads: Sequence[tuple[Any, MediaSignals]],
        radii: Mapping[str, int] | None,
        matches_max: int,
        use: str,
        at_least_as_fresh: str,
    ) -> list[CheckResult]:
        return self._transport.run(
            reading.check(
                self._session,
                uploads,
                radii=radii,
                matches_max=matches_max,
                use=use,
                at_least_as_fresh=at_least_as_fresh,
            )
        )

    def contribute(
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
        """Put the signals of one picture or video on the list. Of a video every frame is hashed, which takes longer.

        A refusal is an outcome (``refused``, ``ambiguous``), not an exception.

        Args:
            source: a path or a file's bytes, of a picture or a video; a Pillow image; its signals, or any signals.
            labels: what it is; at least one.
            basis: how the member knows: ``person_looked``, ``automatic``, ``found_through_list``, ``import``.
            observer_role: function of the person who looked, e.g. ``reviewer``; never a name.
            observed_time: when the person looked; with a time zone.
            attach_to: the item to attach to whatever the signals identify; 0 decides by identity.
            request_id: makes the write idempotent; None makes a random one, so that an unanswered write is safely
                sent again; "" sends none, and the write is never sent twice.
            validate_only: decide and answer, write nothing.

        Raises:
            UnreadableMediaError: not a picture that can be read.
            ServiceError: the call as a whole failed.
        """
        one = Contribution(source, labels, basis, observer_role, observed_time, attach_to)
        return self.contribute_many([one], request_id=request_id, validate_only=validate_only)[0]

    def contribute_many(
        self,
        contributions: Iterable[Contribution],
        *,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> ContributeResult:
        """Contribute a batch; each has an outcome of its own. All are hashed before the first is sent.

        A batch over the server's limits goes out in parts, one after the other; when a part fails, those before it
        are written. Sending the same batch again with the same ``request_id`` does nothing twice.

        Args:
            contributions: the batch.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            UnreadableMediaError: one of them cannot be read; nothing was sent.
            ServiceError: the call as a whole failed.
        """
        hashed = [(one, listed_signals(one.source)) for one in contributions]
        return self._transport.run(
            writing.contribute(self._session, hashed, request_id=request_id, validate_only=validate_only)
        )

    def amend(
        self,
        item: int,
        *,
        labels: Iterable[str] = (),
        attach: ContributionSource = (),
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> AmendResult:
        """Change what this member says about an item.

        Args:
            item: its id.
            labels: this member's labels, as a whole, in place of those it gave before; empty leaves them.
            attach: a picture or signals to add.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            NotAllowedError: this member has no standing contribution to it.
            ConflictError: the item is withdrawn, or a signal identifies another item.
        """
        return self._transport.run(
            writing.amend(
                self._session,
                item,
                labels=labels,
                signals=listed_signals(attach),
                request_id=request_id,
                validate_only=validate_only,
            )
        )

    def withdraw(
        self,
        item: int,
        *,
        reason: str | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
    ) -> WithdrawResult:
        """Take back this member's contribution; as steward, withdraw the item for everybody.

        Args:
            item: its id.
            reason: ``mistake``, ``overturned_on_appeal``, ``legitimate_context``, ``benign_collision``, ``legal``.
            request_id: see :meth:`contribute`.
            validate_only: see :meth:`contribute`.

        Raises:
            NotFoundError: no such item.
            NotAllowedError: this member has no standing contribution to it.
        """
        return self._transport.run(
            writing.withdraw(self._session, item, reason=reason, request_id=request_id, validate_only=validate_only)
        )

    def capabilities(self) -> Capabilities:
        """What the server can do, its limits, and who is asking. Asked anew each time."""
        return self._transport.run(capabilities(self._session))

    def close(self) -> None:
        """Close the connection; calls that are in flight fail. Closing twice is fine."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
