"""Counting: shares with their intervals, and what a match was when it was false."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

NORMAL_95: Final = 1.959964


def wilson(found: int, tried: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's, without correction)."""
    if tried == 0:
        return 0.0, 1.0
    share, square = found / tried, NORMAL_95**2
    middle = share + square / (2 * tried)
    spread = NORMAL_95 * math.sqrt(share * (1 - share) / tried + square / (4 * tried**2))
    low, high = (middle - spread) / (1 + square / tried), (middle + spread) / (1 + square / tried)
    return (0.0 if found == 0 else max(0.0, low)), (1.0 if found == tried else min(1.0, high))


@dataclass(frozen=True)
class Hit:
    """An item that a probe matched: its names (several where one item stands for several pictures), and how sure."""

    names: tuple[str, ...]
    level: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the service said of one probe.

    Attributes:
        probe: name of the picture that it was made of.
        kind: class of the probe, or name of the edit.
        hits: what it matched.
    """

    probe: str
    kind: str
    hits: tuple[Hit, ...]

    def level(self) -> str:
        """How sure it was of the picture itself: ``strong``, ``near`` or ``none``."""
        levels = {hit.level for hit in self.hits if self.probe in hit.names}
        return next((level for level in ("strong", "near") if level in levels), "none")

    def false(self) -> list[Hit]:
        """The matches with anything else."""
        return [hit for hit in self.hits if self.probe not in hit.names]


@dataclass
class Recall:
    """Copies of one row: tried, found strongly, found at all."""

    tried: int = 0
    near: int = 0
    strong: int = 0

    def add(self, level: str) -> None:
        """Count one copy."""
        self.tried += 1
        self.near += level != "none"
        self.strong += level == "strong"


@dataclass
class Mistakes:
    """Probes of one class against items of one class."""

    probes: int = 0
    items: int = 0
    near: int = 0
    strong: int = 0
    near_probes: int = 0
    strong_probes: int = 0
    types: dict[str, int] = field(default_factory=dict)

    def add(self, hits: Iterable[Hit]) -> None:
        """Count one probe and what it matched falsely; ``near`` counts near only."""
        found = list(hits)
        levels = [hit.level for hit in found]
        self.probes += 1
        self.near += levels.count("near")
        self.strong += levels.count("strong")
        self.near_probes += "near" in levels
        self.strong_probes += "strong" in levels
        for hit in found:
            said = " + ".join(hit.types)
            self.types[said] = self.types.get(said, 0) + 1

    def figures(self) -> dict[str, Any]:
        """For the file of figures."""
        return {
            "probes": self.probes,
            "items": self.items,
            "pairs": self.probes * self.items,
            "near": self.near,
            "strong": self.strong,
            "near_probes": self.near_probes,
            "strong_probes": self.strong_probes,
            "types": self.types,
        }
