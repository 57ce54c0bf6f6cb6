"""``hashpact item`` and ``hashpact items``: what the list says."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from hashpact.cli.command import AsJson, report, service
from hashpact.cli.commands.contribute import Items
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.output import Rows, json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.cli.words import STATUSES, completing, one_of
from hashpact.errors import HashpactError
from hashpact.items import Item, iso


@service
def item_command(settings: Settings, items: Items, *, as_json: AsJson = False) -> Exit:
    """Show items, withdrawn ones too. Hash values are shown to members that may hold them."""
    code = Exit.OK
    with settings.client() as client:
        for number in items:
            try:
                item = client.get_item(number)
            except HashpactError as error:
                code = strongest(code, exit_of(error))
                report(error, as_json=as_json, item=number)
                if exit_of(error) is not Exit.INPUT_FAILED:
                    break
                continue
            if as_json:
                json_line(item.to_dict())
            else:
                _show(item)
    return code


def _show(item: Item) -> None:
    say(f"item {item.item}: {item.status}, advice {item.advice or 'none'}, since {iso(item.create_time) or '?'}")
    say(f"labels: {', '.join(item.labels) or '-'}")
    if item.redacted:
        say("part of what was recorded about it was deleted for ever")
    table(
        ("contributed by", "labels", "basis", "observer", "updated"),
        [
            (one.member, ", ".join(one.labels), one.basis, one.observer_role, iso(one.update_time) or "")
            for one in item.contributions
        ],
    )
    table(
        ("signal type", "value", "quality#"),
        [
            (
                one.signal_type,
                "(not shown to you)" if one.value is None else one.value.hex(),
                "" if one.quality is None else one.quality,
            )
            for one in item.signals
        ],
    )


@service
def items_command(
    settings: Settings,
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            parser=one_of(STATUSES),
            autocompletion=completing(STATUSES),
            help="Only these: provisional, corroborated, disputed, withdrawn, expired or inherited.",
            show_default="all that can match",
        ),
    ] = None,
    label: Annotated[str, typer.Option("--label", metavar="LABEL", help="Only items with this label.")] = "",
    member: Annotated[
        str, typer.Option("--member", metavar="NAME", help="Only items that this member contributed to.")
    ] = "",
    count_max: Annotated[
        int | None, typer.Option("--first", min=1, metavar="N", help="Stop after so many.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List items by growing id."""
    rows = Rows()
    with settings.client() as client:
        found = client.list_items(statuses=status or (), label=label, member=member)
        for item in islice(found, count_max):
            if as_json:
                json_line(item.to_dict())
            else:
                contributors = ", ".join(one.member for one in item.contributions)
                rows.add(item.item, item.status, item.advice, ", ".join(item.labels), contributors)
    if not as_json:
        rows.show(("item#", "status", "advice", "labels", "contributed by"))
        total = len(rows.kept) + rows.left_out
        say(f"{total:,} {'item' if total == 1 else 'items'}")
