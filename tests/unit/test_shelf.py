"""Indexes that are older than the store are caught up; indexes that are not this list's are built anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hashpact_server import fsck
from hashpact_server.config import Config
from hashpact_server.core import INDEX_FOLDER, STORE_FOLDER
from hashpact_server.engine import Engine
from hashpact_server.index import MultiIndex
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.embedded import PUBLIC
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import DetachedClear, RolledBackClear, Undone
from hashpact_server.ledger.payloads_steward import RollbackClear
from hashpact_server.shelf import CURRENT, perceptual_types
from hashpact_server.state.rows import Status

from tests.listing import (
    STEWARD_NAME,
    assert_sound,
    contribution,
    item_withdrawal,
    open_engine,
    picture,
    record,
    redaction,
    steward_of,
    withdrawal,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Engine.create(tmp_path, STEWARD_NAME)
    return tmp_path


def listed(engine: Engine) -> dict[int, dict[int, bytes]]:
    """What the state lists, by type and signal id."""
    with engine.state.read() as view:
        return {
            kind.code: {
                signal: bytes(value)
                for ids, _, values in view.value_blocks(kind.code)
                for signal, value in zip(ids.tolist(), values, strict=True)
            }
            for kind in perceptual_types()
        }


def searchable(engine: Engine) -> dict[int, dict[int, bytes]]:
    """What the indexes hold, read through a search for each listed value and through their counts."""
    wanted = listed(engine)
    found: dict[int, dict[int, bytes]] = {code: {} for code in wanted}
    for code, values in wanted.items():
        for value in values.values():
            for signal, _, distance in engine.matcher.near(code, value, 0):
                assert distance == 0
                found[code][signal] = value
    assert engine.matcher.counts() == {code: len(values) for code, values in wanted.items()}
    return found


def copied(folder: Path, to: Path) -> Path:
    """The data directory as a crash would leave it now."""
    (to / STORE_FOLDER).mkdir(parents=True)
    shutil.copy(folder / STORE_FOLDER / "data.mdb", to / STORE_FOLDER)
    shutil.copytree(folder / INDEX_FOLDER, to / INDEX_FOLDER)
    return to


def checkpoint(engine: Engine) -> None:
    with engine.state.read() as view:
        engine.matcher.checkpoint(view)


def was_rebuilt(folder: Path) -> bool:
    """Whether the indexes are of a later generation than the first."""
    return (folder / INDEX_FOLDER / CURRENT).read_text().split()[0] != "1"


@pytest.mark.parametrize("seed", range(6))
def test_older_indexes_are_caught_up(folder: Path, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    dice = random.Random(seed)
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    items = [record(engine, contribution(member, None, picture(number)))[0] for number in range(12)]
    checkpoint(engine)
    more = [record(engine, contribution(member, None, picture(100 + number)))[0] for number in range(3)]
    for item in dice.sample(items + more, 6):
        variant = contribution(member, item, picture(200 + item)[2:], kind=Kind.CONTRIBUTION_AMENDED)
        acts: list[list[Draft]] = [
            [withdrawal(member, item)],
            [item_withdrawal(member, item)],
            [redaction(member, item)],
            [redaction(member, item), item_withdrawal(member, item)],
            [item_withdrawal(member, item), redaction(member, item)],
            [variant],
        ]
        record(engine, *dice.choice(acts))
    crashed = copied(folder, tmp_path_factory.mktemp("crashed") / "data")
    expected = listed(engine)
    engine.close()

    again = Engine.open(crashed, Config())
    assert listed(again) == expected
    assert searchable(again) == expected
    again.close()
    assert not was_rebuilt(crashed)


def test_older_indexes_follow_what_the_pact_does(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Signals detached, an item merged, one expired, a rollback of contributions and of opinions, and redactions."""
    engine = Engine.open(folder, Config())
    who = steward_of(engine)
    old = record(engine, *(contribution(who, None, picture(number)) for number in range(8)))
    checkpoint(engine)
    new = record(engine, *(contribution(who, None, picture(number)) for number in range(20, 24)))
    said = [Draft(Kind.OPINION_GIVEN, who, item, clear=b"\x01\x01\x01", payload=b"words") for item in (old[0], new[0])]
    opinions = record(engine, *said)
    (order,) = record(engine, Draft(Kind.ROLLBACK_ORDERED, who, clear=RollbackClear(who, 0, old[0]).encode()))
    undone = tuple(Undone(*pair, Status.PROVISIONAL) for pair in zip(opinions, (old[0], new[0]), strict=True))
    undone += (Undone(new[1], new[1], Status.WITHDRAWN), Undone(old[1], old[1], Status.PROVISIONAL, kept=(0, 3)))
    record(
        engine,
        Draft(Kind.ROLLED_BACK, subject=order, clear=RolledBackClear(undone).encode()),
        Draft(Kind.SIGNALS_DETACHED, who, old[2], clear=DetachedClear(1, ((old[2], 0), (old[2], 2))).encode()),
        Draft(Kind.SIGNALS_DETACHED, who, new[2], clear=DetachedClear(1, ((new[2], 1), (new[2], 3))).encode()),
        Draft(Kind.ITEM_MERGED, who, old[3], clear=u64(old[4])),
        contribution(who, old[4], picture(3), kind=Kind.CONTRIBUTION_AMENDED),
        Draft(Kind.ITEM_EXPIRED, subject=old[5], clear=b"\x01"),
        redaction(who, opinions[0]),
        redaction(who, old[1]),
    )
    crashed = copied(folder, tmp_path_factory.mktemp("crashed") / "data")
    expected = listed(engine)
    engine.close()
    again = Engine.open(crashed, Config())
    assert listed(again) == expected
    assert searchable(again) == expected
    assert_sound(again)
    again.close()
    assert not was_rebuilt(crashed)
    assert fsck.check(crashed).problems == []


