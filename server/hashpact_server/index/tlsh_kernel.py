"""TLSH distances as machine code: the fast twin of :func:`hashpact.distances.tlsh_distance`.

A row is five machine words: the three bytes in front (checksum, length, ratios) in the lowest bits of the first, then
the 128 buckets, two bits each. Texts of another length are told by the first word alone: that is nearly all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part
from hashpact_server.index.parts import BITMAP, WORDS_1D, WORDS_2D, grown, is_dead, popcount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Bytes, Words
    from hashpact_server.index.kernel import Hits

TLSH_WORDS: Final = 5
_HEAD_BYTES: Final = 3
_HITS_START: Final = 64
_LOW_BITS: Final = np.uint64(0x5555555555555555)


def pack_tlsh(values: Bytes) -> Words:
    """Values as rows: uint8 [n, 35] -> uint64 [n, 5]."""
    words = np.empty((values.shape[0], TLSH_WORDS), np.uint64)
    head = values[:, :_HEAD_BYTES].astype(np.uint64)
    words[:, 0] = head[:, 0] | head[:, 1] << np.uint64(8) | head[:, 2] << np.uint64(16)
    words[:, 1:] = np.ascontiguousarray(values[:, _HEAD_BYTES:]).view(np.uint64)
    return words


def unpack_tlsh(words: Words) -> Bytes:
    """The values again: uint64 [n, 5] -> uint8 [n, 35]."""
    head = np.stack([words[:, 0] >> np.uint64(shift) & np.uint64(255) for shift in (0, 8, 16)], axis=1)
    return np.concatenate((head.astype(np.uint8), np.ascontiguousarray(words[:, 1:]).view(np.uint8)), axis=1)


@part
def around(left: np.uint64, right: np.uint64, period: int) -> np.int64:
    """How far two places on a circle are apart."""
    apart = abs(np.int64(left) - np.int64(right))
    return min(apart, np.int64(period) - apart)


@part
def swapped_byte(word: np.uint64, shift: int) -> np.uint64:
    """A byte of a word, its two hex digits in each other's place."""
    byte = word >> np.uint64(shift)
    return (byte & np.uint64(15)) << np.uint64(4) | byte >> np.uint64(4) & np.uint64(15)


@part
def head_distance(left: np.uint64, right: np.uint64) -> np.int64:
    """The share of length, ratios and checksum, from the first words."""
    length = around(swapped_byte(left, 8), swapped_byte(right, 8), 256)
    total = length if length <= 1 else length * 12
    for shift in (16, 20):
        digit = np.uint64(15)
        ratio = around(left >> np.uint64(shift) & digit, right >> np.uint64(shift) & digit, 16)
        total += ratio if ratio <= 1 else (ratio - 1) * 12
    return total + np.int64(left & np.uint64(255) != right & np.uint64(255))


@part
def buckets_distance(left: np.uint64, right: np.uint64) -> np.uint64:
    """The share of 32 buckets: 1, 2, or 6 for quartiles that are three apart."""
    differs = left ^ right
    low, high = differs & _LOW_BITS, differs >> np.uint64(1) & _LOW_BITS
    ends = low & high & ~(left ^ left >> np.uint64(1))
    return popcount(low) + np.uint64(2) * popcount(high & ~low) + np.uint64(5) * popcount(ends)


@kernel(WORDS_2D, types.int64, WORDS_1D, types.int64, BITMAP)
def scan_tlsh(queries: Words, radius: int, values: Words, rows: int, dead: NDArray[np.uint8]) -> Hits:
    """As :func:`hashpact_server.index.kernel.scan`, by the distance of TLSH."""
    rows = min(rows, values.shape[0] // TLSH_WORDS)
    hit_query = np.empty(_HITS_START, np.int32)
    hit_distance = np.empty(_HITS_START, np.int32)
    hit_row = np.empty(_HITS_START, np.int64)
    hits = 0
    for query in range(queries.shape[0]):
        for row in range(rows):
            at = np.uint64(row) * np.uint64(TLSH_WORDS)
            distance = head_distance(queries[query, 0], values[at])
            if distance > radius:
                continue
            for word in range(np.uint64(1), np.uint64(TLSH_WORDS)):
                distance += np.int64(buckets_distance(queries[query, word], values[at + word]))
            if distance > radius or is_dead(dead, row):
                continue
            if hits == hit_row.shape[0]:
                hit_query, hit_distance = grown(hit_query, 2 * hits), grown(hit_distance, 2 * hits)
                hit_row = grown(hit_row, 2 * hits)
            hit_query[hits], hit_distance[hits], hit_row[hits] = query, distance, row
            hits += 1
    return hit_query[:hits], hit_distance[:hits], hit_row[:hits]
