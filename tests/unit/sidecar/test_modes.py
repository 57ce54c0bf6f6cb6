"""Modes and the trial share: advice is only ever lowered, and the same content always gets the same answer."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest
from hashpact.evidence import Agreement
from hashpact.results import ADVICE_ORDER, Match
from hashpact.sidecar.modes import Modes

WORDS = ("observe", "review", "act")


def match(advice: str, *labels: str) -> Match:
    return Match(1, "provisional", labels, advice, (Agreement("pdq", 0, 3, False),))


def test_advice_is_the_lower_of_the_hubs_and_the_modes() -> None:
    for given, mode, in_trial in product(ADVICE_ORDER, WORDS, (True, False)):
        told = Modes(mode).lowered(match(given, "a"), in_trial=in_trial).advice
        cap = mode if in_trial else "observe"
        assert ADVICE_ORDER.index(told) == min(ADVICE_ORDER.index(given), ADVICE_ORDER.index(cap))


def test_the_lowest_mode_that_is_named_for_a_label_holds() -> None:
    modes = Modes("observe", {"glorification_of_terrorist_acts": "act", "context:journalism": "review"})
    assert modes.of(["glorification_of_terrorist_acts"]) == "act"
    assert modes.of(["behaviour:glorification_of_terrorist_acts", "something"]) == "act"
    assert modes.of(["glorification_of_terrorist_acts", "journalism"]) == "review"
    assert modes.of(["something"]) == modes.of([]) == "observe"
    # A list's name is two letters, so it never stands for a word without its axis.
    assert Modes("observe", {"list:un": "act"}).of(["un"]) == "observe"
    assert Modes("observe", {"list:un": "act"}).of(["list:un"]) == "act"


def test_a_word_of_a_newer_hub_counts_as_review() -> None:
    assert Modes("act").lowered(match("unknown-9", "a"), in_trial=True).advice == "review"


def test_the_rest_of_a_match_stays() -> None:
    before = match("act", "a", "b")
    after = Modes("observe").lowered(before, in_trial=True)
    assert (after.item, after.labels, after.agreements, after.status) == (
        before.item,
        before.labels,
        before.agreements,
        before.status,
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_trial_takes_a_share_of_contents_and_keeps_to_it(share: float) -> None:
    contents = [hashlib.sha256(str(number).encode()).digest() for number in range(4000)]
    taken = [Modes(trial_share=share).in_trial(each) for each in contents]
    assert taken == [Modes(trial_share=share).in_trial(each) for each in contents]
    assert abs(sum(taken) / len(taken) - share) < 0.05
    larger = [Modes(trial_share=min(1.0, share + 0.2)).in_trial(each) for each in contents]
    assert all(after for before, after in zip(taken, larger, strict=True) if before)  # a growing trial drops nobody
    if share in {0.0, 1.0}:
        assert set(taken) == {share == 1.0}


def test_the_trial_is_the_same_in_every_version() -> None:
    # Sidecars of two versions beside each other must agree: this value never changes.
    assert [Modes(trial_share=share).in_trial(bytes(32)) for share in (0.746, 0.747)] == [False, True]
