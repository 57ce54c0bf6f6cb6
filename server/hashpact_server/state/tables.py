"""The tables of the state and the layout of their keys.

The state is what the ledger adds up to: ordered (table, key, value) rows. It copies nothing that an entry holds and a
look-up does not need.

==============  =====================================  =============================================================
table           key                                    value
==============  =====================================  =============================================================
epochs          epoch u32                              sequence u64 that started it
members         pseudonym (16)                         standing, created sequence, roles, name, group
member_names    name UTF-8                             pseudonym (16)
tokens          token id u64                           pseudonym (16), SHA-256 of the token (32), expiry_ms u64
items           item u64                               status u8, redacted u8
contributions   item u64, pseudonym (16)               sequence u64, basis u8, labels
item_entries    item u64, sequence u64                 empty: a later entry that may hold signals of the item
digests         code u8, first 16 bytes of the digest  signal id u64, item u64, rest of the digest
values          code u8, signal id u64                 item u64, the value
due             due_ms u64, ``Due`` u8, subject u64    empty: what has to be decided by then (``clockwork``)
motions         motion u64                             where it stands, its act, who, until when (``motions``)
rulebook        0 u8, or 1 u8, kind u8, version u32    what is in force; each version (``rulebook``)
rollbacks       0-3 u8, numbers u64                    rollbacks, and what they undid (``rollbacks``)
pending         pending id u64                         pseudonym (16), lapses at u64
tallies         pseudonym (16)                         of one on trial: day u32, entries, contributions u32
member_records  pseudonym (16)                         tier u8, its record's entry u64, and more (``members``)
==============  =====================================  =============================================================

Ordering. Sequences only grow, so ``items``, ``contributions``, ``item_entries`` and each signal type's part of
``values`` are written at their end: pages fill up and are done with. Only ``digests`` has keys in random order; its
keys are kept at 17 bytes and are sorted within a group of writes, which is what makes a million items take one minute
instead of three.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from hashpact_server.ledger.codec import u64


class Table(IntEnum):
    """The tables; numbers enter the state digest and are never reused."""

    EPOCHS = 1
    MEMBERS = 2
    MEMBER_NAMES = 3
    TOKENS = 4
    ITEMS = 5
    CONTRIBUTIONS = 6
    ITEM_ENTRIES = 7
    DIGESTS = 8
    VALUES = 9
    OPINIONS = 10
    CONDITIONS = 11
    DISPUTES = 12
    DISPUTE_VOTES = 13
    CHALLENGES = 14
    DUE = 15
    MEMBER_POLICIES = 16
    PENDING = 17
    TALLIES = 18
    MOTIONS = 19
    RULEBOOK = 20
    ROLLBACKS = 21
    BENIGN = 22
    ALERTS = 24
    INCIDENTS = 25
    INCIDENT_ITEMS = 26
    INCIDENT_ACKS = 27
    MEMBER_RECORDS = 28

    @property
    def stored_as(self) -> str:
        """Name of the table in the store."""
        return _STORED_AS[self]


_STORED_AS: Final = [""] * (max(Table) + 1)
"""Names by number: a list, because each read passes here, and a dictionary would hash the name of its table."""

for _table in Table:
    _STORED_AS[_table] = f"state.{_table.name.lower()}"

STATE_HEAD: Final = "state.head"
TABLES: Final = (*(table.stored_as for table in Table), STATE_HEAD)

DIGEST_KEY_BYTES: Final = 16

_CODES: Final = tuple(bytes((code,)) for code in range(256))
_VALUE_KEY: Final = struct.Struct(">BQ")
_DUE_KEY: Final = struct.Struct(">QBQ")
_SIGNAL_AND_ITEM: Final = struct.Struct(">QQ")


class Due(IntEnum):
    """What has to be decided at a time; the number of the thing stands behind it in the key."""

    MOTION = 1
    RULEBOOK = 2
    DISPUTE = 3
    CHALLENGE = 4
    ITEM_EXPIRY = 5
    INCIDENT = 6
    PENDING = 7


def due_key(due_ms: int, due: Due, subject: int) -> bytes:
    """Key of a time: the rows stand in the order in which they are due."""
    return _DUE_KEY.pack(due_ms, due, subject)


def contribution_key(item: int, pseudonym: bytes) -> bytes:
    """Key of a contribution; all of an item stand together."""
    return u64(item) + pseudonym


def item_entry_key(item: int, sequence: int) -> bytes:
    """Key of an entry that may hold signals of an item."""
    return u64(item) + u64(sequence)


def digest_key(code: int, digest: bytes) -> bytes:
    """Key of a digest: its first 16 bytes decide; the rest stands in the value and is compared."""
    return _CODES[code] + digest[:DIGEST_KEY_BYTES]


def digest_value(signal: int, item: int, digest: bytes) -> bytes:
    """Value of a digest row."""
    return _SIGNAL_AND_ITEM.pack(signal, item) + digest[DIGEST_KEY_BYTES:]


def value_key(code: int, signal: int) -> bytes:
    """Key of a perceptual value."""
    return _VALUE_KEY.pack(code, signal)


def value_value(item: int, value: bytes) -> bytes:
    """Value of a perceptual value's row."""
    return u64(item) + value
