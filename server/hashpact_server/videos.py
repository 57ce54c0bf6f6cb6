"""How much of an uploaded and a listed video is the same: what `pdq_frame` values that agree add up to.

::

    frames of the upload --distance--> frames of the item   which pairs are within the radius
      --chain--> the longest row of pairs that go forward in both   cuts and other speeds keep their order
      --split--> stretches, each with one course   --> percent of both, offset, speed

An upload is sampled about once a second, an item is listed densely; so each sampled frame that belongs to the item
finds one, and what lies between two of them is taken as found. The work is bounded by :data:`PAIRS_MAX`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from hashpact.signals import SIGNAL_TYPES
from numpy.typing import NDArray

from hashpact_server.state.vouches import Vouched

FRAME: Final = SIGNAL_TYPES["pdq_frame"]

PAIRS_MAX: Final = 8_000_000
"""Pairs of values that are compared; of longer uploads, evenly chosen moments are."""

CHAINS_MAX: Final = 4
"""Rows that are looked for, one after the other in what is left: a clip shown three times, parts in another order."""

PARTNERS_MAX: Final = 32
"""Listed frames that one moment of the upload may be; the closest."""

SPEED_MAX: Final = 4.0
SLACK_MS: Final = 1_000
MISSED_MAX: Final = 3
"""Within a stretch, time goes at most so much faster or slower than in the item, give or take; and so many moments of
the upload in a row, or as many seconds, may find nothing: a logo, a caption, a wrong frame."""

PICTURES_MAX: Final = 8
_NONE: Final = -1
_MOMENT: Final = 1_000
_STEADY: Final = 40
"""Weights in a row: of a moment, and of going on without a jump, which is more than any nearness, at most 31."""

_AT_ONCE: Final = 1 << 16
"""Pairs of values in one step: what it needs fits the cache."""

Times = NDArray[np.int64]
Values = NDArray[np.uint64]


class MatchedStretch(NamedTuple):
    """The same in both: (start, end) in ms from the first frame of each."""

    query: tuple[int, int]
    item: tuple[int, int]


class Overlap(NamedTuple):
    """How much is the same.

    Attributes:
        query_percent: part of the upload that shows the item, in percent of its time.
        item_percent: part of the item that the upload shows, in percent of its time.
        stretches: what is the same, in the order of the upload.
        offset_ms: how much later it is seen in the upload than in the item, where the longest stretch begins.
        speed: how much faster the upload runs than the item in that stretch.
        moments: moments of the upload in the longest row that goes forward in both.
        pictures: different pictures among these, of which no two are near each other; counted to :data:`PICTURES_MAX`.
    """

    query_percent: float
    item_percent: float
    stretches: tuple[MatchedStretch, ...]
    offset_ms: int
    speed: float
    moments: int
    pictures: int


class Frames(NamedTuple):
    """The frames of an item, in the order in which they are shown: uint64 [n, 4], and ms int64 [n] each."""

    values: Values
    starts: Times
    ends: Times

    def __repr__(self) -> str:
        return f"Frames({len(self.starts)})"


def frames_of(signals: Iterable[Vouched]) -> Frames:
    """The frames among some signals of an item."""
    found = sorted(
        (*each.signal.stretch, each.signal.value)
        for each in signals
        if each.signal.code == FRAME.code and each.signal.stretch is not None
    )
    starts, ends, values = zip(*found, strict=True) if found else ((), (), ())
    return Frames(_words(values), np.array(starts, np.int64), np.array(ends, np.int64))


def overlap_of(values: Sequence[bytes], times_ms: Sequence[int], item: Frames, radius: int) -> Overlap | None:
    """How much of a video and an item is the same; None where nothing is.

    Args:
        values: frames of the upload; several of one time are variants of one frame.
        times_ms: when each begins to be shown.
        item: the item's frames.
        radius: distance up to which two frames are the same, in bits.
    """
    if not values or not len(item.starts):
        return None
    moments, near = _compared(values, times_ms, item.values, radius)
    chains = _chains(near, moments, item)
    if not chains:
        return None
    until = np.append(moments[1:], moments[-1] + (int(np.median(np.diff(moments))) if len(moments) > 1 else 0))
    parts: list[_Part] = []
    for chain in chains:
        parts += _parts(chain, moments, until, item)
    longest = max(parts, key=lambda part: (part.moments, part.stretch.query[1] - part.stretch.query[0]))
    stretches = sorted(part.stretch for part in parts)
    whole = [(int(start), int(end)) for start, end in zip(item.starts, item.ends, strict=True)]
    length = int(until[-1] - moments[0])
    return Overlap(
        query_percent=100.0 * _length(_union(each.query for each in stretches)) / length if length else 100.0,
        item_percent=_percent([each.item for each in stretches], whole),
        stretches=tuple(stretches),
        offset_ms=longest.offset_ms,
        speed=longest.speed,
        moments=len(chains[0]),
        pictures=_pictures(item.values[[place for _, place in chains[0]]], radius),
    )


def _compared(
    values: Sequence[bytes], times_ms: Sequence[int], listed: Values, radius: int
) -> tuple[Times, list[tuple[Times, Times]]]:
    """The moments of the upload, and for each the listed frames near it, growing, and how far within the radius."""
    times = np.asarray(times_ms, np.int64)
    moments = np.unique(times)
    rows_max = max(1, PAIRS_MAX // len(listed))
    if len(values) > rows_max:  # all variants of some moments, instead of some variants of all
        moments = moments[np.linspace(0, len(moments) - 1, max(1, rows_max * len(moments) // len(values))).astype(int)]
    kept = np.flatnonzero(np.isin(times, moments))
    kept = kept[np.argsort(times[kept], kind="stable")]
    if len(kept) > rows_max:  # thousands of variants of one moment are no variants
        kept = kept[np.linspace(0, len(kept) - 1, rows_max).astype(int)]
    asked, at = _words([values[place] for place in kept.tolist()]), np.searchsorted(moments, times[kept])
    found: list[list[tuple[Times, Times]]] = [[] for _ in moments]
    step = max(1, _AT_ONCE // len(listed))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        distances = np.zeros((len(part), len(listed)), np.int64)
        for word in range(part.shape[1]):
            distances += np.bitwise_count(part[:, word, None] ^ listed[None, :, word])
        for row in np.flatnonzero((distances <= radius).any(axis=1)).tolist():
            places = np.flatnonzero(distances[row] <= radius)
            found[at[start + row]].append((places, radius - distances[row, places]))
    return moments, [_closest(each) for each in found]


def _closest(found: Sequence[tuple[Times, Times]]) -> tuple[Times, Times]:
    """The listed frames that one moment may be: each once, at most :data:`PARTNERS_MAX`, growing."""
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    places, nearness = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((-nearness, places))
    first = np.append(True, np.diff(places[order]) > 0)
    places, nearness = places[order][first], nearness[order][first]
    if len(places) > PARTNERS_MAX:
        kept = np.sort(np.argsort(-nearness, kind="stable")[:PARTNERS_MAX])
        places, nearness = places[kept], nearness[kept]
    return places, nearness


def _chains(near: Sequence[tuple[Times, Times]], moments: Times, item: Frames) -> list[list[tuple[int, int]]]:
    """The longest rows of (moment, listed frame) that go forward in both, one after the other in what is left."""
    left = list(near)
    chains: list[list[tuple[int, int]]] = []
    while len(chains) < CHAINS_MAX:
        chain = _longest(left, moments, item)
        # A moment that stands alone in what is left says nothing beside a row.
        if not chain or (chains and len(chain) < 2):
            break
        chains.append(chain)
        for moment, _ in chain:
            left[moment] = (np.empty(0, np.int64), np.empty(0, np.int64))
    return chains


def _longest(near: Sequence[tuple[Times, Times]], moments: Times, item: Frames) -> list[tuple[int, int]]:
    """One row: most moments, then fewest jumps, then closest. Each moment at most once; a listed frame may stay."""
    size = max((int(places[-1]) + 1 for places, _ in near if len(places)), default=0)
    # Weight of the best row that ends at a listed frame; beside it, in the low digits, which frame: so that a running
    # maximum says where the best row up to here ends, the later one of equals.
    best = np.arange(size)
    ends = np.full(size, _NONE)
    nodes: list[tuple[int, int, int]] = []
    last = _Last(0, best[:0], best[:0], best[:0])
    ahead = np.searchsorted(item.starts, item.starts - SLACK_MS)
    for moment, (places, nearness) in enumerate(near):
        if not len(places):
            continue
        # A jump leads forward by more than frames that are near each other lie apart: else what is shown twice would
        # count twice.
        before = np.append(0, np.maximum.accumulate(best[: places[-1]]))[ahead[places]]
        weights, parents = before // size, np.where(before >= size, ends[before % size], _NONE)
        passed = int(moments[moment] - moments[last.moment])
        if last.nodes.size and _soon(moment - last.moment, passed):
            steady, rows = _steady(last, passed, places, item)
            better = steady > weights
            weights, parents = np.where(better, steady, weights), np.where(better, rows, parents)
        weights = weights + _MOMENT + nearness
        first = len(nodes)
        nodes += zip([moment] * len(places), places.tolist(), parents.tolist(), strict=True)
        last = _Last(moment, places, weights, np.arange(first, len(nodes)))
        kept = np.flatnonzero(weights > best[places] // size)
        best[places[kept]] = weights[kept] * size + places[kept]
        ends[places[kept]] = first + kept
    chain = []
    node = int(ends[int(best.max()) % size]) if size else _NONE
    while node != _NONE:
        moment, place, node = nodes[node]
        chain.append((moment, place))
    return chain[::-1]


class _Last(NamedTuple):
    """The moment before: its listed frames, the weights of the rows that end there, and their nodes."""

    moment: int
    places: Times
    weights: Times
    nodes: Times


def _steady(last: _Last, passed: int, places: Times, item: Frames) -> tuple[Times, Times]:
    """Per listed frame, the weight and node of the best row to go on with from the moment before without a jump."""
    goes_on = _same_course(last.places[:, None], places[None, :], passed, item) & (last.places[:, None] <= places)
    weights = np.where(goes_on, last.weights[:, None] + _STEADY, _NONE)
    rows = weights.argmax(axis=0)
    return weights[rows, np.arange(len(places))], last.nodes[rows]


def _same_course(before: Times, now: Times, passed: int, item: Frames) -> NDArray[np.bool_]:
    """Whether as much may have passed in the item, between two listed frames, as in the upload meanwhile."""
    least, most = item.starts[now] - item.ends[before], item.ends[now] - item.starts[before]
    steady: NDArray[np.bool_] = (least <= SPEED_MAX * passed + SLACK_MS) & (most >= passed / SPEED_MAX - SLACK_MS)
    return steady


class _Part(NamedTuple):
    stretch: MatchedStretch
    moments: int
    offset_ms: int
    speed: float


def _parts(chain: Sequence[tuple[int, int]], moments: Times, until: Times, item: Frames) -> list[_Part]:
    """The stretches of a row: cut where the upload or the item jumps."""
    pieces = [[chain[0]]]
    for before, now in itertools.pairwise(chain):
        if _goes_on(before, now, moments, item):
            pieces[-1].append(now)
        else:
            pieces.append([now])
    return [_part(piece, moments, until, item) for piece in pieces]


def _goes_on(before: tuple[int, int], now: tuple[int, int], moments: Times, item: Frames) -> bool:
    passed = int(moments[now[0]] - moments[before[0]])
    places = np.array([before[1]]), np.array([now[1]])
    return _soon(now[0] - before[0], passed) and bool(_same_course(*places, passed, item)[0])


def _soon(missed: int, passed: int) -> bool:
    """Whether so few moments, or so little time, lie between two that they may be one stretch."""
    return missed <= MISSED_MAX or passed <= MISSED_MAX * SLACK_MS


def _part(piece: Sequence[tuple[int, int]], moments: Times, until: Times, item: Frames) -> _Part:
    asked = moments[[moment for moment, _ in piece]]
    places = [place for _, place in piece]
    starts, ends = item.starts[places], item.ends[places]
    speed, begins = _course(asked, starts, ends)
    start, end = int(asked[0]), int(until[piece[-1][0]])
    # The last moment of the upload stands for as much of the item as passes until the next.
    reached = max(int(ends.max()), min(int(item.ends.max()), round(int(starts[-1]) + speed * (end - int(asked[-1])))))
    stretch = MatchedStretch((start, end), (int(starts[0]), reached))
    return _Part(stretch, len(piece), start - begins, round(speed, 3))


def _course(asked: Times, starts: Times, ends: Times) -> tuple[float, int]:
    """How fast the item passes in the upload, and where in the item the first of these moments is: the best line.

    Short listed frames say more about where they are than long ones. One moment, or one picture all along: as fast.
    """
    middles, weights = (starts + ends) / 2, 1.0 / (ends - starts + 100.0)
    if len(asked) < 3 or starts[-1] == starts[0]:
        return 1.0, int(starts[0])
    kept = np.ones(len(asked), np.bool_)
    slope = begins = 0.0
    for _ in range(3):
        mean = np.average(asked[kept], weights=weights[kept])
        level = np.average(middles[kept], weights=weights[kept])
        spread = np.average((asked[kept] - mean) ** 2, weights=weights[kept])
        if not spread:
            return 1.0, int(starts[0])
        slope = float(np.average((asked[kept] - mean) * (middles[kept] - level), weights=weights[kept]) / spread)
        begins = float(level - slope * mean)
        off = np.abs(middles - (slope * asked + begins)) - (ends - starts) / 2
        close = off <= max(SLACK_MS / 4, float(np.median(off)) * 2)
        if close.sum() < 3 or (close == kept).all():
            break
        kept = close
    return min(max(slope, 1 / SPEED_MAX), SPEED_MAX), round(max(0.0, slope * int(asked[0]) + begins))


def _pictures(values: Values, radius: int) -> int:
    """How many of the values lie farther than the radius from each other, counted to :data:`PICTURES_MAX`."""
    chosen: list[NDArray[np.uint64]] = []
    for value in values:
        if all(int(np.bitwise_count(value ^ other).sum()) > radius for other in chosen):
            chosen.append(value)
            if len(chosen) == PICTURES_MAX:
                break
    return len(chosen)


def _percent(found: Iterable[tuple[int, int]], whole: Iterable[tuple[int, int]]) -> float:
    """How much of some stretches of time lies in others, in percent."""
    of, mine = _union(whole), _union(found)
    length = _length(of)
    if not length:
        return 100.0
    shared = 0
    at = 0
    for start, end in of:
        while at < len(mine) and mine[at][1] <= start:
            at += 1
        place = at
        while place < len(mine) and mine[place][0] < end:
            shared += max(0, min(end, mine[place][1]) - max(start, mine[place][0]))
            place += 1
    return 100.0 * shared / length


def _union(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    together: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if together and start <= together[-1][1]:
            together[-1] = (together[-1][0], max(together[-1][1], end))
        else:
            together.append((start, end))
    return together


def _length(stretches: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in stretches)


def _words(values: Sequence[bytes]) -> Values:
    """Values of 256 bits as numbers: uint64 [n, 4]."""
    return np.frombuffer(b"".join(values), np.uint64).reshape(len(values), FRAME.size_bytes // 8)
