"""fsck and replay-check, lied to: each lie about a list is named, by a check of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hashpact_server import fsck, idempotency, replay
from hashpact_server.config import Config
from hashpact_server.core import open_store
from hashpact_server.engine import Engine
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.embedded import HEAD, PRIVATE, PUBLIC, TILES, Tip, tile_key
from hashpact_server.ledger.store import StoreError, WriteTx
from hashpact_server.state.digest import MODULUS, row_hash
from hashpact_server.state.tables import STATE_HEAD, Table

from tests import listing
from tests.listing import contribution, item_withdrawal, new_list, picture, record, redaction

ITEM, GONE, REDACTED = 3, 4, 5
"""Sequences of the entries of three items: one that stands, one that is withdrawn, one that is redacted."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_list(tmp_path) as engine:
        who = listing.steward_of(engine)
        record(engine, *[contribution(who, None, picture(number)) for number in range(3)], request_id="request-1")
        record(engine, item_withdrawal(who, GONE), redaction(who, REDACTED))
    assert fsck.check(tmp_path).ok
    assert replay.check(tmp_path).ok
    return tmp_path


def tamper(folder: Path, change: Callable[[WriteTx], None]) -> None:
    store = open_store(folder)
    tx = store.write()
    change(tx)
    store.commit(tx)
    store.close()


def put(table: Table, key: bytes, value: bytes | None) -> Callable[[WriteTx], None]:
    """Change a row of the state *and* the sum of all rows: as a bug of ours would, not as a disk would."""

    def change(tx: WriteTx) -> None:
        head = tx.get(STATE_HEAD, b"head")
        assert head is not None
        total, before = int.from_bytes(head[8:], "big"), tx.get(table.stored_as, key)
        total -= 0 if before is None else row_hash(table, key, before)
        if value is None:
            tx.delete(table.stored_as, key)
        else:
            tx.put(table.stored_as, key, value)
            total += row_hash(table, key, value)
        tx.put(STATE_HEAD, b"head", head[:8] + (total % MODULUS).to_bytes(256, "big"))

    return change


def flip(table: str, key: bytes, at: int = -1) -> Callable[[WriteTx], None]:
    """Flip a bit of a row, and of nothing else: as a disk would."""

    def change(tx: WriteTx) -> None:
        value = bytearray(tx.get(table, key) or b"")
        value[at] ^= 1
        tx.put(table, key, bytes(value))

    return change


def drop(table: str, key: bytes) -> Callable[[WriteTx], None]:
    """Lose a row."""

    def change(tx: WriteTx) -> None:
        assert tx.delete(table, key)

    return change


def move_last_entry(tx: WriteTx) -> None:
    key, value = tx.last(PUBLIC) or (b"", b"")
    tx.delete(PUBLIC, key)
    tx.put(PUBLIC, u64(9), value)


def other_time(tx: WriteTx) -> None:
    tip = Tip.decode(tx.get(HEAD, b"head") or b"")
    tx.put(HEAD, b"head", Tip(tip.time_ms + 1, tip.frontier).encode())


def drop_a_time(tx: WriteTx) -> None:
    key, _ = tx.last(idempotency.TIMES) or (b"", b"")
    tx.delete(idempotency.TIMES, key)


def row_of(folder: Path, table: Table) -> tuple[bytes, bytes]:
    store = open_store(folder)
    with store.read() as tx:
        row = tx.last(table.stored_as)
    store.close()
    assert row is not None
    return row


