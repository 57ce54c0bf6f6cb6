"""``hashpact-server member``: admit members and give tokens while no server runs.

The acts are entries of the ledger like any other, made by the service itself: whoever can write the data directory
can do this, which is why it is also the way back when the last steward lost its token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from hashpact_server.cli.common import DataOption, JsonOption, opened, say
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, SERVICE
from hashpact_server.state.rows import Role
from hashpact_server.tokens import member_token_hash, new_member_token

if TYPE_CHECKING:
    from hashpact_server.engine import Engine
    from hashpact_server.scene import Scene

# What needs numba (rules, scene, writer) is imported inside the commands, once its cache has a place: see ``opened``.

app = typer.Typer(help="Admit members and give tokens while no server runs.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The member's name: a-z 0-9 -, up to 64 characters.")]


class RoleName(StrEnum):
    """The roles, as words; each is a right of its own."""

    CHECK = "check"
    REPLICATE = "replicate"
    CONTRIBUTE = "contribute"
    APPROVE = "approve"
    REVIEW = "review"
    STEWARD = "steward"
    AUDIT = "audit"


@app.command("add")
def add(
    name: NameArgument,
    *,
    role: Annotated[
        list[RoleName],
        typer.Option(metavar="ROLE", help=f"A right: {', '.join(RoleName)}; again for more.", show_default=False),
    ],
    data: DataOption,
    group: Annotated[
        str, typer.Option(metavar="G", help="Corporate group; members of one count once. Default: its own.")
    ] = "",
) -> None:
    """Admit a member, and print its token, which is shown once and stored nowhere."""
    with opened(data, instead=f"hashpact member add {name}") as (engine, config):
        from hashpact_server.rules import members as rules  # noqa: PLC0415 - needs numba

        rules.check_name("NAME", name)
        group = rules.check_name("--group", group or name)
        roles = rules.check_roles(Role[each.name] for each in role)
        token, pseudonym = new_member_token(), os.urandom(PSEUDONYM_BYTES)

        def decide(scene: Scene) -> None:
            rules.create_member(scene, SERVICE, pseudonym=pseudonym, name=name, roles=roles, group=group)
            rules.issue_token(
                scene, SERVICE, pseudonym, token_hash=member_token_hash(token), expiry_ms=0, limits=config.limits
            )

        _act(engine, decide)
    say(f"{name} is a member ({', '.join(each.value for each in role)}). Its token, shown once and stored nowhere:")
    typer.echo(token)


@app.command("token")
def give_token(
    name: NameArgument,
    *,
    role: Annotated[
        list[RoleName] | None,
        typer.Option(metavar="ROLE", help="A right that it carries, again for more; without any, all of its member's."),
    ] = None,
    data: DataOption,
    revoke_others: Annotated[
        bool, typer.Option("--revoke-others", help="Revoke all tokens that the member has: they were lost or stolen.")
    ] = False,
) -> None:
    """Give a member one more token: the way back when a steward lost its own. Printed once and stored nowhere."""
    with opened(data, instead=f"hashpact member token {name}") as (engine, config):
        from hashpact_server.rules import members as rules  # noqa: PLC0415 - needs numba
        from hashpact_server.rules.grants import grant  # noqa: PLC0415 - needs numba

        token = new_member_token()
        wanted = rules.check_roles(Role[each.name] for each in role) if role else ()

        def decide(scene: Scene) -> None:
            member = rules.existing_member(scene, name)
            owner, made = member.pseudonym, grant(scene, SERVICE, None, member, wanted, 0)
            if revoke_others:
                for each in [row for row in scene.tokens() if row.pseudonym == owner]:
                    rules.revoke_token(scene, SERVICE, each.token_id, steward=True)
            rules.issue_token(
                scene,
                SERVICE,
                owner,
                token_hash=member_token_hash(token),
                expiry_ms=0,
                limits=config.limits,
                roles=made.roles,
            )

        _act(engine, decide)
    say(f"A new token of {name}, shown once and stored nowhere:")
    typer.echo(token)


@app.command("list")
def show(*, data: DataOption, as_json: JsonOption = False) -> None:
    """List the members."""
    with opened(data, instead="hashpact member list") as (engine, _), engine.state.read() as view:
        tokens = [token.pseudonym for token in view.tokens()]
        rows = [
            {
                "name": member.name,
                "roles": [Role(role).name.lower() for role in member.roles],
                "group": member.group,
                "suspended": member.suspended,
                "tokens": tokens.count(member.pseudonym),
            }
            for member in sorted(view.every_member(), key=lambda member: member.name)
        ]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table("member", "roles", "group", "tokens", "")
    for row in rows:
        roles = row["roles"]
        shown = ", ".join(roles) if isinstance(roles, list) else ""
        standing = "suspended" if row["suspended"] else ""
        table.add_row(str(row["name"]), shown, str(row["group"]), str(row["tokens"]), standing)
    Console().print(table)


def _act(engine: Engine, decide: Callable[[Scene], None]) -> None:
    """Carry out an act of the service itself; raises Refusal."""
    from hashpact_server.writer import Act  # noqa: PLC0415 - needs numba

    def carry_out(scene: Scene) -> Callable[[str], bytes]:
        decide(scene)
        return str.encode

    engine.writer.submit(Act(decide=carry_out, member=SERVICE))
