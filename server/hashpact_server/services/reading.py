"""What reads have in common: how fresh they are, pages, and times on the wire."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import error_reason_pb2

from hashpact_server.engine import Engine
from hashpact_server.ledger.base import Head
from hashpact_server.refusal import Refusal
from hashpact_server.rules.freshness import check_fresh
from hashpact_server.services.caller import current_caller
from hashpact_server.tokens import Position, TokenMalformedError

PAGE_SIZE_DEFAULT: Final = 100
TIME_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, where ``google.protobuf.Timestamp`` ends."""

FRESH_WAIT_S_MAX: Final = 5.0
"""Time that a replica waits for what a caller has seen elsewhere; then: TOKEN_FROM_FUTURE."""

_PAGE_VERSION: Final = b"\x01"
_PAGE_LEDGER_BYTES: Final = 8
_PAGE_SCOPE_BYTES: Final = 8


def fresh_head(engine: Engine, at_least_as_fresh: str = "") -> Head:
    """The newest published head, to be taken *before* anything is read: what is read then reflects it at least.

    A view may be a commit ahead of what is published. Its own head must not be told: the caller could send it back
    before it is published, and be told that it comes from the future.

    Raises:
        Refusal: as ``check_fresh``.
    """
    if at_least_as_fresh and engine.following is not None:
        _wait_for(engine, at_least_as_fresh)
    head = engine.published.head
    if at_least_as_fresh:

        def epoch_end(epoch: int) -> int | None:
            with engine.state.read() as view:
                return view.epoch_end(epoch)

        check_fresh(at_least_as_fresh, head, epoch_end, follows=engine.following is not None)
    return head


def _wait_for(engine: Engine, token: str) -> None:
    """On a replica: what was written at the hub a moment ago is on its way, so wait for it, but not for ever."""
    try:
        position = Position.decode(token)
    except TokenMalformedError:
        return  # refused by whoever checks it
    head = engine.published.head
    if position.ledger_id != head.ledger_id or position.sequence <= head.sequence:
        return
    # Not with every thread: with the hub away, those who ask for less would find none.
    if not engine.waits.acquire(blocking=False):
        return
    try:
        left = current_caller().deadline - time.monotonic()
        engine.state.wait_for(position.sequence, max(0.0, min(FRESH_WAIT_S_MAX, left / 2)))
    finally:
        engine.waits.release()


def page_size(asked: int, page_size_max: int) -> int:
    """Rows on a page: 0 asks for the default, and nobody gets more than the limit."""
    return min(asked or PAGE_SIZE_DEFAULT, page_size_max)


def page_token(head: Head, scope: bytes, key: bytes) -> str:
    """The token of the page that begins after ``key``.

    URL-safe base64 without padding of version (1) || start of the ledger id (8) || start of SHA-256(scope) (8) || key.

    Args:
        head: tells the list.
        scope: the request's method and filters, so that a token cannot be used with others.
        key: the last row that was looked at.
    """
    raw = _prefix(head, scope) + key
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def page_key(token: str, head: Head, scope: bytes) -> bytes:
    """The key in a page token.

    Raises:
        Refusal: PAGE_TOKEN_INVALID.
    """
    prefix = _prefix(head, scope)
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not raw.startswith(prefix):
        raise bad_page_token()
    return raw[len(prefix) :]


def bad_page_token() -> Refusal:
    """The refusal of a page token."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_PAGE_TOKEN_INVALID,
        "not a page token of this list, or of a request with other filters: start again from the first page",
    )


def _prefix(head: Head, scope: bytes) -> bytes:
    digest = hashlib.sha256(b"hashpact/page\x00" + scope).digest()
    return _PAGE_VERSION + head.ledger_id[:_PAGE_LEDGER_BYTES] + digest[:_PAGE_SCOPE_BYTES]


def timestamp(time_ms: int) -> Timestamp:
    """A Unix time in ms, for the wire."""
    made = Timestamp()
    made.FromMilliseconds(time_ms)
    return made


def time_ms(sent: Timestamp) -> int | None:
    """A time from the wire in Unix ms; None when it is before 1970, after 9999, or malformed."""
    if not 0 <= sent.nanos < 1_000_000_000:
        return None
    made = sent.seconds * 1000 + sent.nanos // 1_000_000
    return made if 0 <= made <= TIME_MS_MAX else None
