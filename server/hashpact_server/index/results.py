"""From loose hits to the ordered answer of a range search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hashpact_server.index.base import RangeResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Ids


def arrange(
    queries: int, hit_query: NDArray[np.int32], hit_distance: NDArray[np.int32], hit_id: Ids
) -> RangeResult:
    """Hits in any order, arranged by (query, distance, id).

    Args:
        queries: how many queries were asked.
        hit_query: int32 [k], which query a hit belongs to, 0..queries - 1.
        hit_distance: int32 [k], in bits.
        hit_id: uint64 [k].
    """
    if hit_id.shape[0] == 0:  # nearly every look-up
        return RangeResult(np.zeros(queries + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint64))
    order = np.lexsort((hit_id, hit_distance, hit_query))
    lims = np.zeros(queries + 1, np.int64)
    np.cumsum(np.bincount(hit_query, minlength=queries), out=lims[1:])
    return RangeResult(lims, hit_distance[order], hit_id[order])
