"""Both indexes against a loop in plain Python, and everything that a caller can get wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hashpact.errors import HashpactError
from hashpact_server.index import Index, IndexInputError, LinearIndex, MultiIndex

Make = Callable[[int], Index]


@pytest.fixture(params=[LinearIndex, MultiIndex], ids=["linear", "multi"])
def make(request: pytest.FixtureRequest) -> Make:
    """One suite runs both."""
    made: Make = request.param
    return made


def random_values(rng: np.random.Generator, count: int, bits: int) -> np.ndarray:
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def near(rng: np.random.Generator, value: np.ndarray, flips: int) -> np.ndarray:
    """A value at exactly ``flips`` bits from ``value``."""
    bits = np.unpackbits(value)
    bits[rng.choice(bits.shape[0], flips, replace=False)] ^= 1
    return np.packbits(bits)


def by_hand(present: dict[int, bytes], queries: np.ndarray, radius: int) -> list[list[tuple[int, int]]]:
    """(distance, id) of each query's hits, in order, without numpy or numba."""
    answers = []
    for query in queries:
        asked = int.from_bytes(query.tobytes(), "big")
        distances = ((asked ^ int.from_bytes(value, "big")).bit_count() for value in present.values())
        answers.append(sorted((d, i) for d, i in zip(distances, present, strict=True) if d <= radius))
    return answers


def answers(index: Index, queries: np.ndarray, radius: int) -> list[list[tuple[int, int]]]:
    lims, distances, ids = index.range_search(queries, radius)
    assert [str(array.dtype) for array in (lims, distances, ids)] == ["int64", "int32", "uint64"]
    assert lims.shape == (len(queries) + 1,)
    pairs = list(zip(distances.tolist(), ids.tolist(), strict=True))
    return [pairs[lims[i] : lims[i + 1]] for i in range(len(queries))]


@pytest.mark.parametrize("bits", [64, 128, 256, 512, 1024])
@pytest.mark.parametrize("size", [0, 1, 2, 4, 8, 511, 512, 513, 1025])
def test_equals_plain_python_loop(make: Make, bits: int, size: int) -> None:
    rng = np.random.default_rng(bits * 10_000 + size)
    values = random_values(rng, size, bits)
    index = make(bits)
    ids = rng.permutation(np.arange(size, dtype=np.uint64) * np.uint64(3))
    index.add(ids, values)
    present = {int(i): v.tobytes() for i, v in zip(ids, values, strict=True)}
    targets = [near(rng, values[rng.integers(size)], f) for f in (0, 1, 8, 9, 31, 32)] if size else []
    for queries in (
        random_values(rng, 3, bits),
        np.array(targets, np.uint8).reshape(-1, bits // 8),
        random_values(rng, 9, bits),
    ):
        for radius in (0, 8, 31, bits // 2, bits):
            assert answers(index, queries, radius) == by_hand(present, queries, radius)


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16, 1024])
def test_identical_values_are_all_found(make: Make, size: int) -> None:
    value = random_values(np.random.default_rng(size), 1, 256)
    index = make(256)
    index.add(np.arange(size, dtype=np.uint64), np.repeat(value, size, axis=0))
    assert answers(index, value, 0) == [[(0, i) for i in range(size)]]


@pytest.mark.parametrize("flips", [0, 1, 30, 31, 32, 255, 256])
def test_radius_is_inclusive(make: Make, flips: int) -> None:
    rng = np.random.default_rng(flips)
    value = random_values(rng, 1, 256)
    index = make(256)
    index.add(np.array([7], np.uint64), value)
    query = near(rng, value[0], flips)[None]
    assert answers(index, query, flips) == [[(flips, 7)]]
    if flips:
        assert answers(index, query, flips - 1) == [[]]


def test_largest_id_survives(make: Make) -> None:
    index = make(64)
    largest = 2**64 - 1
    index.add(np.array([0, largest], np.uint64), np.zeros((2, 8), np.uint8))
    assert index.range_search(np.zeros((1, 8), np.uint8), 0).ids.tolist() == [0, largest]
    assert index.remove(np.array([largest], np.uint64)) == 1
    assert index.range_search(np.zeros((1, 8), np.uint8), 0).ids.tolist() == [0]


def test_no_queries_is_an_empty_answer(make: Make) -> None:
    lims, distances, ids = make(256).range_search(np.empty((0, 32), np.uint8), 31)
    assert lims.tolist() == [0]
    assert len(distances) == len(ids) == 0


def test_remove_counts_and_passes_over_unknown_ids(make: Make) -> None:
    index = make(64)
    index.add(np.array([1, 5, 9], np.uint64), np.zeros((3, 8), np.uint8))
    assert index.remove(np.array([5, 5, 6, 100], np.uint64)) == 1
    assert index.remove(np.array([5], np.uint64)) == 0
    assert len(index) == 2
    assert index.remove([]) == 0


