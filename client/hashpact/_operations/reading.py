"""Looking up, checking, and reading items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hashpact import _convert as convert
from hashpact import _convert_matches as matches
from hashpact import _wire as wire
from hashpact._operations.chunks import cut
from hashpact._operations.confirming import confirmed
from hashpact._operations.session import BUSY, Session, limits_may_be_old, limits_of, require_count, require_id
from hashpact._wire import Operation, Result, ask, ask_all
from hashpact.errors import ConflictError, HashpactError, ServiceError, UnavailableError
from hashpact.items import Item, ItemPage
from hashpact.media_signals import MediaSignals
from hashpact.probes import Probe
from hashpact.results import CheckResult, LookupResult, ProbeResult
from hashpact.signals import ImageSignals
from hashpact.v1 import contribution_service_pb2, item_pb2, lookup_service_pb2

PROBES_PER_CALL_MAX: Final = 256
"""Large enough to hide what a call costs, small enough that several in flight keep their deadline on any index."""

VALUES_FEW: Final = 1024
"""Values in one probe that every service takes; of longer videos its limits are asked for."""

_BUSY_OR_BEHIND: Final = BUSY | {"TOKEN_FROM_FUTURE"}


def fresh(session: Session, asked: str, read: Callable[[str, frozenset[str]], Operation[Result]]) -> Operation[Result]:
    """Read at least as fresh as asked, else as the client's own last write.

    A token that the caller gave is the caller's business. One that we added must not turn a restored list or a
    replica that is a moment behind into an outage: the first is dropped, the second waited for within the deadline.
    """
    own = session.as_of if session.read_your_writes and not asked else ""
    if not own:
        return (yield from read(asked, BUSY))
    try:
        return (yield from read(own, _BUSY_OR_BEHIND))
    except ConflictError as error:
        if error.reason != "TOKEN_UNKNOWN_HISTORY":
            raise
        session.forget(own)
    return (yield from read("", BUSY))


def lookup(
    session: Session,
    probes: Sequence[Probe],
    *,
    radii: Mapping[str, int] | None,
    matches_max: int,
    use: str,
    at_least_as_fresh: str,
) -> Operation[LookupResult]:
    """Look up a batch, split by the server's limits."""
    if not probes:
        return LookupResult((), at_least_as_fresh)
    radius_messages = matches.radius_messages(radii)
    require_count("matches_max", matches_max)
    limits = None
    if len(probes) > 1 or probes[0].values > VALUES_FEW:
        limits = yield from limits_of(session)
        probes = [probe.within(limits.probe_values_max or probe.values) for probe in probes]
    messages = [matches.probe_message(probe) for probe in probes]
    chunks = [messages]
    if limits is not None:
        sizes = [(probe.searched, message.ByteSize()) for probe, message in zip(probes, messages, strict=True)]
        chunks = cut(
            messages,
            sizes,
            members_max=min(limits.lookup_probes_max or PROBES_PER_CALL_MAX, PROBES_PER_CALL_MAX),
            values_max=limits.lookup_values_max,
            message_bytes_max=limits.message_bytes_max,
        )

    def read(token: str, wait_for: frozenset[str]) -> Operation[LookupResult]:
        def call(chunk: Sequence[Any], token: str) -> wire.Call[lookup_service_pb2.LookupResponse]:
            request = lookup_service_pb2.LookupRequest(
                probes=chunk, radii=radius_messages, matches_max=matches_max, use=use, at_least_as_fresh=token
            )
            return wire.Call(wire.LOOKUP, request, wait_for=wait_for)

        first = yield from ask(call(chunks[0], token))
        # The others are asked to be no older than the first, so that its token holds for the whole answer.
        rest = yield from _ask_rest([call(chunk, first.as_of) for chunk in chunks[1:]])
        results: list[ProbeResult] = []
        for chunk, response in zip(chunks, [first, *rest], strict=True):
            results += matches.probe_results(response, len(chunk))
        return LookupResult(tuple(results), first.as_of)

    with limits_may_be_old(session):
        return (yield from fresh(session, at_least_as_fresh, read))


