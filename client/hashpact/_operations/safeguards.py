"""Alerts, the benign list, traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._media import ContributionSource, listed_signals
from hashpact._operations.session import BUSY, Session, limits_of, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.safeguards import Alert, Benign, Traced
from hashpact.signals import Signal
from hashpact.v1 import safeguard_service_pb2 as pb
from hashpact.v1 import steward_service_pb2

DIGEST_BYTES = 32
KINDS = convert.Words(pb.AlertKind, "ALERT_KIND_")


def alerts_page(page_size: int, page_token: str, *, with_acknowledged: bool) -> Operation[tuple[list[Alert], str]]:
    """Ask for one page of alerts."""
    require_count("page_size", page_size)
    request = pb.ListAlertsRequest(with_acknowledged=with_acknowledged, page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_ALERTS, request, wait_for=BUSY))
    return [_alert_of(each) for each in response.alerts], convert.next_page(page_token, response.next_page_token)


def acknowledge_alert(session: Session, alert: int, note: str, *, request_id: str | None) -> Operation[Alert]:
    """Acknowledge an alert."""
    require_id("alert", alert)
    given_id = new_request_id(request_id)
    request = pb.AcknowledgeAlertRequest(request_id=given_id, alert=alert, note=note)
    response = yield from ask(write(wire.ACKNOWLEDGE_ALERT, request, given_id))
    session.wrote(response.as_of)
    return _alert_of(response.alert)


def benign_page(page_size: int, page_token: str) -> Operation[tuple[list[Benign], str]]:
    """Ask for one page of the benign list."""
    require_count("page_size", page_size)
    request = pb.ListBenignRequest(page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_BENIGN, request, wait_for=BUSY))
    return [_benign_of(each) for each in response.benign], convert.next_page(page_token, response.next_page_token)


def propose_benign(
    session: Session, source: ContributionSource, note: str, reason: str, *, request_id: str | None
) -> Operation[int]:
    """Propose to put media on the benign list."""
    signals = [convert.signal_message(signal) for signal in listed_signals(source)]
    act = steward_service_pb2.StewardAct(
        list_benign=steward_service_pb2.StewardAct.AddBenign(signals=signals, note=note)
    )
    return (yield from _propose(session, act, reason, request_id))


def propose_not_benign(session: Session, benign: int, reason: str, *, request_id: str | None) -> Operation[int]:
    """Propose to take media off the benign list."""
    require_id("benign", benign)
    act = steward_service_pb2.StewardAct(unlist_benign=steward_service_pb2.StewardAct.RemoveBenign(benign=benign))
    return (yield from _propose(session, act, reason, request_id))


def _propose(
    session: Session, act: steward_service_pb2.StewardAct, reason: str, request_id: str | None
) -> Operation[int]:
    given_id = new_request_id(request_id)
    request = steward_service_pb2.ProposeRequest(request_id=given_id, act=act, reason=reason)
    response = yield from ask(write(wire.PROPOSE, request, given_id))
    session.wrote(response.as_of)
    return int(response.motion.motion)


def trace(session: Session, digests: Iterable[bytes]) -> Operation[list[Traced]]:
    """Ask whose copy digests come from, in calls as large as the server takes."""
    wanted = list(dict.fromkeys(digests))
    if not wanted or any(len(digest) != DIGEST_BYTES for digest in wanted):
        raise InvalidRequestError.about("digests", f"give SHA-256 digests, {DIGEST_BYTES} bytes each")
    limits = yield from limits_of(session)
    most = max(1, min(limits.lookup_values_max, limits.message_bytes_max // (2 * DIGEST_BYTES)))
    found: Counter[str] = Counter()
    for start in range(0, len(wanted), most):
        request = pb.TraceSignalsRequest(digests=wanted[start : start + most])
        call = wire.Call(wire.TRACE_SIGNALS, request, repeatable=True, wait_for=BUSY)
        response = yield from ask(call)
        session.wrote(response.as_of)
        for each in response.members:
            found[each.member] += each.decoys
    return [Traced(member, decoys) for member, decoys in found.most_common()]


def _alert_of(message: pb.Alert) -> Alert:
    return Alert(
        alert=message.alert,
        kind=KINDS.word(message.kind),
        item=message.item,
        member=message.member,
        count=message.count,
        note=message.note,
        raise_time=convert.time_of(message, "raise_time"),
        acknowledge_time=convert.time_of(message, "acknowledge_time"),
        acknowledged_by=message.acknowledged_by,
        acknowledgement=message.acknowledgement,
    )


def _benign_of(message: pb.Benign) -> Benign:
    return Benign(
        benign=message.benign,
        note=message.note,
        signal_types=tuple(each.signal_type for each in message.signals),
        signals=tuple(Signal(each.signal_type, each.value) for each in message.signals if each.value),
        list_time=convert.time_of(message, "list_time"),
    )
