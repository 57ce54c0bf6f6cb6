"""What an index is: values in, everything within a radius out.

::

    add(ids, values) --> [ index ] <-- range_search(queries, radius) --> (lims, distances, ids)
    remove(ids) ------->

There are two: :class:`~hashpact_server.index.linear.LinearIndex` compares with every value and is
obviously right; :class:`~hashpact_server.index.multi_index.MultiIndex` is fast and answers the same,
row for row. Both are exact: nothing within the radius is ever left out. What is not compared by Hamming
distance (TLSH) stands in a LinearIndex: there are thousands of texts on a list, not millions.

An index holds numbers, not meaning: an id is whatever the caller numbers its signals with. It is
disposable, rebuilt from state at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from hashpact.errors import HashpactError
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BITS_MIN: Final = 64
BITS_MAX: Final = 1024
_UINT8: Final = np.dtype(np.uint8)  # made once: a look-up takes microseconds
_UINT64: Final = np.dtype(np.uint64)

Bytes: TypeAlias = NDArray[np.uint8]
Ids: TypeAlias = NDArray[np.uint64]
Words: TypeAlias = NDArray[np.uint64]
"""Values seen as 64-bit machine words: ``bits // 64`` per value."""


class IndexInputError(HashpactError, ValueError):
    """An array of the wrong type or shape, a radius outside 0..bits, or an id that is already present."""

    reason = "INDEX_INPUT"


class RangeResult(NamedTuple):
    """The answer to a range search, shaped as faiss' ``range_search`` does; q queries, k hits in all.

    The hits of query ``i`` are ``distances[lims[i]:lims[i + 1]]`` and ``ids[lims[i]:lims[i + 1]]``,
    ordered by (distance, id).

    Attributes:
        lims: int64 [q + 1], where each query's hits begin; ``lims[0]`` is 0, ``lims[q]`` is k.
        distances: int32 [k], Hamming distance in bits, or the type's own distance.
        ids: uint64 [k].
    """

    lims: NDArray[np.int64]
    distances: NDArray[np.int32]
    ids: Ids


class Index(Protocol):
    """Signals of one length, searchable by Hamming distance, or by another one (:mod:`hashpact_server.index.metrics`).

    Any number of threads may search while others add and remove; mutations are put in a line. A
    search sees one moment: all of an ``add`` or ``remove`` call or nothing of it, and every call that
    returned before the search began.
    """

    @property
    def bits(self) -> int:
        """Length of a value in bits."""
        ...

    def __len__(self) -> int:
        """Number of values present."""
        ...

    def add(self, ids: ArrayLike, values: ArrayLike) -> None:
        """Add values; they are found by every search that begins after the return.

        Increasing ids are the cheap case. An id may be added again after it was removed.

        Args:
            ids: uint64 [n], each one not present and named once.
            values: uint8 [n, bits // 8]; the same value may be present under many ids.

        Raises:
            IndexInputError: wrong type or shape, or an id that is present or named twice; nothing was added.
        """
        ...

    def add_blocks(self, blocks: Iterable[tuple[ArrayLike, ArrayLike]]) -> None:
        """Add many values at once, as when an index is filled from state: one ``add``, given in pieces.

        Args:
            blocks: (ids, values) pairs as ``add`` takes them.

        Raises:
            IndexInputError: as ``add``; nothing was added.
        """
        ...

    def remove(self, ids: ArrayLike) -> int:
        """Remove values; no search that begins after the return finds them.

        Args:
            ids: uint64 [n]. Ids that are not present are passed over, so a removal may be repeated.

        Returns:
            The number of values removed.

        Raises:
            IndexInputError: wrong type or shape; nothing was removed.
        """
        ...

    def range_search(self, queries: ArrayLike, radius: int) -> RangeResult:
        """Everything within ``radius`` of each query, inclusive.

        Args:
            queries: uint8 [q, bits // 8].
            radius: Hamming distance in bits, 0..bits; or a distance of the metric.

        Raises:
            IndexInputError: wrong type or shape, or a radius that no two values have.
        """
        ...

    def entries(self) -> Iterator[tuple[Ids, Bytes]]:
        """All that is present, of one moment, in blocks of (ids uint64 [m], values uint8 [m, bits // 8]).

        Every id comes once; the order of the blocks is not stated. Used to compare an index with state.
        """
        ...

    def memory_bytes(self) -> int:
        """Bytes of memory that hold values, ids and tables, mapped files included."""
        ...

    def close(self) -> None:
        """Give back files and threads; the index must not be used afterwards."""
        ...


