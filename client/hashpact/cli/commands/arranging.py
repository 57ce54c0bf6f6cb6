"""``hashpact detach`` and ``hashpact merge``: putting an item's signals in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.contribute import DryRun
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, say
from hashpact.cli.settings import Settings
from hashpact.errors import ConfigError, HashpactError
from hashpact.items import Item
from hashpact.signals import SIGNAL_TYPES, Signal, parse_hex

_Item = Annotated[int, typer.Argument(metavar="ITEM", min=1, help="The item's number.")]


@service
def detach_command(
    settings: Settings,
    item: _Item,
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A picture: the signals that contributing it listed.")
    ] = None,
    *,
    signal: Annotated[
        list[str] | None,
        typer.Option("--signal", metavar="TYPE=HEX", help="A signal, e.g. as item shows it; again for more."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Exit:
    """Take signals off an item that stays: those that you added, and that no other member confirms."""
    if (path is None) == (not signal):
        raise ConfigError("give a picture, or --signal TYPE=HEX")
    with settings.client() as client:
        signals = path if path is not None else [_parsed(text) for text in signal or []]
        _tell(client.detach(item, signals, validate_only=dry_run), dry_run=dry_run, as_json=as_json)
    return Exit.OK


@service
def merge_command(
    settings: Settings,
    item: _Item,
    into_item: Annotated[int, typer.Argument(metavar="INTO", min=1, help="The item that takes over.")],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Exit:
    """Close an item that only you contributed to, and put its signals on another one, in one step."""
    with settings.client() as client:
        _tell(client.merge_items(item, into_item, validate_only=dry_run), dry_run=dry_run, as_json=as_json)
    return Exit.OK


def _parsed(text: str) -> Signal:
    name, _, digits = text.partition("=")
    if name not in SIGNAL_TYPES:
        raise ConfigError(f"--signal is TYPE=HEX, with a type of {', '.join(SIGNAL_TYPES)}")
    try:
        return Signal(name, parse_hex(digits))
    except HashpactError as error:
        raise ConfigError(f"--signal {name}=...: {error.message}") from error


def _tell(item: Item, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        json_line(item.to_dict())
    else:
        members = ", ".join(one.member for one in item.contributions)
        say(f"item {item.item}: {item.status}, contributed by {members}{' (dry run)' * dry_run}")
