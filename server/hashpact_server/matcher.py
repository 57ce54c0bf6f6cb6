"""The searchable part of the state, in memory: one index per perceptual signal type, and which digests may be listed.

The matcher follows the state: the writer tells it what a commit changed, and it is rebuilt, never patched, when that is
in doubt. It knows values and ids; what an item is worth stands in the state.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashpact_server import digests, local_points
from hashpact_server.index import Asked, DigestFilter, Index, PointIndex, Sighting
from hashpact_server.index.base import RangeResult
from hashpact_server.shelf import Shelf
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS
from hashpact_server.state.scope import Changes
from hashpact_server.state.view import View

_ORDINAL_BITS: Final = np.uint64(SIGNAL_ORDINAL_BITS)

NEAR_HITS_MAX: Final = 64
"""Closest hits of one value that a rule gets to see, beside all at distance 0: near-duplicates are told, not counted,
but identity hangs on equal values. Every contribution would otherwise pay for each of thousands of look-alikes."""

Wanted = tuple[int, bytes, int]
"""(signal type code, value, radius in bits)."""

Near = tuple[int, int, int]
"""(signal id, item, distance in bits)."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What was found near some values, and how fresh that is.

    Attributes:
        sequence: everything up to this entry was searched.
        found: what is near, per value that was asked for.
        apart: the values, by (code, radius), that have no other one of the same request within the radius.
    """

    sequence: int
    found: dict[Wanted, list[Near]] = field(default_factory=dict, repr=False)
    apart: dict[tuple[int, int], list[bytes]] = field(default_factory=dict, repr=False)


class Indexes:
    """One index per perceptual signal type, and which item each signal belongs to.

    Args:
        by_code: an index per signal type code.
        item_of_entry: items of the entries that added signals to an item made earlier. Most signals stand in the entry
            that created their item, so the item is part of their id; only the others are remembered.
        listed: which digests may be listed.
        points: local points.
    """

    def __init__(
        self, by_code: Mapping[int, Index], item_of_entry: dict[int, int], listed: DigestFilter, points: PointIndex
    ) -> None:
        self._by_code = by_code
        self.listed = listed
        self.points = points
        self._item_of_entry = item_of_entry

    def add(self, added: Iterable[tuple[int, int, int, bytes]]) -> None:
        """Add (code, signal id, item, value) rows."""
        columns: dict[int, tuple[list[int], list[bytes]]] = {}
        for code, signal, item, value in added:
            sequence = signal >> SIGNAL_ORDINAL_BITS
            if item != sequence:
                self._item_of_entry[sequence] = item
            ids, values = columns.setdefault(code, ([], []))
            ids.append(signal)
            values.append(value)
        for code, (ids, values) in columns.items():
            if (index := self._by_code.get(code)) is None:
                continue
            packed = np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(ids), index.bits // 8)
            index.add(np.array(ids, dtype=np.uint64), packed)

    def remove(self, removed: Iterable[tuple[int, int]]) -> None:
        """Remove (code, signal id) rows; ones that are not there are passed over."""
        columns: dict[int, list[int]] = {}
        for code, signal in removed:
            columns.setdefault(code, []).append(signal)
        for code, ids in columns.items():
            if (index := self._by_code.get(code)) is not None:
                index.remove(np.array(ids, dtype=np.uint64))

    def search(self, code: int, queries: NDArray[np.uint8], radius: int) -> RangeResult:
        """As ``Index.range_search`` of the type's index."""
        return self._by_code[code].range_search(queries, radius)

    def item_of(self, signal: int) -> int:
        """The item that a signal belongs to."""
        sequence = signal >> SIGNAL_ORDINAL_BITS
        return self._item_of_entry.get(sequence, sequence)

    def items_of(self, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The items that signals belong to: uint64 [n] -> uint64 [n]."""
        sequences = ids >> _ORDINAL_BITS
        moved = self._item_of_entry
        if moved:
            for position, sequence in enumerate(sequences.tolist()):
                if (item := moved.get(sequence)) is not None:
                    sequences[position] = item
        return sequences

    def near(self, code: int, values: Sequence[bytes], radius: int) -> Iterator[list[Near]]:
        """What lies closest within ``radius`` of each value, as :data:`NEAR_HITS_MAX` says."""
        size = self._by_code[code].bits // 8
        queries = np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(values), size)
        lims, distances, ids = self.search(code, queries, radius)
        for start, end in itertools.pairwise(lims.tolist()):
            if start == end:
                yield []
                continue
            end = start + told_hits(distances[start:end])  # noqa: PLW2901
            yield [
                (signal, self.item_of(signal), distance)
                for signal, distance in zip(ids[start:end].tolist(), distances[start:end].tolist(), strict=True)
            ]

    def counts(self) -> dict[int, int]:
        """Number of values per signal type code."""
        return {code: len(index) for code, index in self._by_code.items()}


def told_hits(distances: NDArray[np.int32]) -> int:
    """How many of one value's hits, sorted by distance, a rule gets to see."""
    equal = int(np.searchsorted(distances, 1))
    return min(len(distances), max(equal, NEAR_HITS_MAX))


class Matcher:
    """The indexes over everything committed, and the sequence that they reflect.

    Any number of threads may search; one thread (the writer) calls :meth:`follow` and :meth:`rebuild`.

    Args:
        view: the state to follow from here on.
        folder: where the indexes are kept between runs; None: in memory only.
    """

    def __init__(self, view: View, folder: Path | None = None) -> None:
        self._shelf = Shelf(folder)
        self._indexes = self._opened(view, self._shelf.open(view))
        self.sequence = view.head.sequence

    def _opened(self, view: View, by_code: Mapping[int, Index]) -> Indexes:
        return Indexes(by_code, dict(view.later_entries()), self._shelf.digests, self._shelf.points)

    def rebuild(self, view: View) -> None:
        """Build the indexes anew from the state; searches go on in the old ones until this returns."""
        self._indexes = self._opened(view, self._shelf.rebuild(view))
        self.sequence = view.head.sequence

    def checkpoint(self, view: View) -> None:
        """Let the next start find the indexes as they are now; safe beside searches and :meth:`follow`.

        Args:
            view: any view at least as fresh as :attr:`sequence`.
        """
        # Read first: the indexes then hold this much at least, and catching up starts from here.
        sequence = self.sequence
        self._shelf.checkpoint(view.entry(sequence))

    def close(self) -> None:
        """Let go of the indexes; nothing can be searched afterwards."""
        self._shelf.close()

    def follow(self, changes: Changes, sequence: int) -> None:
        """Take over what a commit changed; found by every search that begins after the return."""
        self._indexes.add(changes.added)
        self._indexes.remove(changes.removed)
        digests.follow(self._indexes.listed, changes.digests)
        local_points.follow(self._indexes.points, changes)
        self.sequence = sequence

    def search(self, code: int, queries: NDArray[np.uint8], radius: int) -> RangeResult:
        """Everything listed within ``radius`` bits of the queries (uint8 [q, bytes of the type])."""
        return self._indexes.search(code, queries, radius)

    def sightings(self, asked: Asked, limit: int) -> list[Sighting]:
        """Listed pictures that a probe may show, by its local points."""
        return self._indexes.points.sightings(asked, limit)

    def others(self, signal: int, descriptors: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Other items that have each of a listed picture's local points: see :meth:`PointIndex.others`."""
        return self._indexes.points.others(signal, descriptors)

    def may_list(self, code: int, values: bytes, size: int) -> NDArray[np.intp]:
        """Positions of the digests, ``size`` bytes each, that may be listed: the state knows. All others are not."""
        return self._indexes.listed.may_list(code, values, size)

    @property
    def listed(self) -> DigestFilter:
        """Which digests may be listed."""
        return self._indexes.listed

    def items_of(self, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The items that signals belong to: uint64 [n] -> uint64 [n]."""
        return self._indexes.items_of(ids)

    def neighbours(self, wanted: Sequence[Wanted]) -> Neighbours:
        """Search outside the writer what a rule will want to know inside it."""
        answer = Neighbours(self.sequence)
        indexes = self._indexes
        batches: dict[tuple[int, int], list[bytes]] = {}
        for code, value, radius in dict.fromkeys(wanted):
            batches.setdefault((code, radius), []).append(value)
        for (code, radius), values in batches.items():
            for value, found in zip(values, indexes.near(code, values, radius), strict=True):
                answer.found[code, value, radius] = found
        return answer

    def near(self, code: int, value: bytes, radius: int) -> list[Near]:
        """What is listed closest within ``radius`` bits of one value, as :data:`NEAR_HITS_MAX` says."""
        return next(self._indexes.near(code, [value], radius))

    def counts(self) -> dict[int, int]:
        """Number of values per signal type code."""
        return self._indexes.counts()
