"""What the commands share: options, messages, and how the store's errors read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from hashpact_server import kernels
from hashpact_server.config import Config, load
from hashpact_server.datadir import DataDirectory
from hashpact_server.lock import DirectoryLock, DirectoryLockedError
from hashpact_server.trouble import Trouble

if TYPE_CHECKING:
    from hashpact_server.engine import Engine

EXIT_FAILED: Final = 3
"""It could not be done, or a check found something wrong."""

DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data directory.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


def complain(text: str) -> None:
    """One message on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print("error:", text, style="red", markup=False)


def say(text: str) -> None:
    """One remark on stderr, for people: stdout is for what a script reads."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


@contextmanager
def offline(path: Path, *, instead: str = "") -> Iterator[DataDirectory]:
    """The data directory, ours alone while the block runs.

    Args:
        path: the directory.
        instead: what to do while a server runs, for the message.

    Raises:
        Trouble: it is none, or a server uses it.
    """
    data = DataDirectory(path)
    data.require()
    try:
        lock = DirectoryLock(data)
    except DirectoryLockedError as error:
        hint = f", or use `{instead}` while the server runs" if instead else ""
        raise Trouble(f"{error.message}{hint}", reason=error.reason) from error
    with lock:
        kernels.prepare(data)  # before numba is imported: commands import what needs it late
        yield data


@contextmanager
def opened(path: Path, *, instead: str = "", of_replica: bool = False) -> Iterator[tuple[Engine, Config]]:
    """The list of a data directory, opened to be changed while no server runs; raises Trouble, ConfigError."""
    with offline(path, instead=instead) as data:
        if data.replica_mark.exists() and not of_replica:
            raise Trouble(f"{path} is a replica and takes no writes of its own: change the list at its upstream")
        from hashpact_server.engine import Engine  # noqa: PLC0415 - needs numba, see kernels
        from hashpact_server.ledger.store import StoreError  # noqa: PLC0415 - as above

        config = load(data.config_file)
        try:
            engine = Engine.open(data.path, config)
        except StoreError as error:
            raise Trouble(f"cannot open the store in {data.path}: {error}") from error
        try:
            yield engine, config
        finally:
            engine.close()
