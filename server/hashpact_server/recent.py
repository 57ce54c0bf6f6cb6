"""What was listed lately, searchable at once, also before it is committed.

A rule gets its neighbours from a search that ran before it had its turn, plus these: everything that was listed since.
The writer's thread is the only one that comes here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE
from numpy.typing import NDArray

from hashpact_server.index import Metric, metric_of
from hashpact_server.matcher import Near, Neighbours, Wanted, told_hits
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS

GENERATION_VALUES: Final = 2048
"""Values of one type that are kept at least; twice as many are scanned at most, in about 10 us."""

APART_VALUES_MAX: Final = 8192
"""Values of one type in a request that are compared with each other; of more, each is searched for in its turn."""

Mark = dict[int, int]

_NONE_DEAD: Final = np.empty(0, np.uint8)


class _Strip:
    """Values of one signal type, in the order they came.

    Args:
        metric: how they are compared.
        base: everything after this entry will be added.
    """

    def __init__(self, metric: Metric, base: int) -> None:
        self._metric = metric
        self._words: NDArray[np.uint64] = np.empty((2 * GENERATION_VALUES, metric.words), np.uint64)
        self._filled = 0
        self._late: list[bytes] = []
        self._of: list[tuple[int, int]] = []
        self._halved_at = base
        self._half = 0
        self.base = base

    def __len__(self) -> int:
        return len(self._of)

    def ends(self) -> tuple[Callable[[tuple[int, int]], None], Callable[[bytes], None]]:
        """Where (signal id, item) and the value of a new row go: every signal that is listed passes here."""
        return self._of.append, self._late.append

    def truncate(self, size: int) -> None:
        del self._of[size:]
        del self._late[max(size - self._filled, 0) :]
        self._filled = min(self._filled, size)

    def _fill(self) -> None:
        """Take in what was added since somebody last looked: many at once, most of the time."""
        end = len(self._of)
        if end > self._words.shape[0]:
            more = np.empty((max(end, 2 * self._words.shape[0]) - self._filled, self._words.shape[1]), np.uint64)
            self._words = np.concatenate((self._words[: self._filled], more))
        self._words[self._filled : end] = _rows(self._metric, self._late)
        self._late.clear()
        self._filled = end

    def turn(self, sequence: int) -> None:
        """Forget the older half, when the younger one is full."""
        size = len(self._of)
        if size - self._half < GENERATION_VALUES:
            return
        self._fill()
        self._words[: size - self._half] = self._words[self._half : size]
        del self._of[: self._half]
        self._filled = len(self._of)
        self._half = len(self._of)
        self.base, self._halved_at = self._halved_at, sequence

    def _since(self, since: int) -> tuple[int, int]:
        """Where the values listed after an entry begin, and how many they are; they can be scanned then."""
        if self._late:
            self._fill()
        # Signal ids begin with the sequence, and values come in the order of their ids.
        start = bisect_left(self._of, ((since + 1) << SIGNAL_ORDINAL_BITS,))
        return start, len(self._of) - start

    def count_near(self, values: Sequence[bytes], radius: int, since: int) -> list[int]:
        """How many values listed after an entry lie within the radius of each of these."""
        start, count = self._since(since)
        queries = _rows(self._metric, values)
        counts: list[int] = self._metric.count_near(queries, radius, self._words[start:].reshape(-1), count).tolist()
        return counts

    def near(self, value: bytes, radius: int, since: int) -> list[Near]:
        start, count = self._since(since)
        if not count:
            return []
        query = _rows(self._metric, [value])
        _, distances, rows = self._metric.scan(query, radius, self._words[start:].reshape(-1), count, _NONE_DEAD)
        if not rows.size:
            return []
        order = np.argsort(distances, kind="stable")
        order = order[: told_hits(distances[order])]
        return [
            (*self._of[start + row], distance)
            for row, distance in zip(rows[order].tolist(), distances[order].tolist(), strict=True)
        ]


def _rows(metric: Metric, values: Sequence[bytes]) -> NDArray[np.uint64]:
    return metric.pack(np.frombuffer(b"".join(values), np.uint8).reshape(len(values), metric.bits // 8))


def apart(wanted: Iterable[Wanted]) -> dict[tuple[int, int], list[bytes]]:
    """The values of a request, by (code, radius), that have no other one of it within the radius."""
    groups: dict[tuple[int, int], list[bytes]] = {}
    for code, value, radius in wanted:
        groups.setdefault((code, radius), []).append(value)
    found: dict[tuple[int, int], list[bytes]] = {}
    for (code, radius), values in groups.items():
        if len(values) <= APART_VALUES_MAX:
            metric = metric_of(SIGNAL_TYPES_BY_CODE[code])
            words = _rows(metric, values)
            counts = metric.count_near(words, radius, words.reshape(-1), len(values))
            found[code, radius] = [value for value, near in zip(values, counts.tolist(), strict=True) if near == 1]
    return found


class Recent:
    """Perceptual values listed after the entry ``base``, and some before it.

    Args:
        base: everything after this entry will be added.
    """

    def __init__(self, base: int) -> None:
        self._strips = {kind.code: _Strip(metric_of(kind), base) for kind in SIGNAL_TYPES.values() if kind.ranged}
        self._ends = {code: strip.ends() for code, strip in self._strips.items()}

    def covers(self, code: int, sequence: int) -> bool:
        """Whether everything of a type that was listed after this entry is here."""
        return sequence >= self._strips[code].base

    def add(self, added: Sequence[tuple[int, int, int, bytes]]) -> None:
        """Add (code, signal id, item, value) rows that were just recorded."""
        for code, signal, item, value in added:
            if ends := self._ends.get(code):
                of, late = ends
                of((signal, item))
                late(value)

    def undisturbed(self, hint: Neighbours) -> Iterator[Wanted]:
        """The values that stand apart in their request, and near which nothing was listed since they were searched."""
        for (code, radius), values in hint.apart.items():
            if self.covers(code, hint.sequence) and values:
                counts = self._strips[code].count_near(values, radius, hint.sequence)
                yield from ((code, value, radius) for value, near in zip(values, counts, strict=True) if not near)

    def mark(self) -> Mark:
        """A point to which :meth:`rewind` can return, until the next :meth:`turn`."""
        return {code: len(strip) for code, strip in self._strips.items()}

    def rewind(self, mark: Mark) -> None:
        """Forget what was added since the mark."""
        for code, size in mark.items():
            self._strips[code].truncate(size)

    def turn(self, sequence: int) -> None:
        """Forget what is old enough; call between groups, at the head ``sequence``."""
        for strip in self._strips.values():
            strip.turn(sequence)

    def near(self, code: int, value: bytes, radius: int, since: int) -> list[Near]:
        """What was listed after the entry ``since`` closest within ``radius`` bits of one value.

        As many as the matcher would tell; what was unlisted meanwhile is included.

        The entry must be one that this covers.
        """
        return self._strips[code].near(value, radius, since)
