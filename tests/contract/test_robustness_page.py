"""``docs/robustness.md`` shows what was measured, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from tests.bench.robustness import gallery, report
from tests.bench.robustness.counting import FREE_LICENCES
from tests.bench.robustness.edits import EDITS

PAGE = report.PAGE.read_text(encoding="utf-8")
FIGURES = report.kept(report.PICTURES)


def test_every_table_is_what_the_figures_say() -> None:
    assert report.filled(PAGE) == PAGE
    assert set(re.findall(r"<!-- table: ([a-z-]+) -->", PAGE)) == set(report.TABLES)


def test_no_edit_is_left_out_and_every_one_is_explained() -> None:
    assert set(FIGURES["recall"]["rows"]) == {edit.row for edit in EDITS}
    explained = PAGE.split("## The edits")[1].split("\n## ")[0]
    missing = [edit.name for edit in EDITS if edit.name.split(",")[0] not in explained]
    assert missing == []


def test_pictures_are_small_and_their_sources_are_named() -> None:
    pictures = sorted(gallery.FOLDER.glob("*.jpg"))
    sources = json.loads((gallery.FOLDER / "sources.json").read_text(encoding="utf-8"))
    assert pictures
    assert {path.name for path in pictures} == set(sources)
    assert max(path.stat().st_size for path in pictures) <= gallery.BYTES_MAX
    for said in (line for lines in sources.values() for line in lines):
        assert said.rpartition(", ")[2].startswith(FREE_LICENCES)


@pytest.mark.parametrize("name", re.findall(r"\]\((robustness/[^)]+)\)", PAGE))
def test_shown_pictures_are_there(name: str) -> None:
    assert (report.PAGE.parent / name).is_file()
