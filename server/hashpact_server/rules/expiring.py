"""Expiring: what was only ever imported, and judged by nobody here, leaves the list after a time.

There may be millions of such items, so none has a due time of its own. Ids grow with time: a walk from the oldest item
on ends at the first imported one that is young, and is made again an hour later. Where the walk stands is kept in
memory alone; whoever starts anew begins it anew.
"""

from __future__ import annotations

from typing import Final

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.rules.duties import Duty
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.scene import Scene
from hashpact_server.state.judgement_rows import ExpiryCause
from hashpact_server.state.rows import Status
from hashpact_server.state.tallies import DAY_MS
from hashpact_server.state.view import View

WALK_ITEMS_MAX: Final = 10_000
"""Items that are looked at in a round."""

EXPIRE_ITEMS_MAX: Final = 128
"""Items that expire in one act of the writer."""

WALK_AGAIN_MS: Final = 60 * 60 * 1000


def expire(scene: Scene, item: int, cause: ExpiryCause) -> bool:
    """Let an item expire; whether it had not left the list before."""
    row = scene.item(item)
    if row is None or not row.status.matches:
        return False
    scene.record(Draft(Kind.ITEM_EXPIRED, SERVICE, item, clear=bytes((cause,))))
    return True


def inherited_duty() -> Duty:
    """The duty that lets imported items expire."""
    walk = _Walk()
    return Duty(walk.wanted, walk.carry_out)


class _Walk:
    """Where the walk stands, and what it found."""

    def __init__(self) -> None:
        self._after = 0
        self._again_ms = 0
        self._old: list[int] = []

    def wanted(self, view: View, now_ms: int) -> bool:
        """Walk on; whether old items were found."""
        if self._old:
            return True
        if now_ms < self._again_ms:
            # A clock that was set back must not keep the walk from happening for longer than it should.
            self._again_ms = min(self._again_ms, now_ms + WALK_AGAIN_MS)
            return False
        before_ms = now_ms - policy_of(view).inherited_days * DAY_MS
        rows = view.items(after=self._after, limit=WALK_ITEMS_MAX)
        for row in rows:
            if row.status is Status.INHERITED:
                if view.entry(row.item).time_ms > before_ms:
                    rows = []  # all that follow are younger
                    break
                if _spoken_of_ms(view, row.item) <= before_ms:
                    self._old.append(row.item)
        if len(rows) == WALK_ITEMS_MAX:
            self._after = rows[-1].item
        else:
            self._after, self._again_ms = 0, now_ms + WALK_AGAIN_MS
        return bool(self._old)

    def carry_out(self, scene: Scene) -> bool:
        """Let some of them expire; whether there are more."""
        part, self._old = self._old[:EXPIRE_ITEMS_MAX], self._old[EXPIRE_ITEMS_MAX:]
        before_ms = scene.now_ms - policy_of(scene).inherited_days * DAY_MS
        for item in part:
            row = scene.item(item)
            still = row is not None and row.status is Status.INHERITED
            if still and _spoken_of_ms(scene, item) <= before_ms:
                expire(scene, item, ExpiryCause.INHERITED)
        return bool(self._old)


def _spoken_of_ms(view: View, item: int) -> int:
    """When a member put it on the list, or confirmed that it belongs there, last."""
    return max((view.entry(row.sequence).time_ms for row in view.contributions(item)), default=0)
