"""What only LinearIndex does."""

from __future__ import annotations

import numpy as np
from hashpact_server.index import LinearIndex
from hashpact_server.index.linear import COMPACT_DEAD_ROWS_MIN


def test_removing_most_values_gives_their_memory_back() -> None:
    size = 4 * COMPACT_DEAD_ROWS_MIN
    index = LinearIndex(64)
    index.add(np.arange(size, dtype=np.uint64), np.zeros((size, 8), np.uint8))
    before = index.memory_bytes()
    assert index.remove(np.arange(size - 10, dtype=np.uint64)) == size - 10
    assert index.memory_bytes() < before / 100
    assert index.range_search(np.zeros((1, 8), np.uint8), 0).ids.tolist() == list(range(size - 10, size))
