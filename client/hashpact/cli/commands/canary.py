"""``hashpact canary``: harmless pictures with a known answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact.canary.published import CANARIES, LABEL, UNLISTED
from hashpact.cli.command import AsJson, local, service
from hashpact.cli.commands.contribute import DryRun, remark
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.errors import ConfigError


@local
def write_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made when it is absent.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write the canaries as files, and one picture that is on no list."""
    from hashpact.canary.drawing import draw  # noqa: PLC0415  # only needed here

    for canary in (*CANARIES, UNLISTED):
        path = folder / f"{canary.name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(canary.name, canary.words))
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error.strerror}") from error
        if as_json:
            json_line({"path": str(path), "listed": canary is not UNLISTED})
        else:
            say(f"{path}: {'a canary, on the list' if canary is not UNLISTED else 'on no list'}")


@service
def list_command(settings: Settings, *, dry_run: DryRun = False, as_json: AsJson = False) -> Exit:
    """Put the canaries on the list, once: they are advised to be observed only, and nobody is asked to look.

    Needs the role contribute. Doing it again changes nothing.
    """
    from hashpact._media import Contribution  # noqa: PLC0415  # the service's modules are loaded when needed

    wanted = [Contribution(canary.signals, [LABEL], "automatic") for canary in CANARIES]
    with settings.client() as client:
        outcomes = list(client.contribute_many(wanted, validate_only=dry_run))
    if as_json:
        for canary, outcome in zip(CANARIES, outcomes, strict=True):
            json_line({"canary": canary.name, **outcome.to_dict()})
    else:
        table(
            ("canary", "outcome", "item#", "remark"),
            [
                (canary.name, outcome.outcome, outcome.item or "", remark(outcome, dry_run=dry_run))
                for canary, outcome in zip(CANARIES, outcomes, strict=True)
            ],
        )
    return Exit.OK if all(outcome.listed for outcome in outcomes) else Exit.INPUT_FAILED
