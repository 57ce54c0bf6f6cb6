"""SafeguardService: alerts, the benign list, and whose copy of the list a leaked one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact.v1 import error_reason_pb2, safeguard_service_pb2_grpc, signal_pb2
from hashpact.v1 import safeguard_service_pb2 as pb

from hashpact_server.config import Limits
from hashpact_server.decoys import DIGEST_BYTES
from hashpact_server.engine import Engine
from hashpact_server.guards import Guards
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.payloads_safeguards import BenignPayload, decode_note
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules.alerts import acknowledge, clean_note, raise_alert
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.reading import (
    bad_page_token,
    fresh_head,
    page_key,
    page_size,
    page_token,
    timestamp,
)
from hashpact_server.services.writing import write
from hashpact_server.state.alerts import AlertKind, AlertRow, alerts
from hashpact_server.state.benign import benign_listings
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View

_ALERTS: Final = b"ListAlerts"
_BENIGN: Final = b"ListBenign"
SCAN_MAX: Final = 10_000
"""Alerts that are looked at for one page."""


class SafeguardService(safeguard_service_pb2_grpc.SafeguardServiceServicer):
    """Shows stewards what was noticed."""

    def __init__(self, engine: Engine, limits: Limits, guards: Guards | None = None) -> None:
        self._engine = engine
        self._limits = limits
        self._decoys = guards.decoys if guards else None

    def ListAlerts(  # noqa: N802 - the name in the wire
        self, request: pb.ListAlertsRequest, context: Any
    ) -> pb.ListAlertsResponse:
        """Return a page of alerts."""
        head = fresh_head(self._engine)
        after, size = self._page(request, head, _ALERTS)
        found: list[pb.Alert] = []
        with self._engine.state.read() as view:
            rows = alerts(view, after=after, limit=SCAN_MAX)
            for row in rows:
                if len(found) == size:
                    break
                after = row.sequence
                if request.with_acknowledged or not row.acknowledged:
                    found.append(_encode_alert(view, row))
        more = (bool(rows) and rows[-1].sequence > after) or len(rows) == SCAN_MAX
        token = page_token(head, _ALERTS, u64(after)) if more else ""
        return pb.ListAlertsResponse(alerts=found, next_page_token=token, as_of=head.position().encode())

    def AcknowledgeAlert(  # noqa: N802 - the name in the wire
        self, request: pb.AcknowledgeAlertRequest, context: Any
    ) -> pb.AcknowledgeAlertResponse:
        """Say that a steward looks after an alert."""
        caller = current_caller()
        note = clean_note("note", request.note)

        def decide(scene: Scene) -> Callable[[str], pb.AcknowledgeAlertResponse]:
            row = acknowledge(scene, caller.pseudonym, request.alert, note)
            encoded = _encode_alert(scene, row)
            return lambda as_of: pb.AcknowledgeAlertResponse(alert=encoded, as_of=as_of)

        return write(self._engine, caller, request, pb.AcknowledgeAlertResponse, decide)

    def ListBenign(  # noqa: N802 - the name in the wire
        self, request: pb.ListBenignRequest, context: Any
    ) -> pb.ListBenignResponse:
        """Return a page of the benign list."""
        head = fresh_head(self._engine)
        after, size = self._page(request, head, _BENIGN)
        values = current_caller().has(Role.REPLICATE, Role.STEWARD)
        with self._engine.state.read() as view:
            rows = benign_listings(view, after=after, limit=size + 1)
            encoded = [_encode_benign(view, row, values=values) for row in rows[:size]]
        token = page_token(head, _BENIGN, u64(rows[size - 1])) if len(rows) > size else ""
        return pb.ListBenignResponse(benign=encoded, next_page_token=token, as_of=head.position().encode())

    def TraceSignals(  # noqa: N802 - the name in the wire
        self, request: pb.TraceSignalsRequest, context: Any
    ) -> pb.TraceSignalsResponse:
        """Tell whose copy some digests come from."""
        digests, limit = request.digests, self._limits.lookup_values_max
        if not digests or any(len(digest) != DIGEST_BYTES for digest in digests):
            raise invalid_field("digests", f"give SHA-256 digests, {DIGEST_BYTES} bytes each")
        if len(digests) > limit:
            raise over_limit("lookup_values_max", limit, len(digests))
        decoys = self._decoys
        if decoys is None:
            raise Refusal(
                error_reason_pb2.ERROR_REASON_DECOYS_OFF,
                "this server hands out no decoys, so that nothing can be traced: an operator sets decoys = true",
            )
        members = self._engine.published.roster.members
        found = Counter(who for digest in set(digests) if (who := decoys.whose(digest)) in members)

        def decide(scene: Scene) -> Callable[[str], pb.TraceSignalsResponse]:
            for who, count in found.items():
                raise_alert(scene, AlertKind.LEAK, member=who, count=count)
            traced = [pb.Traced(member=members[who].name, decoys=count) for who, count in found.most_common()]
            return lambda as_of: pb.TraceSignalsResponse(members=traced, as_of=as_of)

        return write(self._engine, current_caller(), request, pb.TraceSignalsResponse, decide)

    def _page(self, request: pb.ListAlertsRequest | pb.ListBenignRequest, head: Head, scope: bytes) -> tuple[int, int]:
        """The id after which the page begins, and its size."""
        key = page_key(request.page_token, head, scope) if request.page_token else u64(0)
        if len(key) != 8 or key == b"\xff" * 8:
            raise bad_page_token()
        return int.from_bytes(key, "big"), page_size(request.page_size, self._limits.page_size_max)


def _encode_alert(view: View, row: AlertRow) -> pb.Alert:
    entry = view.entry(row.sequence)
    member = view.member(row.member)
    encoded = pb.Alert(
        alert=row.sequence,
        kind=pb.AlertKind.ValueType(row.kind),
        item=row.item,
        member=member.name if member else "",
        count=row.counted,
        note="" if entry.payload is None else decode_note(entry.payload),
        raise_time=timestamp(entry.time_ms),
    )
    if row.acknowledged:
        seen = view.entry(row.acknowledged)
        steward = view.member(seen.member)
        encoded.acknowledge_time.CopyFrom(timestamp(seen.time_ms))
        encoded.acknowledged_by = steward.name if steward else ""
        encoded.acknowledgement = "" if seen.payload is None else decode_note(seen.payload)
    return encoded


def _encode_benign(view: View, sequence: int, *, values: bool) -> pb.Benign:
    entry = view.entry(sequence)
    encoded = pb.Benign(benign=sequence, list_time=timestamp(entry.time_ms))
    if entry.payload is not None:
        payload = BenignPayload.decode(entry.payload)
        encoded.note = payload.note
        encoded.signals.extend(
            signal_pb2.Signal(signal_type=SIGNAL_TYPES_BY_CODE[code].name, value=value if values else b"")
            for code, value in payload.values
        )
    return encoded
