"""The board: which incidents are open, held in memory, for those who ask at every look-up and every contribution.

The writer swaps it when an incident is opened, prolonged or closed; what is put under one is added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from hashpact.signals import SignalType
from numpy.typing import NDArray

from hashpact_server.state.incidents import LABEL_PREFIX, items_under, live_incidents, words_of
from hashpact_server.state.view import View


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident that is no drill.

    Attributes:
        incident: its id.
        label: the label that puts items under it; not in the repr.
        radii: signal type code -> radius in bits of look-ups that name none.
        items: what is under it; grows.
    """

    incident: int
    label: str = field(repr=False)
    radii: Mapping[int, int]
    items: set[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wider:
    """How far look-ups of a signal type reach while incidents are open.

    Attributes:
        radius: the widest, in bits.
        reaches: (radius, items that match so far) of each incident that has one.
    """

    radius: int
    reaches: tuple[tuple[int, set[int]], ...] = field(repr=False)

    def passes(self, items: NDArray[np.uint64], distances: NDArray[np.int64], radius: int) -> NDArray[np.bool_]:
        """Which hits count: those within ``radius``, and farther ones on the incidents' items. bool [n]."""
        kept = distances <= radius
        for place in np.flatnonzero(~kept).tolist():
            item, distance = int(items[place]), int(distances[place])
            kept[place] = any(distance <= reach and item in theirs for reach, theirs in self.reaches)
        return kept

    def radius_of(self, item: int, radius: int) -> int:
        """How far an item matches, where everything else does within ``radius``."""
        return max((radius, *(reach for reach, items in self.reaches if item in items)))


@dataclass(frozen=True, slots=True)
class Board:
    """The incidents that are open.

    Attributes:
        sequence: newest entry when it was read: no incident was opened, prolonged or closed since.
        open: the incidents; none of them a drill.
    """

    sequence: int = -1
    open: tuple[OpenIncident, ...] = ()

    @classmethod
    def read(cls, view: View) -> Board:
        """The board as of a view."""
        found = [
            OpenIncident(
                row.incident,
                LABEL_PREFIX + words_of(view, row.incident).name,
                dict(row.rules.radii),
                items_under(view, row.incident),
            )
            for row in live_incidents(view)
            if row.is_open and not row.drill
        ]
        return cls(view.head.sequence, tuple(found))

    def add(self, placed: Iterable[tuple[int, int]]) -> None:
        """Note (incident, item) of what was put under one."""
        sets = {each.incident: each.items for each in self.open}
        for incident, item in placed:
            if incident in sets:
                sets[incident].add(item)

    def wider(self, kind: SignalType) -> Wider | None:
        """How far look-ups of a type reach that name no radius; None: not farther than ever."""
        if not self.open:  # nearly always
            return None
        code = kind.code
        reaches = tuple((each.radii[code], each.items) for each in self.open if code in each.radii)
        radius = max((reach for reach, _ in reaches), default=0)
        return Wider(radius, reaches) if radius > kind.radius_default else None

    def radii_of(self, item: int) -> dict[int, int]:
        """Signal type code -> radius of an item, for types with which it matches farther than others do."""
        found: dict[int, int] = {}
        for each in self.open:
            if item in each.items:
                found |= {code: max(radius, found.get(code, 0)) for code, radius in each.radii.items()}
        return found

    def names(self, labels: Iterable[str]) -> bool:
        """Whether one of these labels is that of an open incident."""
        return bool(self.open) and any(each.label in labels for each in self.open)
