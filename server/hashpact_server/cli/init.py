"""``hashpact-server init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact_server import kernels
from hashpact_server.cli.common import say
from hashpact_server.datadir import DataDirectory


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make it: absent, or empty.")],
    *,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="H", help="A name or IP address under which members reach the server. May be repeated."),
    ] = None,
    steward: Annotated[str, typer.Option(metavar="NAME", help="Name of the first steward.")] = "steward",
    replica: Annotated[
        bool, typer.Option("--replica", help="For a replica: no list of its own; it comes from the server it follows.")
    ] = False,
) -> None:
    """Make a new list: data directory, keys, certificates, and a first steward, whose token is printed once."""
    data = DataDirectory(directory)
    # The directory must stay empty until init has looked at it, so only the variable is set here.
    kernels.point(data)
    from hashpact_server.initialising import a_replica, initialise, new_list  # noqa: PLC0415 - needs numba, see kernels

    token = initialise(data, a_replica if replica else new_list(steward), hostnames=hostname or [], say=say)
    if replica:
        say(
            f"\n{directory} is ready to follow a server, with the token of a member that has the role replicate:\n"
            f"  HASHPACT_TOKEN=... HASHPACT_CA=its-ca.pem hashpact-server serve --data {directory} --follow HOST:PORT\n"
            f"Clients of this replica need {directory}/ca.pem and their own tokens, which are the same as at the hub."
        )
        return
    say(
        f"\n{directory} is ready. Members need {directory}/ca.pem and a token of their own:\n"
        f"  hashpact-server member add NAME --role check --data {directory}\n"
        f"  hashpact-server serve --data {directory} --listen 127.0.0.1:7443\n\n"
        f"The token of {steward}, shown once and stored nowhere:"
    )
    typer.echo(token)
