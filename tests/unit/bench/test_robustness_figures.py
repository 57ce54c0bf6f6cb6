"""How answers become figures."""

from __future__ import annotations

import pytest

from tests.bench.robustness import counting, report
from tests.bench.robustness.tally import Answer, Hit, wilson

OWN_STRONG = Hit(("a",), "strong", ("local_sift", "pdq"))
OWN_NEAR = Hit(("a",), "near", ("local_sift",))
OTHER = Hit(("b",), "near", ("pdq",))


@pytest.mark.parametrize(
    ("found", "tried", "low", "high"),
    # Brown, Cai, DasGupta 2001, and any statistics package: Wilson's interval, 95 %.
    [(138, 150, 0.866, 0.954), (150, 150, 0.975, 1.0), (0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763)],
)
def test_intervals(found: int, tried: int, low: float, high: float) -> None:
    assert wilson(found, tried) == pytest.approx((low, high), abs=0.001)


def test_an_interval_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_best_level_of_the_picture_itself_counts() -> None:
    assert Answer("a", "crop 5 %", (OWN_NEAR, OTHER)).level() == "near"
    assert Answer("a", "crop 5 %", (OWN_NEAR, OWN_STRONG)).level() == "strong"
    assert Answer("a", "crop 5 %", (OTHER,)).level() == "none"


def test_recall_is_counted_by_row() -> None:
    answers = [Answer("a", "grey", (OWN_STRONG,)), Answer("a", "blur 2", (OWN_NEAR,)), Answer("a", "squash", (OTHER,))]
    found = counting.recall(answers)
    (row,) = found["rows"].values()
    assert (row["tried"], row["near"], row["strong"], row["target"]) == (3, 2, 1, 0.995)
    assert found["edits"]["squash"] == {"tried": 1, "near": 0, "strong": 0}


def test_a_match_with_anything_else_is_false_and_has_a_class() -> None:
    kinds = {"a": "photo", "b": "photo", "c": "logo"}
    both = Answer("a", "grey", (OWN_STRONG, OTHER, Hit(("c",), "strong", ("pdq", "local_sift"))))
    found = counting.mistakes({"edited": [both, Answer("a", "grey", (OWN_STRONG,))]}, kinds)["edited"]
    assert (found["photo"]["near"], found["photo"]["strong"], found["photo"]["probes"]) == (1, 0, 2)
    assert (found["logo"]["near"], found["logo"]["strong"], found["logo"]["strong_probes"]) == (0, 1, 1)
    assert found["photo"]["types"] == {"pdq": 1}
    assert {pair["item"] for pair in counting.false_pairs({"edited": [both]})} == {"b", "c"}


def test_an_item_that_stands_for_several_pictures_is_each_of_them() -> None:
    merged = Hit(("b", "a"), "strong", ("sha256",))
    assert Answer("a", "grey", (merged,)).level() == "strong"
    assert Answer("a", "grey", (merged,)).false() == []


def test_a_share_never_rounds_a_miss_away() -> None:
    assert report.share(149, 150) == "99.3"
    assert report.share(150, 150) == "100"
    assert report.share(1, 3) == "33"
