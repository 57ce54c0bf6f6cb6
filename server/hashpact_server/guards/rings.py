"""A ring: the newest values that one member asked about near one item, and whether they have the shape of a star."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from hashpact.signals import Comparison, SignalType
from numpy.typing import NDArray

from hashpact_server.guards.quotas import Bucket
from hashpact_server.index.metrics import padded

Rows = NDArray[np.uint64]
"""Values as words: uint64 [n, words], filled up with zeros. Also types with a distance of their own are compared bit by
bit here: whoever feels the way changes a value by as little as there is."""

RING_VALUES: Final = 128
"""Values that are kept of one member, item and signal type: the newest, each once."""

PAIRS_MIN: Final = 12
"""Pairs of values that differ in exactly one bit, from which on somebody feels the way: step by step, or around one
value. Real hashes have half of their bits set, and never differ in one bit."""

STAR_MIN: Final = 44
"""Values within two bits of a middle, of the newest 128, from which on they are a star. Copies of one picture had 31 at
most (pHash-256; PDQ 18). The middle is one of them, or what most of them agree on bit by bit: whoever goes around a
value need not ask about that one."""

MISSED_MIN: Final = 20
"""Values within two bits of the middle that miss, though the middle matched, from which on somebody walks along the
border. Copies of one picture rarely lie so close to it."""

HOT_PAIRS_MIN: Final = 2
HOT_STAR_MIN: Final = 3
"""The same, from which on values that miss are looked at, too."""

NEAR_BITS: Final = 2


class Ring:
    """The newest values near one item that one member asked about, of one signal type, and the shape that they have.

    Attributes:
        kind: the signal type.
        at_s: when the last one came.
        pairs: pairs of them that differ in one bit.
        around: values within two bits of the center.
        missed: values around the center that missed.
        center: the middle: one of the values, or what most of them agree on.
        slow: what the member may still ask about the neighbourhood; None: it is not suspected.
    """

    __slots__ = (
        "_bits",
        "_counts",
        "_known",
        "_misses",
        "_next",
        "_rows",
        "around",
        "at_s",
        "center",
        "kind",
        "missed",
        "pairs",
        "slow",
    )

    def __init__(self, kind: SignalType, at_s: float) -> None:
        self.kind = kind
        self.at_s = at_s
        self._rows = np.zeros((RING_VALUES, -(-kind.size_bytes // 8)), np.uint64)
        self._counts = np.zeros((2, RING_VALUES), np.int64)
        self._bits = np.zeros(kind.bits, np.int64)
        self._known: dict[bytes, None] = {}
        self._misses: set[bytes] = set()
        self._next = 0
        self.pairs = self.around = self.missed = 0
        self.center = self._rows[0]
        self.slow: Bucket | None = None

    def __len__(self) -> int:
        return len(self._known)

    def add(self, values: Iterable[bytes]) -> int:
        """Take values; those that are there already change nothing. How many were new."""
        new = 0
        for value in values:
            if value not in self._known:
                self._put(value)
                new += 1
        if not new:
            return 0
        size = len(self)
        self.pairs = int(self._counts[0, :size].sum()) // 2
        fullest = int(self._counts[1, :size].argmax())
        middle = rows_of(np.packbits(2 * self._bits > size).tobytes(), self.kind.size_bytes)[0]
        star, agreed = int(self._counts[1, fullest]), int(_within(self._rows[:size], middle, NEAR_BITS).size)
        self.around = max(star, agreed)
        if self.slow is None:  # who is suspected keeps its center
            self.center = self._rows[fullest].copy() if star >= agreed else middle
        return new

    def _put(self, value: bytes) -> None:
        """In the place of the oldest, when the ring is full."""
        place = self._next
        if len(self) == RING_VALUES:
            oldest = next(iter(self._known))
            self._count(place, -1)
            self._bits -= _unpacked(oldest)
            del self._known[oldest]
        self._rows[place] = rows_of(value, self.kind.size_bytes)[0]
        self._known[value] = None
        self._bits += _unpacked(value)
        self._count(place, 1)
        self._next = (place + 1) % RING_VALUES

    def _count(self, place: int, change: int) -> None:
        """Count the value at a place in, or out, of the neighbourhoods of all others."""
        size = len(self)
        distances = np.bitwise_count(self._rows[:size] ^ self._rows[place]).sum(1)
        distances[place] = self.kind.bits
        near = np.stack((distances == 1, distances <= NEAR_BITS))
        self._counts[:, :size] += change * near
        self._counts[:, place] = near.sum(1)

    def miss(self, value: bytes, name: bytes) -> None:
        """Take a value that missed, if it lies around the center; ``name`` tells it from others, and counts once."""
        if self.near(rows_of(value, self.kind.size_bytes), NEAR_BITS).size:
            self.add([value])
            if name not in self._misses and len(self._misses) < MISSED_MIN:
                self._misses.add(name)
                self.missed += 1

    @property
    def hot(self) -> bool:
        """Whether values that miss are looked at, too."""
        return self.pairs >= HOT_PAIRS_MIN or self.around >= HOT_STAR_MIN

    @property
    def feels(self) -> bool:
        """Whether whoever asked these values feels his way.

        Of measurements only a walk along the border says so: copies that differ in one pixel differ in a bit or two.
        """
        if self.kind.comparison is Comparison.POINTS:
            return self.missed >= MISSED_MIN
        return self.pairs >= PAIRS_MIN or self.around >= STAR_MIN or self.missed >= MISSED_MIN

    def near(self, rows: Rows, bits: int) -> NDArray[np.intp]:
        """Which of the values lie within so many bits of the center."""
        return _within(rows, self.center, bits)


def rows_of(values: bytes, size_bytes: int) -> Rows:
    """Values of so many bytes each, one after the other, as rows."""
    return padded(np.frombuffer(values, np.uint8).reshape(-1, size_bytes))


def _within(rows: Rows, middle: Rows, bits: int) -> NDArray[np.intp]:
    return np.flatnonzero(np.bitwise_count(rows ^ middle).sum(1) <= bits)


def _unpacked(value: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(value, np.uint8))
