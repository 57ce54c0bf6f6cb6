"""The benign list in memory: values of known good media, to be compared with what is contributed and what matched.

Immutable, like the roster: the writer publishes a new one after each commit that touches the benign list. It is small,
so each value is compared with all; a contribution or a match asks, and a look-up that finds nothing never does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES_BY_CODE, SignalType

from hashpact_server.index import LinearIndex, metric_of
from hashpact_server.state.benign import benign_values
from hashpact_server.state.view import View

COARSE_BITS: Final = 64
"""Values of so few bits lie near each other by chance: they are listed and told, and compared with nothing."""


class BenignValues:
    """The values of a benign list.

    Args:
        values: (signal type code, value) pairs.
    """

    def __init__(self, values: Iterable[tuple[int, bytes]] = ()) -> None:
        digests: set[tuple[int, bytes]] = set()
        near: dict[int, set[bytes]] = {}
        for code, value in values:
            kind = SIGNAL_TYPES_BY_CODE[code]
            if kind.exact:
                digests.add((code, value))
            elif kind.ranged and kind.bits > COARSE_BITS:
                near.setdefault(code, set()).add(value)
        self._digests = frozenset(digests)
        self._near = {code: _index(SIGNAL_TYPES_BY_CODE[code], sorted(each)) for code, each in near.items()}

    @classmethod
    def read(cls, view: View) -> BenignValues:
        """The benign list of a state."""
        return cls((code, value) for _, code, value in benign_values(view))

    def __bool__(self) -> bool:
        return bool(self._digests or self._near)

    def distances(self, kind: SignalType, values: Sequence[bytes], radius: int) -> list[int | None]:
        """How far the closest benign value of this type is from each value; None: over ``radius``.

        Digests are 0 or None.
        """
        if kind.exact:
            return [0 if (kind.code, value) in self._digests else None for value in values]
        index = self._near.get(kind.code)
        if index is None or not values:
            return [None] * len(values)
        lims, distances, _ = index.range_search(_rows(kind, values), radius)
        # The hits of one value come closest first.
        return [int(distances[start]) if start < end else None for start, end in itertools.pairwise(lims)]


def _rows(kind: SignalType, values: Sequence[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), kind.size_bytes)


def _index(kind: SignalType, values: Sequence[bytes]) -> LinearIndex:
    made = LinearIndex(metric_of(kind))
    made.add(np.arange(len(values), dtype=np.uint64), _rows(kind, values))
    return made
