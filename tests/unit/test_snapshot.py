"""Snapshots: what was written is read back, and nothing else is believed."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact_server.config import Config
from hashpact_server.core import STORE_FOLDER, STORE_TABLES, open_store
from hashpact_server.engine import Engine
from hashpact_server.fsck import check
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.merkle import EMPTY_ROOT
from hashpact_server.ledger.store import Store, StoreError, StoreFullError
from hashpact_server.snapshot import SnapshotError, Told, load, write, write_file
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.tables import Table
from hashpact_server.writer import Act

from tests import listing
from tests.data import run_seed
from tests.listing import recording
from tests.property.list_model import OPERATIONS
from tests.property.test_replica_equal import model_of


@pytest.fixture(name="hub")
def made_hub(tmp_path: Path) -> Iterator[Engine]:
    """A list with something of everything."""
    place = tmp_path / "hub"
    place.mkdir()
    Engine.create(place, listing.STEWARD_NAME)
    engine = Engine.open(place, Config())
    model, chance = model_of(engine), random.Random(run_seed("HASHPACT_SNAPSHOT_SEED"))
    for _ in range(300):
        operation = (chance.choice(OPERATIONS), chance.getrandbits(13), chance.getrandbits(18), chance.getrandbits(13))
        draft = model.draft(operation)
        if draft is not None:
            engine.writer.submit(Act(recording(draft), bytes(16)))
    yield engine
    engine.close()


def snapshot_of(engine: Engine) -> bytes:
    file = io.BytesIO()
    with engine.state.store.read() as tx:
        write(tx, file)
    return file.getvalue()


def everything(engine: Engine) -> list[object]:
    """Rows, entries and tiles."""
    with engine.state.store.read() as tx:
        rows, ledger = StoredRows(tx), LedgerReader(tx)
        return [
            [(table, list(rows.scan(table))) for table in Table],
            list(ledger.stored()),
            ledger.tip(),
            ledger.right_edge().size,
            [ledger.tile(0, index) for index in range(3)],
            rows.head(),
        ]


def test_a_list_is_read_back_as_it_was(hub: Engine, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    store = open_store(tmp_path / "copy")
    told = load(io.BytesIO(snapshot_of(hub)), store)
    store.close()
    assert told.head == hub.published.head
    copy = Engine.open(tmp_path / "copy", Config())
    try:
        assert everything(copy) == everything(hub)
        assert copy.published.head == hub.published.head
        assert copy.matcher.counts() == hub.matcher.counts()
    finally:
        copy.close()
    assert check(tmp_path / "copy").problems == []


def test_a_list_that_is_larger_than_the_store_may_be_is_refused(hub: Engine, tmp_path: Path) -> None:
    whole = snapshot_of(hub)
    Store(tmp_path / "copy" / STORE_FOLDER, STORE_TABLES).close()
    for room in (0, len(whole) // 2):
        store = open_store(tmp_path / "copy")
        store.store_bytes_max = store.used_bytes() + room
        try:
            with pytest.raises(StoreFullError, match="store_bytes_max") as caught:
                load(io.BytesIO(whole), store)
            assert caught.value.limit == store.store_bytes_max
            with store.read() as tx:
                assert LedgerReader(tx).tip().sequence == -1
        finally:
            store.close()


def test_answers_to_members_stay_where_they_are(hub: Engine) -> None:
    secret = b"an answer that one member got"
    hub.writer.submit(Act(lambda _: lambda _: secret, bytes(16), request_id="once"))
    assert secret not in snapshot_of(hub)


def test_damage_anywhere_is_noticed_and_nothing_is_left(hub: Engine, tmp_path: Path) -> None:
    whole = snapshot_of(hub)
    store = open_store(tmp_path / "copy")
    chance = random.Random(run_seed("HASHPACT_SNAPSHOT_SEED"))
    try:
        for _ in range(60):
            place = chance.randrange(len(whole))
            damaged = bytearray(whole)
            damaged[place] ^= 1 << chance.randrange(8)
            with pytest.raises(SnapshotError):
                load(io.BytesIO(bytes(damaged)), store)
            with pytest.raises(SnapshotError):
                load(io.BytesIO(whole[:place]), store)
            with store.read() as tx:
                assert LedgerReader(tx).tip().sequence == -1
        assert load(io.BytesIO(whole), store).head == hub.published.head
        with pytest.raises(StoreError, match="holds a list"):
            load(io.BytesIO(whole), store)
    finally:
        store.close()


def forged(whole: bytes, before: bytes, after: bytes) -> bytes:
    """A snapshot with some bytes exchanged and every checksum made to fit."""
    header, at, out = whole[:124], 124, bytearray()
    header = header.replace(before, after)
    out += header[:-4] + struct.pack(">I", zlib.crc32(header[:-4]))
    while whole[at]:
        _, _, length = struct.unpack_from(">BII", whole, at)
        block = whole[at : at + 9 + length].replace(before, after)
        out += block + struct.pack(">I", zlib.crc32(block))
        at += 9 + length + 4
    out += whole[at : at + 9]
    return bytes(out + hashlib.sha256(bytes(out)).digest())


@pytest.mark.parametrize("what", ["root", "digest", "public", "private", "row"])
def test_a_forger_who_mends_the_checksums_is_found_out(hub: Engine, tmp_path: Path, what: str) -> None:
    whole = snapshot_of(hub)
    assert forged(whole, b"", b"") == whole
    with hub.state.store.read() as tx:
        public, private = next(parts for parts in LedgerReader(tx).stored(5) if parts[1] is not None and parts[1][32:])
        assert private is not None
        row = next(value for _, value in StoredRows(tx).scan(Table.CONTRIBUTIONS))
        digest = StoredRows(tx).state_digest()
    chosen = {"root": hub.published.head.root, "digest": digest, "public": public, "private": private, "row": row}[what]
    changed = chosen[:-1] + bytes([chosen[-1] ^ 1])
    store = open_store(tmp_path / "copy")
    try:
        with pytest.raises(SnapshotError, match=r"claims|commits|cannot be read"):
            load(io.BytesIO(forged(whole, chosen, changed)), store)
    finally:
        store.close()


def test_a_file_is_whole_or_not_there(hub: Engine, tmp_path: Path) -> None:
    whole, head = snapshot_of(hub), hub.published.head
    hub.close()
    path = tmp_path / "backup"
    told = write_file(tmp_path / "hub", path)
    assert path.read_bytes() == whole
    assert told.head == head
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "hub", path)
    with pytest.raises(StoreError):
        write_file(tmp_path / "nothing", tmp_path / "second")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "hub"]


def test_a_disk_without_links(hub: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "such a disk")

    monkeypatch.setattr("os.link", no_links)
    hub.close()
    path = tmp_path / "backup"
    write_file(tmp_path / "hub", path)
    whole = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "hub", path)
    assert path.read_bytes() == whole
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "hub"]


@pytest.mark.parametrize("what", ["no entries", "block without rows"])
def test_what_no_server_writes(hub: Engine, tmp_path: Path, what: str) -> None:
    whole = snapshot_of(hub)
    if what == "no entries":
        odd = Told(Head(bytes(16), 0, -1, 0, EMPTY_ROOT), bytes(32)).encode() + bytes(9)
    else:
        block = struct.pack(">BII", 1, 0, 0)
        odd = whole[:124] + block + struct.pack(">I", zlib.crc32(block)) + whole[124:-32]
    odd += hashlib.sha256(odd).digest()
    store = open_store(tmp_path / "copy")
    try:
        with pytest.raises(SnapshotError):
            load(io.BytesIO(odd), store)
    finally:
        store.close()
