"""TLSH: bytes -> 35 bytes that are close for texts that are close (:func:`hashpact.distances.tlsh_distance`).

Written from the published description: J. Oliver, C. Cheng, Y. Chen, "TLSH - a locality sensitive hash" (2013), in its
common form: 128 buckets, one checksum byte, at least 50 bytes of text. The value is that of the reference's hex string
without its version prefix ``T1``. Ours because the reference binding has no wheels, and a compiler is much to ask for a
page of arithmetic.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

TLSH_TEXT_BYTES_MIN: Final = 50
_BUCKETS: Final = 128
_WINDOW: Final = 5

# The permutation of P. K. Pearson, "Fast hashing of variable-length text strings", CACM 33(6), 1990.
_PERMUTATION: Final = bytes.fromhex(
    "0157310cb0b266a679c10654f9e62ca30ec5d5b5a155da5040ef18e2ec8e26c8"
    "6eb168678dfdff324d6551122d601fde196bbe4656edf02248f214d6f4e395eb"
    "61ea39163cfa52afd0057fc76f3e87f8aea9d33a429a6ac3f5ab11bbb6b300f3"
    "8438944b80859e64827e5b0d99f6d8db7744df4e5358c9637a0b5c208872340a"
    "8a1e30b79c233d1a8f4afb5e81a23f98aa0773a7f1ce0396373b97dc5a351783"
    "7dad0fee4f5f59106989e1e0d9a0257b7649029d2e74099186e4cfd4cad745e5"
    "1bbc437ca8fc2a041d6c15f713cd27cbe928ba93c6c09b21a4bf62cca5b4754c"
    "8c24d2ac29369f08b9e871c4e72f927833411c90fedd5dbdc28b702b476db8d1"
)
_TABLE: Final = np.frombuffer(_PERMUTATION, np.uint8)

# Which three bytes of a window of five are counted together (0 is the newest), each kind under a salt of its own.
_TRIPLETS: Final = ((2, 0, 1, 2), (3, 0, 1, 3), (5, 0, 2, 3), (7, 0, 2, 4), (11, 0, 1, 4), (13, 0, 3, 4))


def tlsh(data: bytes) -> bytes | None:
    """The value of some bytes: checksum, length, quartiles, then two bits per bucket.

    Args:
        data: the text, as bytes; it takes about a second per 5 MB.

    Returns:
        35 bytes; None where the text is shorter than 50 bytes or too uniform to have a value.
    """
    if len(data) < TLSH_TEXT_BYTES_MIN:
        return None
    counts = _counts(data)
    if np.count_nonzero(counts) <= _BUCKETS // 2:
        return None
    ordered = np.sort(counts)
    first, second, third = (int(ordered[_BUCKETS * quarter // 4 - 1]) for quarter in (1, 2, 3))
    levels = (counts > first).astype(np.uint8) + (counts > second) + (counts > third)
    # Four buckets to a byte, the first one in its lowest bits; the last byte is written first.
    code = (levels.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8)[::-1]
    ratios = (first * 100 // third % 16) << 4 | (second * 100 // third % 16)
    head = bytes((_swapped(_checksum(data)), _swapped(_length_class(len(data))), ratios))
    return head + bytes(code.tolist())


def _counts(data: bytes) -> NDArray[np.int64]:
    text = np.frombuffer(data, np.uint8)
    windows = len(text) - _WINDOW + 1
    places = [text[_WINDOW - 1 - back : _WINDOW - 1 - back + windows] for back in range(_WINDOW)]
    counts = np.zeros(256, np.int64)
    for salt, *triplet in _TRIPLETS:
        value = np.full(windows, _PERMUTATION[salt], np.uint8)
        for back in triplet:
            value = _TABLE[value ^ places[back]]
        counts += np.bincount(value, minlength=256)
    return counts[:_BUCKETS]


def _checksum(data: bytes) -> int:
    table, value = _PERMUTATION, 0
    start = table[0]
    for before, newest in zip(data[_WINDOW - 2 :], data[_WINDOW - 1 :], strict=False):
        value = table[table[table[start ^ newest] ^ before] ^ value]
    return value


def _length_class(length: int) -> int:
    """Lengths a factor of about 1.1 to 1.5 apart are one class apart."""
    if length <= 656:
        place = math.log(length) / math.log(1.5)
    elif length <= 3199:
        place = math.log(length) / math.log(1.3) - 8.72777
    else:
        place = math.log(length) / math.log(1.1) - 62.5472
    return int(place) & 255


def _swapped(value: int) -> int:
    """The two hex digits of a byte change places in the reference's string."""
    return (value & 15) << 4 | value >> 4
