"""What only MultiIndex does: plans, segments, merges, checkpoints and the disk failing under them."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hashpact_server.index import IndexInputError, LinearIndex, MultiIndex, multi_index, plans, segments, tail
from hashpact_server.index.bitmap import no_rows
from hashpact_server.index.manifest import MANIFEST
from hashpact_server.index.segments import Segment, _Layout
from hashpact_server.index.tail import TAIL_ROWS_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from hashpact_server.index import Index


def clustered(rng: np.random.Generator, count: int, bits: int = 256, centres: int = 40) -> np.ndarray:
    """Values around few centres, at distances from 0 to about a third of the bits."""
    middle = rng.integers(0, 256, (centres, bits // 8), dtype=np.uint8)
    noise = rng.random((count, bits)) < rng.random((count, 1)) * 0.3
    return middle[rng.integers(0, centres, count)] ^ np.packbits(noise, axis=1)


def numbers(count: int, first: int = 1) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint64)


def assert_same(one: Index, other: Index, queries: np.ndarray, radii: tuple[int, ...]) -> None:
    for radius in radii:
        for left, right in zip(one.range_search(queries, radius), other.range_search(queries, radius), strict=True):
            assert np.array_equal(np.asarray(left), np.asarray(right)), radius


@pytest.mark.parametrize("bits", [64, 256])
def test_equals_linear_twin_at_a_size_where_tables_are_used(bits: int) -> None:
    rng = np.random.default_rng(bits)
    values = clustered(rng, 60_000, bits)
    ids = np.cumsum(rng.integers(1, 2**20, len(values))).astype(np.uint64)
    linear, multi = LinearIndex(bits), MultiIndex(bits)
    for index in (linear, multi):
        index.add(ids[:50_000], values[:50_000])
        index.add(ids[50_000:], values[50_000:])
        index.remove(ids[::11])
    queries = np.concatenate([values[:20], clustered(rng, 10, bits)])
    assert_same(multi, linear, queries, (0, 1, 8, 10, 15, 16, 17, 31, 40, bits // 4, bits // 2, bits))
    for query in queries[::5]:
        assert_same(multi, linear, query[None], (0, 8, 31, 47))


def test_values_that_share_their_words_are_left_to_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bucket promises more work than comparing every row: nothing may be read through the tables."""
    scanned: list[int] = []
    real = vars(segments)["scan"]

    def watched(queries: np.ndarray, *rest: object) -> object:
        scanned.append(len(queries))
        return real(queries, *rest)

    monkeypatch.setattr(segments, "scan", watched)
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**16, (3, 16), dtype=np.uint16)
    values = words[rng.integers(0, 3, (100_000, 16)), np.arange(16)].view(np.uint8)
    linear, multi = LinearIndex(256), MultiIndex(256)
    linear.add(numbers(len(values)), values)
    multi.add(numbers(len(values)), values)
    assert_same(multi, linear, values[:3], (31,))
    assert scanned == [3]
    assert_same(multi, linear, rng.integers(0, 256, (5, 32), dtype=np.uint8), (31,))
    assert scanned == [3]


def test_a_small_body_that_promised_too_much_is_scanned_in_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> object:
        raise AssertionError("scanned by a call of its own")

    rng = np.random.default_rng(15)
    words = rng.integers(0, 2**16, (3, 16), dtype=np.uint16)
    values = words[rng.integers(0, 3, (3000, 16)), np.arange(16)].view(np.uint8)
    linear, multi = LinearIndex(256), MultiIndex(256)
    linear.add(numbers(3000), values)
    multi.add(numbers(3000), values)
    monkeypatch.setattr(segments, "scan", never)
    monkeypatch.setattr(tail, "scan", never)
    assert_same(multi, linear, values[:3], (8,))
    multi.seal()
    assert_same(multi, linear, values[:3], (8,))
    assert len(multi.range_search(values[:3], 8).ids) >= 3


