"""Limits: an item is lowered to review only, at once, and stays so until two stewards lift that."""

from __future__ import annotations

from typing import Final

from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.ledger.codec import text
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads_judgement import LimitClear
from hashpact_server.refusal import Refusal
from hashpact_server.rules.statements import open_item
from hashpact_server.rules.texts import clean_text
from hashpact_server.scene import Scene
from hashpact_server.state.judgement import condition
from hashpact_server.state.judgement_rows import LimitCause
from hashpact_server.state.view import View

NOTE_CHARACTERS_MAX: Final = 500


def limit(scene: Scene, actor: bytes, item: int, cause: LimitCause, note: str = "") -> bool:
    """Lower an item to review only: nobody is advised to act on it. Its status stays.

    Args:
        scene: where to record.
        actor: pseudonym of the steward, or of the service.
        item: its id.
        cause: why.
        note: a sentence for the other stewards; private.

    Returns:
        Whether that is new: an item that is limited stays as it is, with its first cause.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, FIELD_INVALID for the note.
    """
    row = open_item(scene, item)
    note = clean_text("note", note, NOTE_CHARACTERS_MAX)
    now = condition(scene, item)
    if now is not None and now.limit is not LimitCause.NONE:
        return False
    clear = LimitClear(row.status, cause)
    scene.record(Draft(Kind.ITEM_LIMITED, actor, item, clear=clear.encode(), payload=text(note)))
    return True


def lift(scene: Scene, actor: bytes, item: int) -> None:
    """Lift an item's limit. Its other conditions stay. Two stewards decide that, so only a motion calls this.

    Raises:
        Refusal: ITEM_NOT_FOUND, ITEM_CLOSED, ITEM_NOT_LIMITED.
    """
    row = open_item(scene, item)
    check_limited(scene, item)
    scene.record(Draft(Kind.ITEM_LIMIT_LIFTED, actor, item, clear=bytes((row.status,))))


def check_lift(view: View, act: pb.StewardAct.LiftLimit) -> None:
    """Whether a motion to lift a limit can be carried out; raises what :func:`lift` does."""
    open_item(view, act.item)
    check_limited(view, act.item)


def carry_out_lift(scene: Scene, actor: bytes, act: pb.StewardAct.LiftLimit) -> None:
    """Carry out a motion to lift a limit."""
    lift(scene, actor, act.item)


def check_limited(view: View, item: int) -> None:
    """Raises :class:`Refusal` ITEM_NOT_LIMITED when there is nothing to lift."""
    now = condition(view, item)
    if now is None or now.limit is LimitCause.NONE:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ITEM_NOT_LIMITED,
            f"item {item} is not limited: there is nothing to lift",
            metadata={"item": str(item)},
        )
