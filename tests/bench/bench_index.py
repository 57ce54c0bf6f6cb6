"""The index beside its linear twin and beside faiss, on one core, in one process.

Every figure of a row comes from the same minutes: ours and the peers' queries take turns. One call carries one
query unless a figure is called a batch. faiss is optional; its figures are absent without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hashpact_server.index import LinearIndex, MultiIndex, warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hashpact_server.index import Index

BATCH_QUERIES: Final = 256
ROUNDS: Final = 5
MULTI_HASH_SIGNALS_MAX: Final = 1_000_000
"""Above this, filling faiss' IndexBinaryMultiHash takes longer than everything else together."""

Search = tuple[str, "Callable[[np.ndarray, int], object]", int]
"""Name, search, and how many queries it gets in each round."""


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """The calling thread and all it starts, on the last core this process may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def random_values(rng: np.random.Generator, count: int, bits: int) -> np.ndarray:
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def near_values(rng: np.random.Generator, values: np.ndarray, count: int, flips: int) -> np.ndarray:
    """Queries that hit: values at ``flips`` bits from listed ones."""
    chosen = np.unpackbits(values[rng.integers(0, len(values), count)], axis=1)
    for bits in chosen:
        bits[rng.choice(bits.shape[0], flips, replace=False)] ^= 1
    return np.packbits(chosen, axis=1)


def signal_ids(count: int) -> np.ndarray:
    """Ids as the state numbers signals: they grow by 65,536."""
    return np.arange(1, count + 1, dtype=np.uint64) << np.uint64(16)


def taking_turns(searches: list[Search], queries: np.ndarray, radius: int) -> dict[str, dict[str, float]]:
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
    return {
        name: {"median_us": round(float(np.median(all_)), 1), "p99_us": round(float(np.percentile(all_, 99)), 1)}
        for name, all_ in spent.items()
    }


def batch_us(index: Index, queries: np.ndarray, radius: int) -> float:
    """Best microseconds per query of a few batch calls."""
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        index.range_search(queries, radius)
        spent.append((time.perf_counter() - began) / len(queries) * 1e6)
    return round(min(spent), 1)


def peers(values: np.ndarray, bits: int, multi_hash: bool) -> list[Search]:
    """faiss' exact flat index and its multi-index hashing, filled with the same values."""
    try:
        import faiss  # noqa: PLC0415 -- a peer: nothing else needs it
    except ImportError:
        return []
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(bits)
    flat.add(values)
    found: list[Search] = [("faiss_flat", lambda query, radius: flat.range_search(query, radius + 1), 5)]
    if multi_hash:
        hashed = faiss.IndexBinaryMultiHash(bits, bits // 16, 16)
        hashed.nflip = 1
        hashed.add(values)
        found.append(("faiss_multi_hash", lambda query, radius: hashed.range_search(query, radius + 1), 5))
    return found


def measure(rng: np.random.Generator, count: int, bits: int, radii: tuple[int, ...]) -> dict[str, Any]:
    """One size: searches at each radius, hit and miss, ours and theirs; build, reopen, bytes."""
    values, ids = random_values(rng, count, bits), signal_ids(count)
    result: dict[str, Any] = {"signals": count, "bits": bits}
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        index = MultiIndex(bits, Path(folder))
        result["build_s"] = _seconds(lambda: index.add(ids, values))
        result["checkpoint_s"] = _seconds(lambda: index.checkpoint(1))
        result["bytes_per_signal"] = round(index.memory_bytes() / count, 1)
        index.close()
        again: list[MultiIndex] = []
        result["reopen_s"] = _seconds(lambda: again.append(MultiIndex(bits, Path(folder))))
        index = again[0]
        linear = LinearIndex(bits)
        linear.add(ids, values)
        searches: list[Search] = [("multi", index.range_search, 100), ("linear", linear.range_search, 5)]
        searches += peers(values, bits, multi_hash=bits == 256 and count <= MULTI_HASH_SIGNALS_MAX)
        for radius in radii:
            kinds = {"miss": random_values(rng, 600, bits), "hit": near_values(rng, values, 600, radius)}
            for kind, queries in kinds.items():
                figures: dict[str, Any] = taking_turns(searches, queries, radius)
                figures["multi_batch_us"] = batch_us(index, queries[:BATCH_QUERIES], radius)
                figures["linear_batch_us"] = batch_us(linear, queries[:64], radius)
                result[f"radius_{radius}_{kind}"] = figures
        result["equal"] = equal(index, linear, kinds["hit"][:100], radii)
        result["remove_one"] = mutate(index, ids, values)
        index.close()
    return result


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def equal(one: Index, other: Index, queries: np.ndarray, radii: tuple[int, ...]) -> dict[str, int]:
    """Answers of both indexes compared: (query, row) pairs decided, and queries that were answered differently."""
    differences = 0
    for radius in radii:
        left, right = one.range_search(queries, radius), other.range_search(queries, radius)
        same = all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(left, right, strict=True))
        differences += 0 if same else 1
    return {"pairs": len(queries) * len(radii) * len(other), "different_answers": differences}


