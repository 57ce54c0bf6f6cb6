"""Looking up: which items do these values match?

::

    probes --gather (services/lookup)--> one Batch per signal type: all values of all probes in one block
                                           |
              perceptual: matcher.search --+-- digests: matcher.may_list --maybe--> view.listed_digest
                                           |
                        nothing hit? ------+------> done: nothing was opened, nothing is encoded
                                           |
         best value per (probe, item, type): numpy, so that a flood of hits costs no Python per hit
                                           |
         items in order of closeness --Advisor--> still listed? --> who vouches --> advice --> Match

A miss is what nearly every look-up is, so a miss does no work per value in Python. Withdrawals win races: the indexes
are searched first, and what was withdrawn meanwhile is no longer listed when its status is read.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE
from hashpact.v1 import error_reason_pb2
from numpy.typing import NDArray

from hashpact_server.benign import BenignValues
from hashpact_server.board import Board, Wider
from hashpact_server.engine import Engine
from hashpact_server.matches import (
    Advisor,
    Agreement,
    Batch,
    Found,
    Match,
    Numbers,
    Probe,
    agreement_of,
    shown_distances,
)
from hashpact_server.refusal import Refusal
from hashpact_server.rules.advice import COARSE
from hashpact_server.rules.benign import softened
from hashpact_server.rules.grounds import Ground
from hashpact_server.state.view import View
from hashpact_server.videos import FRAME

SEARCH_VALUES_MAX: Final = 1024
"""Values in one search of an index; between two the deadline is looked at."""

SEARCH_VALUES_FIRST: Final = 128
SEARCH_HITS_GOOD: Final = 500_000
"""Searches begin small and grow while they give no more hits than this: near thousands of look-alikes a full search
would hold gigabytes."""

ANSWER_MATCHES_MAX: Final = 40_960
"""Matches in one answer. When they are used up, each further probe gets its closest one, and is told that there are
more: a full batch at ``matches_default`` is never cut, and no answer outgrows what clients read."""

_SPARE_ITEMS: Final = 32
"""Items kept beside twice those asked for: some may have been withdrawn a moment ago."""

_DIGEST: Final = -1
"""Rank of a digest that agrees: before distance 0."""

_FRAME_RANK: Final = 1 << 17
"""Rank of frames that agree, before their number is taken off: after all other types."""

_CODE_RANKS: Final[Numbers] = np.array(
    [(1 << 16) * (code in SIGNAL_TYPES_BY_CODE and SIGNAL_TYPES_BY_CODE[code].name in COARSE) for code in range(256)]
)
"""By signal type code, what is added to a distance so that coarse types come after all others."""


class _Hits(NamedTuple):
    """Columns of hits; row i: value ``values[i]`` of probe ``probes[i]`` agrees with ``signals[i]`` of ``items[i]``.

    ``votes``: of frames, how many values of the probe agree with the item; else 1.
    """

    probes: Numbers
    items: NDArray[np.uint64]
    codes: Numbers
    values: Numbers
    distances: Numbers
    signals: NDArray[np.uint64]
    votes: Numbers

    def take(self, rows: NDArray[np.intp]) -> _Hits:
        """Some of the rows."""
        return _Hits._make(column[rows] for column in self)


def look_up(
    engine: Engine,
    batches: Sequence[Batch],
    *,
    radii: Mapping[int, int],
    matches_max: int,
    exact_distances: bool,
    deadline: float,
    member: bytes,
    use: str = "",
) -> list[Found]:
    """The probes that matched, in their order.

    Args:
        engine: the list.
        batches: at most one per signal type.
        radii: signal type code -> radius in bits, where it differs from the type's default.
        matches_max: items per probe.
        exact_distances: whether the caller may see distances. If not, distances are coarsened *before* anything is
            chosen or ordered, so that neither the order of items nor the value that is named tells more than they do.
        deadline: ``time.monotonic()`` after which no further search begins, and no further probe is answered.
        member: pseudonym of whoever asks.
        use: for which of its uses; "": none.

    Of more look-alikes than anybody asked for, the farthest are forgotten per signal type. An item that is named for
    another type's sake may be among them, so what is named is compared once more: no agreement is ever missing.

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    hits: list[_Hits] = []
    crowds: dict[int, list[Batch]] = {}
    digests: list[tuple[Batch, NDArray[np.intp]]] = []
    board = engine.published.board
    for batch in batches:
        kind = batch.kind
        if kind.ranged:
            radius = radii.get(kind.code, kind.radius_default)
            wider = None if kind.code in radii else board.wider(kind)
            crowded: set[int] = set()
            parts = _near(engine, batch, radius, wider, exact_distances, deadline)
            if batch.wide and kind.code not in radii:
                parts = itertools.chain(parts, _beyond(engine, batch.widely(), radius, exact_distances, deadline))
            for part in parts:
                kept, cut = _closest(part, 2 * matches_max + _SPARE_ITEMS)
                hits.append(kept)
                crowded.update(cut)
            for probe in crowded:
                crowds.setdefault(probe, []).append(batch)
        elif kind.exact and (rows := engine.matcher.may_list(kind.code, batch.values, kind.size_bytes)).size:
            digests.append((batch, rows))
    if not hits and not digests:
        return []
    with engine.state.read() as view:
        hits.extend(equal for batch, rows in digests if (equal := _equal(view, batch, rows)) is not None)
        if not hits:
            return []
        answering = _Answering(Advisor(view, member, use), batches, radii, board, crowds, exact_distances)
        found = _answer(answering, _joined(hits), matches_max, deadline)
        return [soften(view, engine.published.benign, batches, each) for each in found]


