"""``hashpact pending``: what waits for a colleague's approval, where contributions take four eyes."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.contribute import remark
from hashpact.cli.exits import Exit
from hashpact.cli.output import Rows, json_line, say
from hashpact.cli.settings import Settings
from hashpact.items import iso

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number, as the list shows it.")]


@service
def list_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """List what waits of your member's contributions, the oldest first."""
    rows = Rows()
    with settings.client() as client:
        for one in client.list_pending():
            told = one.to_dict()
            if as_json:
                json_line(told)
                continue
            about = f"amends item {one.amends}" if one.amends else one.basis.replace("_", " ")
            if one.attach_to:
                about += f", attach to item {one.attach_to}"
            what = "redacted" if one.redacted else ", ".join(told["signal_types"])
            rows.add(str(one.pending), about, ", ".join(one.labels), what, str(one.token_id), iso(one.lapse_time))
    if not as_json:
        rows.show(("number", "about", "labels", "signals", "token", "lapses"), empty="nothing waits")


@service
def approve_command(
    settings: Settings,
    number: Number,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of it; write nothing.")] = False,
    as_json: AsJson = False,
) -> Exit:
    """Approve a colleague's contribution: it is decided now. Takes a token that may approve and not contribute."""
    with settings.client() as client:
        outcome = client.approve_contribution(number, validate_only=dry_run)
    if as_json:
        json_line({"pending": number, **{word: told for word, told in outcome.to_dict().items() if word != "pending"}})
    else:
        told = remark(outcome, dry_run=dry_run)
        item = f", item {outcome.item}" if outcome.item else ""
        say(f"{number}: {outcome.outcome}{item}{f' ({told})' if told else ''}{' (dry run)' * dry_run}")
    return Exit.OK if outcome.taken else Exit.INPUT_FAILED


@service
def reject_command(
    settings: Settings,
    number: Number,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the colleague.")] = "",
    as_json: AsJson = False,
) -> None:
    """Reject a colleague's contribution, or take back your own before it was approved."""
    with settings.client() as client:
        client.reject_contribution(number, reason=reason)
    if as_json:
        json_line({"pending": number, "rejected": True})
    else:
        say(f"{number} is rejected")