def check_bits(bits: object) -> int:
    """``bits``, if an index can be made for it: 64..1024 in steps of 64.

    Raises:
        IndexInputError: any other number.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or bits % 64 or not BITS_MIN <= bits <= BITS_MAX:
        raise IndexInputError(f"bits is a multiple of 64 from {BITS_MIN} to {BITS_MAX}, not {bits!r}")
    return bits


def check_ids(ids: ArrayLike) -> Ids:
    """``ids`` as a contiguous uint64 array [n].

    Raises:
        IndexInputError: not one-dimensional, or not uint64. (A signed or float id would change silently.)
    """
    array = np.asarray(ids)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.uint64)  # [] has no type of its own
    if array.dtype != np.uint64 or array.ndim != 1:
        raise IndexInputError(f"ids are uint64 of shape [n], not {array.dtype} of shape {list(array.shape)}")
    return np.ascontiguousarray(array)


def check_values(values: ArrayLike, bits: int, name: str) -> Words:
    """``values`` as machine words, uint64 [n, bits // 64].

    The order of bytes within a word does not matter to a Hamming distance, so words are the values'
    bytes as they lie in memory.

    Raises:
        IndexInputError: not uint8 of shape [n, bits // 8]; ``name`` says which argument.
    """
    return np.ascontiguousarray(check_bytes(values, bits, name)).view(_UINT64)


def check_bytes(values: ArrayLike, bits: int, name: str) -> Bytes:
    """``values`` as they are, uint8 [n, bits // 8].

    Raises:
        IndexInputError: not uint8 of that shape; ``name`` says which argument.
    """
    array = np.asarray(values)
    if array.dtype != _UINT8 or array.ndim != 2 or array.shape[1] != bits // 8:
        raise IndexInputError(
            f"{name} are uint8 of shape [n, {bits // 8}] for {bits} bits, "
            f"not {array.dtype} of shape {list(array.shape)}"
        )
    return array


def check_new(ids: ArrayLike, values: Words) -> tuple[Ids, Words]:
    """What an ``add`` is given, in order of id: uint64 [n] strictly increasing, uint64 [n, words].

    Args:
        ids: as ``add`` takes them.
        values: as :func:`check_values` gives them.

    Raises:
        IndexInputError: wrong type or shape, unequal lengths, or an id named twice.
    """
    new_ids, new_values = check_ids(ids), values
    if new_ids.shape[0] != new_values.shape[0]:
        raise IndexInputError(f"one id per value: got {new_ids.shape[0]} ids and {new_values.shape[0]} values")
    if np.any(new_ids[1:] <= new_ids[:-1]):
        order = np.argsort(new_ids, kind="stable")
        new_ids, new_values = new_ids[order], new_values[order]
        if np.any(new_ids[1:] == new_ids[:-1]):
            raise IndexInputError("an id is named twice in one call; nothing was added")
    return new_ids, new_values


def check_radius(radius: object, radius_max: int) -> int:
    """``radius`` as an int.

    Raises:
        IndexInputError: not a whole number from 0 to ``radius_max``.
    """
    if isinstance(radius, bool) or not isinstance(radius, (int, np.integer)) or not 0 <= radius <= radius_max:
        raise IndexInputError(f"radius is a whole number from 0 to {radius_max}, not {radius!r}")
    return int(radius)
