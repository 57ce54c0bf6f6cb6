"""Advice: every status, every set of agreeing types, and what a member's own policy leaves of it."""

from __future__ import annotations

import itertools

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact_server.rules.advice import Advice, advise
from hashpact_server.state.rows import Status

AGREEMENTS = [
    set(names) for size in range(1, len(SIGNAL_TYPES) + 1) for names in itertools.combinations(SIGNAL_TYPES, size)
]


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.EXPIRED])
def test_closed_items_mean_nothing(status: Status) -> None:
    for agreed in (*AGREEMENTS, None):
        assert advise(status, agreed, may_act=True) is Advice.NONE


@pytest.mark.parametrize("status", [status for status in Status if status.matches])
def test_what_a_match_means(status: Status) -> None:
    for agreed in (*AGREEMENTS, None):
        expected = Advice.OBSERVE if agreed == {"phash"} else Advice.REVIEW
        assert advise(status, agreed) is expected
        expected = Advice.OBSERVE if agreed == {"phash"} else Advice.ACT
        assert advise(status, agreed, may_act=True) is expected


def test_a_member_is_never_advised_more_than_it_wants() -> None:
    for agreed in (*AGREEMENTS, None):
        for ceiling in (Advice.OBSERVE, Advice.REVIEW, Advice.ACT):
            assert advise(Status.CORROBORATED, agreed, may_act=True, ceiling=ceiling) <= ceiling
            assert advise(Status.CORROBORATED, agreed, ceiling=ceiling) <= min(ceiling, Advice.REVIEW)
