"""The index at sizes from 10,000 to 50 million values, beside its linear twin and faiss, on one core.

One call carries one query unless a figure is called a batch. faiss is optional; its figures are absent without it.
``python -m tests.bench.bench_index 10000 1000000`` prints JSON for these sizes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from hashpact_server.index import Index, LinearIndex, MultiIndex, warm

from tests.bench.machine import memory_free_bytes
from tests.bench.pinned import one_core
from tests.bench.searching import FEW_QUERIES, QUERIES, Search, batch_us, equal, faiss_peers, of_index, taking_turns
from tests.bench.values import Values, crop_values, near_values, random_values, sharing_values, signal_ids

BATCH_QUERIES: Final = 256
SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)
WIDE_SIZE: Final = 1_000_000
"""Wide radii, 64 bits and the worst case are measured at this size."""
PEERS_SIZE_MAX: Final = 10_000_000
BYTES_PER_SIGNAL_NEEDED: Final = 420
"""To build an index, with its values and ids beside it; a size that does not fit into free memory is left out."""
CROPS: Final = 50_000


def measure(rng: np.random.Generator, count: int, bits: int, radii: tuple[int, ...]) -> dict[str, Any]:
    """One size: searches at each radius, hit and miss, ours and theirs; build, reopen, bytes."""
    values, ids = random_values(rng, count, bits), signal_ids(count)
    result: dict[str, Any] = {"signals": count, "bits": bits}
    searches: list[Search] = []
    linear: LinearIndex | None = None
    if count <= PEERS_SIZE_MAX:  # first: they take minutes, in which the kernel may forget pages of ours
        linear = LinearIndex(bits)
        linear.add(ids, values)
        searches += [of_index("linear", linear, FEW_QUERIES), *faiss_peers(values, bits)]
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        index = MultiIndex(bits, Path(folder))
        result["build_s"] = _seconds(lambda: index.add(ids, values))
        result["checkpoint_s"] = _seconds(lambda: index.checkpoint(1))
        result["bytes_per_signal"] = round(index.memory_bytes() / count, 1)
        index.close()
        again: list[MultiIndex] = []
        result["reopen_s"] = _seconds(lambda: again.append(MultiIndex(bits, Path(folder))))
        index = again[0]
        searches.insert(0, of_index("multi", index, QUERIES))
        for radius in radii:
            kinds = {"miss": random_values(rng, 600, bits), "hit": near_values(rng, values, 600, radius)}
            for kind, queries in kinds.items():
                figures: dict[str, Any] = taking_turns(searches, queries, radius)
                figures["multi_batch_us"] = batch_us(index, queries[:BATCH_QUERIES], radius)
                if linear is not None:
                    figures["linear_batch_us"] = batch_us(linear, queries[:BATCH_QUERIES], radius)
                result[f"radius_{radius}_{kind}"] = figures
        if linear is not None:
            result["equal"] = equal(index, linear, kinds["hit"][:100], radii)
        result["one"] = _one_by_one(index, ids, values)
        index.close()
    return result


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def _one_by_one(index: MultiIndex, ids: np.ndarray, values: Values) -> dict[str, float]:
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


def against_linear(values: Values, queries: Values, radii: tuple[int, ...]) -> dict[str, Any]:
    """How many times faster than the linear twin, one by one and in batches, for values of any kind."""
    index, linear = MultiIndex(values.shape[1] * 8), LinearIndex(values.shape[1] * 8)
    for each in (index, linear):
        each.add(signal_ids(len(values)), values)
    result: dict[str, Any] = {"signals": len(values)}
    for radius in radii:
        count = max(FEW_QUERIES, min(QUERIES, 2_000_000 // len(values)))
        turns = taking_turns([of_index("multi", index, count), of_index("linear", linear, count)], queries, radius)
        calls = max(3, min(50, 5_000_000 // len(values)))
        batches = {
            name: batch_us(each, queries, radius, calls) for name, each in (("multi", index), ("linear", linear))
        }
        result[f"radius_{radius}"] = {
            **turns,
            "batch_us": batches,
            "times_linear": round(turns["linear"]["median_us"] / turns["multi"]["median_us"], 2),
            "times_linear_batch": round(batches["linear"] / batches["multi"], 2),
        }
    index.close()
    return result


def worst_cases(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Values that defeat the tables, and lists that hardly need any."""
    found: dict[str, Any] = {}
    for of in (3, 1000):
        values = sharing_values(rng, count, of)
        found[f"words_of_{of}"] = against_linear(values, near_values(rng, values, BATCH_QUERIES, 10), (31, 63))
    values, queries = random_values(rng, count, 256), random_values(rng, BATCH_QUERIES, 256)
    values[:, 6:10] = queries[:, 6:10] = queries[0, 6:10]
    found["two_words_of_all"] = against_linear(values, queries, (31, 63))  # every value is a candidate, none is near
    for size in (100, 1_000, 10_000, 100_000):
        values = random_values(rng, size, 256)
        found[f"random_{size}"] = against_linear(values, random_values(rng, BATCH_QUERIES, 256), (31, 47, 63))
    return found


