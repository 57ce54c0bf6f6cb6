"""Distances that are no number of bits: TLSH in machine code, and one that somebody added, against plain Python."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hashpact.distances import tlsh_distance
from hashpact.errors import InvalidSignalError
from hashpact.signals import SIGNAL_TYPES, SignalType
from hashpact_server.index import IndexInputError, LinearIndex, metric_of

TLSH = SIGNAL_TYPES["tlsh"]


def steps(left: bytes, right: bytes) -> int:
    """A toy distance: how far the bytes are apart, one by one."""
    return sum(abs(one - other) for one, other in zip(left, right, strict=True))


TOY = replace(TLSH, name="toy", code=200, bits=72, radius_default=20, radius_max=5_000, measure=steps)


def by_digits(left: bytes, right: bytes) -> int:
    """TLSH's distance as the publication states it, digit by digit."""

    def around(one: int, other: int, period: int) -> int:
        return min((one - other) % period, (other - one) % period)

    texts = [value.hex() for value in (left, right)]
    lengths = [int(text[3] + text[2], 16) for text in texts]
    apart = around(lengths[0], lengths[1], 256)
    total = apart if apart <= 1 else apart * 12
    for place in (4, 5):
        apart = around(int(texts[0][place], 16), int(texts[1][place], 16), 16)
        total += apart if apart <= 1 else (apart - 1) * 12
    total += texts[0][:2] != texts[1][:2]
    quartiles = [np.base_repr(int("1" + text[6:], 16), 4)[1:] for text in texts]
    return total + sum((0, 1, 2, 6)[abs(int(one) - int(other))] for one, other in zip(*quartiles, strict=True))


def crowd(kind: SignalType, rng: np.random.Generator, count: int) -> np.ndarray:
    """Values around three centres: some equal, some near, some far."""
    centres = rng.integers(0, 256, (3, kind.size_bytes), dtype=np.uint8)
    values = centres[rng.integers(0, 3, count)]
    for value in values:
        for place in rng.integers(0, kind.size_bytes, rng.integers(0, 8)):
            value[place] = rng.integers(0, 256) if rng.random() < 0.3 else value[place] ^ (1 << rng.integers(0, 8))
    return values


@pytest.mark.parametrize("kind", [TLSH, TOY], ids=lambda kind: kind.name)
@pytest.mark.parametrize("size", [0, 1, 2, 700, 1500])
def test_an_index_answers_as_a_loop_does(kind: SignalType, size: int) -> None:
    rng = np.random.default_rng(size)
    values = crowd(kind, rng, size + 5)
    values, queries = values[:size], values[size:]
    index = LinearIndex(metric_of(kind))
    ids = rng.permutation(np.arange(size, dtype=np.uint64) * np.uint64(3))
    index.add_blocks([(ids[: size // 2], values[: size // 2]), (ids[size // 2 :], values[size // 2 :])])
    gone = ids[::7]
    assert index.remove(gone) == len(gone)
    present = {int(each): value.tobytes() for each, value in zip(ids, values, strict=True) if each not in set(gone)}
    assert len(index) == len(present)
    held = [pair for block in index.entries() for pair in zip(block[0].tolist(), block[1], strict=True)]
    assert {each: value.tobytes() for each, value in held} == present
    found = 0
    for radius in (0, 1, kind.radius_default, kind.radius_max):
        lims, distances, answered = index.range_search(queries, radius)
        for place, query in enumerate(queries):
            pairs = [(kind.distance(query.tobytes(), value), each) for each, value in present.items()]
            expected = sorted(pair for pair in pairs if pair[0] <= radius)
            rows = slice(lims[place], lims[place + 1])
            assert list(zip(distances[rows].tolist(), answered[rows].tolist(), strict=True)) == expected
            found += len(expected)
    assert found >= size // 2
    metric = metric_of(kind)
    packed = metric.pack(values)
    counts = metric.count_near(metric.pack(queries), kind.radius_default, packed.reshape(-1), size).tolist()
    assert counts == [
        sum(kind.distance(query.tobytes(), value.tobytes()) <= kind.radius_default for value in values)
        for query in queries
    ]


def test_tlsh_is_compared_as_published() -> None:
    rng = np.random.default_rng(7)
    values = [value.tobytes() for value in crowd(TLSH, rng, 120)]
    distances = set()
    for left, right in itertools.pairwise(values):
        assert tlsh_distance(left, right) == by_digits(left, right) == tlsh_distance(right, left)
        distances.add(tlsh_distance(left, right))
    assert len(distances) > 40
    assert tlsh_distance(values[0], values[0]) == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidSignalError, match="35 bytes"):
        TLSH.distance(b"\0" * 35, b"\0" * 34)
    with pytest.raises(InvalidSignalError, match="no distance"):
        SIGNAL_TYPES["sha256"].distance(b"\0" * 32, b"\0" * 32)
    with pytest.raises(ValueError, match="no distance"):
        metric_of(SIGNAL_TYPES["sha256"])
    index = LinearIndex(metric_of(TLSH))
    with pytest.raises(IndexInputError, match=r"uint8 of shape \[n, 35\]"):
        index.add(np.arange(1, dtype=np.uint64), np.zeros((1, 40), np.uint8))
    with pytest.raises(IndexInputError, match="whole number"):
        index.range_search(np.zeros((1, 35), np.uint8), -1)
    index.add(np.arange(1, dtype=np.uint64), np.zeros((1, 35), np.uint8))
    with pytest.raises(IndexInputError, match="already present"):
        index.add(np.arange(1, dtype=np.uint64), np.zeros((1, 35), np.uint8))
