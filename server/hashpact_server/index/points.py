"""Local points: which listed pictures have details that a probe has, and where in the probe they would lie.

::

    add(block of pictures) --> [ PointIndex ] <-- sightings(probe's points) --> pictures, votes, placements
    remove(ids) -------------->              <-- others(a picture's points) --> other items that have them, too

In memory alone: it is built from state at every start. Newest points hang in chains; when these are a good part of the
whole, all are sorted anew, which costs less than half a microsecond a point, behind everybody's back.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashpact_server.index.base import Bytes, Ids, IndexInputError
from hashpact_server.index.choosing import chosen
from hashpact_server.index.points_kernel import WORDS, find_others, search_points
from hashpact_server.index.points_view import (
    PLACE_UNITS,
    Floats,
    Pictures,
    PointsView,
    compacted,
    empty_view,
    sorted_view,
    with_pictures,
    words_of,
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
CROWD_MAX: Final = 32
"""Of one bucket so many points are looked at, the newest: some hold edges and bars that every picture has."""

SHARING_CROWD_MAX: Final = 192
"""The same, when it is asked who shares a point."""


DEAD_SHARE: Final = 4
"""When this share of the points is removed, the others are moved together."""

GROUPS_MAX: Final = 512
"""Pictures of one probe of which votes are counted: those with most pairs."""

HITS_ROOM: Final = 32_768


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


class PointIndex:
    """Local points of listed pictures. Any number of threads may search while others add and remove."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._view = empty_view()
        self._places_of: dict[int, int] = {}
        self._dead_rows = 0
        self._sorter: threading.Thread | None = None

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._places_of)

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
            begin = self._view.rows
            view = with_pictures(self._view, pictures)
            if view.rows - view.sorted_rows > view.chained_max:
                view = sorted_view(view)
            else:
                view.chain(begin)
            self._places_of.update(zip(names, range(self._view.pictures, view.pictures), strict=True))
            self._view = view
            if self._sorter is None and 2 * (view.rows - view.sorted_rows) > view.chained_max:
                self._sorter = threading.Thread(target=self._sort, args=(view,), name="points", daemon=True)
                self._sorter.start()

    def _sort(self, view: PointsView) -> None:
        """Sort what hangs in chains, while others search and add; what was added meanwhile hangs in the new chains."""
        made = sorted_view(view)
        with self._lock:
            self._sorter = None
            now = self._view
            if now.starts is not view.starts:
                return  # sorted or moved together meanwhile
            self._view = now.with_tables_of(made)

    def remove(self, ids: Ids) -> int:
        """Remove pictures; those that are not there are passed over. Returns how many were removed."""
        with self._lock:
            removed = [place for each in ids.tolist() if (place := self._places_of.pop(each, None)) is not None]
            self._view.alive[removed] = 0
            self._dead_rows += int(self._view.counts[removed].sum())
            if self._dead_rows * DEAD_SHARE > self._view.rows:
                self._view = sorted_view(compacted(self._view))
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
        listed = view.places[rows] / PLACE_UNITS
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
        with self._lock:
            view, picture = self._view, self._places_of.get(signal)
        found = np.zeros((len(descriptors), OTHERS_MAX), np.uint64)
        if picture is None:
            return found
        find_others(
            words_of(descriptors), picture, view.descriptors, view.owners, view.alive, view.items, view.wholes,
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


def _search(view: PointsView, descriptors: Bytes, radius: int) -> NDArray[np.int32]:
    queries, room = words_of(descriptors), HITS_ROOM
    while True:
        found = np.empty((3, room), np.int32)
        hits = search_points(
            queries, view.descriptors, view.owners, view.alive, view.tables, view.sizes, radius, CROWD_MAX, found
        )
        if hits <= room:
            return found[:, :hits]
        room = hits  # as many as are found now; more may come meanwhile, and are no part of this moment
