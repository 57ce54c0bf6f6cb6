"""The benign list in memory: values of known good media, to be compared with what is contributed and what matched.

Immutable, like the roster: the writer publishes a new one after each commit that touches the benign list. It is small,
so each value is compared with all; a contribution or a match asks, and a look-up that finds nothing never does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from hashpact.local_signature import LocalSignature
from hashpact.signals import SIGNAL_TYPES_BY_CODE, Comparison, SignalType
from numpy.typing import NDArray

from hashpact_server.index import LinearIndex, Metric, metric_of
from hashpact_server.index.points import SHARED_RADIUS_BITS
from hashpact_server.state.benign import benign_values
from hashpact_server.state.view import View

COARSE_BITS: Final = 64
"""Values of so few bits lie near each other by chance: they are listed and told, and compared with nothing."""


POINT_BITS: Final = 256
"""Length of a local point's descriptor."""


class BenignValues:
    """The values of a benign list.

    Args:
        values: (signal type code, value) pairs.
    """

    def __init__(self, values: Iterable[tuple[int, bytes]] = ()) -> None:
        digests: set[tuple[int, bytes]] = set()
        near: dict[int, set[bytes]] = {}
        points: set[bytes] = set()
        for code, value in values:
            kind = SIGNAL_TYPES_BY_CODE[code]
            if kind.exact:
                digests.add((code, value))
            elif kind.ranged and kind.bits > COARSE_BITS:
                near.setdefault(code, set()).add(value)
            elif kind.comparison is Comparison.POINTS:
                points.update(row.tobytes() for row in LocalSignature.decode(value).descriptors)
        self._digests = frozenset(digests)
        self._near = {
            code: _index(metric_of(kind := SIGNAL_TYPES_BY_CODE[code]), kind.size_bytes, sorted(each))
            for code, each in near.items()
        }
        self._points = _index(POINT_BITS, POINT_BITS // 8, sorted(points))

    @classmethod
    def read(cls, view: View) -> BenignValues:
        """The benign list of a state."""
        return cls((code, value) for _, code, value in benign_values(view))

    def __bool__(self) -> bool:
        return bool(self._digests or self._near or len(self._points))

    def distances(self, kind: SignalType, values: Sequence[bytes], radius: int) -> list[int | None]:
        """How far the closest benign value of this type is from each value; None: over ``radius``.

        Digests are 0 or None.
        """
        if kind.exact:
            return [0 if (kind.code, value) in self._digests else None for value in values]
        index = self._near.get(kind.code)
        if index is None or not values:
            return [None] * len(values)
        lims, distances, _ = index.range_search(_rows(kind.size_bytes, values), radius)
        # The hits of one value come closest first.
        return [int(distances[start]) if start < end else None for start, end in itertools.pairwise(lims)]

    def has_points(self, descriptors: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which local points some benign picture has, too: uint8 [n, 32] -> bool [n]."""
        if not len(self._points):
            return np.zeros(len(descriptors), np.bool_)
        lims, _, _ = self._points.range_search(descriptors, SHARED_RADIUS_BITS)
        return lims[1:] > lims[:-1]


def _rows(size: int, values: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), size)


def _index(metric: Metric | int, size: int, values: Sequence[bytes]) -> LinearIndex:
    made = LinearIndex(metric)
    made.add(np.arange(len(values), dtype=np.uint64), _rows(size, values))
    return made