def test_of_a_batch_only_queries_that_promise_too_much_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once most of those before were, so are the rest: listing their buckets would be for nothing."""
    scanned: list[int] = []
    real = vars(segments)["scan"]

    def watched(queries: np.ndarray, *rest: object) -> object:
        scanned.append(len(queries))
        return real(queries, *rest)

    rng = np.random.default_rng(14)
    words = rng.integers(0, 2**16, (3, 16), dtype=np.uint16)
    shared = words[rng.integers(0, 3, (100_000, 16)), np.arange(16)].view(np.uint8)
    apart = rng.integers(0, 256, (500, 32), dtype=np.uint8)
    values = np.concatenate([shared, apart])
    linear, multi = LinearIndex(256), MultiIndex(256)
    linear.add(numbers(len(values)), values)
    multi.add(numbers(len(values)), values)
    monkeypatch.setattr(segments, "scan", watched)
    assert_same(multi, linear, np.concatenate([apart[:9], shared[:3], apart[9:11]]), (31,))
    assert_same(multi, linear, np.concatenate([shared[:12], apart[:5]]), (31,))
    assert scanned == [3, 17]


def test_a_search_of_the_tail_sees_no_row_newer_than_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "TAIL_BUCKET_NS", 0.0)  # through the tables, however few rows
    values = np.random.default_rng(8).integers(0, 2**64, (100, 4), dtype=np.uint64)
    body = tail.Tail(256)
    body.append(numbers(60), values[:60])
    body.append(numbers(40, 61), values[60:])
    plan = plans.plan_search([plans.Moment(body, 50, no_rows())], 256, 0, many=True)
    assert len(plan.searched) == 1
    ((query, distance, ids),) = plan.search(values)
    assert query.tolist() == list(range(50))
    assert ids.tolist() == list(range(1, 51))
    assert not distance.any()


def test_more_hits_than_there_is_room_for_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search kernel writes into an array of a guessed size, and is asked again where that was too small."""
    monkeypatch.setattr(plans, "HITS_ROOM", 3)
    monkeypatch.setattr(plans, "HITS_ROOM_PER_QUERY", 0)
    rng = np.random.default_rng(11)
    values = clustered(rng, 60_000, centres=400)
    linear, multi = LinearIndex(256), MultiIndex(256)
    for index in (linear, multi):
        index.add(numbers(50_000), values[:50_000])
        index.add(numbers(10_000, 50_001), values[50_000:])
        index.remove(numbers(1000, 49_500))
    assert [moment.body for moment in multi._view.plan(256, 31, 1).searched] != []
    for query in values[::3000]:
        assert_same(multi, linear, query[None], (31,))
    assert_same(multi, linear, values[::3000], (31,))
    assert len(linear.range_search(values[::3000], 31).ids) > 100


def test_memory_of_a_million_values_is_within_its_budget() -> None:
    assert _Layout(256, 1_000_000, 10).size / 1_000_000 <= 140


def test_segments_stay_few_and_entries_survive_many_small_adds() -> None:
    rng = np.random.default_rng(3)
    values = clustered(rng, 12 * TAIL_ROWS_MAX, 64)
    multi, linear = MultiIndex(64), LinearIndex(64)
    step = TAIL_ROWS_MAX // 2 + 1
    for begin in range(0, len(values), step):
        block = values[begin : begin + step]
        for index in (multi, linear):
            index.add(numbers(len(block), begin), block)
    multi.wait()
    assert multi.segments <= 4
    assert_same(multi, linear, values[::9000], (0, 8, 10))


def test_a_block_wise_fill_is_one_segment() -> None:
    rng = np.random.default_rng(4)
    values = clustered(rng, 50_000, 64)
    multi, linear = MultiIndex(64), LinearIndex(64)
    for index in (multi, linear):
        index.add_blocks((numbers(10_000, at), values[at : at + 10_000]) for at in range(0, 50_000, 10_000))
        index.add_blocks([])
        index.add_blocks([(numbers(0), values[:0])])
        with pytest.raises(IndexInputError, match="twice"):
            index.add_blocks([(numbers(5, 10**6), values[:5]), (numbers(5, 10**6 + 4), values[:5])])
        with pytest.raises(IndexInputError, match="already present"):
            index.add_blocks([(numbers(5, 10**6), values[:5]), (numbers(5), values[:5])])
        assert len(index) == 50_000
    assert multi.segments == 1
    assert_same(multi, linear, values[:10], (0, 8))


