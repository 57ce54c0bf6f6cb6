"""Withdrawing: a member takes its word back, or a steward takes an item off the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hashpact.v1 import contribution_service_pb2

from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import invalid_field
from hashpact_server.rules.detaching import detach_leftovers
from hashpact_server.rules.standing import status_of
from hashpact_server.rules.statements import existing_item, not_contributor
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Status

_REASONS: Final = frozenset(contribution_service_pb2.WithdrawalReason.values())


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of it: where the item stands now, and how many members still say something about it."""

    status: Status
    contributions_left: int


def check_reason(reason: int) -> None:
    """Raises :class:`Refusal` FIELD_INVALID when the number names no ``WithdrawalReason``."""
    if reason not in _REASONS:
        raise invalid_field("reason", "is no WithdrawalReason that this server knows")


def withdraw(scene: Scene, member: bytes, item: int, reason: int, *, steward: bool) -> Withdrawal:
    """Take back a contribution; as steward, the item, whoever contributed it.

    Withdrawing from an item that is closed already changes nothing and succeeds.

    Raises:
        Refusal: ITEM_NOT_FOUND, NOT_CONTRIBUTOR; nothing was written.
    """
    row = existing_item(scene, item)
    if not row.status.matches:
        return Withdrawal(row.status, 0)
    if steward:
        scene.record(Draft(Kind.ITEM_WITHDRAWN, member, item, clear=bytes((reason,))))
        return Withdrawal(Status.WITHDRAWN, 0)
    rows = scene.contributions(item)
    left = [each for each in rows if each.pseudonym != member]
    if len(left) == len(rows):
        raise not_contributor(item)
    status = status_of(scene, item, left)
    scene.record(Draft(Kind.CONTRIBUTION_WITHDRAWN, member, item, clear=bytes((status, reason))))
    if left:
        detach_leftovers(scene, member, item)
    return Withdrawal(status, len(left))
