"""``hashpact explain``: why an upload matches an item, or why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact.advice import Explanation, SignalExplanation
from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.check import Mode, Radius, Use, parse_radii
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.modes import CHECK_MODE, require_mode
from hashpact.signals import SIGNAL_TYPES, Comparison


@service
def explain_command(
    settings: Settings,
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to explain. It is hashed here; only hashes are sent.")
    ],
    item: Annotated[int, typer.Argument(metavar="ITEM", min=1, help="The item's number.")],
    *,
    mode: Mode = CHECK_MODE,
    radius: Radius = None,
    use: Use = "",
    as_json: AsJson = False,
) -> Exit:
    """Say why a picture, video, PDF or text matches an item, or why not, and what is missing for the advice act.

    Exit code 10 when it matches, 0 when it does not.
    """
    with settings.client() as client:
        told = client.explain(path, item, mode=require_mode(mode), radii=parse_radii(radius or []), use=use)
    if as_json:
        json_line({"path": str(path), **told.to_dict()})
    else:
        _show(told)
    return Exit.OK if told.match is None else Exit.MATCHED


def _show(told: Explanation) -> None:
    matches = "does not match" if told.match is None else "matches"
    say(f"item {told.item}: {told.status}; the upload {matches}, advice {told.advice}")
    if told.match is not None:
        say(told.match.reason)
        if told.match.weakly_vouched:
            say("too few groups vouch for what agrees: status and labels were said of other signals of the item")
    table(
        ("signal type", "agrees", "distance#", "radius#", "listed#", "vouched by#", "counts for act"),
        [
            (
                one.signal_type,
                "yes" if one.agrees else "no",
                _distance(one),
                one.radius,
                one.listed,
                f"{one.vouching_groups} group{'s' * (one.vouching_groups != 1)}" if one.sequence else "",
                "yes" if one.counts_for_act else "no",
            )
            for one in told.signals
        ],
    )
    if not told.signals:
        say("the upload and the item have no signal type in common")
    for problem in told.problems:
        say(f"not compared: {problem.message}")
    table(
        ("act takes", "holds", "why"),
        [(one.condition.replace("_", " "), "yes" if one.holds else "no", one.message) for one in told.conditions],
    )


def _distance(one: SignalExplanation) -> str:
    kind = SIGNAL_TYPES.get(one.signal_type)
    if kind is not None and kind.comparison is Comparison.POINTS:
        return ""  # what was confirmed stands in the match's reason
    if one.distance is None:
        return "other" if not one.radius else "over the radius"
    return f"{'<= ' * (one.distance_is_bound and one.distance > 0)}{one.distance}"
