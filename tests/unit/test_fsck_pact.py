"""fsck knows the tables of the pact: each row that points nowhere, or waits for nothing, is told by name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hashpact_server import fsck
from hashpact_server.core import open_store
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.store import Tx
from hashpact_server.state import row_checks
from hashpact_server.state.tables import Due, Table, due_key

from tests.forum import Forum
from tests.pact import eventful
from tests.unit.test_fsck import put, tamper

GHOST = b"ghost".ljust(16, b"\x07")
NOWHERE = u64(2**40)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list in which everything of the pact stands, closed."""
    folder = tmp_path_factory.mktemp("pact") / "list"
    forum = Forum(folder)
    eventful(forum)
    forum.close()
    assert fsck.check(folder).problems == []
    return folder


@pytest.fixture
def folder(honest: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(honest, Path(home, "list"))
        yield Path(home, "list")


class Lie(NamedTuple):
    """A row of a table that is made from one that stands: its key and value; and what is told of it."""

    table: Table
    told: str
    key: Callable[[bytes], bytes] = lambda key: key
    value: Callable[[bytes], bytes | None] = lambda value: value
    begins: bytes = b""


def at(place: int, piece: bytes) -> Callable[[bytes], bytes]:
    """Bytes with others from some place on."""
    return lambda given: given[:place] + piece + given[place + len(piece) :]


def gone(_: bytes) -> None:
    """No row."""


T = Table
NO_ITEM, NO_MEMBER, NO_ENTRY, NO_CLOCK = (
    "about an item that does not exist",
    "of a member that does not exist",
    "names an entry that does not write it",
    "waits for a time that is not kept",
)
LIES = [
    Lie(T.OPINIONS, NO_ITEM, key=at(0, NOWHERE)),
    Lie(T.OPINIONS, NO_MEMBER, key=at(8, GHOST)),
    Lie(T.OPINIONS, NO_ENTRY, value=at(0, NOWHERE)),
    Lie(T.OPINIONS, "there is no OpinionCode 99", value=at(8, b"\x63")),
    Lie(T.OPINIONS, "key of another length", key=lambda key: key[:9]),
    Lie(T.CONDITIONS, NO_ITEM, key=at(0, NOWHERE)),
    Lie(T.CONDITIONS, "names a dispute that is not open", value=at(9, NOWHERE)),
    Lie(T.CONDITIONS, NO_ENTRY, value=at(17, NOWHERE)),
    Lie(T.CONDITIONS, "would not be seen: its item has no condition", value=gone),
    Lie(T.DISPUTES, NO_ITEM, value=at(0, NOWHERE)),
    Lie(T.DISPUTES, NO_MEMBER, value=at(8, GHOST)),
    Lie(T.DISPUTES, "comes from a challenge that does not exist", value=at(33, NOWHERE)),
    Lie(T.DISPUTES, NO_CLOCK, value=at(25, u64(5))),
    Lie(T.DISPUTES, "is about a dispute that does not exist", value=gone),
    Lie(T.DISPUTE_VOTES, NO_MEMBER, key=at(8, GHOST)),
    Lie(T.DISPUTE_VOTES, NO_ENTRY, value=at(0, NOWHERE)),
    Lie(T.DISPUTE_VOTES, "cannot be read", value=lambda value: value[:8]),
    Lie(T.CHALLENGES, NO_ITEM, value=at(0, NOWHERE)),
    Lie(T.CHALLENGES, NO_MEMBER, value=at(8, GHOST)),
    Lie(T.CHALLENGES, NO_CLOCK, value=at(25, u64(5))),
    Lie(T.CHALLENGES, "became a dispute that does not exist", value=at(42, NOWHERE)),
    Lie(T.DUE, "is the time of nothing", key=at(0, u64(5))),
    Lie(T.DUE, "has a value", value=lambda _: b"x"),
    Lie(T.DUE, "99 is not a valid Due", key=at(8, b"\x63")),
    *(Lie(T.DUE, "is the time of nothing", key=lambda _, what=what: due_key(5, what, 2**40)) for what in Due),  # type: ignore[misc]
    Lie(T.MEMBER_POLICIES, NO_MEMBER, key=at(0, GHOST)),
    Lie(T.MEMBER_POLICIES, NO_ENTRY, value=lambda _: NOWHERE),
    Lie(T.MEMBER_POLICIES, "another length than its table's", value=lambda _: b"x"),
    Lie(T.PENDING, NO_MEMBER, value=at(0, GHOST)),
    Lie(T.PENDING, "would never lapse", value=at(16, u64(5))),
    Lie(T.TALLIES, "not on trial", key=lambda _: GHOST, value=lambda _: bytes(12)),
    Lie(T.MOTIONS, NO_MEMBER, value=at(2, GHOST)),
    Lie(T.MOTIONS, NO_CLOCK, value=at(18, u64(5))),
    Lie(T.MOTIONS, NO_ENTRY, key=at(0, NOWHERE), value=at(0, b"\x02")),
    Lie(T.RULEBOOK, NO_ENTRY, value=at(40, NOWHERE), begins=b"\0"),
    Lie(T.RULEBOOK, NO_ENTRY, value=at(1, NOWHERE), begins=b"\1"),
    Lie(T.RULEBOOK, "and another one is said to be", value=at(0, bytes(80)), begins=b"\0"),
    Lie(T.RULEBOOK, NO_CLOCK, value=at(9, u64(5)), begins=b"\1"),
    Lie(T.RULEBOOK, "not one of its table's", key=lambda _: b"\x09", begins=b"\1"),
    Lie(T.ROLLBACKS, NO_MEMBER, value=at(0, GHOST), begins=b"\0"),
    Lie(T.ROLLBACKS, "is over and goes on, or neither", value=lambda value: value[:-8] + bytes(8), begins=b"\0"),
    Lie(T.ROLLBACKS, NO_ENTRY, key=at(1, NOWHERE), begins=b"\0"),
    Lie(T.ROLLBACKS, "by a rollback that does not exist", value=at(0, NOWHERE), begins=b"\1"),
    Lie(T.ROLLBACKS, NO_ITEM, key=at(1, NOWHERE), begins=b"\1"),
    Lie(T.ROLLBACKS, NO_ENTRY, key=at(9, NOWHERE), begins=b"\1"),
    Lie(T.ROLLBACKS, "goes on, and was never ordered", key=lambda _: b"\2" + NOWHERE, value=lambda _: b""),
    Lie(T.ROLLBACKS, NO_ENTRY, key=at(1, NOWHERE), begins=b"\3"),
    Lie(T.ROLLBACKS, "not one of its table's", key=lambda _: b"\x09"),
    Lie(T.BENIGN, NO_ENTRY, key=at(0, NOWHERE)),
    Lie(T.BENIGN, "another length than its table's", value=lambda _: b"x"),
    Lie(T.ALERTS, NO_ITEM, value=at(1, NOWHERE), begins=b"\0"),
    Lie(T.ALERTS, NO_MEMBER, value=at(9, GHOST), begins=b"\0"),
    Lie(T.ALERTS, "nobody would be told", key=at(1, NOWHERE), begins=b"\0"),
    Lie(T.ALERTS, "waits for an alert that does not exist", value=at(0, NOWHERE), begins=b"\1"),
    Lie(T.INCIDENTS, "stands among those that are over, or not", key=at(0, b"\1"), begins=b"\0"),
    Lie(T.INCIDENTS, NO_MEMBER, value=at(2, GHOST), begins=b"\0"),
    Lie(T.INCIDENTS, NO_CLOCK, value=at(42, u64(5)), begins=b"\0"),
    Lie(T.INCIDENTS, NO_ENTRY, key=at(1, NOWHERE), begins=b"\1"),
    Lie(T.INCIDENT_ITEMS, "under an incident that does not exist", key=at(1, NOWHERE), begins=b"\1"),
    Lie(T.INCIDENT_ITEMS, NO_ITEM, value=at(0, NOWHERE), begins=b"\1"),
    Lie(T.INCIDENT_ITEMS, NO_ENTRY, key=at(9, NOWHERE), begins=b"\1"),
    Lie(T.INCIDENT_ITEMS, NO_CLOCK, value=at(0, u64(5)), begins=b"\2"),
    Lie(T.INCIDENT_ITEMS, "not one of its table's", key=lambda _: b"\x09"),
    Lie(T.INCIDENT_ACKS, "about an incident that does not exist", key=at(0, NOWHERE)),
    Lie(T.INCIDENT_ACKS, NO_MEMBER, key=at(9, GHOST)),
    Lie(T.INCIDENT_ACKS, NO_ENTRY, value=at(0, NOWHERE)),
    Lie(T.MEMBER_RECORDS, NO_MEMBER, key=lambda _: GHOST),
    Lie(T.MEMBER_RECORDS, "there is no tier 9", value=at(0, b"\x09")),
]


def row_of(tx: Tx, lie: Lie) -> tuple[bytes, bytes]:
    """The last row whose key begins so: what happened last goes on."""
    return [(key, value) for key, value in tx.scan(lie.table.stored_as) if key.startswith(lie.begins)][-1]


def test_each_lie_is_told_by_name(folder: Path) -> None:
    untold = []
    for lie in LIES:
        store = open_store(folder)
        with store.read() as tx:
            key, value = row_of(tx, lie)
            place, made = lie.key(key), lie.value(value)
            before = tx.get(lie.table.stored_as, place)
        store.close()
        assert (place, made) != (key, value)
        tamper(folder, put(lie.table, place, made))
        problems = "\n".join(fsck.check(folder).problems)
        if lie.told not in problems:
            untold.append((lie.table.name, lie.told, problems))
        assert "state_digest" not in problems
        tamper(folder, put(lie.table, place, before))
    assert untold == []
    assert fsck.check(folder).problems == []


def test_every_table_is_checked(honest: Path) -> None:
    """And holds rows on the list that the lies are told about."""
    assert set(fsck._ROW_CHECKS) | set(row_checks.ROW_CHECKS) == set(Table)
    store = open_store(honest)
    with store.read() as tx:
        assert {table for table in Table if tx.count(table.stored_as)} == set(Table)
    store.close()
    assert {lie.table for lie in LIES} == {*row_checks.ROW_CHECKS, Table.PENDING, Table.TALLIES, Table.MEMBER_RECORDS}
