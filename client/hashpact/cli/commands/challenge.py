"""``hashpact challenge ...``: people outside the forum, and what holders answer them."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.dispute import OfItem, WithClosed
from hashpact.cli.commands.opinion import Labels
from hashpact.cli.exits import Exit
from hashpact.cli.output import Rows, json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.cli.words import ANSWERS, CHALLENGE_GROUNDS, completing, one_of
from hashpact.errors import ConfigError
from hashpact.items import iso


@service
def lodge_command(
    settings: Settings,
    item: Annotated[
        int,
        typer.Argument(metavar="[ITEM]", min=0, help="The item that the decision notice names.", show_default=False),
    ] = 0,
    *,
    grounds: Annotated[
        str,
        typer.Option(
            "--grounds",
            metavar="GROUNDS",
            parser=one_of(CHALLENGE_GROUNDS),
            autocompletion=completing(CHALLENGE_GROUNDS),
            help="not-terrorist, documentation-journalism, benign-collision, legal or decision.",
        ),
    ],
    statement: Annotated[str, typer.Option("--statement", metavar="TEXT", help="What the person says.")],
    reference: Annotated[
        str, typer.Option("--reference", metavar="TEXT", help="The decision notice or file that it refers to.")
    ] = "",
    picture: Annotated[
        str,
        typer.Option(
            "--picture",
            metavar="PATH",
            help="Without a notice: the person's picture. Only its hashes are sent, looked up, and forgotten.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> Exit:
    """Lodge a challenge for a person outside the forum; the members that hold the item have to answer."""
    if bool(item) == bool(picture):
        raise ConfigError("give the item of a decision notice, or --picture: one of the two")
    with settings.client() as client:
        lodged = client.lodge_challenge(
            item, grounds=grounds, statement=statement, reference=reference, source=picture or ()
        )
    for one in lodged:
        if as_json:
            json_line(one.to_dict())
        else:
            say(f"challenge {one.challenge} about item {one.item} is lodged; answer due {iso(one.due_time)}")
    if not lodged and not as_json:
        say("nothing that is listed matches: there is nothing to challenge")
    return Exit.OK


@service
def answer_command(
    settings: Settings,
    challenge: Annotated[int, typer.Argument(metavar="CHALLENGE", min=1, help="Id of the challenge.")],
    answer: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER",
            parser=one_of(ANSWERS),
            autocompletion=completing(ANSWERS),
            help="withdrawn takes your contribution back, kept leaves it, relabelled gives it other labels.",
        ),
    ],
    *,
    statement: Annotated[str, typer.Option("--statement", metavar="TEXT", help="The reasons.")],
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Answer a challenge about an item that you hold. What you answer is carried out."""
    with settings.client() as client:
        one = client.answer_challenge(challenge, answer, statement, labels=label or ())
    if as_json:
        json_line(one.to_dict())
    elif one.outcome == "open":
        say(f"your contribution to item {one.item} is withdrawn; others hold it, so challenge {challenge} stays open")
    else:
        say(f"challenge {challenge} about item {one.item} is answered: {one.outcome}")


@service
def list_command(
    settings: Settings,
    *,
    with_closed: WithClosed = False,
    item: OfItem = 0,
    mine: Annotated[bool, typer.Option("--mine", help="Only those about items that you hold.")] = False,
    as_json: AsJson = False,
) -> None:
    """List challenges, the oldest first. What people wrote is told to holders, to who lodged it, and to stewards."""
    rows = Rows()
    with settings.client() as client:
        for one in client.list_challenges(with_closed=with_closed, item=item, mine=mine):
            if as_json:
                json_line(one.to_dict())
            else:
                rows.add(
                    one.challenge,
                    one.item,
                    one.outcome,
                    one.grounds.replace("_", "-"),
                    one.lodger,
                    iso(one.lodge_time) or "",
                    iso(one.due_time) or "",
                    one.statement,
                    one.answer,
                )
    if not as_json:
        rows.show(
            ("challenge#", "item#", "outcome", "grounds", "lodged by", "lodged", "answer by", "statement", "answer"),
            empty="no challenge",
        )


@service
def counts_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """Count disputes and challenges by outcome: the figures that a forum publishes."""
    with settings.client() as client:
        found = client.count_judgements()
    if as_json:
        json_line(found.to_dict())
        return
    for name, counts in (("disputes", found.disputes), ("challenges", found.challenges)):
        table((name, "count#"), [(outcome.replace("_", "-"), count) for outcome, count in counts.items()])
