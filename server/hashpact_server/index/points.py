"""Local points: which listed pictures have details that a probe has, and where in the probe they would lie.

::

    add(block of pictures) --> [ PointIndex ] <-- sightings(probe's points) --> pictures, votes, placements
    remove(ids) -------------->              <-- sharing(a picture's points) --> how common each of them is

In memory alone: it is built from state at every start. Newest points hang in chains; when these are a good part of the
whole, all are sorted anew, which costs about a third of a microsecond a point and stops nobody who searches.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hashpact_server.index.base import Bytes, Ids, IndexInputError, Words
from hashpact_server.index.choosing import chosen
from hashpact_server.index.points_kernel import (
    CHUNK_BITS,
    TABLES,
    WORDS,
    Sizes,
    Tables,
    chain_rows,
    find_others,
    search_points,
    sort_rows,
)
from hashpact_server.index.votes_kernel import count_votes

RADIUS_BITS: Final = 31
"""Two descriptors within it are a pair that may vote."""

SHARED_RADIUS_BITS: Final = 36
"""A point that another picture has within it is shared."""

OTHERS_MAX: Final = 8
"""Other items of one point that are told."""

COPY_RADIUS_BITS: Final = 31
"""Pictures within it by PDQ are copies of each other."""

VOTES_MIN: Final = 3
CROWD_MAX: Final = 96
"""Buckets with more points are passed over: edges and bars that every picture has."""

SHARING_CROWD_MAX: Final = 192
"""Of crowded buckets so many points are asked whether they share one, from all over the bucket."""

CHAINED_MIN: Final = 16_384
CHAINED_SHARE: Final = 16
"""So many points hang in chains, or this share of the sorted ones, before all are sorted anew."""

DEAD_SHARE: Final = 4
"""When this share of the points is removed, the others are moved together."""

GROUPS_MAX: Final = 512
"""Pictures of one probe of which votes are counted: those with most pairs."""

HITS_ROOM: Final = 32_768

BITS_MIN: Final = 8
_SMALL: Final = 1024

Floats: TypeAlias = NDArray[np.float32]


class Pictures(NamedTuple):
    """Listed pictures; n of them with p points in all.

    Attributes:
        ids: uint64 [n], signal ids.
        items: uint64 [n], the items that they belong to.
        wholes: uint8 [n, 32], PDQ of each whole picture.
        whole_known: bool [n], whether that says enough to tell copies by it.
        counts: int64 [n], points of each.
        descriptors: uint8 [p, 32].
        places: float32 [p, 4]: x, y and size in pixels, direction in radians.
    """

    ids: Ids
    items: Ids
    wholes: Bytes
    whole_known: NDArray[np.bool_]
    counts: NDArray[np.int64]
    descriptors: Bytes
    places: Floats


class Asked(NamedTuple):
    """Points of a probe: m of them.

    Attributes:
        descriptors: uint8 [m, 32].
        places: float32 [m, 4], as :attr:`Pictures.places`.
        mirrored: bool [m], which of them are those of the probe mirrored left to right; they vote by themselves.
    """

    descriptors: Bytes
    places: Floats
    mirrored: NDArray[np.bool_]


class Sighting(NamedTuple):
    """A listed picture that may be seen in a probe.

    ``placement`` is (a, b, c, d, e, f): (x, y) of the listed frame lies at (a x + b y + c, d x + e y + f) of the
    probe's; where ``mirrored``, of the probe's mirrored left to right.
    """

    signal: int
    votes: int
    placement: tuple[float, float, float, float, float, float]
    mirrored: bool


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One moment. Arrays are longer than what is used; what lies behind belongs to later moments."""

    descriptors: Words
    owners: NDArray[np.uint32]
    places: NDArray[np.float16]
    rows: int
    ids: Ids
    items: Ids
    wholes: Words
    whole_known: NDArray[np.uint8]
    alive: NDArray[np.uint8]
    pictures: int
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]
    sorted_rows: int
    sorted_bits: int
    heads: NDArray[np.uint32]
    links: NDArray[np.uint32]
    chain_bits: int
    chain_rows_max: int

    @property
    def tables(self) -> Tables:
        """As kernels want them."""
        return self.starts, self.entries, self.heads, self.links

    @property
    def sizes(self) -> Sizes:
        """As kernels want them."""
        return self.sorted_rows, self.sorted_bits, self.chain_bits, self.rows


def _bits_for(rows: int) -> int:
    return max(BITS_MIN, min(CHUNK_BITS, int(rows).bit_length()))


