"""The arithmetic and the small parts under the fast index."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact_server.index.merging import SEGMENTS_MAX, due_merge
from hashpact_server.index.packed_ids import blocks_of, choose_shift, find_rows, pack, unpack, unpack_all
from hashpact_server.index.pigeonring import (
    FLIP_MASKS,
    MASKS_WITHIN,
    WORD_BITS,
    buckets_read,
    thresholds,
    work_per_row,
)
from hashpact_server.index.tail import TAIL_ROWS_MAX
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import effort


@given(st.sampled_from([64, 128, 256, 512]), st.data())
@settings(max_examples=effort(200), deadline=None)
def test_within_the_radius_some_word_passes_both_tests(bits: int, data: st.DataObject) -> None:
    """No recall is lost, wherever the differing bits lie."""
    words = bits // WORD_BITS
    distances = data.draw(st.lists(st.integers(0, WORD_BITS), min_size=words, max_size=words))
    radius = data.draw(st.integers(sum(distances), bits))
    limits = thresholds(bits, radius).tolist()
    assert any(
        distances[i] <= limits[i]
        and distances[i] + distances[(i + 1) % words] <= limits[i] + limits[(i + 1) % words] + 1
        for i in range(words)
    )


def test_thresholds_spend_no_more_than_needed() -> None:
    assert thresholds(256, 31).tolist() == [1] * 16
    assert thresholds(256, 0).tolist() == [0] + [-1] * 15
    assert thresholds(64, 8).tolist() == [2, 1, 1, 1]
    assert [buckets_read(256, radius) for radius in (0, 15, 31, 47, 63)] == [1, 16, 272, 2192, 11152]
    for bits in (64, 256, 1024):
        for radius in range(bits + 1):
            limits = thresholds(bits, radius)
            assert limits.min() >= -1
            assert limits.max() <= WORD_BITS
            assert limits.sum() == min(radius - bits // 16 + 1, bits)


def test_masks_come_by_number_of_bits() -> None:
    flips = np.bitwise_count(FLIP_MASKS)
    assert np.all(flips[1:] >= flips[:-1])
    assert np.unique(FLIP_MASKS).size == 65536
    assert MASKS_WITHIN.tolist()[:4] == [1, 17, 137, 697]
    assert [int((flips <= t).sum()) for t in range(17)] == MASKS_WITHIN.tolist()


@pytest.mark.parametrize("step", [1, 2**16, 2**23, 2**31, 2**33])
@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025, 5000])
def test_packed_ids_come_back(step: int, count: int) -> None:
    rng = np.random.default_rng(count)
    ids = np.cumsum(rng.integers(1, step + 1, count)).astype(np.uint64) + np.uint64(2**40)
    shift = choose_shift(ids)
    bases, offsets = np.empty(blocks_of(count, shift), np.uint64), np.empty(count, np.uint32)
    pack(ids, shift, bases, offsets)
    assert np.array_equal(unpack(np.arange(count), shift, bases, offsets), ids)
    assert np.array_equal(unpack_all(shift, bases, offsets), ids)
    wanted = np.concatenate([ids[::3], ids[:5] + np.uint64(step + 1), np.array([0, 2**64 - 1], np.uint64)])
    known = {int(number): row for row, number in enumerate(ids)}
    expected = [known[int(number)] for number in wanted if int(number) in known]
    assert find_rows(wanted, shift, bases, offsets).tolist() == expected


def test_a_gap_costs_its_neighbours_only_a_smaller_block() -> None:
    ids = np.concatenate([np.arange(2000), 2**50 + np.arange(2000)]).astype(np.uint64)
    assert choose_shift(np.arange(2000, dtype=np.uint64)) == 10
    assert choose_shift(ids) < 10


@pytest.mark.parametrize("seals", [50, 700])
def test_merging_keeps_few_segments_and_bounds_rewrites(seals: int) -> None:
    """700 seals make an index of 11 million rows."""
    rows: list[int] = []
    written = 0
    for _ in range(seals):
        rows = sorted([*rows, TAIL_ROWS_MAX], reverse=True)
        while (due := due_merge(rows, [0] * len(rows))) is not None:
            merged = sum(rows[number] for number in due)
            written += merged
            rows = sorted([*(n for i, n in enumerate(rows) if i not in due), merged], reverse=True)
        assert len(rows) <= SEGMENTS_MAX
    assert sum(rows) == seals * TAIL_ROWS_MAX
    factor = max(2.0, seals ** (1 / 3))
    assert written / sum(rows) <= 3 * factor


def test_merging_gives_back_removed_rows() -> None:
    assert due_merge([10**6], [10**6]) == range(1)
    assert due_merge([10**6], [250_000]) == range(1)
    assert due_merge([10**6], [249_999]) is None
    assert due_merge([10**6, 20_000], [0, 19_000]) == range(1, 2)
    assert due_merge([], []) is None


def test_expected_work_is_what_random_values_cost() -> None:
    """Counted over 20,000 random values: how many share a bucket that is read, and how many pass the filter."""
    rng = np.random.default_rng(7)
    distances = np.bitwise_count(rng.integers(0, 2**16, (20_000, 4), dtype=np.uint16)).astype(int)
    limits = thresholds(64, 24)
    pairs = distances + np.roll(distances, -1, axis=1)
    inside = distances <= limits
    passed = inside & (pairs <= limits + np.roll(limits, -1) + 1)
    entries, compared = work_per_row(64, 24)
    assert entries == pytest.approx(inside.sum() / 20_000, rel=0.1)
    assert compared == pytest.approx(passed.sum() / 20_000, rel=0.2)
