"""``hashpact statistics``: how often items were met, as members reported it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.items import iso


@service
def statistics_command(
    settings: Settings,
    *,
    item: Annotated[
        int, typer.Argument(metavar="[ITEM]", min=0, help="Only this item, hour by hour.", show_default=False)
    ] = 0,
    hours: Annotated[
        int | None, typer.Option("--hours", metavar="N", min=1, help="Only the last hours.", show_default="all")
    ] = None,
    count_max: Annotated[int, typer.Option("--first", min=1, metavar="N", help="Items at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show how often items were met, those met most often first, as members reported it to the hub.

    Stewards and auditors see what all members reported, others what they reported themselves.
    """
    since = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    with settings.client() as client:
        found = client.match_statistics(item, start_time=since, items_max=count_max)
    if as_json:
        for each in found.items:
            json_line(each.to_dict())
        return
    if item:
        for each in found.items:
            table(("hour", "action", "matches#"), [(iso(one.hour), one.action, one.count) for one in each.hours])
            say(f"{each.matches:,} in all, reported by {', '.join(each.members)}")
    else:
        table(("item#", "matches#", "members#"), [(one.item, one.matches, one.member_count) for one in found.items])
        if found.truncated:
            say("... and more: --first shows them")