def soften(view: View, benign: BenignValues, batches: Sequence[Batch], found: Found) -> Found:
    """What one probe matched, with no stronger advice than the benign list leaves."""
    if not benign:
        return found
    values = {batch.kind.name: values for batch in batches if (values := batch.values_of(found.probe))}
    if not (most := softened(view, benign, values, [match.item for match in found.matches])):
        return found
    milder = (match._replace(advice=min(match.advice, most[match.item])) for match in found.matches)
    return found._replace(matches=tuple(milder))


def _near(
    engine: Engine, batch: Batch, radius: int, wider: Wider | None, exact_distances: bool, deadline: float
) -> Iterator[_Hits]:
    reach = radius if wider is None else wider.radius
    queries = np.frombuffer(batch.values, dtype=np.uint8).reshape(-1, batch.kind.size_bytes)
    start, size = 0, SEARCH_VALUES_FIRST
    while start < len(queries):
        check_deadline(deadline)
        part = queries[start : start + size]
        lims, distances, ids = engine.matcher.search(batch.kind.code, part, reach)
        start += len(part)
        size = min(SEARCH_VALUES_MAX, 2 * size)
        if ids.size:
            size = max(1, min(size, SEARCH_HITS_GOOD * len(part) // ids.size))
            rows = np.repeat(np.arange(start - len(part), start), lims[1:] - lims[:-1])
            items, wide = engine.matcher.items_of(ids), distances.astype(np.int64)
            if wider is not None:
                kept = wider.passes(items, wide, radius)
                rows, items, wide, ids = rows[kept], items[kept], wide[kept], ids[kept]
            if not exact_distances:
                wide = np.where(wide <= radius, shown_distances(wide, radius), reach)
            if ids.size:
                yield _hits(batch, rows, items, wide, ids)


def _beyond(engine: Engine, batch: Batch, radius: int, exact_distances: bool, deadline: float) -> Iterator[_Hits]:
    """What lies between the radius and the largest that may be asked for; how far in between is told to few."""
    reach = batch.kind.radius_max
    for part in _near(engine, batch, reach, None, True, deadline):
        rows = np.flatnonzero(part.distances > radius)
        if rows.size:
            farther = part.take(rows)
            yield farther if exact_distances else farther._replace(distances=np.full(rows.size, reach))


def check_deadline(deadline: float) -> None:
    """Refuse to go on after it (``time.monotonic()``).

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    if time.monotonic() > deadline:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_DEADLINE_EXCEEDED,
            "the deadline passed before all values were looked up; send fewer at once",
        )


def _equal(view: View, batch: Batch, maybe: NDArray[np.intp]) -> _Hits | None:
    code, size = batch.kind.code, batch.kind.size_bytes
    found: list[tuple[int, int, int]] = []
    for row in maybe.tolist():
        listed = view.listed_digest(code, batch.values[row * size : (row + 1) * size])
        if listed is not None:
            found.append((row, *listed))
    if not found:
        return None
    rows, items, signals = zip(*found, strict=True)
    distances = np.full(len(rows), _DIGEST)
    return _hits(batch, np.array(rows), np.array(items, np.uint64), distances, np.array(signals, np.uint64))


def _hits(
    batch: Batch, rows: Numbers, items: NDArray[np.uint64], distances: Numbers, signals: NDArray[np.uint64]
) -> _Hits:
    """The closest pair per (probe, item); of several that are equally close, the first."""
    sets = np.searchsorted(batch.starts, rows, side="right") - 1
    probes, values = batch.probes[sets], rows - batch.starts[sets]
    votes = np.ones(len(rows), np.int64)
    hits = _Hits(probes, items, np.full(len(rows), batch.kind.code), values, distances, signals, votes)
    if len(rows) == 1:
        return hits
    if batch.kind is FRAME:
        return _voted(hits)
    hits = hits.take(np.lexsort((signals, values, distances, items, probes)))
    return hits.take(_group_starts(hits))


def _voted(hits: _Hits) -> _Hits:
    """The closest pair per (probe, item), with the number of the probe's values that agree with the item."""
    hits = hits.take(np.lexsort((hits.signals, hits.distances, hits.values, hits.items, hits.probes)))
    once = hits.take(_group_starts(hits, hits.values))  # a value may agree with many frames, and votes once
    starts = _group_starts(once)
    votes = np.add.reduceat(once.votes, starts)
    best = once.take(np.lexsort((once.signals, once.values, once.distances, once.items, once.probes)))
    return best.take(_group_starts(best))._replace(votes=votes)


def _closest(hits: _Hits, items_max: int) -> tuple[_Hits, list[int]]:
    """Per probe the closest ``items_max`` items, and the probes that had more.

    Hits name each item once per probe, sorted by probe and item; so do those that are kept.
    """
    if len(hits.probes) <= items_max:
        return hits, []
    starts = np.flatnonzero(np.append(True, hits.probes[1:] != hits.probes[:-1]))
    counts = np.diff(np.append(starts, len(hits.probes)))
    if counts.max() <= items_max:
        return hits, []
    order = np.lexsort((hits.items, hits.distances, -hits.votes, hits.probes))
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return hits.take(np.sort(order[ranks < items_max])), hits.probes[starts[counts > items_max]].tolist()


def _joined(hits: Sequence[_Hits]) -> _Hits:
    """All hits, those of one (probe, item) side by side, one per signal type."""
    if len(hits) == 1:
        return hits[0]
    together = _Hits._make(np.concatenate(columns) for columns in zip(*hits, strict=True))
    # A type's values may have been searched in several parts: keep the closest of each (probe, item, type).
    together = together.take(
        np.lexsort((together.values, together.distances, together.codes, together.items, together.probes))
    )
    starts = _group_starts(together, together.codes)
    return together.take(starts)._replace(votes=np.add.reduceat(together.votes, starts))


def _group_starts(hits: _Hits, codes: Numbers | None = None) -> NDArray[np.intp]:
    """Where a new (probe, item), or (probe, item, code), begins in sorted hits."""
    fresh = np.ones(len(hits.probes), np.bool_)
    fresh[1:] = (hits.probes[1:] != hits.probes[:-1]) | (hits.items[1:] != hits.items[:-1])
    if codes is not None:
        fresh[1:] |= codes[1:] != codes[:-1]
    return np.flatnonzero(fresh)


@dataclass(frozen=True, slots=True)
class _Answering:
    """What it takes to tell a match from hits: who asks, and what for."""

    advisor: Advisor
    batches: Sequence[Batch]
    radii: Mapping[int, int]
    board: Board
    crowds: Mapping[int, Sequence[Batch]]
    exact_distances: bool

    def match(self, ground: Ground, probe: int, hits: _Hits, rows: range) -> Match:
        """The match of a probe with an item, of which there are hits in these rows."""
        asked = Probe(self.batches, probe, self.radii)
        agreements = [self._agreement(hits, row) for row in rows]
        if probe in self.crowds:
            agreements = self._compared_again(ground, asked, agreements, self.crowds[probe])
        return self.advisor.match(ground, agreements, asked)

    def _agreement(self, hits: _Hits, row: int) -> Agreement:
        kind = SIGNAL_TYPES_BY_CODE[int(hits.codes[row])]
        distance, exact = max(0, int(hits.distances[row])), kind.exact or self.exact_distances
        return Agreement(kind.name, int(hits.values[row]), distance, not exact, int(hits.signals[row]))

    def _compared_again(
        self, ground: Ground, probe: Probe, agreements: Iterable[Agreement], crowds: Iterable[Batch]
    ) -> list[Agreement]:
        """The agreements of an item, with those that were forgotten, in the order of the types.

        A probe that is near so many items that only the closest were kept may be near to this one, too, by that type.
        """
        found = {each.signal_type: each for each in agreements}
        for kind in (batch.kind for batch in crowds):
            listed = [
                (each.identity, each.signal.value) for each in ground.signals.values() if each.signal.code == kind.code
            ]
            radius = self.radii.get(kind.code, kind.radius_default)
            if kind.code not in self.radii and (wider := self.board.wider(kind)) is not None:
                radius = wider.radius_of(ground.item, radius)
            again = agreement_of(kind, probe.values(kind.code), listed, radius, self.exact_distances)
            if again is not None:
                found[kind.name] = again
        return [found[name] for name in SIGNAL_TYPES if name in found]


def _answer(answering: _Answering, hits: _Hits, matches_max: int, deadline: float) -> Iterator[Found]:
    """Turn hits into matches: per probe the closest items that are still listed, at most ``matches_max``.

    Items on which only coarse types agree come last: flat pictures share such values, and a probe that is near to many
    of them has to be told of the one item that really looks like it.
    """
    left = ANSWER_MATCHES_MAX
    starts = _group_starts(hits)
    ends = np.append(starts[1:], len(hits.probes))
    probes, items = hits.probes[starts], hits.items[starts]
    # Videos that share a title card are as close as one that shares all: the one with the most frames comes first.
    ranks = np.where(hits.codes == FRAME.code, _FRAME_RANK - hits.votes, hits.distances + _CODE_RANKS[hits.codes])
    order = np.lexsort((items, np.minimum.reduceat(ranks, starts), probes))
    of_probe = probes[order]
    bounds = [*np.flatnonzero(np.append(True, of_probe[1:] != of_probe[:-1])).tolist(), len(order)]
    for first, last in itertools.pairwise(bounds):
        check_deadline(deadline)
        probe = int(of_probe[first])
        matches: list[Match] = []
        truncated = False
        for group in order[first:last].tolist():
            check_deadline(deadline)  # two long videos take a while
            ground = answering.advisor.ground(int(items[group]))
            if ground is None:
                continue
            if len(matches) == min(matches_max, max(1, left)):
                truncated = True
                break
            matches.append(answering.match(ground, probe, hits, range(int(starts[group]), int(ends[group]))))
        left -= len(matches)
        if matches:
            yield Found(probe, tuple(matches), truncated)
