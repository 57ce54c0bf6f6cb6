"""A replica in the test's own process, and what makes it the same as its hub."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from hashpact_server.core import Core
from hashpact_server.datadir import DataDirectory
from hashpact_server.following import Following
from hashpact_server.initialising import a_replica, initialise
from hashpact_server.node import Node
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.tables import Table
from hashpact_server.upstream import Upstream

from tests.integration.harness import WAIT_S, Attached, Forum, ServerInside, settings_of


class ReplicaInside(Attached):
    """A replica in this process; ends with the block."""

    def __init__(self, forum: Forum, upstream: Attached, token: str, **settings: object) -> None:
        self.node = Node(
            DataDirectory(forum.data),
            settings_of(forum, **settings),
            upstream=Upstream(str(upstream.address), token, upstream.forum.ca),
        )
        self.node.start()
        super().__init__(forum, self.node.address)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.node.stop()

    @property
    def following(self) -> Following:
        """How far it is behind."""
        assert self.node.replica is not None
        return self.node.replica.following

    def reach(self, hub: ServerInside | ReplicaInside) -> None:
        """Wait until everything of the hub is here."""
        assert self.node.engine.state.wait_for(hub.node.engine.published.head.sequence, WAIT_S)


def empty_directory(path: Path, forum: Forum) -> Forum:
    initialise(DataDirectory(path), a_replica, hostnames=[], say=lambda _: None)
    return Forum(path, forum.tokens)


def rows_of(core: Core) -> dict[tuple[Table, bytes], bytes]:
    """Every row of the state."""
    with core.store.read() as tx:
        rows = StoredRows(tx)
        return {(table, key): value for table in Table for key, value in rows.scan(table)}


def assert_same(replica: ReplicaInside, hub: ServerInside | ReplicaInside) -> None:
    replica.reach(hub)
    here, there = replica.node.engine.state, hub.node.engine.state
    assert here.published.head == there.published.head
    assert rows_of(here) == rows_of(there)
    with here.store.read() as left, there.store.read() as right:
        assert StoredRows(left).state_digest() == StoredRows(right).state_digest()
    assert here.matcher.counts() == there.matcher.counts()
