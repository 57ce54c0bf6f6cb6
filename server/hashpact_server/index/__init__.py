"""Indexes: stored signals, searchable by Hamming distance, or by a distance of their type's own.

::

    index = MultiIndex(256)                                 # or LinearIndex: the same answers
    index.add(ids, values)                                  # uint64 [n], uint8 [n, 32]
    lims, distances, found = index.range_search(queries, 31)
    LinearIndex(metric_of(SIGNAL_TYPES["tlsh"]))            # for types that are not compared by Hamming distance

Call :func:`warm` before the first request, so that none pays for compiling.
"""

from hashpact_server.index.base import Index, IndexInputError, RangeResult
from hashpact_server.index.compiling import warm
from hashpact_server.index.digest_filter import DigestFilter
from hashpact_server.index.linear import LinearIndex
from hashpact_server.index.metrics import Metric, metric_of
from hashpact_server.index.multi_index import MultiIndex
from hashpact_server.index.points import Asked, PointIndex, Sighting
from hashpact_server.index.points_view import Pictures

__all__ = [
    "Asked",
    "DigestFilter",
    "Index",
    "IndexInputError",
    "LinearIndex",
    "Metric",
    "MultiIndex",
    "Pictures",
    "PointIndex",
    "RangeResult",
    "Sighting",
    "metric_of",
    "warm",
]