def test_searches_see_whole_calls_while_segments_are_sealed_and_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Identical values under ids of groups: a search that finds a part of a group saw half of a call."""
    for module in ("tail", "multi_index", "merging"):
        monkeypatch.setattr(f"hashpact_server.index.{module}.TAIL_ROWS_MAX", 1000)
    monkeypatch.setattr(multi_index, "MERGED_KEPT_S", 0.0)
    index = MultiIndex(64)
    group, wrong = 300, []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            found = index.range_search(np.zeros((1, 8), np.uint8), 0).ids.tolist()
            if len(found) % group or (found and found != list(range(found[0], found[-1] + 1))):
                wrong.append(f"{len(found)} hits from {found[:1]} to {found[-1:]}")
                return

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(80):
            index.add(numbers(group, number * group), np.zeros((group, 8), np.uint8))
            if number >= 40:
                assert index.remove(numbers(group, (number - 40) * group)) == group
            if number % 20 == 19:
                index.seal()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    index.wait()
    assert wrong == []
    assert index.range_search(np.zeros((1, 8), np.uint8), 0).ids.tolist() == list(range(40 * group, 80 * group))


def test_what_is_removed_during_a_merge_stays_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    building, go_on = threading.Event(), threading.Event()
    real = Segment.build.__func__  # type: ignore[attr-defined]

    def slow(cls: type[Segment], /, *args: object, **kwargs: object) -> Segment:
        if kwargs:  # a merge: it alone can be cancelled
            building.set()
            assert go_on.wait(30)
        made: Segment = real(cls, *args, **kwargs)
        return made

    monkeypatch.setattr(Segment, "build", classmethod(slow))
    index = MultiIndex(64)
    index.add(numbers(TAIL_ROWS_MAX), np.zeros((TAIL_ROWS_MAX, 8), np.uint8))
    index.seal()
    index.add(numbers(TAIL_ROWS_MAX, TAIL_ROWS_MAX + 1), np.zeros((TAIL_ROWS_MAX, 8), np.uint8))
    index.seal()
    assert building.wait(30)
    assert index.remove(numbers(10, TAIL_ROWS_MAX - 4)) == 10
    index.add(numbers(1, TAIL_ROWS_MAX), np.ones((1, 8), np.uint8))  # again, with another value
    go_on.set()
    index.wait()
    assert index.segments == 1
    assert len(index) == 2 * TAIL_ROWS_MAX - 9
    found = index.range_search(np.zeros((1, 8), np.uint8), 0).ids
    assert set(range(1, 2 * TAIL_ROWS_MAX + 1)) - set(found.tolist()) == set(
        range(TAIL_ROWS_MAX - 4, TAIL_ROWS_MAX + 6)
    )
    assert index.range_search(np.ones((1, 8), np.uint8), 0).ids.tolist() == [TAIL_ROWS_MAX]


def test_close_does_not_wait_for_a_long_merge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps: list[int] = []
    real = vars(segments)["build_word"]

    def counted(*args: object) -> None:
        if threading.current_thread().name == "index-merge":
            steps.append(1)
            index._closed.set()
        real(*args)

    monkeypatch.setattr(segments, "build_word", counted)
    index = MultiIndex(256, tmp_path)
    for first in (1, 100):
        index.add(numbers(50, first), np.zeros((50, 32), np.uint8))
        index.seal()
    index.wait()
    index.close()
    assert len(steps) == 1
    assert len(list(tmp_path.iterdir())) == 2  # the two seals; the merge left nothing


def test_checkpoint_is_found_by_the_next_process(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = clustered(rng, 20_000)
    index, linear = MultiIndex(256, tmp_path / "new" / "folder"), LinearIndex(256)
    assert index.sequence == 0
    for each in (index, linear):
        each.add(numbers(20_000), values)
        each.add(numbers(3, 30_000), values[:3])
        each.remove(np.array([2, 7, 30_001], np.uint64))
    index.checkpoint(41)
    index.remove(numbers(10_000))  # not part of the checkpoint
    index.close()
    again = MultiIndex(256, tmp_path / "new" / "folder")
    assert (again.sequence, again.damage, len(again)) == (41, None, len(linear))
    assert_same(again, linear, values[:30], (0, 31))


def test_checkpoint_forgets_files_that_were_merged_away(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    for number in range(3):
        index.add(numbers(100, number * 100), np.zeros((100, 8), np.uint8))
        index.seal()
        index.checkpoint(number)
    index.merge_all()
    index.checkpoint(3)
    assert len(list(tmp_path.glob("segment-*"))) == 1
    assert sorted(path.stat().st_mode & 0o777 for path in tmp_path.iterdir()) == [0o600, 0o600]


def test_files_of_a_crash_are_deleted(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    index.checkpoint(1)
    index.seal()
    index.merge_all()
    assert len(list(tmp_path.glob("segment-*"))) == 1  # no manifest names it
    again = MultiIndex(64, tmp_path)
    assert (len(again), again.sequence) == (100, 1)
    assert list(tmp_path.glob("segment-*")) == []


def test_an_index_of_another_length_is_not_opened(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(1), np.zeros((1, 8), np.uint8))
    index.checkpoint(1)
    other = MultiIndex(256, tmp_path)
    assert (len(other), other.sequence) == (0, 0)
    assert other.damage is not None


def test_every_byte_of_a_segment_is_checked(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    index = MultiIndex(64, tmp_path)
    index.add(numbers(3000), clustered(rng, 3000, 64))
    index.seal()
    index.checkpoint(1)
    index.close()
    (file,) = tmp_path.glob("segment-*")
    sound = file.read_bytes()
    padding = {at for part in _gaps(_Layout(64, 3000, 10), len(sound)) for at in part}
    for at in [*range(56), *rng.integers(4096, len(sound), 60).tolist(), 4096]:
        damaged = bytearray(sound)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        if at in padding:
            continue
        with pytest.raises(segments.IndexDamagedError):
            Segment.open(file, 64)


def _gaps(layout: _Layout, size: int) -> list[range]:
    ends = [part.stop for part in layout.sections]
    starts = [part.start for part in layout.sections[1:]] + [size]
    return [range(end, start) for end, start in zip(ends, starts, strict=True)]


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_segments_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written to state must be found; only the checkpoint says that it cannot be kept."""
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full_disk)
        index.seal()
        assert list(tmp_path.iterdir()) == []
        assert len(index.range_search(np.zeros((1, 8), np.uint8), 0).ids) == 100
        with pytest.raises(OSError, match="No space"):
            index.checkpoint(1)
        assert list(tmp_path.iterdir()) == []
        assert index.sequence == 0
    index.checkpoint(1)
    index.close()
    again = MultiIndex(64, tmp_path)
    assert len(again.range_search(np.zeros((1, 8), np.uint8), 0).ids) == 100


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
def test_a_checkpoint_that_fails_leaves_the_old_or_the_new(
    persisted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk reports an error before the manifest is swapped, or after."""
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    index.seal()
    index.checkpoint(1)
    index.add(numbers(5, 1000), np.zeros((5, 8), np.uint8))
    real = os.fsync
    folder = (tmp_path.stat().st_dev, tmp_path.stat().st_ino)

    def failing(handle: int) -> None:
        found = os.fstat(handle)
        if ((found.st_dev, found.st_ino) == folder) == persisted:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            index.checkpoint(2)
    assert index.sequence == 1
    assert len(index) == 105
    again = MultiIndex(64, tmp_path)
    assert (again.sequence, len(again), again.damage) == ((2, 105, None) if persisted else (1, 100, None))
    assert not (tmp_path / (MANIFEST + ".new")).exists()


def test_an_index_in_memory_has_no_checkpoints() -> None:
    with pytest.raises(ValueError, match="directory"):
        MultiIndex(64).checkpoint(1)


def test_every_byte_of_a_manifest_is_checked(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(3), np.zeros((3, 8), np.uint8))
    index.checkpoint(1)
    sound = (tmp_path / MANIFEST).read_bytes()
    for at in range(len(sound)):
        damaged = bytearray(sound)
        damaged[at] ^= 1
        (tmp_path / MANIFEST).write_bytes(damaged)
        assert MultiIndex(64, tmp_path).damage is not None, at


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), MemoryError(), RuntimeError()])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_merge_that_fails_loses_nothing_and_is_tried_again(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a fault nobody thought of: the thread ends, and nobody waits for it for ever."""
    real = vars(segments)["build_word"]

    def failing(*args: object) -> None:
        if threading.current_thread().name == "index-merge":
            raise fault
        real(*args)

    index = MultiIndex(64, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(segments, "build_word", failing)
        for first in (1, 100):
            index.add(numbers(50, first), np.zeros((50, 8), np.uint8))
            index.seal()
        index.wait()
    assert index.segments == 2
    assert len(index.range_search(np.zeros((1, 8), np.uint8), 0).ids) == 100
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(index, "_merge_not_before_s", 0.0)
    index.remove(numbers(1))
    index.wait()
    assert index.segments == 1
    assert len(index) == 99
