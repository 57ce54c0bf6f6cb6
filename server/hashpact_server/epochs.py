"""Epochs: parts of a list's history. A new one begins where another server, or an older copy, goes on with it.

Tokens name the epoch that they were given in: what was written after the place where the next one began is known as
given up, and nobody is told that it is still there. So that holds when one backup is restored twice, or two replicas
of one hub are promoted: the number of an epoch is the time when it began, in Unix seconds, and never that of another.
"""

from __future__ import annotations

from typing import Final

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads import EpochClear
from hashpact_server.scene import Scene
from hashpact_server.writer import Act, Encode, Writer

RESTORED: Final = 1
"""Cause of an epoch: the list was restored from a snapshot."""

PROMOTED: Final = 2
"""Cause of an epoch: a replica became the hub."""


def begin_epoch(writer: Writer, cause: int) -> None:
    """Begin the next epoch."""

    def decide(scene: Scene) -> Encode:
        epoch = max(scene.head.epoch + 1, scene.now_ms // 1000)
        scene.record(Draft(Kind.EPOCH_STARTED, clear=EpochClear(epoch, cause).encode()))
        return str.encode

    writer.submit(Act(decide, SERVICE))
