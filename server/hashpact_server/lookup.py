"""Looking up: which items do these values match?

::

    probes --gather (services/lookup)--> one Batch per signal type: all values of all probes in one block
                                           |
              perceptual: matcher.search --+-- digests: matcher.may_list --maybe--> view.item_by_digest
                                           |
                        nothing hit? ------+------> done: nothing was opened, nothing is encoded
                                           |
         best value per (probe, item, type): numpy, so that a flood of hits costs no Python per hit
                                           |
         items in order of closeness --view.item--> still listed? --> labels --> advice --> Match

A miss is what nearly every look-up is, so a miss does no work per value in Python. Withdrawals win races: the indexes
are searched first, and what was withdrawn meanwhile is no longer listed when its status is read.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE, SignalType, hamming
from hashpact.v1 import error_reason_pb2
from numpy.typing import NDArray

from hashpact_server.benign import BenignValues
from hashpact_server.engine import Engine
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.refusal import Refusal
from hashpact_server.rules.advice import COARSE, Advice, advise
from hashpact_server.rules.benign import softened
from hashpact_server.rules.canaries import is_canary
from hashpact_server.state.rows import Role, Status
from hashpact_server.state.view import View

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

SEES_DISTANCES: Final = (Role.REVIEW, Role.CONTRIBUTE, Role.REPLICATE)
"""Roles, any of which lets a caller see exact distances."""

_DIGEST: Final = -1
"""Rank of a digest that agrees: before distance 0."""

Numbers = NDArray[np.int64]

_CODE_RANKS: Final[Numbers] = np.array(
    [(1 << 16) * (code in SIGNAL_TYPES_BY_CODE and SIGNAL_TYPES_BY_CODE[code].name in COARSE) for code in range(256)]
)
"""By signal type code, what is added to a distance so that coarse types come after all others."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All values of one signal type of all probes of a call.

    Attributes:
        kind: the signal type.
        values: the values, one after the other.
        probes: int64 [sets], the probe that each signal set belongs to.
        starts: int64 [sets], the position of each set's first value.
    """

    kind: SignalType
    values: bytes = field(repr=False)
    probes: Numbers
    starts: Numbers

    def values_of(self, probe: int) -> list[bytes]:
        """The values of one probe; none when it has none of this type."""
        at, size = int(np.searchsorted(self.probes, probe)), self.kind.size_bytes
        if at == len(self.probes) or self.probes[at] != probe:
            return []
        end = int(self.starts[at + 1]) * size if at + 1 < len(self.starts) else len(self.values)
        return [self.values[place : place + size] for place in range(int(self.starts[at]) * size, end, size)]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One signal type that agreed. ``distance`` in bits; an upper bound where ``is_bound``."""

    signal_type: str
    value_index: int
    distance: int
    is_bound: bool


