"""``hashpact export``: the list as a file."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePath
from typing import Annotated, Final

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, note
from hashpact.cli.settings import Settings
from hashpact.cli.words import EXPORT_FORMATS, completing, one_of

PAGE_ITEMS: Final = 1000
_BY_SUFFIX: Final = {".csv": "csv", ".json": "threatexchange"}


@service
def export_command(
    settings: Settings,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.", show_default=False)],
    *,
    export_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            parser=one_of(EXPORT_FORMATS),
            autocompletion=completing(EXPORT_FORMATS),
            help="csv, jsonl or threatexchange.",
            show_default="by name, else jsonl",
        ),
    ] = None,
    label: Annotated[str, typer.Option("--label", metavar="LABEL", help="Only items with this label.")] = "",
    member: Annotated[
        str, typer.Option("--member", metavar="NAME", help="Only items that this member contributed to.")
    ] = "",
    count_max: Annotated[
        int | None, typer.Option("--first", min=1, metavar="N", help="Stop after so many items.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> Exit:
    """Write the list to a file, with the hashes that you may hold.

    All of them with the role replicate; without it those of the items that you contribute to.
    """
    from hashpact.exchange.exporting import export, new_file  # noqa: PLC0415  # loaded when needed

    chosen = export_format or _BY_SUFFIX.get(PurePath(file).suffix.lower(), "jsonl")
    with settings.client() as client:
        who = client.capabilities()
        if not member and "replicate" not in who.caller_roles:
            member = who.caller
            note("without the role replicate: only items that you contribute to")
        items = client.list_items(label=label, member=member, page_size=PAGE_ITEMS, signals=True)
        with new_file(file) as out:
            done = export(items if count_max is None else islice(items, count_max), out, chosen)
    summary = {"items": done.items, "signals": done.signals, "left_out": done.left_out, "format": chosen}
    if as_json and file != "-":
        json_line(summary)
    else:
        without = f"; {done.left_out:,} items have no hash that you may hold" if done.left_out else ""
        note(f"{done.items:,} items with {done.signals:,} hashes written{without}")
    return Exit.OK
