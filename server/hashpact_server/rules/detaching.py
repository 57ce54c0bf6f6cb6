"""Detaching: signals leave an item that stays: their member takes them off, or nobody stands behind them any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import DetachedClear
from hashpact_server.refusal import Refusal, invalid_field, over_limit
from hashpact_server.rules.signals import OfferedSignal, parsed
from hashpact_server.rules.statements import not_contributor, open_item
from hashpact_server.scene import Scene
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS, Status
from hashpact_server.state.vouches import Value, Vouched, vouched_signals

PIECE_SIGNALS: Final = 10_000
"""Signals in one entry."""

_ORDINAL_MASK: Final = (1 << SIGNAL_ORDINAL_BITS) - 1


def check_detachment(signals: Sequence[OfferedSignal], limits: Limits) -> frozenset[Value]:
    """The signals to take off, by type and value.

    Raises:
        Refusal: FIELD_INVALID, LIMIT_EXCEEDED.
    """
    if not signals:
        raise invalid_field("signals", "give at least one signal")
    if len(signals) > limits.contribution_signals_max:
        raise over_limit("contribution_signals_max", limits.contribution_signals_max, len(signals))
    found = set()
    for place, signal in enumerate(signals):
        value, problem = parsed(signal)
        if value is None:
            raise invalid_field(f"signals[{place}]", problem)
        found.add(value)
    return frozenset(found)


def detach(scene: Scene, member: bytes, item: int, values: frozenset[Value]) -> None:
    """Take signals off an item that a member added there.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, NOT_CONTRIBUTOR, SIGNAL_NOT_DETACHABLE; nothing was written.
    """
    row = open_item(scene, item)
    rows = scene.contributions(item)
    if all(each.pseudonym != member for each in rows):
        raise not_contributor(item)
    signals = vouched_signals(scene, item, rows)
    wanted = [each for each in signals if (each.signal.code, each.signal.value) in values]
    mine = [each for each in wanted if scene.entry(each.sequence).member == member]
    if {(each.signal.code, each.signal.value) for each in mine} != values:
        raise _not_detachable(item, "the caller does not list the signal on this item")
    if any(each.backers - {member} for each in mine):
        raise _not_detachable(
            item, "another member says that the signal belongs to the item; ask it, or open a dispute"
        )
    if len(mine) == len(signals):
        raise _not_detachable(item, "the item would have no signal left; withdraw it")
    record_detached(scene, member, item, row.status, mine)


def record_detached(scene: Scene, actor: bytes, item: int, status: Status, signals: Sequence[Vouched]) -> None:
    """Record that signals leave an item, whose status stays."""
    for start in range(0, len(signals), PIECE_SIGNALS):
        places = tuple(
            (each.sequence, each.identity & _ORDINAL_MASK) for each in signals[start : start + PIECE_SIGNALS]
        )
        clear = DetachedClear(status, places).encode()
        scene.record(Draft(Kind.SIGNALS_DETACHED, actor, item, clear=clear))


def detach_leftovers(scene: Scene, actor: bytes, item: int) -> None:
    """Take off the signals of an open item that no standing contribution backs: they left with whoever added them.

    A signal that is kept and not searched stays: it matches nothing.
    """
    row = open_item(scene, item)
    left = vouched_signals(scene, item, scene.contributions(item))
    leftovers = [each for each in left if not each.backers and each.signal.code]
    record_detached(scene, actor, item, row.status, leftovers)


def _not_detachable(item: int, message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_SIGNAL_NOT_DETACHABLE, message, metadata={"item": str(item)})
