"""Metrics: how the values of a signal type are compared, and how they lie in memory for that.

::

    Hamming distance    as they are, in machine words           kernel
    TLSH                three bytes in a word of their own       tlsh_kernel
    another distance    as they are, filled up with zeros        its own function, pair by pair: slow, see below

A distance that somebody added is a function of two values, in Python: it takes about a microsecond per listed value and
query, so it suits thousands of values, not millions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from hashpact.distances import tlsh_distance
from hashpact.signals import Comparison, SignalType

from hashpact_server.index.base import check_bits
from hashpact_server.index.bitmap import alive_mask
from hashpact_server.index.kernel import count_near, scan
from hashpact_server.index.tlsh_kernel import pack_tlsh, scan_tlsh, unpack_tlsh

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hashpact_server.index.base import Bytes, Words
    from hashpact_server.index.kernel import Hits

RADIUS_MAX: Final = 1 << 30
"""Of distances that are no number of bits."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How values of one length are compared.

    Attributes:
        bits: length of a value, a multiple of 8.
        radius_max: largest radius that can be asked for.
        pack: values as rows of words: uint8 [n, bits // 8] -> uint64 [n, words].
        unpack: the same back.
        scan: see :func:`hashpact_server.index.kernel.scan`.
        count_near: see :func:`hashpact_server.index.kernel.count_near`.
    """

    bits: int
    radius_max: int
    pack: Callable[[Bytes], Words]
    unpack: Callable[[Words], Bytes]
    scan: Callable[[Words, int, Words, int, NDArray[np.uint8]], Hits]
    count_near: Callable[[Words, int, Words, int], NDArray[np.int64]]

    @property
    def words(self) -> int:
        """Words of a row."""
        return int(self.pack(np.zeros((1, self.bits // 8), np.uint8)).shape[1])


def metric_of(kind: SignalType) -> Metric:
    """How the values of a signal type are compared that is searched within a radius.

    Raises:
        IndexInputError: values of a length that no index can be made for.
        ValueError: a type without a distance.
    """
    if kind.comparison is Comparison.HAMMING:
        return hamming_metric(kind.bits)
    if kind.measure is None:
        raise ValueError(f"{kind.name} values have no distance")
    if kind.measure is tlsh_distance:
        return Metric(kind.bits, RADIUS_MAX, pack_tlsh, unpack_tlsh, scan_tlsh, _counting(scan_tlsh))
    pairwise = _pairwise(kind.measure, kind.size_bytes)
    return Metric(kind.bits, RADIUS_MAX, padded, _cut(kind.size_bytes), pairwise, _counting(pairwise))


def hamming_metric(bits: int) -> Metric:
    """Hamming distance between values of this length.

    Raises:
        IndexInputError: a length that no index can be made for.
    """
    return Metric(check_bits(bits), bits, padded, _cut(bits // 8), scan, count_near)


def padded(values: Bytes) -> Words:
    """Values as words, filled up with zeros: uint8 [n, bytes] -> uint64 [n, words]."""
    if missing := -values.shape[1] % 8:
        values = np.pad(values, ((0, 0), (0, missing)))
    return np.ascontiguousarray(values).view(np.uint64)


def _cut(size_bytes: int) -> Callable[[Words], Bytes]:
    def unpack(words: Words) -> Bytes:
        values: Bytes = np.ascontiguousarray(words).view(np.uint8)
        return values if values.shape[1] == size_bytes else np.ascontiguousarray(values[:, :size_bytes])

    return unpack


def _pairwise(
    measure: Callable[[bytes, bytes], int], size_bytes: int
) -> Callable[[Words, int, Words, int, NDArray[np.uint8]], Hits]:
    def scan_pairs(queries: Words, radius: int, values: Words, rows: int, dead: NDArray[np.uint8]) -> Hits:
        row_bytes = 8 * queries.shape[1]
        packed = values.tobytes()
        asked = [bytes(query)[:size_bytes] for query in queries]
        hits: list[tuple[int, int, int]] = []
        rows = min(rows, len(packed) // row_bytes)
        for row in np.flatnonzero(alive_mask(dead, rows)).tolist():
            value = packed[row * row_bytes : row * row_bytes + size_bytes]
            for query, mine in enumerate(asked):
                distance = measure(mine, value)
                if distance <= radius:
                    hits.append((query, distance, row))
        hits.sort(key=lambda hit: (hit[0], hit[2]))
        found = np.array(hits, np.int64).reshape(-1, 3)
        return found[:, 0].astype(np.int32), found[:, 1].astype(np.int32), found[:, 2].copy()

    return scan_pairs


def _counting(
    scanning: Callable[[Words, int, Words, int, NDArray[np.uint8]], Hits],
) -> Callable[[Words, int, Words, int], NDArray[np.int64]]:
    def count(queries: Words, radius: int, values: Words, rows: int) -> NDArray[np.int64]:
        hit_query, _, _ = scanning(queries, radius, values, rows, np.empty(0, np.uint8))
        return np.bincount(hit_query, minlength=queries.shape[0]).astype(np.int64)

    return count
