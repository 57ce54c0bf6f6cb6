"""``hashpact member show|amend|confirm|leave``: a member's record, and what takes two stewards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.member import Name
from hashpact.cli.output import json_line, say
from hashpact.cli.settings import Settings
from hashpact.cli.words import FATES, ROLES, completing, one_of
from hashpact.items import iso
from hashpact.membership import Member


def _day(text: str) -> datetime:
    """A day or time, UTC where no zone is said."""
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2027-01-31") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the other stewards.")]


@service
def show_command(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the member; yourself when left away.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show a member with its record and its tokens."""
    with settings.client() as client:
        member = client.get_member(name)
    if as_json:
        json_line(member.to_dict())
        return
    for word, told in _lines(member):
        say(f"{word:<16} {told}")


def _lines(member: Member) -> list[tuple[str, str]]:
    standing = member.tier + (", suspended" if member.suspended and member.tier != "left" else "")
    lines = [("member", member.name), ("tier", standing), ("group", member.group), ("roles", ", ".join(member.roles))]
    known: list[tuple[str, Any]] = [
        ("four eyes", "yes" if member.four_eyes else ""),
        ("agreement", member.agreement),
        ("by day", member.contact_day),
        ("by night", member.contact_night),
        ("admitted", iso(member.create_time)),
        ("next review", iso(member.next_review_time)),
        ("left", iso(member.leave_time)),
        ("its items", _fate(member)),
        ("copies deleted", iso(member.copies_deleted_time)),
    ]
    lines += [(word, str(told)) for word, told in known if told]
    for token in member.tokens:
        by = token.issued_by or "the operator"
        until = f", until {iso(token.expire_time)}" if token.expire_time else ""
        lines.append((f"token {token.token_id}", f"{', '.join(token.roles)}; issued by {by}{until}"))
    return lines


def _fate(member: Member) -> str:
    if member.leave_time is None:
        return ""
    return "its contributions are withdrawn" if member.contributions_withdrawn else "stay on the list"


@service
def amend_command(
    settings: Settings,
    name: Name,
    *,
    agreement: Annotated[
        str | None, typer.Option("--agreement", metavar="VERSION", help="Version of the agreement that it signed.")
    ] = None,
    contact_day: Annotated[
        str | None, typer.Option("--contact-day", metavar="TEXT", help="How a person there is reached by day.")
    ] = None,
    contact_night: Annotated[
        str | None, typer.Option("--contact-night", metavar="TEXT", help="How a person there is reached by night.")
    ] = None,
    next_review: Annotated[
        datetime | None,
        typer.Option("--next-review", metavar="DATE", parser=_day, help="When to look at its record again."),
    ] = None,
    four_eyes: Annotated[
        bool | None,
        typer.Option(
            "--four-eyes/--no-four-eyes",
            help="Its contributions wait for a colleague, or do so no more (two stewards).",
            show_default="as it is",
        ),
    ] = None,
    remove_role: Annotated[
        list[str] | None,
        typer.Option(
            "--remove-role",
            metavar="ROLE",
            parser=one_of(ROLES),
            autocompletion=completing(ROLES),
            help="A right that it has no longer; again for more.",
        ),
    ] = None,
    group: Annotated[
        str,
        typer.Option("--group", metavar="GROUP", help="Its group (two stewards).", show_default="as it is"),
    ] = "",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            parser=one_of(ROLES),
            autocompletion=completing(ROLES),
            help="All of its rights, one by one (two stewards).",
        ),
    ] = None,
    on_trial: Annotated[bool, typer.Option("--on-trial", help="It is on trial from now on (two stewards).")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Change a member's record. What takes two stewards is proposed, for another one to second."""
    alone = (agreement, contact_day, contact_night, next_review, four_eyes or None, remove_role or None)
    together = group or role or on_trial or four_eyes is False
    if not together and not any(each is not None for each in alone):
        raise typer.BadParameter("say what changes: see --help")
    told: dict[str, Any] = {}
    with settings.client() as client:
        if any(each is not None for each in alone):
            member = client.amend_member(
                name,
                agreement=agreement,
                contact_day=contact_day,
                contact_night=contact_night,
                next_review_time=next_review,
                four_eyes=bool(four_eyes),
                remove_roles=remove_role or (),
            )
            told |= member.to_dict()
            if not as_json:
                say(f"{name}: changed")
        if together:
            ended = False if four_eyes is False else None
            motion = client.propose_member_change(
                name, group=group, roles=role or (), four_eyes=ended, on_trial=on_trial, reason=reason
            )
            told["motion"] = motion
            if not as_json:
                _say_motion(motion)
    if as_json:
        json_line(told)


@service
def confirm_command(settings: Settings, name: Name, *, reason: Reason = "", as_json: AsJson = False) -> None:
    """Propose that a member on trial becomes a full one; another steward has to second it."""
    with settings.client() as client:
        motion = client.propose_member_confirmation(name, reason=reason)
    if as_json:
        json_line({"motion": motion})
    else:
        _say_motion(motion)


@service
def leave_command(
    settings: Settings,
    name: Name,
    *,
    items: Annotated[
        str,
        typer.Option(
            "--items",
            metavar="FATE",
            parser=one_of(FATES),
            autocompletion=completing(FATES),
            help="What becomes of its items: stay (its judgement counts no more) or withdraw (all it said is undone).",
        ),
    ],
    copies_deleted_by: Annotated[
        datetime | None,
        typer.Option(
            "--copies-deleted-by",
            metavar="DATE",
            parser=_day,
            help="By when it attests that its copies of the list are deleted.",
        ),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Propose that a member leaves, for good; another steward has to second it."""
    with settings.client() as client:
        motion = client.propose_member_dismissal(
            name, withdraw_contributions=items == "withdraw", copies_deleted_time=copies_deleted_by, reason=reason
        )
    if as_json:
        json_line({"motion": motion})
    else:
        _say_motion(motion)


def _say_motion(motion: int) -> None:
    say(f"motion {motion}: another steward has to second it, with hashpact steward second {motion}")
