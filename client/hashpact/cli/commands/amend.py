"""``hashpact amend``: other labels for items that are listed already."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, report, service
from hashpact.cli.commands.contribute import DryRun, Items
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.output import json_line, say
from hashpact.cli.settings import Settings
from hashpact.errors import HashpactError


@service
def amend_command(
    settings: Settings,
    items: Items,
    *,
    label: Annotated[
        list[str],
        typer.Option("--label", metavar="LABEL", help="What it is, in place of what you said; again for more labels."),
    ],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Exit:
    """Replace the labels that you gave to items. Those of other members stay."""
    code = Exit.OK
    with settings.client() as client:
        for number in items:
            try:
                amended = client.amend(number, labels=label, validate_only=dry_run)
            except HashpactError as error:
                code = strongest(code, exit_of(error))
                report(error, as_json=as_json, item=number)
                if exit_of(error) is not Exit.INPUT_FAILED and error.reason != "NOT_CONTRIBUTOR":
                    break
                continue
            item = amended.item
            if as_json:
                json_line({**item.to_dict(), **({"pending": amended.pending} if amended.pending else {})})
            elif amended.pending:
                say(f"item {number}: waits for a colleague: hashpact pending approve {amended.pending}")
            else:
                say(f"item {number}: {', '.join(item.labels)}{' (dry run)' * dry_run}")
    return code
