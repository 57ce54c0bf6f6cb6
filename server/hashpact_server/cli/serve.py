"""``hashpact-server serve``."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from hashpact_server import kernels, logs
from hashpact_server.cli.common import DataOption
from hashpact_server.config import load
from hashpact_server.datadir import DataDirectory

FILES_WANTED: Final = 65_536
SWITCH_S: Final = 0.002


def serve(
    data: DataOption,
    *,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to serve; or unix:PATH. Port 0: any free one, told in the log."),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to answer Prometheus; a port alone means loopback.")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET", help="Be a replica of the server there (HOST:PORT, or unix:PATH), as HASHPACT_TOKEN."
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="HASHPACT_CA", help="With --follow: whom to trust; else the system's."),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Serve without TLS: only on loopback or a Unix socket.")
    ] = False,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = None,
) -> None:
    """Serve the list until SIGTERM, which ends it in order: calls in flight are answered, writes are committed.

    There is no --token: the arguments of a process can be read by every user of the machine.
    """
    directory = DataDirectory(data)
    directory.require()
    config = load(directory.config_file, {"listen": listen, "metrics_listen": metrics, "log_level": log_level})
    logs.setup(config.log_level)
    # Read once, when grpc is loaded: what its core says on its own would break the log's form, and says nothing more.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # A dump of our memory would put the list's hash values where core files go.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _raise_files()
    # A look-up wants the interpreter for a moment several times, and the writer has it for long: shorter turns than
    # Python's own 5 ms let look-ups beside contributions wait less. docs/benchmarks/analysis.md has the few figures.
    sys.setswitchinterval(SWITCH_S)
    kernels.prepare(directory)
    from hashpact_server.node import Node  # noqa: PLC0415 - both need numba and grpc, set up above
    from hashpact_server.upstream import upstream_of  # noqa: PLC0415

    upstream = None if follow is None else upstream_of(follow, os.environ.get("HASHPACT_TOKEN", ""), ca)
    raise typer.Exit(Node(directory, config, plaintext=plaintext, upstream=upstream).run())


def _raise_files() -> None:
    """Allow as many open files as we may: with the usual 1024, a stranger's idle connections would keep members out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
