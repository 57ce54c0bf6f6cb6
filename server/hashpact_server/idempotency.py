"""Answers of writes that carried a ``request_id``, kept so that the same request gets the same answer.

::

    local.requests        pseudonym (16), request_id     -> time_ms u64, SHA-256 of the request (32), answer, CRC-32 u32
    local.request_times   time_ms u64, pseudonym, request_id -> empty

These tables are no part of the state: they are not replicated, and not what the ledger adds up to. They are written in
the transaction of the write itself, so an answer is remembered exactly when the write is durable.
"""

from __future__ import annotations

import zlib
from typing import Final

from hashpact.v1 import error_reason_pb2 as reasons

from hashpact_server.ledger.codec import LayoutError, u32, u64
from hashpact_server.ledger.store import Tx
from hashpact_server.refusal import Refusal

REQUESTS: Final = "local.requests"
TIMES: Final = "local.request_times"
TABLES: Final = (REQUESTS, TIMES)

_FORGET_ROWS: Final = 256
_FRAME_BYTES: Final = 8 + 32 + 4


def remembered(tx: Tx, member: bytes, request_id: str, fingerprint: bytes) -> bytes | None:
    """The answer that this member's request was given before, or None.

    Raises:
        Refusal: REQUEST_ID_REUSED, when another request carried this id.
    """
    row = tx.get(REQUESTS, member + request_id.encode())
    if row is None:
        return None
    _, of, answer = unpack(row)
    if of != fingerprint:
        raise Refusal(
            reasons.ERROR_REASON_REQUEST_ID_REUSED,
            "this request_id was used for another request; use a fresh one for each",
        )
    return answer


def remember(tx: Tx, member: bytes, request_id: str, fingerprint: bytes, answer: bytes, now_ms: int) -> None:
    """Keep an answer."""
    key = member + request_id.encode()
    row = u64(now_ms) + fingerprint + answer
    tx.put(REQUESTS, key, row + u32(zlib.crc32(row)))
    tx.put(TIMES, u64(now_ms) + key, b"")


def unpack(row: bytes) -> tuple[int, bytes, bytes]:
    """Time, fingerprint and answer of a row. Nothing else vouches for them, so they carry a sum of their own.

    Raises:
        LayoutError: the row is damaged.
    """
    if len(row) < _FRAME_BYTES or row[-4:] != u32(zlib.crc32(row[:-4])):
        raise LayoutError("is damaged")
    return int.from_bytes(row[:8], "big"), row[8:40], row[40:-4]


def forget(tx: Tx, before_ms: int) -> None:
    """Drop some of the answers that were kept before this time; called often, so a few at a time suffice."""
    old: list[bytes] = []
    for key, _ in tx.scan(TIMES):
        if int.from_bytes(key[:8], "big") >= before_ms or len(old) == _FORGET_ROWS:
            break
        old.append(key)
    for key in old:
        tx.delete(TIMES, key)
        tx.delete(REQUESTS, key[8:])
