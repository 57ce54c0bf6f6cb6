"""Indexes: stored signals, searchable by Hamming distance.

::

    index = LinearIndex(256)                                # or MultiIndex: the same answers, faster
    index.add(ids, values)                                  # uint64 [n], uint8 [n, 32]
    lims, distances, found = index.range_search(queries, 31)

Call :func:`warm` before the first request, so that none pays for compiling.
"""

from hashpact_server.index.base import Index, IndexInputError, RangeResult
from hashpact_server.index.compiling import warm
from hashpact_server.index.linear import LinearIndex

__all__ = ["Index", "IndexInputError", "LinearIndex", "RangeResult", "warm"]
