"""``hashpact-server backup`` and ``restore``."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from hashpact_server import kernels
from hashpact_server.cli.common import DataOption, say
from hashpact_server.datadir import DataDirectory
from hashpact_server.ledger.store import StoreError
from hashpact_server.trouble import Trouble


def backup(
    data: DataOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to write; it must not exist.")],
    *,
    while_stdin_is_open: Annotated[
        bool,
        typer.Option(
            "--while-stdin-is-open", help="For programs: give up when standard input is closed, as by your end."
        ),
    ] = False,
) -> None:
    """Write the whole list to one file, also while the server runs. Keep it as secret as the list itself.

    Keys, certificates and settings are not in it.
    """
    if while_stdin_is_open:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    from hashpact_server.snapshot import write_file  # noqa: PLC0415 - the command line starts quicker without it

    directory = DataDirectory(data)
    directory.require()
    try:
        told = write_file(directory.path, to)
    except FileExistsError as error:
        # What a killed backup left has another name than the file that was asked for.
        there = error.filename2 or error.filename
        raise Trouble(f"{there} exists already: choose another name, or remove it") from None
    except StoreError as error:
        raise Trouble(f"cannot read the list in {data}: {error}") from error
    say(f"{to}: {told.head.sequence + 1} entries, {to.stat().st_size} bytes, root {told.head.root.hex()}")


def _end_with_stdin() -> None:
    """End when whoever started us is gone: nobody wants the file any more."""
    os.read(0, 1)
    os._exit(1)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Where to make it: absent, or empty.")],
    *,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="H", help="A name or IP address under which members reach the server. May be repeated."),
    ] = None,
) -> None:
    """Make a data directory with the list of a backup, and with new keys. Every byte of it is checked.

    What was written after the backup is given up: a new part of the history begins, and tokens of what was given up
    are refused. Replicas that hold more than the backup must be made anew.
    """
    directory = DataDirectory(data)
    kernels.point(directory)
    from hashpact_server.initialising import initialise, restored  # noqa: PLC0415 - needs numba, set up above

    with file.open("rb") as source:
        initialise(directory, restored(source), hostnames=hostname or [], say=say)
    say(
        f"{data} holds the list again. Members and their tokens are as they were;"
        f" give members the new {data}/ca.pem, or copy the old keys and certificates into it."
    )
