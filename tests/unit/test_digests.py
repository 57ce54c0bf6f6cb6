"""The digest filter of a list follows it, is found again by the next process, and leaves with what it was about."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hashpact_server import digests as kept
from hashpact_server import fsck
from hashpact_server.config import Config
from hashpact_server.core import INDEX_FOLDER, STORE_FOLDER
from hashpact_server.engine import Engine
from hashpact_server.index import DigestFilter
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.writer import Act

from tests.listing import (
    MD5,
    SHA256,
    STEWARD_NAME,
    contribution,
    digest,
    item_withdrawal,
    picture,
    record,
    recording,
    redaction,
    steward_of,
    together,
    withdrawal,
)

NUMBERS = range(260)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Engine.create(tmp_path, STEWARD_NAME)
    return tmp_path


def file_of(folder: Path) -> Path:
    return folder / INDEX_FOLDER / "1" / kept.FILE


def listed(engine: Engine) -> set[tuple[int, int]]:
    """(type, number) of the pictures' digests that the state lists."""
    with engine.state.read() as view:
        return {
            (code, number)
            for code in (SHA256, MD5)
            for number in NUMBERS
            if view.item_by_digest(code, digest(code, number)) is not None
        }


def not_denied(engine: Engine) -> set[tuple[int, int]]:
    return {
        (code, number)
        for code in (SHA256, MD5)
        for number in NUMBERS
        if engine.matcher.may_list(code, digest(code, number), len(digest(code, number))).size
    }


def checkpoint(engine: Engine) -> None:
    with engine.state.read() as view:
        engine.matcher.checkpoint(view)


def copied(folder: Path, to: Path) -> Path:
    """The data directory as a crash would leave it now."""
    (to / STORE_FOLDER).mkdir(parents=True)
    shutil.copy(folder / STORE_FOLDER / "data.mdb", to / STORE_FOLDER)
    shutil.copytree(folder / INDEX_FOLDER, to / INDEX_FOLDER)
    return to


@pytest.mark.parametrize("save_entries_min", [1, 10_000])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_the_state_lists(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    save_entries_min: int,
) -> None:
    monkeypatch.setattr(kept, "SAVE_ENTRIES_MIN", save_entries_min)
    dice = random.Random(seed)
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    items: dict[int, int] = {}
    for _ in range(40):
        number = dice.randrange(60)
        if number not in items:
            items[number] = record(engine, contribution(member, None, picture(number)))[0]
        else:
            item = items.pop(number)
            more = picture(200 + number)
            acts: list[list[Draft]] = [
                [withdrawal(member, item)],
                [item_withdrawal(member, item)],
                [redaction(member, item)],
                [item_withdrawal(member, item), contribution(member, None, picture(number))],
                [contribution(member, item, more, kind=Kind.CONTRIBUTION_AMENDED), item_withdrawal(member, item)],
            ]
            chosen = dice.choice(acts)
            last = record(engine, *chosen)[-1]
            if chosen is acts[3]:
                items[number] = last
        assert not_denied(engine) == listed(engine)
        if dice.random() < 0.1:
            checkpoint(engine)
        if dice.random() < 0.2:
            crashed = Engine.open(copied(folder, tmp_path_factory.mktemp("crashed") / "data"), Config())
            assert not_denied(crashed) == listed(crashed) == listed(engine)
            crashed.close()
    engine.close()
    again = Engine.open(folder, Config())
    assert not_denied(again) == listed(again)
    assert again.matcher.listed.mark  # it was found, not built
    again.close()


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _of_another_list(path: Path) -> None:
    DigestFilter().save(path, (3).to_bytes(8, "big") + bytes(32))


@pytest.mark.parametrize("spoil", [_flipped, _of_another_list, Path.unlink])
def test_a_file_that_does_not_fit_is_built_anew(folder: Path, spoil: Callable[[Path], None]) -> None:
    engine = Engine.open(folder, Config())
    record(engine, *(contribution(steward_of(engine), None, picture(number)) for number in range(5)))
    engine.close()
    spoil(file_of(folder))
    again = Engine.open(folder, Config())
    assert not_denied(again) == listed(again)
    assert len(not_denied(again)) == 10
    record(again, contribution(steward_of(again), None, picture(7)))
    assert not_denied(again) == listed(again)
    again.close()
    DigestFilter.open(file_of(folder))


def test_what_left_the_list_leaves_the_file_with_the_next_checkpoint(folder: Path) -> None:
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    (item,) = record(engine, contribution(member, None, picture(1)))
    checkpoint(engine)
    assert DigestFilter.open(file_of(folder)).may_list(SHA256, digest(SHA256, 1), 32).size
    record(engine, redaction(member, item))
    checkpoint(engine)
    assert not DigestFilter.open(file_of(folder)).may_list(SHA256, digest(SHA256, 1), 32).size
    engine.close()


def test_a_list_that_grows_slowly_is_not_written_each_time(folder: Path) -> None:
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    record(engine, contribution(member, None, picture(1)))
    checkpoint(engine)
    before = file_of(folder).stat().st_mtime_ns, file_of(folder).stat().st_ino
    record(engine, contribution(member, None, picture(2)))
    checkpoint(engine)
    assert (file_of(folder).stat().st_mtime_ns, file_of(folder).stat().st_ino) == before
    engine.close()


def test_an_act_that_is_undone_leaves_nothing(folder: Path) -> None:
    engine = Engine.open(folder, Config())
    member = steward_of(engine)
    (item,) = record(engine, contribution(member, None, picture(1)))
    with pytest.raises(Exception, match="lists a digest"):
        record(engine, contribution(member, None, picture(2)), contribution(member, None, picture(1)))
    assert not_denied(engine) == {(SHA256, 1), (MD5, 1)}
    bad = recording(item_withdrawal(member, item), item_withdrawal(member, item))
    good = recording(contribution(member, None, picture(3)))
    refused, done = together(engine, [Act(bad, member), Act(good, member)])
    assert isinstance(refused, Exception)
    assert isinstance(done, bytes)
    assert not_denied(engine) == listed(engine) == {(code, number) for code in (SHA256, MD5) for number in (1, 3)}
    engine.close()


def test_fsck_tells_when_it_denies_what_is_listed(folder: Path) -> None:
    engine = Engine.open(folder, Config())
    record(engine, *(contribution(steward_of(engine), None, picture(number)) for number in range(3)))
    engine.close()
    assert fsck.check(folder).ok
    stray = DigestFilter.open(file_of(folder))
    kept.follow(stray, [(MD5, digest(MD5, 1), False)])
    stray.save(file_of(folder), stray.mark)
    assert any("digest" in problem for problem in fsck.check(folder).problems)
