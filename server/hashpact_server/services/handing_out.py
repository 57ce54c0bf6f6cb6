"""What leaves the hub with values: counted against the member's quota, and marked with its decoys."""

from __future__ import annotations

from collections.abc import Iterable

from hashpact.v1 import item_pb2

from hashpact_server.guards import Guards
from hashpact_server.services.caller import Caller
from hashpact_server.state.rows import Role

_DECOY_TYPE = "sha256"


def hand_out(items: Iterable[item_pb2.Item], caller: Caller, guards: Guards | None) -> None:
    """Count items with their values, and put the caller's decoys among these.

    A member that contributes to an item knows what it contributed, and gets no decoy there.

    Raises:
        Refusal: QUOTA_EXCEEDED.
    """
    shown = [item for item in items if any(signal.value for signal in item.signals)]
    if guards is None or not shown:
        return
    guards.quotas.take(caller.pseudonym, Role.REPLICATE, len(shown))
    if guards.decoys is None:
        return
    for item in shown:
        if all(each.member != caller.member.name for each in item.contributions):
            decoy = guards.decoys.decoy(caller.pseudonym, item.item)
            if decoy is not None:
                _insert(item, decoy)


def _insert(item: item_pb2.Item, decoy: bytes) -> None:
    """Beside the item's own digests, before or behind them as the decoy has it, so that its place tells nothing."""
    signals = list(item.signals)
    own = [place for place, signal in enumerate(signals) if signal.signal_type == _DECOY_TYPE]
    place = (own[0] if decoy[0] & 1 else own[-1] + 1) if own else 0
    sequence = signals[min(place, len(signals) - 1)].sequence
    signals.insert(place, item_pb2.ItemSignal(signal_type=_DECOY_TYPE, value=decoy, sequence=sequence))
    del item.signals[:]
    item.signals.extend(signals)
