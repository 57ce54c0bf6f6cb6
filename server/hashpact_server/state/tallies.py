"""Tallies: how often something was done on a day, for rules that cap it. Days are UTC's, by the ledger's time."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from hashpact_server.ledger.codec import u32
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, Entry
from hashpact_server.state.scope import Scope
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View

DAY_MS: Final = 24 * 60 * 60 * 1000

_KEY: Final = struct.Struct(f">BI{PSEUDONYM_BYTES}s")
_PREFIX: Final = struct.Struct(">BI")


class Tally(IntEnum):
    """What is counted."""

    DISPUTES = 1
    CHALLENGES = 2
    OBJECTIONS = 3


def count(scope: Scope, what: Tally, entry: Entry) -> None:
    """Count an act of the entry's member on the entry's day."""
    key = _KEY.pack(what, entry.time_ms // DAY_MS, entry.member)
    value = scope.rows.get(Table.TALLIES, key)
    scope.rows.put(Table.TALLIES, key, u32(1 + (0 if value is None else int.from_bytes(value, "big"))))


def counted(view: View, what: Tally, now_ms: int, pseudonym: bytes) -> int:
    """How often a member did it today."""
    value = view.rows.get(Table.TALLIES, _KEY.pack(what, now_ms // DAY_MS, pseudonym))
    return 0 if value is None else int.from_bytes(value, "big")


def counted_by_all(view: View, what: Tally, now_ms: int) -> int:
    """How often anybody did it today."""
    # Rows of another length in this table are counts of another kind, under a pseudonym alone.
    rows = view.rows.scan(Table.TALLIES, prefix=_PREFIX.pack(what, now_ms // DAY_MS))
    return sum(int.from_bytes(value, "big") for key, value in rows if len(key) == _KEY.size)
