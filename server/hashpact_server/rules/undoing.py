"""Undoing one act of a member on an item: what it leaves, as if the member had not acted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload, Undone
from hashpact_server.rules.standing import status_of
from hashpact_server.rules.statements import existing_item
from hashpact_server.scene import Scene
from hashpact_server.state.apply_judgement import opinion_before
from hashpact_server.state.judgement import condition, opinions
from hashpact_server.state.rollbacks import contribution_stated, undone_entries
from hashpact_server.state.rows import ContributionRow, Status
from hashpact_server.state.view import View

_BUILT_ON: Final = (Kind.CONTRIBUTION_AMENDED, Kind.CONTRIBUTION_WITHDRAWN)
"""Acts of a member that had a word on the item before."""


def undone(scene: Scene, entry: Entry) -> Undone:
    """What undoing an entry means, as the list stands: all later acts of the member on the item are undone already."""
    item = entry.subject
    rows = scene.contributions(item)
    restored, kept = 0, ()
    if entry.kind in CONTRIBUTING or entry.kind == Kind.CONTRIBUTION_WITHDRAWN:
        restored = _word_before(scene, entry) if entry.kind in _BUILT_ON else 0
        rows = _rows_after(scene, entry, rows, restored)
        kept = _kept(scene, entry, {row.pseudonym for row in rows} - {entry.member})
        status = status_of(scene, item, rows)
    elif entry.kind in (Kind.OPINION_GIVEN, Kind.OPINION_REVOKED):
        restored = opinion_before(entry)
        said = [row for row in opinions(scene, item) if row.pseudonym != entry.member]
        if restored:
            said.append(opinion_stated(scene.entry(restored), scene))
        status = status_of(scene, item, rows, said=said)
    else:
        now = condition(scene, item)
        ended = now is not None and entry.kind == Kind.DISPUTE_OPENED and now.dispute == entry.sequence
        status = status_of(scene, item, rows, now=now._replace(dispute=0) if now is not None and ended else now)
    before = existing_item(scene, item).status
    return Undone(entry.sequence, item, status if before.matches else before, restored, kept)


def _word_before(view: View, entry: Entry) -> int:
    """The entry that stated the member's word on the item when it acted; 0: none that was not undone itself."""
    earlier = [sequence for sequence in view.signal_entries(entry.subject) if sequence < entry.sequence]
    gone = undone_entries(view.rows, entry.subject)
    for sequence in reversed(earlier):
        if sequence not in gone and view.entry(sequence).member == entry.member:
            return sequence
    return 0


def _rows_after(
    view: View, entry: Entry, rows: Sequence[ContributionRow], restored: int
) -> list[ContributionRow]:
    """Standing contributions without this act. What the member said after the rollback was ordered stands."""
    mine = next((row for row in rows if row.pseudonym == entry.member), None)
    if (mine.sequence if mine else None) != (entry.sequence if entry.kind in CONTRIBUTING else None):
        return list(rows)
    left = [row for row in rows if row is not mine]
    return [*left, contribution_stated(view.entry(restored))] if restored else left


def _kept(view: View, entry: Entry, others: Collection[bytes]) -> tuple[int, ...]:
    """Positions of the entry's signals that others, whose contributions stand, state too."""
    if not others or entry.kind not in CONTRIBUTING or entry.payload is None:
        return ()
    gone = undone_entries(view.rows, entry.subject)
    stated = set()
    for sequence in view.signal_entries(entry.subject):
        other = view.entry(sequence)
        if other.member in others and sequence not in gone and other.payload is not None:
            stated.update((each.code, each.name, each.value) for each in _signals(other.payload))
    mine = enumerate(_signals(entry.payload))
    return tuple(place for place, each in mine if not each.confirms and (each.code, each.name, each.value) in stated)
