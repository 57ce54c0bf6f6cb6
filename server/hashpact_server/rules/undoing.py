"""Undoing one act of a member on an item: what it leaves, as if the member had not acted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload, ListedSignal, Undone
from hashpact_server.rules.standing import status_of
from hashpact_server.rules.statements import existing_item
from hashpact_server.scene import Scene
from hashpact_server.state.judgement import condition, opinions
from hashpact_server.state.judgement_rows import OpinionRow
from hashpact_server.state.rollbacks import contribution_stated, is_undone, opinion_before
from hashpact_server.state.rows import ContributionRow
from hashpact_server.state.view import View

_BUILT_ON: Final = (Kind.CONTRIBUTION_AMENDED, Kind.CONTRIBUTION_WITHDRAWN)
"""Acts of a member that had a word on the item before."""


def undone(scene: Scene, entry: Entry) -> Undone:
    """What undoing an entry means, as the list stands: all later acts of the member on the item are undone already."""
    item = entry.subject
    rows = scene.contributions(item)
    restored = 0
    kept: tuple[int, ...] = ()
    if entry.kind in CONTRIBUTING or entry.kind == Kind.CONTRIBUTION_WITHDRAWN:
        restored = _word_before(scene, entry) if entry.kind in _BUILT_ON else 0
        rows = _rows_after(scene, entry, rows, restored)
        kept = _kept(scene, entry, {row.pseudonym for row in rows} - {entry.member})
        status = status_of(scene, item, rows)
    elif entry.kind in (Kind.OPINION_GIVEN, Kind.OPINION_REVOKED):
        said = _opinions_after(scene, entry)
        restored = next((row.sequence for row in said if row.pseudonym == entry.member), 0)
        status = status_of(scene, item, rows, said=said)
    else:
        now = condition(scene, item)
        ended = now is not None and entry.kind == Kind.DISPUTE_OPENED and now.dispute == entry.sequence
        status = status_of(scene, item, rows, now=now._replace(dispute=0) if now is not None and ended else now)
    before = existing_item(scene, item).status
    return Undone(entry.sequence, item, status if before.matches else before, restored, kept)


def settles(view: View, entry: Entry, done: Undone, first: int) -> bool:
    """Whether the member's word on the item is now what it was before ``first``, as far as a contribution says so.

    Only then can it be told which signals nobody stands behind: what stood before may back some of them.
    """
    if entry.kind not in CONTRIBUTING and entry.kind != Kind.CONTRIBUTION_WITHDRAWN:
        return False
    if entry.kind == Kind.ITEM_CORROBORATED and _word_before(view, entry):
        return False  # the member took an earlier word back: perhaps in the window, and then that will be undone too
    return done.restored < first


def _word_before(view: View, entry: Entry) -> int:
    """The entry that stated the member's word on the item when it acted; 0: none that was not undone itself."""
    earlier = [sequence for sequence in view.signal_entries(entry.subject) if sequence < entry.sequence]
    for sequence in reversed(earlier):
        if view.entry(sequence).member == entry.member and not is_undone(view.rows, entry.subject, sequence):
            return sequence
    return 0


def _opinions_after(view: View, entry: Entry) -> list[OpinionRow]:
    """Opinions on the item without this act. What the member thought after the rollback was ordered stands."""
    rows = opinions(view, entry.subject)
    mine = next((row for row in rows if row.pseudonym == entry.member), None)
    if mine is None or mine.sequence != entry.sequence:
        return rows
    before = opinion_before(view.rows, entry)
    left = [row for row in rows if row is not mine]
    return left if before is None else [*left, before]


def _rows_after(view: View, entry: Entry, rows: Sequence[ContributionRow], restored: int) -> list[ContributionRow]:
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
    stated: set[tuple[int, str, bytes]] = set()
    for sequence in view.signal_entries(entry.subject):
        other = view.entry(sequence)
        if other.member not in others or other.payload is None or is_undone(view.rows, entry.subject, sequence):
            continue
        stated.update((each.code, each.name, each.value) for each in _signals(other.payload))
    return tuple(
        place
        for place, each in enumerate(_signals(entry.payload))
        if not each.confirms and (each.code, each.name, each.value) in stated
    )


def _signals(payload: bytes) -> tuple[ListedSignal, ...]:
    return ContributionPayload.decode(payload).signals
