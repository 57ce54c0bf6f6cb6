"""The digest filter's table as machine code: keyed hashes in open addressing, probed linearly.

A slot holds 0 (never used), 1 (given up), or the hash of a digest. The first bits of a hash say where its search
begins, so that a table is moved into one of twice the size in a single pass over both.

numba checks no bounds: slots are masked to the table's length, which is a power of two, and rows counted by the arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from hashpact_server.index.compiling import kernel, part

if TYPE_CHECKING:
    from hashpact_server.index.base import Words

EMPTY: Final = 0
GONE: Final = 1

_BYTES: Final = types.Array(types.uint8, 1, "C", readonly=True)
_HASHES: Final = types.Array(types.uint64, 1, "C", readonly=True)
_TABLE: Final = types.Array(types.uint64, 1, "C")
_MARKS: Final = types.Array(types.uint8, 1, "C")

_ONE: Final = np.uint64(1)
_TWO: Final = np.uint64(2)
_64: Final = np.uint64(64)
_FINISH: Final = np.uint64(0xFF)
_LENGTH: Final = np.uint64(17 << 56)
_V0: Final = np.uint64(0x736F6D6570736575)
_V1: Final = np.uint64(0x646F72616E646F6D)
_V2: Final = np.uint64(0x6C7967656E657261)
_V3: Final = np.uint64(0x7465646279746573)

_Four = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@part
def rotated(word: np.uint64, bits: int) -> np.uint64:
    """A word, turned left."""
    left = np.uint64(bits)
    return np.uint64((word << left) | (word >> (_64 - left)))


@part
def two_rounds(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> _Four:
    """Two rounds of SipHash."""
    for _ in range(2):
        v0 += v1
        v2 += v3
        v1 = rotated(v1, 13) ^ v0
        v3 = rotated(v3, 16) ^ v2
        v0 = rotated(v0, 32)
        v2 += v1
        v0 += v3
        v1 = rotated(v1, 17) ^ v2
        v3 = rotated(v3, 21) ^ v0
        v2 = rotated(v2, 32)
    return v0, v1, v2, v3


@part
def word_at(rows: NDArray[np.uint8], at: int) -> np.uint64:
    """Eight bytes as a little-endian number."""
    word = np.uint64(0)
    for place in range(8):
        word |= np.uint64(rows[at + place]) << np.uint64(8 * place)
    return word


@part
def hash_at(rows: NDArray[np.uint8], at: int, code: int, key0: np.uint64, key1: np.uint64) -> np.uint64:
    """SipHash-2-4 of 16 bytes and the signal type's code; never one of the two marks."""
    v0, v1, v2, v3 = key0 ^ _V0, key1 ^ _V1, key0 ^ _V2, key1 ^ _V3
    for word in (word_at(rows, at), word_at(rows, at + 8), _LENGTH | np.uint64(code)):
        v3 ^= word
        v0, v1, v2, v3 = two_rounds(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= _FINISH
    v0, v1, v2, v3 = two_rounds(v0, v1, v2, v3)
    v0, v1, v2, v3 = two_rounds(v0, v1, v2, v3)
    made = v0 ^ v1 ^ v2 ^ v3
    return made if made > _ONE else made + _TWO


@part
def place_of(table: Words, shift: int, wanted: np.uint64) -> np.uint64:
    """The slot that holds a hash, or the empty one where the search for it ended."""
    mask = np.uint64(table.shape[0] - 1)
    slot = (wanted >> np.uint64(shift)) & mask
    while table[slot] != wanted and table[slot] != np.uint64(EMPTY):
        slot = (slot + _ONE) & mask
    return slot


@kernel(_BYTES, types.int64, types.int64, types.uint64, types.uint64)
def hashes_of(rows: NDArray[np.uint8], size: int, code: int, key0: int, key1: int) -> Words:
    """The hash of each digest: ``rows`` uint8 [n * size], size >= 16 -> uint64 [n]."""
    count = rows.shape[0] // size
    made = np.empty(count, np.uint64)
    for row in range(count):
        made[row] = hash_at(rows, row * size, code, np.uint64(key0), np.uint64(key1))
    return made


@kernel(_BYTES, types.int64, types.int64, types.uint64, types.uint64, _HASHES, types.int64, _MARKS)
def mark_present(
    rows: NDArray[np.uint8],
    size: int,
    code: int,
    key0: int,
    key1: int,
    table: Words,
    shift: int,
    marks: NDArray[np.uint8],
) -> int:
    """Set ``marks`` [n] to 1 for each digest whose hash is there; returns how many there are."""
    found = 0
    for row in range(min(rows.shape[0] // size, marks.shape[0])):
        wanted = hash_at(rows, row * size, code, np.uint64(key0), np.uint64(key1))
        if table[place_of(table, shift, wanted)] == wanted:
            marks[row] = 1
            found += 1
    return found


@kernel(_HASHES, _TABLE, types.int64, _MARKS)
def insert(hashes: Words, table: Words, shift: int, marks: NDArray[np.uint8]) -> int:
    """Put hashes in; ``marks`` [n] becomes 1 for each that was there already; returns how many were new.

    The table must have empty slots left for them all. A searcher that reads meanwhile sees a hash or does not.
    """
    added = 0
    for row in range(min(hashes.shape[0], marks.shape[0])):
        slot = place_of(table, shift, hashes[row])
        if table[slot] == hashes[row]:
            marks[row] = 1
        else:
            table[slot] = hashes[row]
            added += 1
    return added


@kernel(_HASHES, _TABLE, types.int64)
def erase(hashes: Words, table: Words, shift: int) -> int:
    """Give up the slots of hashes; ones that are not there are passed over; returns how many there were."""
    erased = 0
    for row in range(hashes.shape[0]):
        slot = place_of(table, shift, hashes[row])
        if table[slot] == hashes[row]:
            table[slot] = np.uint64(GONE)
            erased += 1
    return erased


@kernel(_HASHES, _TABLE, types.int64)
def move(old: Words, table: Words, shift: int) -> int:
    """Put all hashes of one table into another, larger or empty one; returns how many there are."""
    moved = 0
    for at in range(old.shape[0]):
        wanted = old[at]
        if wanted > np.uint64(GONE):
            table[place_of(table, shift, wanted)] = wanted
            moved += 1
    return moved
