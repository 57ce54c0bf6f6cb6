"""``hashpact-server promote``."""

from __future__ import annotations

import time
from datetime import UTC, datetime

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

        received = engine.published.head
        begin_epoch(engine.writer, PROMOTED)
        head = engine.published.head
        # Crash before: still a replica, whose upstream does not know the new epoch and is refused; promote again.
        directory.replica_mark.unlink()
        sync_directory(directory.path)
    ago_s = max(0, round(time.time() - received.time_ms / 1000))
    when = datetime.fromtimestamp(received.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    say(
        f"{data} is the hub now: epoch {head.epoch} begins with entry {head.sequence}."
        f" The newest entry that it received, {received.sequence}, is of {when.replace('+00:00', 'Z')}, {ago_s} s ago:"
        " what the old hub acknowledged after that is not part of this list, and has to be contributed again."
        " Do not serve the old hub any more."
    )
