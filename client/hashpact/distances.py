"""Distances of signal types that have one of their own. Pure Python, and the measure for whoever computes them faster.

A distance is a whole number of 0 or more, 0 for equal values, and the same in both directions. It need not obey the
triangle inequality: TLSH does not.
"""

from __future__ import annotations

from typing import Final

TLSH_BYTES: Final = 35
_HEAD_BYTES: Final = 3
_LOW_BITS: Final = int.from_bytes(b"\x55" * (TLSH_BYTES - _HEAD_BYTES), "big")


def tlsh_distance(left: bytes, right: bytes) -> int:
    """The distance of two TLSH values: 0 for equal texts, up to 30 for versions of one, hundreds for others.

    Args:
        left: 35 bytes.
        right: 35 bytes.

    The sum of how far lengths, quartile ratios and checksums are apart, and per bucket how far its quartile is: 1, 2,
    or 6 for three. Source: the publication named in :mod:`hashpact.hashing.tlsh`.
    """
    length = _around(_swapped(left[1]), _swapped(right[1]), 256)
    total = length if length <= 1 else length * 12
    for shift in (4, 0):
        ratio = _around(left[2] >> shift & 15, right[2] >> shift & 15, 16)
        total += ratio if ratio <= 1 else (ratio - 1) * 12
    total += left[0] != right[0]
    return total + _apart(int.from_bytes(left[_HEAD_BYTES:], "big"), int.from_bytes(right[_HEAD_BYTES:], "big"))


def _apart(left: int, right: int) -> int:
    """The same for all buckets at once: two bits each, compared as bits."""
    differs = left ^ right
    low, high = differs & _LOW_BITS, differs >> 1 & _LOW_BITS
    # Both bits differ between 0 and 3, which counts 6, and between 1 and 2, which counts 1: told by either's own bits.
    ends = low & high & ~(left ^ left >> 1)
    return low.bit_count() + 2 * (high & ~low).bit_count() + 5 * ends.bit_count()


def _swapped(value: int) -> int:
    """The two hex digits of a byte change places in the reference's string."""
    return (value & 15) << 4 | value >> 4


def _around(left: int, right: int, period: int) -> int:
    apart = abs(left - right)
    return min(apart, period - apart)
