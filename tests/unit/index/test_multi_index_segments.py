"""Segments of a MultiIndex: few, merged beside searches and removals, and what a merge that fails leaves."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hashpact_server.index import IndexInputError, LinearIndex, MultiIndex, multi_index, segments
from hashpact_server.index.segments import Segment
from hashpact_server.index.tail import TAIL_ROWS_MAX

from tests.unit.index.values import assert_same, clustered, numbers

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), MemoryError(), RuntimeError()])
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
