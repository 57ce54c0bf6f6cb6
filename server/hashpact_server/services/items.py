"""Items on the wire."""

from __future__ import annotations

from typing import Final

from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact.v1 import item_pb2, signal_pb2

from hashpact_server.ledger.payloads import OPAQUE
from hashpact_server.matches import Advisor
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.statements import standing_statement
from hashpact_server.services.caller import Caller
from hashpact_server.services.reading import TIME_MS_MAX, timestamp
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow, Role, Status
from hashpact_server.state.view import View

DAY_MS: Final = 86_400_000


def encode_item(view: View, row: ItemRow, caller: Caller, *, signals: bool = False) -> item_pb2.Item:
    """An item as this caller may see it.

    Args:
        view: where it stands.
        row: the item.
        caller: signal values go to the role ``replicate`` and to members that contribute to the item.
        signals: whether to name its signals.
    """
    ground = Ground(view, row)
    contributions = sorted(ground.rows, key=lambda each: each.sequence)
    item = item_pb2.Item(
        item=row.item,
        status=encode_status(row.status),
        labels=ground.labels,
        contributions=[_encode_contribution(view, each) for each in contributions],
        create_time=timestamp(view.entry(row.item).time_ms),
        advice=encode_advice(Advisor(view, caller.pseudonym).of_item(ground)),
        redacted=row.redacted,
    )
    newest_ms = max((looked_ms(view, each) for each in contributions), default=0)
    if newest_ms:
        item.review_time.CopyFrom(timestamp(min(TIME_MS_MAX, newest_ms + ground.forum.review_days * DAY_MS)))
    if signals:
        contributes = any(each.pseudonym == caller.pseudonym for each in contributions)
        values = contributes or caller.has(Role.REPLICATE)
        item.signals.extend(
            item_pb2.ItemSignal(
                signal_type=signal.name if signal.code == OPAQUE else SIGNAL_TYPES_BY_CODE[signal.code].name,
                value=signal.value if values else b"",
                quality=signal.quality,
                sequence=sequence,
                vouching_groups=ground.vouching(identity),
                stretch=encode_stretch(signal.stretch) if values else None,
            )
            for identity, (_, sequence, signal, _, _) in ground.signals.items()
        )
    return item


def encode_stretch(stretch: tuple[int, int] | None) -> signal_pb2.Stretch | None:
    """The stretch of a video that a signal stands for."""
    return None if stretch is None else signal_pb2.Stretch(start_ms=stretch[0], end_ms=stretch[1])


def looked_ms(view: View, row: ContributionRow) -> int:
    """When a person of a contributor looked; 0: none did."""
    if row.basis != Basis.PERSON_LOOKED:
        return 0
    return standing_statement(view, row).attestation.observed_ms or view.entry(row.sequence).time_ms


def encode_status(status: Status) -> item_pb2.ItemStatus.ValueType:
    """A status; the numbers are the same."""
    return item_pb2.ItemStatus.ValueType(status)


def encode_advice(advice: int) -> signal_pb2.Advice.ValueType:
    """An advice; the numbers are the same."""
    return signal_pb2.Advice.ValueType(advice)


def _encode_contribution(view: View, row: ContributionRow) -> item_pb2.ItemContribution:
    member = view.member(row.pseudonym)
    said = standing_statement(view, row).attestation
    attestation = item_pb2.Attestation(
        basis=item_pb2.AttestationBasis.ValueType(said.basis), observer_role=said.observer_role
    )
    if said.observed_ms:
        attestation.observed_time.CopyFrom(timestamp(said.observed_ms))
    return item_pb2.ItemContribution(
        member=member.name if member else "",
        labels=row.labels,
        attestation=attestation,
        update_time=timestamp(view.entry(row.sequence).time_ms),
        sequence=row.sequence,
    )