LEDGER: dict[str, tuple[Callable[[WriteTx], None], str]] = {
    "entry": (flip(PUBLIC, u64(ITEM), 60), "entries"),
    "entry's time": (flip(PUBLIC, u64(ITEM), 9), "runs backwards"),
    "entry's place": (move_last_entry, "stands in place 7"),
    "entry is gone": (drop(PUBLIC, u64(ITEM)), "stands in place 3"),
    "private part": (flip(PRIVATE, u64(ITEM)), "not the one that it commits to"),
    "salt": (flip(PRIVATE, u64(ITEM), 0), "not the one that it commits to"),
    "private part cut": (lambda tx: tx.put(PRIVATE, u64(ITEM), b"short"), "not the one that it commits to"),
    "private part is gone": (drop(PRIVATE, u64(ITEM)), "no entry redacts it"),
    "redacted, and still there": (lambda tx: tx.put(PRIVATE, u64(REDACTED), bytes(40)), "still there"),
    "private part of nothing": (lambda tx: tx.put(PRIVATE, u64(99), bytes(40)), "private parts of entries"),
    "tile": (flip(TILES, tile_key(0, 0), 40), "tile 0/0"),
    "tile is gone": (drop(TILES, tile_key(0, 0)), "tile 0/0"),
    "tile too many": (lambda tx: tx.put(TILES, tile_key(0, 1), bytes(32)), "no entry asks for"),
    "head": (flip(HEAD, b"head"), "another tree"),
    "head of an empty list": (lambda tx: tx.put(HEAD, b"head", bytes(16)), "another tree"),
    "head's size": (lambda tx: tx.put(HEAD, b"head", b"\xff" * 20), "cannot be read"),
    "head's time": (other_time, "time is not the last entry's"),
    "answer": (flip(idempotency.REQUESTS, bytes(16) + b"request-1"), "is damaged"),
    "answer for ever": (drop_a_time, "never be forgotten"),
    "answer's time": (lambda tx: tx.put(idempotency.TIMES, bytes(30), b""), "times of answers"),
    "state's head": (flip(STATE_HEAD, b"head"), "do not give its state_digest"),
    "state's head cut": (lambda tx: tx.put(STATE_HEAD, b"head", b"short"), "5 bytes instead of"),
    "state behind": (flip(STATE_HEAD, b"head", 7), "the state stands at entry"),
    "row": (flip(Table.ITEMS.stored_as, u64(ITEM)), "do not give its state_digest"),
}


@pytest.mark.parametrize("case", LEDGER)
def test_a_lie_of_the_disk(folder: Path, case: str) -> None:
    change, told = LEDGER[case]
    tamper(folder, change)
    report = fsck.check(folder)
    assert not report.ok
    assert told in "\n".join(report.problems)


def test_a_lie_of_ours(folder: Path) -> None:
    """Rows that contradict each other, though their sum is right: fsck sees the contradiction, replay-check the row."""
    digest, _ = row_of(folder, Table.DIGESTS)
    listed, _ = row_of(folder, Table.VALUES)
    name, _ = row_of(folder, Table.MEMBER_NAMES)
    token, _ = row_of(folder, Table.TOKENS)
    other = bytes(16)
    lies: list[tuple[Table, bytes, bytes | None, str]] = [
        (Table.MEMBER_NAMES, name, None, "is not found by its name"),
        (Table.MEMBER_NAMES, b"ghost", other, "names a member that does not exist"),
        (Table.TOKENS, token, bytes(56), "belongs to a member that does not exist"),
        (Table.TOKENS, token, bytes(57), "cannot be read"),
        (Table.MEMBERS, other, b"\x00", "cannot be read"),
        (Table.VALUES, bytes([48]) + listed[1:], u64(ITEM) + bytes(3968), "is no local signature"),
        (Table.MEMBERS, b"short", b"\x00", "key of another length"),
        (Table.ITEMS, u64(ITEM), b"\x63\x00", "cannot be read: there is no status 99"),
        (Table.ITEMS, u64(ITEM), None, "an item that does not exist"),
        (Table.ITEMS, u64(ITEM), b"\x04\x00", "an item that can match nothing"),
        (Table.CONTRIBUTIONS, u64(99) + other, bytes(11), "is about an item that does not exist"),
        (Table.CONTRIBUTIONS, u64(ITEM) + other, bytes(11), "is of a member that does not exist"),
        (Table.CONTRIBUTIONS, u64(ITEM) + other, b"", "cannot be read"),
        (Table.ITEM_ENTRIES, u64(99) + u64(7), b"", "is about an item that does not exist"),
        (Table.ITEM_ENTRIES, u64(ITEM) + u64(7), b"x", "has a value"),
        (Table.EPOCHS, bytes(4), b"", "another length than its table's"),
        (Table.DIGESTS, digest, u64(0) + u64(GONE), "an item that can match nothing"),
        (Table.DIGESTS, b"\x01" + bytes(16), u64(0) + u64(ITEM), "another length than its signal type"),
        (Table.DIGESTS, b"\x63" + bytes(16), u64(0) + u64(ITEM) + bytes(16), "another length than its signal type"),
        (Table.VALUES, listed, u64(99) + bytes(8), "stands in an entry that is not one of its item"),
        (Table.VALUES, listed, bytes(3), "another length than its signal type"),
    ]
    for table, key, value, told in lies:
        store = open_store(folder)
        with store.read() as tx:
            honest = tx.get(table.stored_as, key)
        store.close()
        tamper(folder, put(table, key, value))
        problems = "\n".join(fsck.check(folder).problems)
        assert told in problems, (table, told, problems)
        assert "state_digest" not in problems
        replayed = "\n".join(replay.check(folder).problems)
        assert f"table {table.name.lower()}" in replayed
        assert "state_digest differs" in replayed
        tamper(folder, put(table, key, honest))
        assert fsck.check(folder).ok


