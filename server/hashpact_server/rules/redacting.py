"""Redacting: the private part of an entry is deleted, here and on every replica; the tree still verifies."""

from __future__ import annotations

from typing import Final

from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.ledger.codec import u8
from hashpact_server.ledger.entry import SALT_BYTES, Draft, Kind
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.scene import Scene
from hashpact_server.state.view import View

_REASONS: Final = frozenset(pb.RedactionReason.values()) - {pb.REDACTION_REASON_UNSPECIFIED}


def check(view: View, act: pb.StewardAct.RedactEntry) -> None:
    """Whether the entry is there. One that was redacted before may be named: nothing happens then.

    Raises:
        Refusal: FIELD_INVALID for the reason; ENTRY_NOT_FOUND: no such entry, or one without a private part.
    """
    if act.reason not in _REASONS:
        raise invalid_field("redact_entry.reason", "say why: legal, personal data, or mistake")
    if act.sequence <= view.head.sequence:
        private = view.entry(act.sequence).private
        if private is None or len(private) > SALT_BYTES:
            return
    raise Refusal(
        error_reason_pb2.ERROR_REASON_ENTRY_NOT_FOUND,
        f"there is no entry {act.sequence} with a private part; nothing has to be deleted",
    )


def carry_out(scene: Scene, actor: bytes, act: pb.StewardAct.RedactEntry) -> None:
    """Delete the private part; nothing is recorded when it is gone already."""
    if not scene.entry(act.sequence).redacted:
        scene.record(Draft(Kind.REDACTED, actor, act.sequence, clear=u8(act.reason)))
