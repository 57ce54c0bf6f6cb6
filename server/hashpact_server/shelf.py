"""Where the indexes stand between two runs of the server, so that a start need not build them from the state.

::

    index/current           which generation, and up to which entry it is good; written last, swapped atomically
    index/GENERATION/TYPE   the files of one index; types with a distance of their own have none: see kept_types
    index/GENERATION/digests  which digests may be listed (see ``digests``); tells by itself how far it reaches

An index is disposable. What is found is used when ``current`` names an entry that this very ledger has, and is then
brought up to date from there; anything else (nothing there, damage, another list, a list restored from a copy) is
built anew. The entry is known by its hash, which no other ledger can have.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES, SignalType
from numpy.typing import NDArray

from hashpact_server import digests, local_points
from hashpact_server.index import DigestFilter, Index, LinearIndex, MultiIndex, PointIndex, metric_of
from hashpact_server.ledger.entry import Entry, leaf_hash
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.state.reach import unlisting
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS
from hashpact_server.state.view import View

CURRENT: Final = "current"

log: Final = logging.getLogger(__name__)


def perceptual_types() -> tuple[SignalType, ...]:
    """The signal types that are searched within a radius, each in an index of its own."""
    return tuple(kind for kind in SIGNAL_TYPES.values() if kind.ranged)


def kept_types() -> tuple[SignalType, ...]:
    """Those whose index has files. The others are small, and read from the state at each start."""
    return tuple(kind for kind in perceptual_types() if kind.hamming)


@dataclass(frozen=True, slots=True)
class _Current:
    """What the file of that name says: a generation that holds at least everything up to an entry."""

    generation: int
    sequence: int
    leaf: str

    def write(self, root: Path) -> None:
        """Put it in place of the one before; crash: one of the two stands."""
        temporary = root / f"{CURRENT}.new"
        with temporary.open("w", encoding="ascii") as file:
            file.write(f"{self.generation} {self.sequence} {self.leaf}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(root / CURRENT)

    @classmethod
    def read(cls, root: Path) -> _Current | None:
        """What stands there, or None."""
        try:
            generation, sequence, leaf = (root / CURRENT).read_text(encoding="ascii").split()
            return cls(int(generation), int(sequence), leaf)
        except (OSError, ValueError):
            return None

    def fits(self, view: View) -> bool:
        """Whether this is about an entry of the view's ledger."""
        try:
            return leaf_hash(view.entry(self.sequence).public).hex() == self.leaf
        except (KeyError, ValueError, OverflowError):
            return False