def test_removed_id_can_be_added_again_with_another_value(make: Make) -> None:
    rng = np.random.default_rng(5)
    old, new = random_values(rng, 2, 256)
    index = make(256)
    index.add(np.array([1, 2], np.uint64), np.stack([old, old]))
    index.remove(np.array([1], np.uint64))
    index.add(np.array([1], np.uint64), new[None])
    assert answers(index, np.stack([old, new]), 0) == [[(0, 2)], [(0, 1)]]
    index.remove(np.array([1], np.uint64))
    assert answers(index, np.stack([old, new]), 0) == [[(0, 2)], []]


def test_entries_are_what_is_present(make: Make) -> None:
    rng = np.random.default_rng(2)
    values = random_values(rng, 200_000, 64)
    index = make(64)
    index.add(np.arange(200_000, dtype=np.uint64), values)
    index.remove(np.arange(0, 200_000, 1000, dtype=np.uint64))
    blocks = list(index.entries())
    ids = np.concatenate([block[0] for block in blocks])
    assert ids.tolist() == [i for i in range(200_000) if i % 1000]
    assert np.array_equal(np.concatenate([block[1] for block in blocks]), values[ids])


@pytest.mark.parametrize("bits", [0, 1, 63, 65, 96, 1088, -64, True, 256.0, "256"])
def test_refuses_other_lengths(make: Make, bits: object) -> None:
    with pytest.raises(IndexInputError, match="multiple of 64"):
        make(bits)  # type: ignore[arg-type]


@pytest.mark.parametrize("radius", [-1, 257, 2**70, 1.5, "31", None, True])
def test_refuses_other_radii(make: Make, radius: object) -> None:
    with pytest.raises(IndexInputError, match="radius"):
        make(256).range_search(np.zeros((1, 32), np.uint8), radius)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "values"),
    [
        (np.array([1], np.int64), np.zeros((1, 32), np.uint8)),
        (np.array([1.0]), np.zeros((1, 32), np.uint8)),
        (np.array([[1]], np.uint64), np.zeros((1, 32), np.uint8)),
        (np.array([1], np.uint64), np.zeros((1, 31), np.uint8)),
        (np.array([1], np.uint64), np.zeros((1, 4), np.uint64)),
        (np.array([1], np.uint64), np.zeros(32, np.uint8)),
        (np.array([1], np.uint64), np.zeros((2, 32), np.uint8)),
        (np.array([1, 1], np.uint64), np.zeros((2, 32), np.uint8)),
        (np.array([9, 3], np.uint64), np.zeros((2, 32), np.uint8)),
    ],
    ids=[
        "signed", "float", "two-dimensional ids", "short", "words", "one-dimensional", "unequal", "twice",
        "3 is present",
    ],
)  # fmt: skip
def test_refused_add_changes_nothing(make: Make, ids: np.ndarray, values: np.ndarray) -> None:
    index = make(256)
    index.add(np.array([3], np.uint64), np.ones((1, 32), np.uint8))
    with pytest.raises(IndexInputError) as caught:
        index.add(ids, values)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, HashpactError)
    assert len(index) == 1
    assert index.range_search(np.zeros((1, 32), np.uint8), 256).ids.tolist() == [3]


def test_refuses_queries_of_another_shape(make: Make) -> None:
    for wrong in (np.zeros((1, 8), np.uint8), np.zeros(32, np.uint8), np.zeros((1, 32), np.int8)):
        with pytest.raises(IndexInputError, match="queries"):
            make(256).range_search(wrong, 31)


def test_takes_read_only_strided_and_byte_slices(make: Make) -> None:
    rng = np.random.default_rng(3)
    wide = random_values(rng, 10, 512)
    index = make(256)
    index.add(np.arange(20, dtype=np.uint64)[::2], wide[:, :32])
    query = np.frombuffer(wide[4, :32].tobytes(), np.uint8).reshape(1, 32)
    assert answers(index, query, 0) == [[(0, 8)]]


def test_caller_may_reuse_its_arrays(make: Make) -> None:
    ids, values = np.array([1, 2], np.uint64), np.zeros((2, 32), np.uint8)
    index = make(256)
    index.add(ids, values)
    ids[:], values[:] = 77, 255
    assert index.range_search(np.zeros((1, 32), np.uint8), 0).ids.tolist() == [1, 2]


def test_searches_see_whole_calls_while_others_mutate(make: Make) -> None:
    """A search that finds only a part of a group saw half of a call."""
    index = make(256)
    group, groups = 300, 60
    seen_wrong: list[str] = []
    stop = threading.Event()

    def search() -> None:
        queries = np.zeros((3, 32), np.uint8)
        while not stop.is_set():
            lims, _, ids = index.range_search(queries, 0)
            # Groups are added in order and removed in order: what is present is one run of whole groups.
            for i in range(3):
                found = ids[lims[i] : lims[i + 1]].tolist()
                if len(found) % group or (found and found != list(range(found[0], found[-1] + 1))):
                    seen_wrong.append(f"{len(found)} hits from {found[:1]} to {found[-1:]}")
                    return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(groups):
            ids = np.arange(number * group, (number + 1) * group, dtype=np.uint64)
            index.add(ids, np.zeros((group, 32), np.uint8))
            assert len(index.range_search(np.zeros((1, 32), np.uint8), 0).ids) == group * min(number + 1, 3)
            if number >= 2:
                assert index.remove(ids - np.uint64(2 * group)) == group
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen_wrong == []
