"""``hashpact-server promote``."""

from __future__ import annotations

from hashpact_server.cli.common import DataOption, opened, say
from hashpact_server.datadir import DataDirectory, sync_directory
from hashpact_server.trouble import Trouble


def promote(data: DataOption) -> None:
    """Make a replica the hub: it takes writes from now on, and a new part of the list's history begins.

    What the old hub acknowledged and this replica has not received is lost; members that saw it are told so by their
    tokens. The old hub must not be served again: what follows it and what follows this one go apart, and each refuses
    the other.
    """
    directory = DataDirectory(data)
    directory.require()
    if not directory.replica_mark.exists():
        raise Trouble(f"{data} is no replica: it takes writes already")
    with opened(data, of_replica=True) as (engine, _):
        from hashpact_server.epochs import PROMOTED, begin_epoch  # noqa: PLC0415 - needs numba, as opened says

        begin_epoch(engine.writer, PROMOTED)
        head = engine.published.head
        # Crash before: still a replica, whose upstream does not know the new epoch and is refused; promote again.
        directory.replica_mark.unlink()
        sync_directory(directory.path)
    say(
        f"{data} is the hub now: epoch {head.epoch} begins with entry {head.sequence}."
        f" What the old hub wrote from entry {head.sequence} on is not part of this list."
    )