def mutate(index: MultiIndex, ids: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Microseconds until one removal, and one addition, is seen by the next search."""
    removing, adding = [], []
    for row in np.linspace(0, len(ids) - 1, 100).astype(int):
        one = slice(row, row + 1)
        began = time.perf_counter()
        index.remove(ids[one])
        removing.append(time.perf_counter() - began)
        began = time.perf_counter()
        index.add(ids[one], values[one])
        adding.append(time.perf_counter() - began)
    return {
        "remove_p99_us": round(float(np.percentile(removing, 99)) * 1e6, 1),
        "add_p99_us": round(float(np.percentile(adding, 99)) * 1e6, 1),
    }


def worst_case(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Values that share their words: each of the 16 words takes one of three values."""
    words = rng.integers(0, 2**16, (3, 16), dtype=np.uint16)
    values = words[rng.integers(0, 3, (count, 16)), np.arange(16)].view(np.uint8)
    index, linear = MultiIndex(256), LinearIndex(256)
    index.add(signal_ids(count), values)
    linear.add(signal_ids(count), values)
    queries = near_values(rng, values, 50, 10)
    searches: list[Search] = [("multi", index.range_search, 5), ("linear", linear.range_search, 5)]
    return {"signals": count, **taking_turns(searches, queries, 31)}


def threads_speedup(index: Index, queries: np.ndarray) -> float:
    """How much faster two threads answer batches than one does; the kernels release the interpreter lock."""

    def work() -> None:
        for _ in range(20):
            index.range_search(queries, 31)

    began = time.perf_counter()
    work()
    work()
    alone = time.perf_counter() - began
    threads = [threading.Thread(target=work) for _ in range(2)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(alone / (time.perf_counter() - began), 2)


def run(sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)) -> dict[str, Any]:
    """Measure everything; about a minute per million signals with the peers.

    Args:
        sizes: list lengths of 256-bit signals for the growth table; wide radii, 64 bits and the worst case
            are measured at the largest of them up to a million.
    """
    warm()
    rng = np.random.default_rng(20260101)
    middle = max(size for size in sizes if size <= 1_000_000)
    with one_core():
        result: dict[str, Any] = {
            "sizes": [measure(rng, size, 256, (31, 47, 63) if size == middle else (31,)) for size in sizes],
            "short": measure(rng, middle, 64, (8, 10)),
            "worst_case": worst_case(rng, middle),
        }
    index = MultiIndex(256)
    values = random_values(rng, middle, 256)
    index.add(signal_ids(middle), values)
    result["two_threads_speedup"] = threads_speedup(index, random_values(rng, BATCH_QUERIES, 256))
    return result


def main() -> None:
    """Print the figures as JSON. Arguments: the sizes to measure, e.g. ``10000 1000000``."""
    sizes = tuple(int(float(size)) for size in sys.argv[1:])
    print(json.dumps(run(sizes) if sizes else run(), indent=1))


if __name__ == "__main__":
    main()
