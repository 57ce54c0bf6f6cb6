"""Searches beside one another: ours, our linear twin's and faiss', with the same queries in the same minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from hashpact_server.index import Index
from numpy.typing import NDArray

from tests.bench.values import Values

ROUNDS: Final = 5
FEW_QUERIES: Final = 5
QUERIES: Final = 100

Search = tuple[str, Callable[[Values, int], object], int]
"""Name, search, and how many queries it gets in each round."""


def of_index(name: str, index: Index, queries: int) -> Search:
    """An index of ours as a search."""
    return name, index.range_search, queries


def faiss_peers(values: Values, bits: int) -> list[Search]:
    """faiss' exact flat index and its multi-index hashing, filled with the same values; nothing without faiss.

    IndexBinaryMultiHash with one flip per word is exact up to radius 31 of 256 bits, and loses values beyond.
    """
    try:
        import faiss  # noqa: PLC0415 -- a peer: nothing else needs it
    except ImportError:
        return []
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(bits)
    flat.add(values)
    found: list[Search] = [("faiss_flat", lambda query, radius: flat.range_search(query, radius + 1), FEW_QUERIES)]
    if bits == 256:
        hashed = faiss.IndexBinaryMultiHash(bits, bits // 16, 16)
        hashed.nflip = 1
        hashed.add(values)
        search = ("faiss_multi_hash", lambda query, radius: hashed.range_search(query, radius + 1), FEW_QUERIES)
        found.append(search)
    return found


def taking_turns(searches: list[Search], queries: Values, radius: int) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of one query per call, in microseconds, for each search."""
    spent: dict[str, list[float]] = {name: [] for name, _, _ in searches}
    for turn in range(ROUNDS + 1):
        for name, search, count in searches:
            for number in range(count):
                at = (turn * count + number) % len(queries)
                began = time.perf_counter()
                search(queries[at : at + 1], radius)
                if turn:  # the first round warms up
                    spent[name].append((time.perf_counter() - began) * 1e6)
    return {name: summary_us(all_) for name, all_ in spent.items()}


def summary_us(spent_us: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "median_us": round(float(np.median(spent_us)), 1),
        "p99_us": round(float(np.percentile(spent_us, 99)), 1),
    }


def batch_us(index: Index, queries: Values, radius: int, calls: int = 3) -> float:
    """Median microseconds per query of a few batch calls."""
    spent = []
    for _ in range(calls):
        began = time.perf_counter()
        index.range_search(queries, radius)
        spent.append((time.perf_counter() - began) / len(queries) * 1e6)
    return round(float(np.median(spent)), 2)


def equal(one: Index, other: Index, queries: Values, radii: tuple[int, ...]) -> dict[str, int]:
    """Answers compared row by row: (query, listed value) pairs decided, and radii with any difference."""
    differences = 0
    for radius in radii:
        left, right = one.range_search(queries, radius), other.range_search(queries, radius)
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(left, right, strict=True))
        differences += 0 if all(np.array_equal(a, b) for a, b in pairs) else 1
    return {"pairs": len(queries) * len(radii) * len(other), "different_answers": differences}
