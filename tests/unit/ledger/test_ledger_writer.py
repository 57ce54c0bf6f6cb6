"""The ledger inside a write transaction: seen at once, undone for nothing, written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server.ledger import embedded
from hashpact_server.ledger.base import Committed, Conflict
from hashpact_server.ledger.embedded import LedgerReader, LedgerWriter
from hashpact_server.ledger.entry import Draft, Entry, Kind
from hashpact_server.ledger.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store", embedded.TABLES, durable=False)
    yield opened
    opened.close()


def begun(store: Store) -> LedgerWriter:
    tx = store.write()
    return LedgerWriter(tx, LedgerReader(tx).tip(), lambda: 1)


def append(ledger: LedgerWriter, *payloads: bytes) -> tuple[Entry, ...]:
    done = ledger.append([Draft(Kind.ITEM_WITHDRAWN, payload=payload) for payload in payloads], ledger.sequence)
    assert isinstance(done, Committed)
    return done.entries


def committed(store: Store, ledger: LedgerWriter) -> list[Entry]:
    ledger.finish(ledger.right_edge())
    tx = ledger._tx
    tx.commit()  # type: ignore[attr-defined]
    with store.read() as reading:
        return list(LedgerReader(reading).entries())


def test_what_was_appended_is_there_before_it_is_written(store: Store) -> None:
    first = begun(store)
    old = append(first, b"zero", b"one")
    assert committed(store, first) == list(old)
    ledger = begun(store)
    new = append(ledger, b"two", b"three")
    everything = [*old, *new]
    assert [ledger.entry(sequence) for sequence in range(4)] == everything
    for start in range(5):
        assert list(ledger.entries(start)) == everything[start:]
    with pytest.raises(KeyError):
        ledger.entry(4)
    assert ledger.append([], 1) == Conflict(3)
    assert len({entry.private[:32] for entry in everything if entry.private}) == 4, "each has a salt of its own"
    assert committed(store, ledger) == everything


def test_redactions_take_effect_at_once_and_can_be_undone(store: Store) -> None:
    first = begun(store)
    append(first, b"zero", b"one")
    committed(store, first)
    ledger = begun(store)
    append(ledger, b"two", b"three")
    ledger.redact(0)
    ledger.redact(2)
    mark = ledger.mark()
    append(ledger, b"four")
    for sequence in range(5):
        ledger.redact(sequence)
    assert all(entry.redacted for entry in ledger.entries())
    ledger.rewind(mark)
    assert [ledger.entry(sequence).redacted for sequence in range(4)] == [True, False, True, False]
    assert [entry.redacted for entry in committed(store, ledger)] == [True, False, True, False]
