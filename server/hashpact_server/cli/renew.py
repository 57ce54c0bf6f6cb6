"""``hashpact-server renew-certificate``."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact_server import tls
from hashpact_server.cli.common import DataOption, say
from hashpact_server.datadir import DataDirectory


def renew_certificate(
    data: DataOption,
    *,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="H", help="A name or IP address under which members reach the server. May be repeated."),
    ] = None,
) -> None:
    """Make a new server certificate, signed by the list's own authority; a running server takes it up by itself.

    Host names are not taken over from the old certificate: name those that it shall carry.
    """
    directory = DataDirectory(data)
    directory.require()
    tls.make_certificate(directory, hostname or [])
    pair = tls.load_pair(directory.file("server.pem"), directory.file("server.key"))
    say(f"{data}/server.pem is good until {pair.expiry():%Y-%m-%d}")
