"""The board: which incidents are open, held in memory, for those who ask at every look-up and every contribution.

The writer swaps it when an incident is opened, prolonged or closed; what is put under one is added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hashpact_server.state.incidents import items_under, live_incidents, words_of
from hashpact_server.state.view import View

LABEL_PREFIX: Final = "incident:"


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

    def names(self, labels: Iterable[str]) -> bool:
        """Whether one of these labels is that of an open incident."""
        return bool(self.open) and any(each.label in labels for each in self.open)
