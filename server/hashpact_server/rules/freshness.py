"""Freshness: is this server at least as far as the caller has already seen?"""

from __future__ import annotations

from collections.abc import Callable

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.base import Head
from hashpact_server.refusal import Refusal
from hashpact_server.tokens import Position, TokenMalformedError


def check_fresh(token: str, head: Head, epoch_end: Callable[[int], int | None], *, follows: bool = False) -> None:
    """Check an ``at_least_as_fresh`` token against the newest durable head; an empty one asks for nothing.

    Since every write is visible once it is acknowledged, a token of this server's own history is never ahead of it:
    one that is comes from elsewhere, and waiting for it would never end.

    Args:
        token: as sent.
        head: the newest durable head.
        epoch_end: epoch -> sequence of the entry that began the next one, or None when this history has no such
            epoch. Asked only for tokens of earlier epochs.
        follows: whether the list is a replica's, which may yet hear of an epoch that began elsewhere.

    Raises:
        Refusal: TOKEN_MALFORMED, TOKEN_UNKNOWN_HISTORY, TOKEN_FROM_FUTURE.
    """
    if not token:
        return
    try:
        position = Position.decode(token)
    except TokenMalformedError as error:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_TOKEN_MALFORMED,
            "at_least_as_fresh is no token: send the as_of of an earlier answer unchanged, or nothing",
        ) from error
    on_its_way = follows and position.ledger_id == head.ledger_id and position.epoch > head.epoch
    if not on_its_way and not _in_history(position, head, epoch_end):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_TOKEN_UNKNOWN_HISTORY,
            "the token is of another list, or of a part of this one's history that was given up: drop it, read again",
        )
    if on_its_way or position.sequence > head.sequence:
        raise Refusal(error_reason_pb2.ERROR_REASON_TOKEN_FROM_FUTURE, "the token is ahead of this server")


def _in_history(position: Position, head: Head, epoch_end: Callable[[int], int | None]) -> bool:
    if position.ledger_id != head.ledger_id or position.epoch > head.epoch:
        return False
    if position.epoch == head.epoch:
        return True
    # What an earlier epoch wrote at or after the entry that began the next one was given up.
    ended = epoch_end(position.epoch)
    return ended is not None and position.sequence < ended
