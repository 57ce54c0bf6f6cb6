"""The two command lines, looked at rather than run: does a command with these words exist?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import typer.main


@cache
def program(name: str) -> Any:
    """The command tree of ``hashpact`` or ``hashpact-server``."""
    # Imported late: a document that shows no command needs neither.
    if name == "hashpact":
        from hashpact.cli.app import app  # noqa: PLC0415 - as above
    else:
        from hashpact_server.cli import app  # noqa: PLC0415 - as above
    return typer.main.get_command(app)


def what_is_wrong(words: Sequence[str]) -> str:
    """Why a command with these words would be refused: an unknown verb or option; "" when it would not."""
    command, rest = program(words[0]), list(words[1:])
    while rest and hasattr(command, "commands"):
        verb = rest.pop(0)
        if verb not in command.commands:
            return f"there is no {verb!r}"
        command = command.commands[verb]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"} - known
    return f"there is no {sorted(unknown)}" if unknown else ""