def test_indexes_that_hold_more_than_their_checkpoint_says(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    record(engine, contribution(member, None, picture(1)))
    older = engine.matcher.sequence
    late, stays = record(engine, *(contribution(member, None, picture(number)) for number in (2, 3)))
    engine.matcher.sequence = older
    checkpoint(engine)
    engine.matcher.sequence = stays
    record(engine, item_withdrawal(member, late))
    crashed = copied(folder, tmp_path_factory.mktemp("crashed") / "data")
    expected = listed(engine)
    engine.close()
    again = Engine.open(crashed, Config())
    assert searchable(again) == expected
    again.close()


def _another_list(folder: Path) -> None:
    """One with more entries than the list that the indexes were made for."""
    shutil.rmtree(folder / STORE_FOLDER)
    Engine.create(folder, STEWARD_NAME)
    engine = open_engine(folder)
    record(engine, *(contribution(steward_of(engine), None, picture(number)) for number in range(100, 120)))
    engine.close()


def _garbage(folder: Path) -> None:
    (folder / INDEX_FOLDER / CURRENT).write_bytes(b"\xff\x00 ...")


def _no_word(folder: Path) -> None:
    (folder / INDEX_FOLDER / CURRENT).unlink()


def _flipped(folder: Path) -> None:
    path = folder / INDEX_FOLDER / "1" / "pdq" / "manifest"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


@pytest.mark.parametrize("spoil", [_another_list, _garbage, _no_word, _flipped])
def test_indexes_that_do_not_fit_are_built_anew(folder: Path, spoil: Callable[[Path], None]) -> None:
    engine = Engine.open(folder, Config())
    record(engine, *(contribution(steward_of(engine), None, picture(number)) for number in range(5)))
    engine.close()
    spoil(folder)
    again = Engine.open(folder, Config())
    assert searchable(again) == listed(again)
    record(again, contribution(steward_of(again), None, picture(50)))
    again.close()
    assert was_rebuilt(folder)
    last = Engine.open(folder, Config())
    assert searchable(last) == listed(last)
    last.close()


def test_an_older_store_beside_newer_indexes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = Engine.open(folder, Config())
    record(engine, contribution(steward_of(engine), None, picture(1)))
    checkpoint(engine)
    older = copied(folder, tmp_path_factory.mktemp("older") / "data")
    record(engine, contribution(steward_of(engine), None, picture(2)))
    engine.close()
    shutil.rmtree(older / INDEX_FOLDER)
    shutil.copytree(folder / INDEX_FOLDER, older / INDEX_FOLDER)
    again = Engine.open(older, Config())
    assert searchable(again) == listed(again)
    record(again, contribution(steward_of(again), None, picture(3)))
    assert searchable(again) == listed(again)
    again.close()


def test_fsck_compares_indexes_with_the_state(folder: Path) -> None:
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    items = record(engine, *(contribution(member, None, picture(number)) for number in range(5)))
    engine.close()
    assert fsck.check(folder).ok

    # One value that the state does not list, and one that is missing: what a bug in following the state would leave.
    stray = MultiIndex(256, folder / INDEX_FOLDER / "1" / "pdq")
    sequence = stray.sequence
    stray.add(np.array([7], np.uint64), np.zeros((1, 32), np.uint8))
    stray.checkpoint(sequence)
    stray.close()
    assert any("pdq" in problem for problem in fsck.check(folder).problems)

    stray = MultiIndex(256, folder / INDEX_FOLDER / "1" / "pdq")
    stray.remove(np.array([7, (items[0] << 16) + 2], np.uint64))
    stray.checkpoint(sequence)
    stray.close()
    assert any("pdq" in problem for problem in fsck.check(folder).problems)

    shutil.rmtree(folder / INDEX_FOLDER)
    assert fsck.check(folder).ok


def test_a_damaged_ledger_does_not_keep_a_server_from_stopping(folder: Path) -> None:
    """The keeper reads the last entry when it writes down where the indexes stand."""
    engine = Engine.open(folder, Config())
    (last,) = record(engine, contribution(steward_of(engine), None, picture(1)))
    tx = engine.store.write()
    tx.delete(PUBLIC, u64(last))
    engine.store.commit(tx)
    engine.close()
    assert not (folder / INDEX_FOLDER / CURRENT).exists()
