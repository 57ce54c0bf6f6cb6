"""Writing down which remembered uploads match what was listed, a bounded number at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hashpact_server.database import Connection
from hashpact_server.matches import SEES_DISTANCES
from hashpact_server.state.view import View
from hashpact_server.uploads import bounds, matching
from hashpact_server.uploads.values import unpack


@dataclass(frozen=True, slots=True)
class Told:
    """How many items uploads were told of, of those listed at once."""

    items_max: int
    counts: Counter[int] = field(default_factory=Counter)

    def full(self) -> list[int]:
        """Uploads that are told of no more."""
        return [upload for upload, count in self.counts.items() if count >= self.items_max]


def note(connection: Connection, view: View, found: matching.Candidates, told: Told, oldest_ms: int) -> int:
    """Write down which of these uploads match; how many matches there were.

    What was forgotten meanwhile, or is past its time, matches nothing.
    """
    compared = _Compared(view)
    rows = []
    for upload, items in found.items():
        row = connection.execute(
            "SELECT member, reference, seen, time_ms, probe FROM uploads WHERE id = ?", (upload,)
        ).fetchone()
        if row is None or row[3] < oldest_ms:
            continue
        member, reference, seen, time_ms, probe = row
        new = {item: sequence for item, sequence in items.items() if sequence > seen}
        for item, sequence in matching.first_items(new, told.items_max - told.counts[upload]):
            agreed = compared.agreements(member, probe, item)
            if agreed:
                told.counts[upload] += 1
                rows.append((member, reference, item, sequence, time_ms, agreed))
    # Of several about one upload and one item that nobody has seen, the newest alone is kept.
    connection.executemany(
        "INSERT OR REPLACE INTO retro (member, reference, item, sequence, upload_ms, agreements)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )
    bounds.prune_waiting(connection)
    return len(rows)


class _Compared:
    """Probes held against items; of those that are equal, one."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._exact: dict[bytes, bool] = {}
        self._listed: dict[int, matching.Listed] = {}
        self._agreed: dict[tuple[bytes, int, bool], str] = {}

    def agreements(self, member: bytes, probe: bytes, item: int) -> str:
        """As they are stored; empty where there are none."""
        exact = self._sees_distances(member)
        agreed = self._agreed.get((probe, item, exact))
        if agreed is None:
            if item not in self._listed:
                self._listed[item] = matching.listed_values(self._view, item)
            found = matching.agreements(self._listed[item], unpack(probe), exact_distances=exact)
            agreed = self._agreed[probe, item, exact] = matching.encode(found) if found else ""
        return agreed

    def _sees_distances(self, member: bytes) -> bool:
        if member not in self._exact:
            who = self._view.member(member)
            self._exact[member] = who is not None and any(role in who.roles for role in SEES_DISTANCES)
        return self._exact[member]
