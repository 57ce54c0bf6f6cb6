"""``hashpact dispute ...``: what members that are not involved decide."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.opinion import ItemId, Labels
from hashpact.cli.output import Rows, json_line, say
from hashpact.cli.settings import Settings
from hashpact.cli.words import DISPUTE_GROUNDS, VERDICTS, completing, one_of
from hashpact.items import iso
from hashpact.opinions import Dispute

WithClosed = Annotated[bool, typer.Option("--all", help="Closed ones too.")]
OfItem = Annotated[int, typer.Option("--item", min=0, metavar="ITEM", help="Only those about it.", show_default="all")]


@service
def open_command(
    settings: Settings,
    item: ItemId,
    *,
    grounds: Annotated[
        str,
        typer.Option(
            "--grounds",
            metavar="GROUNDS",
            parser=one_of(DISPUTE_GROUNDS),
            autocompletion=completing(DISPUTE_GROUNDS),
            help="not-terrorist, documentation-journalism, benign-collision, wrong-labels, legal or bad-faith.",
        ),
    ],
    statement: Annotated[
        str, typer.Option("--statement", metavar="TEXT", help="What is wrong with the item; never names of people.")
    ],
    as_json: AsJson = False,
) -> None:
    """Dispute an item: a match on it asks for review only, until members that are not involved decide."""
    with settings.client() as client:
        opened = client.open_dispute(item, grounds, statement)
    if as_json:
        json_line(opened.to_dict())
    else:
        say(f"dispute {opened.dispute} about item {item} is open until {iso(opened.due_time)}")


@service
def vote_command(
    settings: Settings,
    dispute: Annotated[int, typer.Argument(metavar="DISPUTE", min=1, help="Id of the dispute.")],
    verdict: Annotated[
        str,
        typer.Argument(
            metavar="VERDICT",
            parser=one_of(VERDICTS),
            autocompletion=completing(VERDICTS),
            help="keep, remove or relabel.",
        ),
    ],
    *,
    label: Labels = None,
    statement: Annotated[str, typer.Option("--statement", metavar="TEXT", help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Vote on a dispute that your corporate group is not involved in; a new vote takes the place of the earlier."""
    with settings.client() as client:
        voted = client.vote_on_dispute(dispute, verdict, labels=label or (), statement=statement)
    if as_json:
        json_line(voted.to_dict())
    elif voted.outcome == "open":
        votes = len(voted.votes)
        say(f"your vote counts; {votes} {'member' if votes == 1 else 'members'} voted, the dispute is open still")
    else:
        say(f"your vote counts, and decides: item {voted.item} is {_outcome(voted)}")


@service
def list_command(
    settings: Settings, *, with_closed: WithClosed = False, item: OfItem = 0, as_json: AsJson = False
) -> None:
    """List disputes, the oldest first: those that are open wait for members that are not involved."""
    rows = Rows()
    with settings.client() as client:
        for one in client.list_disputes(with_closed=with_closed, item=item):
            if as_json:
                json_line(one.to_dict())
            else:
                votes = ", ".join(f"{vote.member}: {vote.verdict}" for vote in one.votes)
                rows.add(
                    one.dispute,
                    one.item,
                    _outcome(one),
                    one.grounds.replace("_", "-"),
                    one.opener or "(the service)",
                    iso(one.open_time) or "",
                    iso(one.due_time) or "",
                    votes,
                    one.statement,
                )
    if not as_json:
        rows.show(
            ("dispute#", "item#", "outcome", "grounds", "opened by", "opened", "ends", "votes", "statement"),
            empty="no dispute",
        )


def _outcome(one: Dispute) -> str:
    return one.outcome.replace("_", "-")
