"""The store: what leaves it is ours to catch, and it can be opened again under load."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server.ledger.store import KEY_BYTES_MAX, Store, StoreError, StoreFullError

TABLES = ("a", "b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store", TABLES)
    yield opened
    opened.close()


def fill(store: Store, **rows: bytes) -> None:
    tx = store.write()
    for key, value in rows.items():
        tx.put("a", key.encode(), value)
    store.commit(tx)


def test_files_are_for_the_owner_only(store: Store) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o700
    for file in store.path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_scan(store: Store) -> None:
    fill(store, a=b"1", ab=b"2", b=b"3", c=b"4")
    with store.read() as tx:
        assert [key for key, _ in tx.scan("a")] == [b"a", b"ab", b"b", b"c"]
        assert [key for key, _ in tx.scan("a", start=b"aa")] == [b"ab", b"b", b"c"]
        assert [key for key, _ in tx.scan("a", prefix=b"a")] == [b"a", b"ab"]
        assert [key for key, _ in tx.scan("a", start=b"ab", prefix=b"a")] == [b"ab"]
        assert [key for key, _ in tx.scan("a", start=b"d")] == []
        assert list(tx.scan("b")) == []
        assert tx.last("a") == (b"c", b"4")
        assert tx.last("b") is None
        assert (tx.count("a"), tx.count("b"), tx.strangers()) == (4, 0, 0)


@pytest.mark.parametrize("key", [b"", bytes(KEY_BYTES_MAX + 1)], ids=["empty", "long"])
def test_a_key_that_no_row_can_have(store: Store, key: bytes) -> None:
    """What is looked up may come from outside: it is simply not there. What is written is a mistake of ours."""
    tx = store.write()
    assert tx.get("a", key) is None
    assert list(tx.scan("a", start=key)) == []
    with pytest.raises(ValueError, match="1 to 511 bytes"):
        tx.put("a", key, b"")
    with pytest.raises(ValueError, match="1 to 511 bytes"):
        tx.put_many("a", [(key, b"")])
    tx.put("a", b"key", b"value")  # the transaction is as good as before
    store.commit(tx)
    with store.read() as reading:
        assert reading.get("a", b"key") == b"value"


def test_many_rows_at_once(store: Store) -> None:
    tx = store.write()
    tx.put("a", b"2", b"old")
    tx.put_many("a", [(b"1", b"one"), (b"2", b"two")])
    tx.put_many("a", [(b"3", b"three"), (b"4", b"four")], append=True)
    tx.put_many("a", [])
    with pytest.raises(StoreError, match="1 rows could not be appended"):
        tx.put_many("a", [(b"31", b"not the largest"), (b"5", b"five")], append=True)
    assert [value for _, value in tx.scan("a")][:4] == [b"one", b"two", b"three", b"four"]
    tx.abort()


def test_closed(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError), store.read():
        pass
    for call in (store.write, store.used_bytes, store.reopen, store.sync):
        with pytest.raises(StoreError):
            call()


def test_close_waits_for_readers(store: Store) -> None:
    closing = threading.Thread(target=store.close)
    with store.read() as tx:
        closing.start()
        while not store._closed:
            time.sleep(0)
        assert tx.get("a", b"1") is None
        with pytest.raises(StoreError), store.read():
            pass
        assert closing.is_alive()
    closing.join()


def test_a_busy_store_is_reopened(store: Store) -> None:
    """A reader that comes while reopen waits for another one stays outside: else it might never be empty."""
    first_in, first_may_go, second_in, second_may_go = (threading.Event() for _ in range(4))

    def first() -> None:
        with store.read():
            first_in.set()
            first_may_go.wait()

    def second() -> None:
        with store.read() as tx:
            second_in.set()
            second_may_go.wait()
            assert tx.get("a", b"1") == b"one"

    fill(store, **{"1": b"one"})
    threads = [threading.Thread(target=target) for target in (first, store.reopen, second)]
    waiters = store._gate._waiters  # type: ignore[attr-defined]
    threads[0].start()
    first_in.wait()
    threads[1].start()
    while len(waiters) < 1:
        time.sleep(0)
    threads[2].start()
    while len(waiters) < 2 and not second_in.is_set():
        time.sleep(0)
    first_may_go.set()
    threads[1].join(10)
    assert not threads[1].is_alive(), "reopen still waits"
    second_may_go.set()
    for thread in threads:
        thread.join()


def test_figures(store: Store, tmp_path: Path) -> None:
    fill(store, a=b"1")
    assert 0 < store.used_bytes() <= (tmp_path / "store" / "data.mdb").stat().st_size
    assert store.room_bytes() > 0
    assert store.oldest_reader_s() == 0
    with store.read(), store.read():
        assert store.oldest_reader_s() > 0


def test_the_limit_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", TABLES, store_bytes_max=1)
    with pytest.raises(StoreFullError) as full:
        store.check_room()
    assert full.value.limit == 1
    store.close()


def test_tables_that_nobody_opened(tmp_path: Path) -> None:
    Store(tmp_path / "store", ("a", "b", "c")).close()
    store = Store(tmp_path / "store", TABLES)
    with store.read() as tx:
        assert tx.strangers() == 1
    store.close()


def test_a_failed_open_leaves_nothing_open(tmp_path: Path) -> None:
    """More tables than the environment was opened for, once; then the same folder opens as it should."""
    path = tmp_path / "store"
    with pytest.raises((StoreError, ValueError)):
        Store(path, ("a", "b" * 600))
    store = Store(path, TABLES)
    store.close()


READER = """
import pathlib, sys, time
from hashpact_server.ledger.store import Store
with Store(pathlib.Path(sys.argv[1]), ["t"], reading=True).read():
    print("reads", flush=True)
    time.sleep(600)
"""


def test_a_reader_that_was_killed_holds_nothing_for_long(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", ["t"], durable=False)

    def write_often() -> int:
        for number in range(40):
            tx = store.write()
            tx.put("t", b"key", number.to_bytes(1, "big") * 100_000)
            store.commit(tx)
        return store.used_bytes()

    write_often()
    child = subprocess.Popen([sys.executable, "-c", READER, str(store.path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"reads\n"
    child.kill()
    child.communicate()
    store.bury_readers()
    tidied = store.used_bytes()
    assert write_often() == tidied
    store.close()
    store.bury_readers()
