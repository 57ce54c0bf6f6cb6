"""At least as fresh: a token of this history passes, and no other is ever waited for."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.ledger.base import Head
from hashpact_server.refusal import Refusal
from hashpact_server.rules.freshness import check_fresh
from hashpact_server.tokens import Position

LEDGER = b"L" * 16
HEAD = Head(LEDGER, 9, 100, 0, bytes(32))
ENDS = {0: 40, 5: 80}
"""Epochs 0, 5 and 9 began with entries 0, 40 and 80."""


def verdict(token: str) -> int:
    try:
        check_fresh(token, HEAD, ENDS.get)
    except Refusal as refusal:
        return refusal.reason
    return reasons.ERROR_REASON_UNSPECIFIED


@pytest.mark.parametrize(
    ("epoch", "sequence", "reason"),
    [
        (9, 0, reasons.ERROR_REASON_UNSPECIFIED),
        (9, 100, reasons.ERROR_REASON_UNSPECIFIED),
        (9, 101, reasons.ERROR_REASON_TOKEN_FROM_FUTURE),
        (10, 50, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (7, 50, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (1, 1, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (5, 79, reasons.ERROR_REASON_UNSPECIFIED),
        (5, 80, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (5, 101, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (0, 39, reasons.ERROR_REASON_UNSPECIFIED),
        (0, 40, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
    ],
)
def test_positions(epoch: int, sequence: int, reason: int) -> None:
    assert verdict(Position(LEDGER, epoch, sequence).encode()) == reason


@pytest.mark.parametrize(
    ("ledger", "epoch", "sequence", "reason"),
    [
        (LEDGER, 10, 50, reasons.ERROR_REASON_TOKEN_FROM_FUTURE),
        (LEDGER, 10, 101, reasons.ERROR_REASON_TOKEN_FROM_FUTURE),
        (LEDGER, 7, 50, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
        (b"M" * 16, 10, 50, reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY),
    ],
)
def test_a_replica_may_not_have_heard_of_an_epoch_yet(ledger: bytes, epoch: int, sequence: int, reason: int) -> None:
    with pytest.raises(Refusal) as caught:
        check_fresh(Position(ledger, epoch, sequence).encode(), HEAD, ENDS.get, follows=True)
    assert caught.value.reason == reason


def test_no_token_asks_for_nothing() -> None:
    assert verdict("") == reasons.ERROR_REASON_UNSPECIFIED


def test_other_list() -> None:
    assert verdict(Position(b"M" * 16, 9, 1).encode()) == reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY


@pytest.mark.parametrize("token", ["x", "ü", "!" * 44, Position(LEDGER, 9, 1).encode()[:-1] + "A", "A" * 10_000])
def test_malformed(token: str) -> None:
    assert verdict(token) == reasons.ERROR_REASON_TOKEN_MALFORMED


def test_epoch_that_nobody_knows() -> None:
    with pytest.raises(Refusal):
        check_fresh(Position(LEDGER, 1, 1).encode(), HEAD, lambda _: None)
