"""Documents that cannot drift: what they name exists, what they link to resolves, what they promise runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT, documents, project, tracked_files

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
OUR_FOLDERS = ("client/", "server/", "proto/", "tests/", "docs/", ".ci/")
TEXT = {".py", ".md", ".proto", ".toml", ".yaml", ".service", ".json", ""}

# Written in two halves, so that this file is not found by its own search.
UNFINISHED = re.compile(
    "|".join(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("lorem", " ipsum")))
)

pages = pytest.mark.parametrize("page", documents(), ids=lambda path: str(path.relative_to(ROOT)))


def make_targets() -> set[str]:
    """Targets that `make` explains."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.strip().replace(" ", "-") for text in kept}


@pages
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(place), f"{page.name} links to {target}"


@pages
def test_files_named_in_text_exist(page: Path) -> None:
    for span in CODE_SPAN.findall(FENCE.sub("", page.read_text())):
        if span.startswith(OUR_FOLDERS) and not re.search(r"[*<>{} ]", span):
            name = span.partition("::")[0]
            assert (ROOT / name).exists(), f"{page.name} names {span}"


@pages
def test_make_targets_named_in_text_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(
        re.findall(r"^(?:\$ )?make ([a-z-]+)", text, re.MULTILINE)
    )
    assert named <= make_targets()


def test_every_target_is_explained_and_has_no_file_of_its_name() -> None:
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert phony == make_targets()


def test_make_alone_prints_help() -> None:
    printed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert make_targets() <= {line.split()[0] for line in printed.splitlines() if line.startswith("  ")}


def test_continuous_integration_runs_the_command_that_the_readme_gives() -> None:
    readme = (ROOT / "README.md").read_text()
    steps = re.findall(r"^step (.+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert steps == ["make test", "make lint", "make check-generated"]
    assert re.search(rf"^{steps[0]}\b", readme, re.MULTILINE)


def test_nothing_is_left_unfinished() -> None:
    for path in tracked_files():
        if path.suffix in TEXT and path.name != "LICENSE":
            found = UNFINISHED.search(path.read_text())
            assert not found, f"{path.relative_to(ROOT)} is unfinished"


def test_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[?{re.escape(project()['project']['version'])}\b", changelog, re.MULTILINE)
