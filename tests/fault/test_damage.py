"""Bytes that changed on the disk behind our back: whatever is read differently is reported, and never by a traceback.

LMDB's pages carry no checksums. A closed store is damaged in one place, in a copy, over and over: one bit, one byte,
one page, or its end is cut off; then fsck, replay-check and opening it are asked. Damage that hits a free page, or the
unused part of one, changes nothing that anybody reads: a dump of all rows tells that apart.

What nobody can see from the file alone: a damaged list of free pages, and a meta page whose damage brings back the
commit before the last one, whole. The second one is allowed for below; members notice it by their ``as_of`` tokens.
"""

from __future__ import annotations

import collections
import hashlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from hashpact_server import fsck, replay
from hashpact_server.apart import run_apart
from hashpact_server.config import Config
from hashpact_server.core import STORE_FOLDER, STORE_TABLES
from hashpact_server.engine import Engine
from hashpact_server.ledger.store import StoreError
from hashpact_server.replay import Report

from tests import listing
from tests.data import effort, run_seed
from tests.listing import contribution, item_withdrawal, new_list, picture, record, redaction

SEED = run_seed("HASHPACT_DAMAGE_SEED")
PAGE = 4096
Damage = Callable[[bytearray, random.Random], None]


def flip_a_bit(data: bytearray, choice: random.Random) -> None:
    data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)


def change_a_byte(data: bytearray, choice: random.Random) -> None:
    at = choice.randrange(len(data))
    data[at] = (data[at] + choice.randrange(1, 256)) % 256


