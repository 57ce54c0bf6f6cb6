"""Alerts: what the service, or a rule, has noticed and a steward has to look at. Entries, so that none gets lost."""

from __future__ import annotations

from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_safeguards import AlertClear, encode_note
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind, AlertRow, alert, open_alert

NOTE_CHARACTERS_MAX: Final = 500


def raise_alert(
    scene: Scene, kind: AlertKind, *, item: int = 0, member: bytes = SERVICE, count: int = 0, note: str = ""
) -> int:
    """Tell the stewards; as long as nobody acknowledged an alert about the same, no second one is raised.

    Args:
        scene: where to record.
        kind: what it is about.
        item: the item that it is about; 0: none.
        member: pseudonym of the member that it is about; zero bytes: none.
        count: how many there were of what was counted, in clear.
        note: a sentence for people; private.

    Returns:
        Id of the alert, of the earlier one where there is one.
    """
    known = open_alert(scene, kind, item, member)
    if known is not None:
        return known.sequence
    clear = AlertClear(kind, item, member, count)
    payload = encode_note(note[:NOTE_CHARACTERS_MAX])
    return scene.record(Draft(Kind.ALERT_RAISED, SERVICE, clear=clear.encode(), payload=payload)).sequence


def acknowledge(scene: Scene, actor: bytes, sequence: int, note: str) -> AlertRow:
    """A steward has seen an alert; one that was acknowledged before stays as it is.

    Raises:
        Refusal: ALERT_NOT_FOUND.
    """
    row = alert(scene, sequence)
    if row is None:
        raise Refusal(error_reason_pb2.ERROR_REASON_ALERT_NOT_FOUND, f"there is no alert {sequence}")
    if row.acknowledged:
        return row
    entry = scene.record(Draft(Kind.ALERT_ACKNOWLEDGED, actor, sequence, payload=encode_note(note)))
    return row._replace(acknowledged=entry.sequence)


def clean_note(field: str, note: str) -> str:
    """A sentence of a person, without blanks around it.

    Raises:
        Refusal: FIELD_INVALID.
    """
    note = note.strip()
    if len(note) > NOTE_CHARACTERS_MAX or not note.isprintable():
        raise invalid_field(field, f"at most {NOTE_CHARACTERS_MAX} printable characters, on one line")
    return note
