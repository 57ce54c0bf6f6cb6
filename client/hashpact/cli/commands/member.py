"""``hashpact member ...``: who takes part, for stewards, and tokens, for everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.output import Rows, json_line, note, say
from hashpact.cli.settings import Settings
from hashpact.cli.words import ROLES, completing, one_of
from hashpact.errors import HashpactError
from hashpact.items import iso
from hashpact.membership import IssuedToken, Member

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the member.")]
Expires = Annotated[
    int | None,
    typer.Option(
        "--expires-days",
        min=1,
        max=36_500,
        metavar="DAYS",
        help="Days until the token stops working.",
        show_default="never",
    ),
]


@service
def add_command(
    settings: Settings,
    name: Name,
    *,
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            metavar="ROLE",
            parser=one_of(ROLES),
            autocompletion=completing(ROLES),
            help="A right: check, replicate, contribute, approve, review, steward or audit; again for more.",
        ),
    ],
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="Corporate group.", show_default="one of its own")
    ] = "",
    expires_days: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Admit a member and print its first token, once."""
    with settings.client() as client:
        member = client.create_member(name, role, group=group)
        try:
            issued = client.issue_token(name, expire_time=_expire_time(expires_days))
        except HashpactError:
            note(f"{name} is admitted, but has no token yet: hashpact member token {name}")
            raise
    if as_json:
        json_line({**_without_tokens(member), **_token_dict(issued)})
    else:
        note(f"{name} is admitted, with {', '.join(member.roles)}. This is its token; it is not shown again:")
        say(issued.token)


@service
def list_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """List members."""
    rows = Rows()
    with settings.client() as client:
        for member in client.list_members():
            if as_json:
                json_line(member.to_dict())
            else:
                tokens = ", ".join(
                    f"{one.token_id}" + (f" until {iso(one.expire_time)}" if one.expire_time else "")
                    for one in member.tokens
                )
                state = "suspended" if member.suspended else "active"
                if member.tier in {"trial", "left"}:
                    state = member.tier if member.tier == "left" else f"{state}, trial"
                rows.add(member.name, state, ", ".join(member.roles), member.group, tokens)
    if not as_json:
        rows.show(("name", "state", "roles", "group", "token ids"))


@service
def suspend_command(settings: Settings, name: Name, *, as_json: AsJson = False) -> None:
    """Refuse every call of a member from now on. What it contributed stays."""
    with settings.client() as client:
        member = client.suspend_member(name)
    _show(member, as_json=as_json)


@service
def resume_command(settings: Settings, name: Name, *, as_json: AsJson = False) -> None:
    """Let a suspended member take part again."""
    with settings.client() as client:
        member = client.resume_member(name)
    _show(member, as_json=as_json)


def _show(member: Member, *, as_json: bool) -> None:
    if as_json:
        json_line(member.to_dict())
    else:
        say(f"{member.name} is {'suspended' if member.suspended else 'active'}")


@service
def token_command(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the member; yourself when left away.")] = "",
    *,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            parser=one_of(ROLES),
            autocompletion=completing(ROLES),
            help="A right that it carries, again for more; without any, all that it may.",
        ),
    ] = None,
    expires_days: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Issue one more token and print it, once. It carries no right that your own token does not, and not for longer."""
    with settings.client() as client:
        issued = client.issue_token(name, expire_time=_expire_time(expires_days), roles=role or ())
    if as_json:
        json_line(_token_dict(issued))
    else:
        note(f"token {issued.info.token_id}, which is not shown again:")
        say(issued.token)


@service
def revoke_command(
    settings: Settings,
    token_id: Annotated[int, typer.Argument(metavar="TOKEN_ID", min=1, help="Id of the token, as the list shows it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a token stop working at once."""
    with settings.client() as client:
        client.revoke_token(token_id)
    if as_json:
        json_line({"token_id": token_id, "revoked": True})
    else:
        say(f"token {token_id} is revoked")


def _expire_time(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _token_dict(issued: IssuedToken) -> dict[str, Any]:
    return {
        "token": issued.token,
        "token_id": issued.info.token_id,
        "expire_time": iso(issued.info.expire_time),
        "roles": list(issued.info.roles),
    }


def _without_tokens(member: Member) -> dict[str, Any]:
    fields = member.to_dict()
    del fields["tokens"]
    return fields