def clustered(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """PDQ values of photo crops beside as many random ones: what real values cost more."""
    crops = rng.permutation(crop_values(rng, count + 600))
    queries, real = crops[:600], crops[600:]
    made = {"real": real, "random": random_values(rng, len(real), 256)}
    searches = []
    for name, values in made.items():
        index = MultiIndex(256)
        index.add(signal_ids(len(values)), values)
        searches.append(of_index(name, index, QUERIES))
    mixed = taking_turns(searches, queries, 31)
    return {"signals": len(real), **mixed, "times": round(mixed["real"]["median_us"] / mixed["random"]["median_us"], 2)}


def threads_speedup(index: Index, queries: Values, calls: int = 60) -> float:
    """How much faster two threads answer batches than one does; the kernels release the interpreter lock."""

    def work(count: int) -> None:
        for _ in range(count):
            index.range_search(queries, 31)

    alone, together = [], []
    work(calls)  # warms up
    for _ in range(9):  # in turns: the machine's speed drifts
        alone.append(_seconds_of([threading.Thread(target=work, args=(calls,))]))
        together.append(_seconds_of([threading.Thread(target=work, args=(calls // 2,)) for _ in range(2)]))
    return round(float(np.median(alone) / np.median(together)), 2)


def _seconds_of(threads: list[threading.Thread]) -> float:
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def run_size(size: int) -> dict[str, Any]:
    """One size with the wide radii, and 64 bits at that size."""
    warm()
    rng = np.random.default_rng(20260101)
    with one_core():
        return {
            "sizes": {str(size): measure(rng, size, 256, (31, 47, 63))},
            "short": measure(rng, size, 64, (8, 10)),
        }


def run(sizes: tuple[int, ...] = SIZES, *, crops: int = CROPS) -> dict[str, Any]:
    """Measure everything; about half a minute per million signals with the peers.

    Args:
        sizes: list lengths of 256-bit signals; one that does not fit into free memory is left out.
        crops: photo crops to hash for the clustered list.
    """
    middle = max(size for size in sizes if size <= WIDE_SIZE)
    result = run_size(middle)
    rng = np.random.default_rng(20260102)
    with one_core():
        for size in sizes:
            if size != middle and size * BYTES_PER_SIGNAL_NEEDED <= memory_free_bytes():
                result["sizes"][str(size)] = measure(rng, size, 256, (31,))
        result["worst_cases"] = worst_cases(rng, middle)
        result["clustered"] = clustered(rng, crops)
    index = MultiIndex(256)
    index.add(signal_ids(middle), random_values(rng, middle, 256))
    result["two_threads_speedup"] = threads_speedup(index, random_values(rng, BATCH_QUERIES, 256))
    return result


def main() -> None:
    """Print the figures as JSON. Arguments: the sizes to measure, e.g. ``10000 1000000``."""
    sizes = tuple(int(float(size)) for size in sys.argv[1:])
    print(json.dumps(run(sizes) if sizes else run(), indent=1))


if __name__ == "__main__":
    main()
