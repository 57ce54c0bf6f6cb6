"""Values for tests of the indexes, and how two indexes are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
