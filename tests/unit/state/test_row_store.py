"""Rows with their running sum: what is held back, what is undone, and the digest of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server.ledger.codec import LayoutError
from hashpact_server.ledger.store import KEY_BYTES_MAX, Store
from hashpact_server.state import tables
from hashpact_server.state.digest import state_digest
from hashpact_server.state.row_store import StoredRows, WritableRows
from hashpact_server.state.tables import STATE_HEAD, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import effort

Rows = dict[tuple[Table, bytes], bytes]
Steps = list[tuple[tuple[Table, bytes], bytes | None]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store", tables.TABLES, durable=False)
    yield opened
    opened.close()


def digest_of(rows: Rows, sequence: int) -> bytes:
    """The state digest, from its definition: a sum of 2048-bit hashes, one per row."""
    total = 0
    for (table, key), value in rows.items():
        row = b"hashpact/state-row\x00" + bytes([table])
        row += len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value
        total += int.from_bytes(hashlib.shake_128(row).digest(256), "big")
    head = b"hashpact/state-digest\x00" + sequence.to_bytes(8, "big")
    return hashlib.sha256(head + (total % 2**2048).to_bytes(256, "big")).digest()


KEYS = st.tuples(st.sampled_from((Table.DIGESTS, Table.ITEMS)), st.sampled_from((b"one", b"two", b"three")))
STEPS = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=3)), max_size=8)
GROUPS = st.lists(st.lists(st.tuples(STEPS, st.booleans()), max_size=4), min_size=1, max_size=4)


def carry_out(rows: WritableRows, steps: Steps, model: Rows) -> None:
    for (table, key), value in steps:
        if value is None:
            rows.delete(table, key)
            model.pop((table, key), None)
        else:
            assert rows.put(table, key, value) == model.get((table, key))
            model[table, key] = value
        assert rows.get(table, key) == value
        for prefix, start in ((b"", b""), (b"t", b""), (b"", b"three")):
            listed = sorted((at, row) for (of, at), row in model.items() if of is table)
            expected = [row for row in listed if row[0].startswith(prefix) and row[0] >= start]
            assert list(rows.scan(table, start, prefix)) == expected


def trial(rows: WritableRows, steps: Steps, model: Rows) -> None:
    """Carry out steps, and undo them."""
    mark = rows.mark()
    carry_out(rows, steps, dict(model))
    rows.rewind(mark)


@settings(max_examples=effort(30), deadline=None)
@given(GROUPS)
def test_rows_are_a_dictionary_whatever_is_undone(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[list[tuple[Steps, bool]]],
) -> None:
    store = Store(tmp_path_factory.mktemp("rows"), tables.TABLES, durable=False)
    model: Rows = {}
    for sequence, group in enumerate(groups):
        tx = store.write()
        rows = WritableRows(tx)
        for steps, kept in group:
            if kept:
                carry_out(rows, steps, model)
            else:
                trial(rows, steps, model)
            for table, key in [(table, key) for table in (Table.DIGESTS, Table.ITEMS) for key in (b"one", b"two")]:
                assert rows.get(table, key) == model.get((table, key))
        rows.finish(sequence)
        store.commit(tx)
        with store.read() as reading:
            stored = StoredRows(reading)
            assert stored.state_digest() == digest_of(model, sequence)
            assert {(table, key): value for table in Table for key, value in stored.scan(table)} == model
    store.close()


def test_before_the_first_entry(store: Store) -> None:
    with store.read() as tx:
        assert StoredRows(tx).head() == (-1, 0)


@pytest.mark.parametrize("value", [b"", bytes(263), bytes(265)], ids=len)
def test_a_damaged_head_is_a_layout_error(store: Store, value: bytes) -> None:
    tx = store.write()
    tx.put(STATE_HEAD, b"head", value)
    store.commit(tx)
    with store.read() as reading, pytest.raises(LayoutError):
        StoredRows(reading).head()


def test_the_digest_tells_every_state_from_every_other() -> None:
    """A row's table, key and value each count, and so does how far the state is."""
    digests = {
        digest_of({}, 0),
        digest_of({}, 1),
        digest_of({(Table.ITEMS, b"ab"): b"c"}, 1),
        digest_of({(Table.ITEMS, b"a"): b"bc"}, 1),
        digest_of({(Table.EPOCHS, b"ab"): b"c"}, 1),
        digest_of({(Table.ITEMS, b"ab"): b"c", (Table.ITEMS, b"a"): b"bc"}, 1),
    }
    assert len(digests) == 6
    assert state_digest(0, 0) in digests


@pytest.mark.parametrize("key", [b"", bytes(KEY_BYTES_MAX + 1)], ids=["empty", "long"])
def test_a_key_that_no_row_can_have_is_refused_when_it_is_put(store: Store, key: bytes) -> None:
    """Not when the group is written: the others in it have done nothing wrong."""
    tx = store.write()
    rows = WritableRows(tx)
    rows.put(Table.MEMBER_NAMES, b"good", b"")
    with pytest.raises(ValueError, match="1 to 511 bytes"):
        rows.put(Table.MEMBER_NAMES, key, b"")
    rows.finish(0)
    assert list(StoredRows(tx).scan(Table.MEMBER_NAMES)) == [(b"good", b"")]
    tx.abort()
