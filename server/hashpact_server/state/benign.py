"""The benign list: values of known good media. A row per listing; its values stand in the entry that made it."""

from __future__ import annotations

from collections.abc import Iterator

from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.payloads_safeguards import BenignPayload
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View


def is_benign_listed(view: View, sequence: int) -> bool:
    """Whether a listing with this id is on the benign list."""
    return view.rows.get(Table.BENIGN, u64(sequence)) is not None


def benign_listings(view: View, *, after: int = 0, limit: int) -> list[int]:
    """Ids of what is on the benign list, by growing id, from the first after ``after`` on."""
    found: list[int] = []
    for key, _ in view.rows.scan(Table.BENIGN, start=u64(after + 1)):
        if len(found) == limit:
            break
        found.append(int.from_bytes(key, "big"))
    return found


def benign_values(view: View) -> Iterator[tuple[int, int, bytes]]:
    """(id, signal type code, value) of all that is on the benign list; what was redacted is missing."""
    for key, _ in view.rows.scan(Table.BENIGN):
        sequence = int.from_bytes(key, "big")
        payload = view.entry(sequence).payload
        if payload is not None:
            for code, value in BenignPayload.decode(payload).values:
                yield sequence, code, value