def _ask_rest(
    calls: list[wire.Call[lookup_service_pb2.LookupResponse]],
) -> Operation[list[lookup_service_pb2.LookupResponse]]:
    if not calls:
        return []
    return (yield from ask_all(calls))


def check(
    session: Session,
    uploads: Sequence[tuple[Path | None, MediaSignals]],
    *,
    radii: Mapping[str, int] | None,
    matches_max: int,
    use: str,
    at_least_as_fresh: str,
) -> Operation[list[CheckResult]]:
    """Look up hashed uploads; answers as ``on_unavailable`` says when the service cannot be asked."""
    probes = [Probe.of(signals) for _, signals in uploads]
    canvases = [signals.canvas if isinstance(signals, ImageSignals) else None for _, signals in uploads]
    # What is told to the caller holds no picture.
    uploads = [
        (path, replace(signals, canvas=None) if isinstance(signals, ImageSignals) else signals)
        for path, signals in uploads
    ]
    try:
        found = yield from lookup(
            session, probes, radii=radii, matches_max=matches_max, use=use, at_least_as_fresh=at_least_as_fresh
        )
        results = yield from confirmed(probes, canvases, found.results, radii=radii, use=use, as_of=found.as_of)
    except ServiceError as error:
        if session.on_unavailable == "raise" or not cannot_be_asked(error):
            raise
        advice = "none" if session.on_unavailable == "open" else "review"
        return [CheckResult(path, "none", advice, signals=signals, unavailable=error) for path, signals in uploads]
    return [
        CheckResult.of(path, signals, result, found.as_of)
        for (path, signals), result in zip(uploads, results, strict=True)
    ]


def cannot_be_asked(error: HashpactError) -> bool:
    """Whether an error is an outage (unreachable, too slow, overloaded, broken), as opposed to a refusal."""
    return isinstance(error, UnavailableError) or error.reason in {"TOO_MANY_REQUESTS", "INTERNAL", "ANSWER_INVALID"}


def get_item(session: Session, item: int, *, at_least_as_fresh: str) -> Operation[Item]:
    """Ask for one item."""
    require_id("item", item)

    def read(token: str, wait_for: frozenset[str]) -> Operation[Item]:
        request = contribution_service_pb2.GetItemRequest(item=item, at_least_as_fresh=token)
        response = yield from ask(wire.Call(wire.GET_ITEM, request, wait_for=wait_for))
        return convert.item_of(response.item)

    return (yield from fresh(session, at_least_as_fresh, read))


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items to list."""

    statuses: tuple[str, ...]
    label: str
    member: str
    page_size: int
    at_least_as_fresh: str
    signals: bool = False
    changed_after: str = ""


def list_items_page(session: Session, which: ItemFilter, page_token: str) -> Operation[ItemPage]:
    """Ask for one page."""
    require_count("page_size", which.page_size)
    statuses: list[item_pb2.ItemStatus.ValueType] = [
        convert.STATUSES.number(status, "status") for status in which.statuses
    ]

    def read(token: str, wait_for: frozenset[str]) -> Operation[ItemPage]:
        request = contribution_service_pb2.ListItemsRequest(
            page_size=which.page_size,
            page_token=page_token,
            statuses=statuses,
            label=which.label,
            member=which.member,
            at_least_as_fresh=token,
            with_signals=which.signals,
            changed_after=which.changed_after,
        )
        response = yield from ask(wire.Call(wire.LIST_ITEMS, request, wait_for=wait_for))
        return ItemPage(
            tuple(convert.item_of(item) for item in response.items),
            convert.next_page(page_token, response.next_page_token),
            response.as_of,
        )

    return (yield from fresh(session, which.at_least_as_fresh, read))
