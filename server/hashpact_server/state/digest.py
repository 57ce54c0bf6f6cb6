"""``state_digest``: one hash over all rows of the state, kept up to date row by row.

A row is hashed with SHAKE128 to 2048 bits, and the rows of the state are summed modulo 2^2048 (an AdHash: Bellare and
Micciancio, "A new paradigm for collision-free hashing", 1997). Addition makes the order of writing irrelevant and
removal possible; 2048 bits keep the generalised birthday attack (Wagner 2002) at about 2^90 work, so that a copy of
the state from a stranger can be checked by its digest. With 256 bits it would take minutes to forge.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Final

from hashpact_server.ledger.codec import u64

_KEY: Final = struct.Struct(">BI")
_LENGTH: Final = struct.Struct(">I")

SUM_BYTES: Final = 256
MODULUS: Final = 1 << (8 * SUM_BYTES)
ROW_DOMAIN: Final = b"hashpact/state-row\x00"
DIGEST_DOMAIN: Final = b"hashpact/state-digest\x00"


def row_hash(table: int, key: bytes, value: bytes) -> int:
    """What one row adds to the sum: SHAKE128 of domain, table, key and value, as a number below 2^2048."""
    row = b"".join((ROW_DOMAIN, _KEY.pack(table, len(key)), key, _LENGTH.pack(len(value)), value))
    return int.from_bytes(hashlib.shake_128(row).digest(SUM_BYTES), "big")


def sum_of(table: int, rows: Iterable[tuple[bytes, bytes]]) -> int:
    """What (key, value) rows of one table add to the sum, not yet reduced; :func:`row_hash` for many."""
    pack, join, shake, size = _LENGTH.pack, b"".join, hashlib.shake_128, SUM_BYTES
    start = ROW_DOMAIN + bytes((table,))
    hashes = [shake(join((start, pack(len(key)), key, pack(len(value)), value))).digest(size) for key, value in rows]
    return sum(map(int.from_bytes, hashes))


def state_digest(sequence: int, total: int) -> bytes:
    """The digest (32 bytes) of a state that reflects entry ``sequence`` and whose rows sum up to ``total``."""
    return hashlib.sha256(DIGEST_DOMAIN + u64(sequence) + total.to_bytes(SUM_BYTES, "big")).digest()
