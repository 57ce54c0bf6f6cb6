"""Increasing ids in little more than four bytes each.

Ids of signals grow but leave gaps, so their span may need 64 bits where neighbours are close. Rows are taken
in blocks of ``1 << shift``; each block has a 64-bit base, each row a 32-bit offset from it. The largest block
whose span fits 32 bits is chosen: 1,024 rows for ids of one source, one row (12 bytes) at worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel
from hashpact_server.index.parts import WORDS_1D

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids

SHIFTS: Final = (10, 8, 6, 4, 2, 0)

U32: Final = types.Array(types.uint32, 1, "C", readonly=True)
OUT_U32: Final = types.Array(types.uint32, 1, "C")
OUT_U64: Final = types.Array(types.uint64, 1, "C")


def choose_shift(ids: Ids) -> int:
    """The block size, as a power of two, for strictly increasing ``ids``."""
    for shift in SHIFTS:
        firsts = ids[:: 1 << shift]
        lasts = np.append(ids[(1 << shift) - 1 :: 1 << shift], ids[-1])[: firsts.shape[0]]
        if np.all(lasts - firsts < np.uint64(2**32)):
            return shift
    raise AssertionError("a block of one row spans nothing")


def blocks_of(count: int, shift: int) -> int:
    """How many bases ``count`` rows have."""
    return (count + (1 << shift) - 1) >> shift


@kernel(WORDS_1D, types.int64, OUT_U64, OUT_U32)
def pack(ids: Ids, shift: int, bases: Ids, offsets: NDArray[np.uint32]) -> None:
    """Write ``bases`` uint64 [blocks] and ``offsets`` uint32 [n] of strictly increasing ``ids`` [n]."""
    for row in range(ids.shape[0]):
        base = ids[row >> shift << shift]
        bases[row >> shift] = base
        offsets[row] = np.uint32(ids[row] - base)


@kernel(types.int64, WORDS_1D, U32)
def unpack_all(shift: int, bases: Ids, offsets: NDArray[np.uint32]) -> Ids:
    """The ids of all rows. A kernel as ``pack`` is: over millions numpy would hold the interpreter lock."""
    ids = np.empty(offsets.shape[0], np.uint64)
    for row in range(offsets.shape[0]):
        ids[row] = bases[row >> shift] + np.uint64(offsets[row])
    return ids


def unpack(rows: NDArray[np.int64], shift: int, bases: Ids, offsets: NDArray[np.uint32]) -> Ids:
    """The ids of rows."""
    ids: Ids = bases[rows >> shift] + offsets[rows]
    return ids


@kernel(WORDS_1D, types.int64, WORDS_1D, U32)
def find_rows(wanted: Ids, shift: int, bases: Ids, offsets: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Rows of those of ``wanted`` that are there, in the order of ``wanted``: int64 [<= len(wanted)]."""
    rows = np.empty(wanted.shape[0], np.int64)
    found = 0
    for i in range(wanted.shape[0]):
        low, high = 0, offsets.shape[0]
        while low < high:
            middle = (low + high) >> 1
            if bases[middle >> shift] + np.uint64(offsets[middle]) < wanted[i]:
                low = middle + 1
            else:
                high = middle
        if low < offsets.shape[0] and bases[low >> shift] + np.uint64(offsets[low]) == wanted[i]:
            rows[found] = low
            found += 1
    return rows[:found]
