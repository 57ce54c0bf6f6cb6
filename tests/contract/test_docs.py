"""Documents that cannot drift: what they name exists, what they link to resolves, what they promise runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hashpact_server.config import TABLES, Config, settings
from hashpact_server.rules.taxonomy import BUILT_IN

from tests.commands import program, what_is_wrong
from tests.repository import ROOT, documents, project, tracked_files

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
OUR_FOLDERS = ("client/", "server/", "proto/", "tests/", "docs/", ".ci/")
TEXT = {".py", ".md", ".proto", ".toml", ".yaml", ".service", ".json", ""}

# Written in two halves, so that this file is not found by its own search.
UNFINISHED = re.compile("|".join(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("lorem", " ipsum"))))

pages = pytest.mark.parametrize("page", documents(), ids=lambda path: str(path.relative_to(ROOT)))


def make_targets() -> set[str]:
    """Targets that `make` explains."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code_of(page: Path) -> str:
    """What a page shows as code: blocks, then spans, one per line."""
    text = page.read_text()
    return "\n".join([*FENCE.findall(text), *CODE_SPAN.findall(FENCE.sub("", text))])


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
            name, _, test = span.partition("::")
            assert (ROOT / name).exists(), f"{page.name} names {span}"
            assert f"def {test}" in (ROOT / name).read_text() if test else True, f"{page.name} names {span}"


@pages
def test_make_targets_named_in_text_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^(?:\$ )?make ([a-z-]+)", text, re.MULTILINE))
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


def settings_table() -> str:
    """The settings as the operator's page shows them."""
    lines = ["| setting | default | says |", "|---|---|---|"]
    for of, prefix in ((Config, ""), *((of, f"{table}.") for table, of in TABLES.items())):
        lines += [
            f"| `{prefix}{name}` | {f'`{str(default).lower()}`' if default != '' else ''} | {doc} |"
            for name, default, doc in settings(of)
        ]
    return "\n".join(lines) + "\n"


def test_operators_page_shows_every_setting() -> None:
    page = ROOT / "docs" / "operate.md"
    text = page.read_text()
    head, rest = text.split("<!-- settings:start -->\n")
    shown, tail = rest.split("<!-- settings:end -->")
    if os.environ.get("HASHPACT_REWRITE_DOCS"):
        page.write_text(f"{head}<!-- settings:start -->\n{settings_table()}<!-- settings:end -->{tail}")
        return
    assert shown == settings_table(), "run this test once with HASHPACT_REWRITE_DOCS=1"


def test_the_clients_page_shows_the_labels_that_mean_the_same_to_everybody() -> None:
    shown = (ROOT / "docs" / "client.md").read_text().split("<!-- labels:start -->")[1].split("<!-- labels:end -->")[0]
    rows = [re.findall(r"`([a-z_]+)`", line) for line in shown.splitlines() if "`" in line]
    assert {axis: tuple(terms) for axis, *terms in rows} == {
        axis: tuple(terms) for axis, terms in BUILT_IN.axes.items()
    }


def test_operators_page_names_every_metric() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    sources = [
        (ROOT / "server" / "hashpact_server" / name).read_text()
        for name in ("node.py", "metrics.py", "replica.py", "uploads/readings.py")
    ]
    made = {name for source in sources for name in re.findall(r'"(hashpact_[a-z_]+)"', source)}
    documented = {name.removesuffix("_total") for name in re.findall(r"`(hashpact_[a-z_]+)`", text)}
    assert made == documented


@pages
def test_commands_shown_exist(page: Path) -> None:
    """Every verb, and every option behind it, that a document shows."""
    for line in re.findall(
        r"(?:^|[`/ ])(?<!from )(hashpact(?:-server)? [a-z][^`\n|;&>]*)", code_of(page), re.MULTILINE
    ):
        words = [word for word in shlex.split(line, comments=True) if word.strip("-")]  # "---" is drawing
        wrong = what_is_wrong(words)
        assert not wrong, f"{page.name} shows {line!r}: {wrong}"


@pytest.mark.parametrize("name", ["hashpact", "hashpact-server"])
def test_every_command_and_option_explains_itself(name: str) -> None:
    def walk(command: Any, path: str) -> None:
        assert command.help, f"{path} has no help"
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert parameter.help, f"{path}: {parameter.name} has no help"
        for verb, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {verb}")

    walk(program(name), name)


def test_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[?{re.escape(project()['project']['version'])}\b", changelog, re.MULTILINE)
