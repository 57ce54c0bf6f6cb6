"""Advice: every status, every set of agreeing types, with and without context labels."""

from __future__ import annotations

import itertools

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact_server.rules.advice import Advice, advise
from hashpact_server.rules.labels import AXES
from hashpact_server.state.rows import Status

PLAIN = ("glorification_of_terrorist_acts",)
AGREEMENTS = [
    set(names) for size in range(1, len(SIGNAL_TYPES) + 1) for names in itertools.combinations(SIGNAL_TYPES, size)
]


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.EXPIRED])
def test_closed_items_mean_nothing(status: Status) -> None:
    for agreed in (*AGREEMENTS, None):
        assert advise(status, PLAIN, agreed, act_allowed=True) is Advice.NONE


@pytest.mark.parametrize("status", [status for status in Status if status.matches])
def test_nobody_is_advised_to_act_without_a_policy(status: Status) -> None:
    for agreed in AGREEMENTS:
        expected = Advice.OBSERVE if agreed == {"phash"} else Advice.REVIEW
        assert advise(status, PLAIN, agreed) is expected
    assert advise(status, PLAIN, None) is Advice.REVIEW


def test_act_takes_everything() -> None:
    for agreed in AGREEMENTS:
        certain = len(agreed) > 1 or bool(agreed & {"sha256", "md5"})
        expected = Advice.ACT if certain else Advice.OBSERVE if agreed == {"phash"} else Advice.REVIEW
        assert advise(Status.CORROBORATED, PLAIN, agreed, act_allowed=True) is expected


@pytest.mark.parametrize("status", [Status.PROVISIONAL, Status.DISPUTED, Status.INHERITED])
def test_act_takes_corroboration(status: Status) -> None:
    assert advise(status, PLAIN, {"sha256"}, act_allowed=True) is Advice.REVIEW


@pytest.mark.parametrize("term", AXES["context"])
def test_context_stops_act_and_hides_nothing(term: str) -> None:
    for label in (term, f"context:{term}", term.replace("_", "-")):
        assert advise(Status.CORROBORATED, (*PLAIN, label), {"sha256"}, act_allowed=True) is Advice.REVIEW
        assert advise(Status.CORROBORATED, (label,), {"pdq"}) is Advice.REVIEW
