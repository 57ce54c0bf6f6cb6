"""Which words must be near: the arithmetic behind multi-index hashing and its filter.

A value of ``bits`` bits is cut into m = bits / 16 words. Let d[i] be the distance of word i, their sum at
most r. Give each word a threshold t[i] >= -1 with sum(t) = r - m + 1. Then there is a word i with

    d[i] <= t[i]                                (pigeonhole: Norouzi, Punjani, Fleet, CVPR 2012 and TPAMI 2014)
    d[i] + d[i+1] <= t[i] + t[i+1] + 1          (pigeonring: Qin and Xiao, VLDB 2018), i + 1 counted in a ring

because e[i] = d[i] - t[i] - 1 sums to at most r - (r - m + 1) - m = -1, and a ring of whole numbers with a
negative sum has a place from which every partial sum is negative. Nothing within the radius is lost.

So it is enough to read, for each word, the buckets of all words within t[i] of the query's (the first line),
and to look closer only at entries whose next word fits as well (the second). Integer thresholds spend
exactly r: a radius of 40 needs 2 flips in nine of sixteen words and 1 in the others, not 2 in all; a radius
below m - 1 leaves words out (t = -1).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORD_BITS: Final = 16
BUCKETS: Final = 1 << WORD_BITS


def flip_masks() -> NDArray[np.uint16]:
    """All 16-bit masks, by number of one bits: uint16 [65536]. The first ``1 + 16`` flip at most one bit."""
    masks = np.arange(BUCKETS, dtype=np.uint32)
    return masks[np.argsort(np.bitwise_count(masks), kind="stable")].astype(np.uint16)


def masks_within() -> NDArray[np.int64]:
    """How many masks have at most t one bits, t = 0..16: int64 [17] = 1, 17, 137, 697, 2517, ..., 65536."""
    counts = np.bincount(np.bitwise_count(np.arange(BUCKETS, dtype=np.uint32)), minlength=WORD_BITS + 1)
    return np.cumsum(counts).astype(np.int64)


FLIP_MASKS: Final = flip_masks()
MASKS_WITHIN: Final = masks_within()


@cache
def thresholds(bits: int, radius: int) -> NDArray[np.int64]:
    """The t of each word for a radius, as even as possible: int64 [bits // 16], -1 leaves a word out.

    Args:
        bits: length of a value.
        radius: 0..bits.
    """
    words = bits // WORD_BITS
    spend = radius - words + 1
    low, larger = divmod(spend, words)  # floor division: -15 over 16 words is one 0 and fifteen -1
    result = np.full(words, low, np.int64)
    result[:larger] += 1
    result = np.minimum(result, WORD_BITS)
    result.flags.writeable = False
    return result


@cache
def buckets_read(bits: int, radius: int) -> int:
    """How many buckets a search of this radius reads."""
    given = thresholds(bits, radius)
    return int(MASKS_WITHIN[given[given >= 0]].sum())


@cache
def work_per_row(bits: int, radius: int) -> tuple[float, float]:
    """What one listed value of random bits adds to a search of this radius.

    Returns:
        Expected bucket entries read, and expected rows compared in full.
    """
    given = thresholds(bits, radius)
    at_distance = np.diff(MASKS_WITHIN, prepend=0) / BUCKETS  # of two random words
    entries = compared = 0.0
    for word, limit in enumerate(given.tolist()):
        pair_max = limit + int(given[(word + 1) % len(given)]) + 1
        for distance in range(limit + 1):
            share = float(at_distance[distance])
            entries += share
            compared += share * float(MASKS_WITHIN[min(pair_max - distance, WORD_BITS)]) / BUCKETS
    return entries, compared
