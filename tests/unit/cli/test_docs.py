"""Every command and option has help, and stands in docs/client.md; what stands there exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hashpact import Client
from hashpact._errors import _UNREACHABLE
from hashpact.cli.app import app
from hashpact.cli.exits import Exit
from hashpact.cli.settings import _KEYS

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "client.md").read_text()
COMMON = {"--target", "--ca", "--token-file", "--plaintext", "--tls", "--timeout", "--help", "-h"}


def commands(group: Any, name: str = "hashpact") -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


def section(command: str) -> str:
    """What the page says about a command."""
    found = re.search(rf"^### {re.escape(command)}(?: [^a-z\n][^\n]*)?\n(.*?)(?=^#|\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found, f"{command} is not in docs/client.md"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_the_options_of_each_command(name: str) -> None:
    command = COMMANDS[name]
    real = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    real = {option for option in real if option.startswith("-")} - COMMON
    listed = re.findall(r"^- (.*?):", section(name), re.MULTILINE)
    documented = {option for line in listed for option in re.findall(r"`(--[a-z-]+)", line)}
    assert documented == real


def test_the_page_has_no_command_that_does_not_exist() -> None:
    headings = re.findall(r"^### (hashpact(?: [a-z]+)+)", DOCS, re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


def test_the_common_options_and_settings_are_on_the_page() -> None:
    for option in COMMON - {"-h", "--tls", "--help"}:
        assert f"`{option}`" in DOCS
    for key in _KEYS:
        assert f"`{key}`" in DOCS


def test_every_method_is_on_the_page() -> None:
    for name in dir(Client):
        if not name.startswith("_"):
            assert re.search(rf"`{name}[(`]|, `{name}\(", DOCS), name


def test_every_exit_code_is_on_the_page() -> None:
    codes = {int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", DOCS, re.MULTILINE) for code in row.split(",")}
    assert codes == set(Exit)


def test_every_local_reason_is_on_the_page() -> None:
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS, re.MULTILINE))
    assert told == {reason for _, reason, _ in _UNREACHABLE} | {"DEADLINE_EXCEEDED", "UNAVAILABLE"}
