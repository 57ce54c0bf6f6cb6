"""``hashpact sidecar``: look-ups and hashing behind local HTTP, for any stack."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Final

import typer

from hashpact.cli.command import local
from hashpact.errors import MissingExtraError

_NEEDED: Final = ("grpc_health", "httpx", "jinja2", "lmdb", "numba", "PIL", "python_multipart", "starlette", "uvicorn")


@local
def sidecar_command(
    *,
    hub: Annotated[
        str | None,
        typer.Option("--hub", metavar="HOST:PORT", help="The server to follow. Else HASHPACT_TARGET."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Where to answer; or unix:/path.", show_default="127.0.0.1:7480"
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="Where the replica is kept.", show_default="below the home folder"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML: docs/sidecar.md has them all.")
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            "--ca", metavar="FILE", help="Certificate authority of the hub (PEM). Else HASHPACT_CA, else the system's."
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option("--token-file", metavar="FILE", help="File that holds your token. Else HASHPACT_TOKEN."),
    ] = None,
    allow_remote: Annotated[
        bool | None,
        typer.Option("--allow-remote", help="Listen beyond loopback, without TLS; needs a secret that callers send."),
    ] = None,
) -> None:
    """Answer checks over plain HTTP on this machine, with a copy of the list beside it.

    Starts a replica that follows the hub, hashes uploads here, and sends nothing about them anywhere. SIGTERM ends it.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the sidecar needs its extra ({', '.join(missing)} not installed): pip install 'hashpact[sidecar]'"
        )
    from hashpact.sidecar.logs import setup  # noqa: PLC0415  # needs the extra
    from hashpact.sidecar.running import run  # noqa: PLC0415  # as above
    from hashpact.sidecar.settings import load  # noqa: PLC0415  # as above

    options = {
        "hub": hub,
        "listen": listen,
        "data": data,
        "ca": ca,
        "token_file": token_file,
        "allow_remote": allow_remote or None,
    }
    loaded = load(config, options)
    setup(loaded.settings.log_level)
    run(loaded)