class Shelf:
    """The indexes of one data directory.

    Args:
        root: their folder; None keeps them in memory.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._generation = 0
        self._indexes: dict[int, MultiIndex] = {}
        self.digests = DigestFilter()
        self.points = PointIndex()

    def open(self, view: View) -> Mapping[int, Index]:
        """The indexes, as they were left and brought up to date, or built anew."""
        if self._root is not None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            current = _Current.read(self._root)
            if current is not None and current.fits(view) and self._take_up(self._root, current, view):
                return self._indexes | _filled(view)
        return self.rebuild(view)

    def _take_up(self, root: Path, current: _Current, view: View) -> bool:
        """Use what is there; whether that was possible."""
        self._generation = current.generation
        indexes = self._made()
        for index in indexes.values():
            if index.damage is not None or not current.sequence <= index.sequence <= view.head.sequence:
                log.warning("the indexes are built anew: %s", index.damage or "they are not those of this list")
                _close(indexes)
                return False
        for kind in kept_types():
            _catch_up(indexes[kind.code], kind.code, current.sequence, view)
        self._indexes = indexes
        self.digests = digests.taken_up(self._place(root) / digests.FILE, view)
        self.points = local_points.built(view)
        self._sweep(root)
        return True

    def rebuild(self, view: View) -> Mapping[int, Index]:
        """Indexes built from the state, in a new generation; searches that are under way end in the old one."""
        self._generation += 1
        if self._root is not None:
            numbers = [int(path.name) for path in self._root.iterdir() if path.name.isdecimal()]
            self._generation = max([self._generation, *(number + 1 for number in numbers)])
        indexes = self._made()
        for kind in kept_types():
            indexes[kind.code].add_blocks((ids, values) for ids, _, values in view.value_blocks(kind.code))
        self._indexes = indexes
        self.digests = digests.built(view)
        self.points = local_points.built(view)
        if self._root is not None:
            self._sweep(self._root)
        return indexes | _filled(view)

    def _made(self) -> dict[int, MultiIndex]:
        made: dict[int, MultiIndex] = {}
        for kind in kept_types():
            place = None if self._root is None else self._place(self._root) / kind.name
            made[kind.code] = MultiIndex(kind.bits, place)
        return made

    def _place(self, root: Path) -> Path:
        return root / str(self._generation)

    def _sweep(self, root: Path) -> None:
        """Delete other generations. Files that are still mapped live on until nobody uses them."""
        for path in root.iterdir():
            if path.name.isdecimal() and int(path.name) != self._generation:
                shutil.rmtree(path, ignore_errors=True)

    def checkpoint(self, entry: Entry) -> None:
        """Let the next start find the indexes as they are.

        Args:
            entry: the last one that the indexes hold in full. They may hold more: catching up passes over it.

        Raises:
            OSError: it could not be written; the next start catches up from the checkpoint before.
        """
        if self._root is None:
            return
        for index in self._indexes.values():
            index.checkpoint(entry.sequence)
        digests.saved_when_worth_it(self.digests, self._place(self._root) / digests.FILE, entry)
        # Crash before: the older word is good for newer files too. After: this one is.
        _Current(self._generation, entry.sequence, leaf_hash(entry.public).hex()).write(self._root)

    def differing(self, view: View) -> list[str]:
        """Names of the signal types whose kept index says otherwise than the state; none when nothing usable is kept.

        Brings what is kept up to date, as a start does, and compares every id and value.
        """
        current = None if self._root is None or not self._root.is_dir() else _Current.read(self._root)
        if self._root is None or current is None or not current.fits(view):
            return []
        if not self._take_up(self._root, current, view):
            return []
        names = [kind.name for kind in kept_types() if not _agrees(self._indexes[kind.code], kind.code, view)]
        return [*names, "digest"] if digests.missing(self.digests, view) else names

    def close(self) -> None:
        """Let go of the indexes."""
        _close(self._indexes)


def _filled(view: View) -> dict[int, Index]:
    """The indexes that have no files, as the state is."""
    indexes: dict[int, Index] = {}
    for kind in perceptual_types():
        if kind not in kept_types():
            indexes[kind.code] = index = LinearIndex(metric_of(kind))
            index.add_blocks((ids, values) for ids, _, values in view.value_blocks(kind.code))
    return indexes


def _agrees(index: MultiIndex, code: int, view: View) -> bool:
    held = list(index.entries())
    ids = np.concatenate([np.empty(0, np.uint64), *(block for block, _ in held)])
    order = np.argsort(ids)
    ids = ids[order]
    values = np.concatenate([np.empty((0, index.bits // 8), np.uint8), *(block for _, block in held)])[order]
    start = 0
    for listed_ids, _, listed_values in view.value_blocks(code):
        end = start + len(listed_ids)
        if not (np.array_equal(ids[start:end], listed_ids) and np.array_equal(values[start:end], listed_values)):
            return False
        start = end
    return start == len(ids)


def _close(indexes: Mapping[int, MultiIndex]) -> None:
    for index in indexes.values():
        index.close()


def _catch_up(index: MultiIndex, code: int, since: int, view: View) -> None:
    """Bring an index that holds everything up to ``since``, and perhaps some of what came later, up to date."""
    for entry in view.entries(since + 1):
        for sequence in unlisting(entry, view):
            index.remove(_unlisted(view.entry(sequence), code, view))
    start = (since + 1) << SIGNAL_ORDINAL_BITS
    blocks = []
    for ids, _, values in view.value_blocks(code, start):
        index.remove(ids)
        blocks.append((ids, values))
    index.add_blocks(blocks)


def _unlisted(entry: Entry, code: int, view: View) -> NDArray[np.uint64]:
    """Ids of the signals of one entry that the list does not hold."""
    ids = _ids_of(entry)
    if entry.payload is None:
        return ids
    return ids[[not view.lists(code, signal) for signal in ids.tolist()]]


def _ids_of(entry: Entry) -> NDArray[np.uint64]:
    """Ids of the signals of one entry; all that it could have had, when that is redacted."""
    count = 1 << SIGNAL_ORDINAL_BITS
    if entry.payload is not None:
        count = len(ContributionPayload.decode(entry.payload).signals)
    first = entry.sequence << SIGNAL_ORDINAL_BITS
    return np.arange(first, first + count, dtype=np.uint64)
