"""Snapshot, backup and restore carry everything of the pact; and what an entry says in clear stays small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server import fsck, replay
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Config
from hashpact_server.datadir import DataDirectory
from hashpact_server.engine import Engine
from hashpact_server.initialising import initialise, restored
from hashpact_server.ledger.entry import Kind
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.snapshot import write_file
from hashpact_server.state.tables import Due, Table

from tests.following import begun, rows_of
from tests.forum import Forum, forum_in
from tests.listing import assert_sound
from tests.pact import eventful


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path / "hub") as made:
        eventful(made)
        yield made


def test_a_snapshot_has_every_row_of_every_table(forum: Forum, tmp_path: Path) -> None:
    replica = begun(tmp_path / "replica", forum.engine)
    try:
        rows = rows_of(replica.state)
        assert rows == rows_of(forum.engine.state)
        assert {table for table, _ in rows} == set(Table)
        assert replica.published.roster.members == forum.engine.published.roster.members
        assert_sound(replica)
    finally:
        replica.close()


def test_a_backup_is_restored_and_what_waited_for_a_time_is_decided(forum: Forum, tmp_path: Path) -> None:
    before = rows_of(forum.engine.state)
    forum.engine.close()
    write_file(forum.folder, tmp_path / "file")
    again = DataDirectory(tmp_path / "again")
    with (tmp_path / "file").open("rb") as file:
        initialise(again, restored(file), hostnames=[], say=lambda _: None)
    assert fsck.check(again.path).problems == []
    assert replay.check(again.path).problems == []
    forum.engine = Engine.open(again.path, Config())
    after = rows_of(forum.engine.state)
    assert {key for key, value in before.items() if after.get(key) != value} == set()
    assert {table for table, _ in after.keys() - before.keys()} == {Table.EPOCHS}
    with forum.engine.state.read() as view:
        waiting = [due for due, _ in view.due(2**63, limit=100)]
    assert set(waiting) == set(Due)
    clock = forum.engine.state._clock_ms
    forum.engine.state._clock_ms = lambda: clock() + 4000 * 86_400_000
    clockwork = Clockwork(forum.engine, DUE_RULES, [make() for make in DUTIES])
    while clockwork.turn():
        pass
    with forum.engine.state.read() as view:
        assert view.due(2**63, limit=100) == []
    assert_sound(forum.engine)


def test_clear_parts_are_small(forum: Forum) -> None:
    """Auditors keep them for ever: what people write is private, and what grows with the list is cut to pieces."""
    with forum.engine.state.read() as view:
        sizes = {Kind(entry.kind): len(entry.clear) for entry in view.entries()}
    assert max(size for kind, size in sizes.items() if kind is not Kind.RULEBOOK_ADOPTED) < 200