@dataclass(frozen=True, slots=True)
class Match:
    """One item that a probe matched."""

    item: int
    status: Status
    labels: tuple[str, ...]
    advice: Advice
    agreements: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What one probe matched: closest first; ``truncated`` when there was more than asked for."""

    probe: int
    matches: tuple[Match, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class _Hits:
    """Columns of hits; row i says: value ``values[i]`` of probe ``probes[i]`` agrees with item ``items[i]``."""

    probes: Numbers
    items: NDArray[np.uint64]
    codes: Numbers
    values: Numbers
    distances: Numbers

    def take(self, rows: NDArray[np.intp]) -> _Hits:
        """Some of the rows."""
        return _Hits(self.probes[rows], self.items[rows], self.codes[rows], self.values[rows], self.distances[rows])


def look_up(
    engine: Engine,
    batches: Sequence[Batch],
    *,
    radii: Mapping[int, int],
    matches_max: int,
    exact_distances: bool,
    deadline: float,
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

    Of more look-alikes than anybody asked for, the farthest are forgotten per signal type. An item that is named for
    another type's sake may be among them, so what is named is compared once more: no agreement is ever missing.

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    hits: list[_Hits] = []
    crowds: dict[int, list[_Crowd]] = {}
    digests: list[tuple[Batch, NDArray[np.intp]]] = []
    for batch in batches:
        if not batch.kind.exact:
            radius = radii.get(batch.kind.code, batch.kind.radius_default)
            near = _near(engine, batch, radius, exact_distances, deadline)
            crowded: set[int] = set()
            for part in near:
                kept, cut = _closest(part, 2 * matches_max + _SPARE_ITEMS)
                hits.append(kept)
                crowded.update(cut)
            for probe in crowded:
                crowds.setdefault(probe, []).append(_Crowd(batch, radius, probe, exact_distances))
        elif (rows := engine.matcher.may_list(batch.kind.code, batch.values, batch.kind.size_bytes)).size:
            digests.append((batch, rows))
    if not hits and not digests:
        return []
    with engine.state.read() as view:
        hits.extend(equal for batch, rows in digests if (equal := _equal(view, batch, rows)) is not None)
        found = _answer(view, _joined(hits), crowds, matches_max, exact_distances, deadline) if hits else ()
        return [_softened(view, engine.published.benign, batches, each) for each in found]


def _softened(view: View, benign: BenignValues, batches: Sequence[Batch], found: Found) -> Found:
    """What one probe matched, with no stronger advice than the benign list leaves."""
    values = {batch.kind.name: values for batch in batches if benign and (values := batch.values_of(found.probe))}
    if not (most := softened(view, benign, values, [match.item for match in found.matches])):
        return found
    milder = (replace(match, advice=min(match.advice, most[match.item])) for match in found.matches)
    return replace(found, matches=tuple(milder))


def shown_distances(distances: Numbers, radius: int) -> Numbers:
    """Distances as callers see them who may not know them: 0, half of the radius, or the radius."""
    half = radius // 2
    return np.where(distances == 0, 0, np.where(distances <= half, half, radius))


def _near(engine: Engine, batch: Batch, radius: int, exact_distances: bool, deadline: float) -> Iterator[_Hits]:
    queries = np.frombuffer(batch.values, dtype=np.uint8).reshape(-1, batch.kind.size_bytes)
    start, size = 0, SEARCH_VALUES_FIRST
    while start < len(queries):
        check_deadline(deadline)
        part = queries[start : start + size]
        lims, distances, ids = engine.matcher.search(batch.kind.code, part, radius)
        if ids.size:
            rows = np.repeat(np.arange(start, start + len(part)), np.diff(lims))
            items, wide = engine.matcher.items_of(ids), distances.astype(np.int64)
            yield _hits(batch, rows, items, wide if exact_distances else shown_distances(wide, radius))
        start += len(part)
        good = SEARCH_HITS_GOOD * len(part) // max(1, ids.size)
        size = max(1, min(SEARCH_VALUES_MAX, 2 * size, good))


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
    rows, items = [], []
    for row in maybe.tolist():
        item = view.item_by_digest(code, batch.values[row * size : (row + 1) * size])
        if item is not None:
            rows.append(row)
            items.append(item)
    if not rows:
        return None
    return _hits(batch, np.array(rows), np.array(items, np.uint64), np.full(len(rows), _DIGEST))


def _hits(batch: Batch, rows: Numbers, items: NDArray[np.uint64], distances: Numbers) -> _Hits:
    """The closest value per (probe, item); of several that are equally close, the first."""
    sets = np.searchsorted(batch.starts, rows, side="right") - 1
    probes, values = batch.probes[sets], rows - batch.starts[sets]
    hits = _Hits(probes, items, np.full(len(rows), batch.kind.code), values, distances)
    hits = hits.take(np.lexsort((values, distances, items, probes)))
    return hits.take(_group_starts(hits))


def _closest(hits: _Hits, items_max: int) -> tuple[_Hits, list[int]]:
    """Per probe the closest ``items_max`` items, and the probes that had more.

    Hits name each item once per probe, sorted by probe.
    """
    starts = np.flatnonzero(np.append(True, hits.probes[1:] != hits.probes[:-1]))
    counts = np.diff(np.append(starts, len(hits.probes)))
    if counts.max() <= items_max:
        return hits, []
    order = np.lexsort((hits.items, hits.distances, hits.probes))
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return hits.take(order[ranks < items_max]), hits.probes[starts[counts > items_max]].tolist()


class _Crowd:
    """The values of one type of a probe that is near so many items that only the closest were kept.

    Whoever is named for another type's sake may be among those that were forgotten here: ask for it.
    """

    def __init__(self, batch: Batch, radius: int, probe: int, exact_distances: bool) -> None:
        self._values = batch.values_of(probe)
        self._kind = batch.kind
        self._radius = radius
        self._exact_distances = exact_distances

    def agreement(self, signals: Iterable[ListedSignal]) -> Agreement | None:
        """How the probe agrees with an item that has these signals; the closest value, of several the first."""
        listed = [signal.value for signal in signals if signal.code == self._kind.code]
        return agreement_of(self._kind, self._values, listed, self._radius, self._exact_distances)


def agreement_of(
    kind: SignalType, values: Sequence[bytes], listed: Sequence[bytes], radius: int, exact_distances: bool
) -> Agreement | None:
    """How values of a perceptual type agree with listed ones: the closest of all pairs, of several the first."""
    if not listed:
        return None
    distances = np.array([min(hamming(mine, other) for other in listed) for mine in values])
    within = np.flatnonzero(distances <= radius)
    if not within.size:
        return None
    shown = distances if exact_distances else shown_distances(distances, radius)
    best = int(within[np.argmin(shown[within])])
    return Agreement(kind.name, best, int(shown[best]), not exact_distances)


def _joined(hits: Sequence[_Hits]) -> _Hits:
    """All hits, those of one (probe, item) side by side, one per signal type."""
    together = _Hits(
        *(
            np.concatenate([getattr(each, name) for each in hits])
            for name in ("probes", "items", "codes", "values", "distances")
        )
    )
    # A type's values may have been searched in several parts: keep the closest of each (probe, item, type).
    together = together.take(
        np.lexsort((together.values, together.distances, together.codes, together.items, together.probes))
    )
    return together.take(_group_starts(together, together.codes))


def _group_starts(hits: _Hits, codes: Numbers | None = None) -> NDArray[np.intp]:
    """Where a new (probe, item), or (probe, item, code), begins in sorted hits."""
    fresh = np.ones(len(hits.probes), np.bool_)
    fresh[1:] = (hits.probes[1:] != hits.probes[:-1]) | (hits.items[1:] != hits.items[:-1])
    if codes is not None:
        fresh[1:] |= codes[1:] != codes[:-1]
    return np.flatnonzero(fresh)


def _answer(
    view: View,
    hits: _Hits,
    crowds: Mapping[int, Sequence[_Crowd]],
    matches_max: int,
    exact_distances: bool,
    deadline: float,
) -> Iterator[Found]:
    """Turn hits into matches: per probe the closest items that are still listed, at most ``matches_max``.

    Items on which only coarse types agree come last: flat pictures share such values, and a probe that is near to many
    of them has to be told of the one item that really looks like it.
    """
    left = ANSWER_MATCHES_MAX
    starts = _group_starts(hits)
    ends = np.append(starts[1:], len(hits.probes))
    probes, items = hits.probes[starts], hits.items[starts]
    ranks = hits.distances + _CODE_RANKS[hits.codes]
    order = np.lexsort((items, np.minimum.reduceat(ranks, starts), probes))
    of_probe = probes[order]
    bounds = [*np.flatnonzero(np.append(True, of_probe[1:] != of_probe[:-1])).tolist(), len(order)]
    known: dict[int, tuple[Status, tuple[str, ...], bool] | None] = {}
    for first, last in itertools.pairwise(bounds):
        check_deadline(deadline)
        probe = int(of_probe[first])
        matches: list[Match] = []
        truncated = False
        for group in order[first:last].tolist():
            item = int(items[group])
            if item not in known:
                known[item] = listed_now(view, item)
            if (standing := known[item]) is None:
                continue
            if len(matches) == min(matches_max, max(1, left)):
                truncated = True
                break
            agreements = tuple(
                _agreement(hits, row, exact_distances) for row in range(int(starts[group]), int(ends[group]))
            )
            if probe in crowds:
                agreements = _compared_again(view, item, agreements, crowds[probe])
            status, labels, canary = standing
            advice = advise(status, labels, [agreement.signal_type for agreement in agreements], canary=canary)
            matches.append(Match(item, status, labels, advice, agreements))
        left -= len(matches)
        if matches:
            yield Found(probe, tuple(matches), truncated)


def listed_now(view: View, item: int) -> tuple[Status, tuple[str, ...], bool] | None:
    """Status, labels, and whether it is a canary; None: it is not listed."""
    row = view.item(item)
    if row is None or not row.status.matches:
        return None
    labels = view.labels(item)
    return row.status, labels, is_canary(view, item, labels)


def _compared_again(
    view: View, item: int, agreements: Iterable[Agreement], crowds: Iterable[_Crowd]
) -> tuple[Agreement, ...]:
    """The agreements of an item, with those that were forgotten, in the order of the types."""
    signals = [signal for _, signal in view.item_signals(item)]
    found = {each.signal_type: each for each in agreements}
    found |= {each.signal_type: each for crowd in crowds if (each := crowd.agreement(signals)) is not None}
    return tuple(found[name] for name in SIGNAL_TYPES if name in found)


def _agreement(hits: _Hits, row: int, exact_distances: bool) -> Agreement:
    kind = SIGNAL_TYPES_BY_CODE[int(hits.codes[row])]
    distance = max(0, int(hits.distances[row]))
    return Agreement(kind.name, int(hits.values[row]), distance, not (kind.exact or exact_distances))
