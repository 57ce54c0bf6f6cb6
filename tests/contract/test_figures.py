"""Figures in the documents are those of the committed run, and the guard against slowness bites."""

from __future__ import annotations

import json

import pytest

from tests.bench import check, report
from tests.bench.targets import TARGETS, Target


def test_pages_show_the_committed_run() -> None:
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    assert (report.FOLDER / "README.md").read_text(encoding="utf-8") == report.page(results)
    readme = (report.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.split(report.START)[1].split(report.END)[0] == f"\n{report.headlines(results)}"


def test_every_target_was_measured() -> None:
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    assert [target.what for target in TARGETS if "not measured" in target.row(results)] == []


def test_a_committed_run_holds_against_itself() -> None:
    ratios = check.ratios(json.loads(report.RESULTS.read_text(encoding="utf-8")))
    assert len(ratios) > 20
    assert check.fallen(ratios, ratios) == []


@pytest.mark.parametrize(("now", "fell"), [(7.1, False), (6.9, True), (20.0, False)])
def test_a_ratio_may_fall_by_30_percent_and_no_more(now: float, fell: bool) -> None:
    lines = check.fallen({"a": 10.0, "of the committed run only": 5.0}, {"a": now, "new": 1.0})
    assert [line.partition(":")[0] for line in lines] == (["a"] if fell else [])


@pytest.mark.parametrize(
    ("most", "figure", "word"),
    [(False, 80.0, "reached"), (False, 79.9, "missed"), (True, 80.0, "reached"), (True, 80.1, "missed")],
)
def test_targets_are_judged_by_their_bound(most: bool, figure: float, word: str) -> None:
    target = Target("a figure", lambda results: results["figure"], 80, "x", most=most)
    assert target.row({"figure": figure})[3] == word
    assert target.row({})[2:] == ("not measured", "-")
