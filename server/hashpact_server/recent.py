"""What was listed lately, searchable at once, also before it is committed.

A rule gets its neighbours from a search that ran before it had its turn, plus these: everything that was listed since.
The writer's thread is the only one that comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES
from numpy.typing import NDArray

from hashpact_server.matcher import Near

GENERATION_VALUES: Final = 2048
"""Values of one type after which the older half is forgotten: two halves cost about 20 us a search."""

Mark = dict[int, int]


class _Strip:
    """Values of one signal type in the order they came, as columns of 64-bit words: summing those is fastest."""

    def __init__(self, bits: int) -> None:
        self._words: NDArray[np.uint64] = np.empty((bits // 64, GENERATION_VALUES), np.uint64)
        self._of: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._of)

    def add(self, signal: int, item: int, value: bytes) -> None:
        at = len(self._of)
        if at == self._words.shape[1]:
            self._words = np.concatenate((self._words, np.empty_like(self._words)), axis=1)
        self._words[:, at] = np.frombuffer(value, np.uint64)
        self._of.append((signal, item))

    def truncate(self, size: int) -> None:
        del self._of[size:]

    def near(self, value: bytes, radius: int) -> list[Near]:
        size = len(self._of)
        if not size:
            return []
        query = np.frombuffer(value, np.uint64)[:, np.newaxis]
        distances = np.bitwise_count(self._words[:, :size] ^ query).sum(axis=0, dtype=np.uint16)
        return [(*self._of[at], int(distances[at])) for at in np.flatnonzero(distances <= radius).tolist()]


def _strips() -> dict[int, _Strip]:
    return {kind.code: _Strip(kind.bits) for kind in SIGNAL_TYPES.values() if not kind.exact}


class Recent:
    """Perceptual values listed after the entry ``base``, in two generations, so that ``base`` never jumps to now.

    Args:
        base: everything after this entry will be added.
    """

    def __init__(self, base: int) -> None:
        self.base = base
        self._turned = base
        self._older, self._newer = _strips(), _strips()

    def add(self, added: Sequence[tuple[int, int, int, bytes]]) -> None:
        """Add (code, signal id, item, value) rows that were just recorded."""
        for code, signal, item, value in added:
            self._newer[code].add(signal, item, value)

    def mark(self) -> Mark:
        """A point to which :meth:`rewind` can return, until the next :meth:`turn`."""
        return {code: len(strip) for code, strip in self._newer.items()}

    def rewind(self, mark: Mark) -> None:
        """Forget what was added since the mark."""
        for code, size in mark.items():
            self._newer[code].truncate(size)

    def turn(self, sequence: int) -> None:
        """Forget the older generation once the newer one is full; call between groups, at the head ``sequence``."""
        if max(len(strip) for strip in self._newer.values()) >= GENERATION_VALUES:
            self._older, self._newer = self._newer, _strips()
            self.base, self._turned = self._turned, sequence

    def near(self, code: int, value: bytes, radius: int) -> list[Near]:
        """What was listed since ``base`` within ``radius`` bits of one value; what was unlisted meanwhile included."""
        return self._older[code].near(value, radius) + self._newer[code].near(value, radius)
