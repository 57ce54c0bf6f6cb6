"""``hashpact opinion ...``: what this member thinks of what others listed."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.cli.words import BASES, OPINIONS, completing, one_of
from hashpact.items import iso
from hashpact.opinions import ItemJudgement, Opinion

ItemId = Annotated[int, typer.Argument(metavar="ITEM", min=1, help="Id of the item.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="LABEL", help="A label that the item should have; again for more."),
]


@service
def give_command(
    settings: Settings,
    item: ItemId,
    code: Annotated[
        str,
        typer.Argument(
            metavar="OPINION",
            parser=one_of(OPINIONS),
            autocompletion=completing(OPINIONS),
            help="agree, disagree-label, not-terrorist, benign-collision, documentation-journalism, seen-here-too or "
            "overturned-on-appeal.",
        ),
    ],
    *,
    label: Labels = None,
    basis: Annotated[
        str,
        typer.Option(
            "--basis",
            metavar="BASIS",
            parser=one_of(BASES),
            autocompletion=completing(BASES),
            help="With agree, how you know: person-looked, automatic, found-through-list or import.",
        ),
    ] = "person-looked",
    observer_role: Annotated[
        str, typer.Option("--observer-role", metavar="ROLE", help="With agree, function of the person who looked.")
    ] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="For the other members; never names.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and answer, write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what you think of an item, in the place of what you said before. Without --basis a person of yours looked."""
    with settings.client() as client:
        given = client.give_opinion(
            item,
            code,
            basis=basis,
            observer_role=observer_role,
            labels=label or (),
            note=note,
            validate_only=dry_run,
        )
    if as_json:
        json_line({"item": item, "status": given.status, "opinion": given.opinion.to_dict()})
    else:
        stops = "; it stops act on the item until it is resolved" if given.opinion.unresolved else ""
        say(f"item {item} is {given.status}; your opinion: {_dashed(given.opinion.code)}{stops}")


@service
def revoke_command(settings: Settings, item: ItemId, *, as_json: AsJson = False) -> None:
    """Take your opinion on an item back."""
    with settings.client() as client:
        status = client.revoke_opinion(item)
    if as_json:
        json_line({"item": item, "status": status})
    else:
        say(f"item {item} is {status}; you have no opinion on it")


@service
def list_command(settings: Settings, item: ItemId, *, as_json: AsJson = False) -> None:
    """Show the opinions on an item, revoked ones too, and what holds for it."""
    with settings.client() as client:
        found = client.list_opinions(item)
    if as_json:
        json_line({"item": item, **found.to_dict()})
    else:
        _show(item, found)


def _show(item: int, found: ItemJudgement) -> None:
    say(
        f"item {item}: {found.status}; people of {found.judging_groups} corporate "
        f"{'group' if found.judging_groups == 1 else 'groups'} judged it, {found.groups_needed} are needed"
    )
    if found.limit:
        say(f"it is limited to review: {found.limit}")
    if found.dispute:
        say(f"dispute {found.dispute} about it is open")
    say("nobody is advised to act on it now" if found.act_stopped else "nothing stops act on it")
    table(
        ("opinion of", "opinion", "basis", "labels", "stands", "given", "note"),
        [
            (
                one.member,
                _dashed(one.code),
                _dashed(one.basis),
                ", ".join(one.labels),
                _stands(one),
                iso(one.update_time) or "",
                one.note,
            )
            for one in found.opinions
        ],
    )


def _stands(one: Opinion) -> str:
    if not one.standing:
        return "revoked"
    if one.unresolved:
        return "unresolved"
    return "yes" if one.code in ("agree", "seen_here_too") else "resolved"


def _dashed(word: str) -> str:
    return word.replace("_", "-")