class PointIndex:
    """Local points of listed pictures. Any number of threads may search while others add and remove."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._view = _empty()
        self._places_of: dict[int, int] = {}
        self._dead_rows = 0

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._places_of)

    def __contains__(self, signal: int) -> bool:
        return signal in self._places_of

    def ids(self) -> Ids:
        """Signal ids of all pictures, sorted."""
        with self._lock:
            return np.array(sorted(self._places_of), np.uint64)

    def add(self, pictures: Pictures) -> None:
        """Add pictures; they are found by every search that begins after the return.

        Raises:
            IndexInputError: arrays that do not fit together, or an id that is present; nothing was added.
        """
        _check(pictures)
        if not len(pictures.ids):
            return
        with self._lock:
            names = pictures.ids.tolist()
            if len(set(names)) < len(names) or any(name in self._places_of for name in names):
                raise IndexInputError("an id is present already, or named twice; nothing was added")
            view = _with(self._view, pictures)
            self._places_of.update(zip(names, range(self._view.pictures, view.pictures), strict=True))
            if view.rows - view.sorted_rows > view.chain_rows_max:
                view = _sorted(view)
            else:
                chain_rows(
                    view.descriptors,
                    view.sorted_rows,
                    self._view.rows,
                    view.rows,
                    view.chain_bits,
                    view.heads,
                    view.links,
                )
            self._view = view

    def remove(self, ids: Ids) -> int:
        """Remove pictures; those that are not there are passed over. Returns how many were removed."""
        with self._lock:
            removed = [place for each in ids.tolist() if (place := self._places_of.pop(each, None)) is not None]
            if not removed:
                return 0
            view = self._view
            view.alive[removed] = 0
            counts = np.bincount(view.owners[: view.rows], minlength=view.pictures)
            self._dead_rows += int(counts[removed].sum())
            if self._dead_rows * DEAD_SHARE > view.rows:
                self._view = _sorted(_compacted(view))
                names = self._view.ids[: self._view.pictures].tolist()
                self._places_of = dict(zip(names, range(len(names)), strict=True))
                self._dead_rows = 0
            return len(removed)

    def pairs(self, asked: Asked, radius: int = RADIUS_BITS) -> NDArray[np.int64]:
        """What the table finds: int64 [3, k], number of the probe's point, picture's id, distance; for measuring it."""
        view = self._view
        found = _search(view, asked.descriptors, radius)
        ids = view.ids[view.owners[found[1]]].astype(np.int64)
        return np.stack([found[0].astype(np.int64), ids, found[2].astype(np.int64)])

    def sightings(self, asked: Asked, limit: int) -> list[Sighting]:
        """Pictures that may be seen in a probe, at most ``limit``; see :mod:`hashpact_server.index.choosing`."""
        view = self._view
        if not view.pictures or not len(asked.descriptors):
            return []
        found = _search(view, asked.descriptors, RADIUS_BITS)
        points, rows, distances = found
        owners = view.owners[rows].astype(np.int64) * 2 + asked.mirrored[points]
        order = np.lexsort((distances, owners))
        points, rows, owners = points[order], rows[order], owners[order]
        starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1])) if len(owners) else np.empty(0, np.int64)
        counts = np.diff(np.append(starts, len(owners)))
        kept = np.flatnonzero(counts >= VOTES_MIN)
        if len(kept) > GROUPS_MAX:
            kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:GROUPS_MAX]])
        if not len(kept):
            return []
        inside = np.repeat(np.isin(np.arange(len(starts)), kept), counts)
        points, rows, owners = points[inside], rows[inside], owners[inside]
        bounds = np.append(0, np.cumsum(counts[kept]))
        groups = owners[bounds[:-1]]
        listed = view.places[rows].astype(np.float32)
        votes, placements = np.empty(len(groups), np.int32), np.empty((len(groups), 6))
        voting = np.empty(len(points), np.uint8)
        count_votes(bounds, len(groups), listed, np.ascontiguousarray(asked.places[points]), votes, placements, voting)
        sightings = []
        for each in chosen(bounds, points, voting, votes, limit, VOTES_MIN):
            a, b, c, d, e, f = placements[each].tolist()
            if a * e - b * d > 0:
                signal, mirrored = int(view.ids[groups[each] >> 1]), bool(groups[each] & 1)
                sightings.append(Sighting(signal, int(votes[each]), (a, b, c, d, e, f), mirrored))
        return sightings

    def others(self, signal: int, descriptors: Bytes) -> Ids:
        """For each point of a picture that is present: other items that have it, too: uint64 [n, OTHERS_MAX], then 0.

        Copies of the picture (by PDQ of the whole) do not count: what copies share is not common.

        Args:
            signal: its id; when it is not there, nothing is shared.
            descriptors: uint8 [n, 32], the points.
        """
        view, picture = self._view, self._places_of.get(signal)
        found = np.zeros((len(descriptors), OTHERS_MAX), np.uint64)
        if picture is None or picture >= view.pictures:
            return found
        find_others(
            _words(descriptors), picture, view.descriptors, view.owners, view.alive, view.items, view.wholes,
            view.whole_known, view.tables, view.sizes, SHARED_RADIUS_BITS, COPY_RADIUS_BITS, SHARING_CROWD_MAX, found,
        )  # fmt: skip
        return found

    def memory_bytes(self) -> int:
        """Bytes of points, places and tables."""
        view = self._view
        return sum(
            each.nbytes
            for each in (view.descriptors, view.owners, view.places, view.starts, view.entries, view.heads, view.links)
        ) + view.pictures * (8 + 8 + 32 + 1 + 1)


def _check(pictures: Pictures) -> None:
    ids, items, wholes, known, counts, descriptors, places = pictures
    n, p = len(ids), len(descriptors)
    fits = ids.dtype == items.dtype == np.uint64 and descriptors.dtype == wholes.dtype == np.uint8
    shapes = (
        items.shape == known.shape == counts.shape == (n,)
        and descriptors.shape == (p, 8 * WORDS)
        and places.shape == (p, 4)
        and wholes.shape == (n, 32)
    )
    if not (fits and shapes and int(counts.sum()) == p and (counts >= 0).all()):
        raise IndexInputError("pictures are columns of equal length, and each point has a descriptor and a place")


def _words(values: Bytes) -> Words:
    return np.ascontiguousarray(values).view(np.uint64).reshape(-1)


def _search(view: _View, descriptors: Bytes, radius: int) -> NDArray[np.int32]:
    queries, room = _words(descriptors), HITS_ROOM
    while True:
        found = np.empty((3, room), np.int32)
        hits = search_points(
            queries, view.descriptors, view.owners, view.alive, view.tables, view.sizes, radius, CROWD_MAX, found
        )
        if hits <= room:
            return found[:, :hits]
        room = hits  # as many as are found now; more may come meanwhile, and are no part of this moment


def _empty() -> _View:
    return _sorted(
        _View(
            np.empty(_SMALL * WORDS, np.uint64), np.empty(_SMALL, np.uint32), np.empty((_SMALL, 4), np.float16), 0,
            np.empty(_SMALL, np.uint64), np.empty(_SMALL, np.uint64),
            np.empty(_SMALL * WORDS, np.uint64), np.empty(_SMALL, np.uint8), np.empty(_SMALL, np.uint8), 0,
            *(np.empty(0, np.uint32),) * 2, 0, BITS_MIN, *(np.empty(0, np.uint32),) * 2, BITS_MIN, 0,
        )
    )  # fmt: skip


def _room(array: NDArray[Any], used: int, needed: int) -> NDArray[Any]:
    """The array itself where it is long enough, else a copy that is; views that are out keep the old one."""
    if needed <= len(array):
        return array
    larger: NDArray[Any] = np.empty((max(needed, len(array) + len(array) // 2), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


def _with(view: _View, new: Pictures) -> _View:
    """The moment with more pictures, whose points are in no table yet."""
    rows, end = view.rows, view.rows + len(new.descriptors)
    first, last = view.pictures, view.pictures + len(new.ids)
    grown: dict[str, Any] = {
        "descriptors": _room(view.descriptors, rows * WORDS, end * WORDS),
        "owners": _room(view.owners, rows, end),
        "places": _room(view.places, rows, end),
        "ids": _room(view.ids, first, last),
        "items": _room(view.items, first, last),
        "wholes": _room(view.wholes, first * WORDS, last * WORDS),
        "whole_known": _room(view.whole_known, first, last),
        "alive": _room(view.alive, first, last),
    }
    grown["descriptors"][rows * WORDS : end * WORDS] = _words(new.descriptors)
    grown["owners"][rows:end] = np.repeat(np.arange(first, last), new.counts)
    grown["places"][rows:end] = new.places
    grown["ids"][first:last], grown["items"][first:last] = new.ids, new.items
    grown["whole_known"][first:last] = new.whole_known
    grown["wholes"][first * WORDS : last * WORDS] = _words(new.wholes)
    grown["alive"][first:last] = 1
    return replace(view, rows=end, pictures=last, **grown)


def _sorted(view: _View) -> _View:
    """The moment with all rows sorted and empty chains."""
    rows, bits = view.rows, _bits_for(view.rows)
    starts, entries = np.empty(TABLES * ((1 << bits) + 1), np.uint32), np.empty(TABLES * rows, np.uint32)
    sort_rows(view.descriptors, rows, bits, starts, entries)
    room = max(CHAINED_MIN, rows // CHAINED_SHARE)
    chain_bits = _bits_for(room) - 1
    return replace(
        view,
        starts=starts,
        entries=entries,
        sorted_rows=rows,
        sorted_bits=bits,
        heads=np.zeros(TABLES << chain_bits, np.uint32),
        links=np.empty(TABLES * room, np.uint32),
        chain_bits=chain_bits,
        chain_rows_max=room,
    )


def _compacted(view: _View) -> _View:
    """The moment without what was removed; nothing of it is in a table."""
    living = np.flatnonzero(view.alive[: view.pictures])
    rows = np.flatnonzero(view.alive[view.owners[: view.rows]])
    numbers = np.cumsum(view.alive[: view.pictures], dtype=np.int64) - 1
    return replace(
        view,
        descriptors=view.descriptors.reshape(-1, WORDS)[rows].reshape(-1),
        owners=numbers[view.owners[rows]].astype(np.uint32),
        places=view.places[rows],
        rows=len(rows),
        ids=view.ids[living],
        items=view.items[living],
        wholes=view.wholes.reshape(-1, WORDS)[living].reshape(-1),
        whole_known=view.whole_known[living],
        alive=view.alive[living],
        pictures=len(living),
    )
