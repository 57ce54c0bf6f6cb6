"""What only MultiIndex does when it searches: plans, the tail, room for hits."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact_server.index import LinearIndex, MultiIndex, plans, segments, tail
from hashpact_server.index.bitmap import no_rows
from hashpact_server.index.segments import _Layout

from tests.unit.index.values import assert_same, clustered, numbers


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