def test_hash_values_are_never_told(folder: Path) -> None:
    key, value = row_of(folder, Table.DIGESTS)
    tamper(folder, put(Table.DIGESTS, key, None))
    tamper(folder, put(Table.DIGESTS, key[:5] + bytes(12), value))
    for report in (fsck.check(folder), replay.check(folder)):
        assert key[1:5].hex() not in "\n".join(report.problems).lower()
    assert "table digests: a row differs" in "\n".join(replay.check(folder).problems)


def test_problems_are_bounded(folder: Path) -> None:
    def change(tx: WriteTx) -> None:
        for number in range(300):
            tx.put(PRIVATE, u64(100 + number), b"")
            tx.put(Table.ITEM_ENTRIES.stored_as, u64(100 + number), b"")

    tamper(folder, change)
    assert len(fsck.check(folder).problems) == replay.PROBLEMS_MAX


def test_a_store_without_a_list(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    assert "this store holds no list" in fsck.check(tmp_path).problems
    assert replay.check(tmp_path).problems == ["this store holds no list"]
    with pytest.raises(StoreError, match="holds no list yet"):
        Engine.open(tmp_path, Config())
    Engine.create(tmp_path, listing.STEWARD_NAME)
    with pytest.raises(StoreError, match="a list already"):
        Engine.create(tmp_path, listing.STEWARD_NAME)
    assert fsck.check(tmp_path).ok


@pytest.mark.parametrize(
    "change",
    [
        flip(PUBLIC, u64(0), 0),
        flip(HEAD, b"head", 0),
        drop(Table.EPOCHS.stored_as, bytes(4)),
        drop(TILES, tile_key(0, 0)),
        drop(STATE_HEAD, b"head"),
        lambda tx: tx.put(STATE_HEAD, b"head", b""),
        lambda tx: tx.put(Table.MEMBERS.stored_as, bytes(16), b"\x01"),
        lambda tx: tx.put(Table.VALUES.stored_as, b"\x10" + u64(3 << 16 | 9), b"short"),
    ],
    ids=["genesis", "head", "epochs", "tile", "state's head", "state's head cut", "member", "value"],
)
def test_a_damaged_list_is_not_opened(folder: Path, change: Callable[[WriteTx], None]) -> None:
    tamper(folder, change)
    with pytest.raises(StoreError, match=r"fsck|bytes instead of"):
        Engine.open(folder, Config())
    assert not fsck.check(folder).ok
