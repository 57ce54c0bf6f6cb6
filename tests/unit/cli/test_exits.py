"""Exit codes, and which one wins."""

from __future__ import annotations

from itertools import permutations

import pytest
from hashpact import errors
from hashpact._errors import REASONS
from hashpact.cli.exits import Exit, exit_of, strongest


def test_the_numbers_that_scripts_rely_on() -> None:
    assert (Exit.OK, Exit.MATCHED, Exit.USAGE) == (0, 10, 2)
    assert (Exit.INPUT_FAILED, Exit.NOT_ALLOWED, Exit.UNREACHABLE) == (3, 4, 5)


def test_precedence() -> None:
    order = [Exit.USAGE, Exit.NOT_ALLOWED, Exit.UNREACHABLE, Exit.INPUT_FAILED, Exit.MATCHED, Exit.OK]
    for first, second in permutations(order, 2):
        assert strongest(first, second) == min(first, second, key=order.index)
    assert strongest() is Exit.OK


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_has_a_code(reason: str) -> None:
    error = REASONS[reason]("message", reason=reason)
    expected = {
        "TOKEN_MISSING": 4, "TOKEN_INVALID": 4, "MEMBER_SUSPENDED": 4, "ROLE_MISSING": 4, "NOT_CONTRIBUTOR": 4,
        "FOUR_EYES": 4, "PROPOSER_NOT_FULL": 4, "SECONDER_NOT_INDEPENDENT": 4, "VOTE_NOT_ALLOWED": 4,
        "TOO_MANY_REQUESTS": 5, "STORE_FULL": 5, "WRITE_OUTCOME_UNKNOWN": 5, "NOT_SERVING": 5,
        "DEADLINE_EXCEEDED": 5, "INTERNAL": 5,
    }.get(reason, 3)  # fmt: skip
    assert exit_of(error) == expected


def test_errors_of_this_side() -> None:
    assert exit_of(errors.ConfigError("x")) == 2
    assert exit_of(errors.MissingExtraError("x")) == 2
    assert exit_of(errors.UnreadableMediaError("x")) == 3
    assert exit_of(errors.UnavailableError("x", reason="TLS_UNTRUSTED")) == 5