def blank_a_page(data: bytearray, choice: random.Random) -> None:
    at = choice.randrange(len(data) // PAGE) * PAGE
    data[at : at + PAGE] = bytes(PAGE)


def swap_two_pages(data: bytearray, choice: random.Random) -> None:
    one, other = (at * PAGE for at in choice.sample(range(len(data) // PAGE), 2))
    data[one : one + PAGE], data[other : other + PAGE] = data[other : other + PAGE], data[one : one + PAGE]


def cut_the_end(data: bytearray, choice: random.Random) -> None:
    del data[choice.randrange(1, len(data)) :]


class Patient:
    """A closed store, and copies of it that may be damaged. ``previous`` is what it held a commit before."""

    def __init__(self, folder: Path) -> None:
        self.copy = folder / "copy"
        (self.copy / STORE_FOLDER).mkdir(parents=True)
        with new_list(folder / "whole") as engine:
            who = listing.steward_of(engine)
            for start in range(0, 120, 10):
                drafts = [contribution(who, None, picture(number)) for number in range(start, start + 10)]
                record(engine, *drafts, request_id=f"from-{start:04d}")
            record(engine, item_withdrawal(who, 5), redaction(who, 9))
            self.whole = (folder / "whole" / STORE_FOLDER / "data.mdb").read_bytes()
            self.previous = self.apart(dump, self.whole)
            record(engine, listing.epoch(1), redaction(who, 11))
        self.whole = (folder / "whole" / STORE_FOLDER / "data.mdb").read_bytes()
        self.rows = self.apart(dump, self.whole)
        assert self.rows != self.previous

    def examine(self, data: bytes | bytearray) -> list[str]:
        """What every examination says to these bytes: "" when all is well."""
        self._lay_out(data)
        found = run_apart(at_once, self.copy).problems
        return found if len(found) == len(EXAMINATIONS) else [self.apart(check, data) for check in EXAMINATIONS]

    def _lay_out(self, data: bytes | bytearray) -> None:
        (self.copy / STORE_FOLDER / "lock.mdb").unlink(missing_ok=True)
        (self.copy / STORE_FOLDER / "data.mdb").write_bytes(data)

    def apart(self, check: Callable[[Path], Report], data: bytes | bytearray) -> str:
        """What a check says to these bytes: "" when all is well."""
        self._lay_out(data)
        try:
            return "; ".join(run_apart(check, self.copy).problems)
        except StoreError as error:
            return str(error) or "?"


def at_once(data_dir: Path) -> Report:
    """All examinations in one process, one problem each: quicker, unless the process does not survive it."""
    report = Report()
    for check in EXAMINATIONS:
        try:
            report.problems.append("; ".join(check(data_dir).problems))
        except StoreError as error:
            report.problems.append(str(error))
    return report


def dump(data_dir: Path) -> Report:
    """A hash over every row of every table, in place of a problem: as it is read in order, and by its key."""
    total, report = hashlib.sha256(), Report()
    try:
        store = lmdb.open(str(data_dir / STORE_FOLDER), max_dbs=len(STORE_TABLES) + 4, readonly=True, lock=False)
        with store.begin() as tx:
            for name in STORE_TABLES:
                total.update(name.encode() + b"\x00")
                table = store.open_db(name.encode(), txn=tx, create=False)
                for key, value in tx.cursor(db=table):
                    found = b"found" if tx.get(key, db=table) == value else b"lost"
                    total.update(b"%d %d " % (len(key), len(value)) + key + value + found)
        store.close()
        report.say(total.hexdigest())
    except lmdb.Error as error:
        report.say(f"unreadable: {error}")
    return report


def opened(data_dir: Path) -> Report:
    """Opening the list, as a server does."""
    engine = Engine.open(data_dir, Config())
    engine.close()
    return Report()


EXAMINATIONS = (dump, fsck.check, replay.check, opened)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    return Patient(tmp_path_factory.mktemp("damage"))


@pytest.mark.parametrize(
    ("damage", "times"),
    [(flip_a_bit, 50), (change_a_byte, 40), (blank_a_page, 15), (swap_two_pages, 8), (cut_the_end, 8)],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_whatever_is_read_differently_is_reported(patient: Patient, damage: Damage, times: int) -> None:
    seen: collections.Counter[str] = collections.Counter()
    for number in range(effort(times)):
        seed = f"{SEED}/{number}"
        data = bytearray(patient.whole)
        damage(data, random.Random(seed))
        rows, checked, replayed, start = patient.examine(data)
        for said in (checked, replayed, start):
            assert "broke off" not in said, f"a traceback: {said} (HASHPACT_DAMAGE_SEED={SEED}, round {number})"
        same = rows == patient.rows
        back = rows == patient.previous
        if not same and not back:
            assert checked, f"not seen by fsck (HASHPACT_DAMAGE_SEED={SEED}, round {number})"
        seen["unused bytes" if same else "a commit back" if back else "reported"] += 1
        seen["reading ended the process"] += "ended the process" in checked
        seen["seen by replay-check, too"] += bool(replayed) and not same and not back
    print(dict(seen))  # the share of damage that was seen: `pytest -s` shows it
    assert seen["reported"] > 0


def test_an_empty_file_is_no_list(patient: Patient) -> None:
    for check in (fsck.check, replay.check, opened):
        assert "no list" in patient.apart(check, b"")


@pytest.mark.parametrize("data", [b"\x00" * 8192, b"not a store " * 4096, bytes(range(256)) * 64], ids=len)
def test_garbage_is_no_store(patient: Patient, data: bytes) -> None:
    for check in (fsck.check, replay.check, opened):
        assert patient.apart(check, data).startswith("the store failed: ")


def test_without_its_lock_file(patient: Patient) -> None:
    """``lock.mdb`` holds nothing that lasts; it is made again."""
    for check in (fsck.check, replay.check, opened):
        assert not patient.apart(check, patient.whole)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no list"):
        opened(tmp_path)


def test_a_damaged_entry_at_start(patient: Patient, tmp_path: Path) -> None:
    """The command tells it in words, with an exit code of its own; nothing that LMDB says reaches the reader."""
    script = (
        "import sys; from pathlib import Path; from hashpact_server import fsck; from hashpact_server.apart import *;"
        "print(run_apart(fsck.check, Path(sys.argv[1])).problems)"
    )
    (tmp_path / STORE_FOLDER).mkdir()
    choice = random.Random(1)
    for _ in range(40):
        data = bytearray(patient.whole)
        blank_a_page(data, choice)
        if "ended the process" in patient.apart(fsck.check, data):
            break
    else:
        pytest.skip("no page of this store ends the process")
    (tmp_path / STORE_FOLDER / "data.mdb").write_bytes(data)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "restore it from a backup" in done.stdout
    assert done.stderr == ""
