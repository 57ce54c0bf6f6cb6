"""From loose hits to the ordered answer of a range search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hashpact_server.index.base import RangeResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids


Found = tuple["NDArray[np.signedinteger[Any]]", "NDArray[np.int32]", "Ids"]
"""Hits: which query (0..queries - 1, of any integer type), distance in bits, id: int [k], int32 [k], uint64 [k]."""

_NO_DISTANCES: Final = np.empty(0, np.int32)
_NO_IDS: Final = np.empty(0, np.uint64)


def arrange(queries: int, found: Sequence[Found]) -> RangeResult:
    """Hits in any order, arranged by (query, distance, id).

    Args:
        queries: how many queries were asked.
        found: the hits of each part of the index.
    """
    if len(found) > 1:
        found = [part for part in found if part[2].shape[0]]
    if not found or (len(found) == 1 and found[0][2].shape[0] == 0):  # nearly every look-up
        return RangeResult(np.zeros(queries + 1, np.int64), _NO_DISTANCES, _NO_IDS)
    if len(found) == 1:
        hit_query, hit_distance, hit_id = found[0]
    else:
        hit_query, hit_distance = (np.concatenate([part[i] for part in found]) for i in (0, 1))
        hit_id = np.concatenate([part[2] for part in found])
    lims = np.zeros(queries + 1, np.int64)
    if queries == 1:
        lims[1] = hit_id.shape[0]
        if hit_id.shape[0] == 1:
            return RangeResult(lims, hit_distance, hit_id)
        order = np.lexsort((hit_id, hit_distance))
    else:
        np.cumsum(np.bincount(hit_query, minlength=queries), out=lims[1:])
        order = np.lexsort((hit_id, hit_distance, hit_query))
    return RangeResult(lims, hit_distance[order], hit_id[order])
