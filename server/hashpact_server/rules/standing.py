"""Where an item stands: what its contributions, the opinions on it and its dispute add up to.

CORROBORATED takes k corporate groups, each with a member that attests that a person looked: by its contribution or by
an opinion ``agree``. The policy says what k is; it is never under two. A member whose opinion is against the item, or
whose group was redacted, counts for none: independence that cannot be shown is not assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hashpact_server.ledger.entry import Kind
from hashpact_server.rules.incidents import groups_min_under
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.state.judgement import condition, opinions
from hashpact_server.state.judgement_rows import ConditionRow, OpinionCode, OpinionRow
from hashpact_server.state.rollbacks import is_undone
from hashpact_server.state.rows import Basis, ContributionRow, Status
from hashpact_server.state.transitions import TRANSITIONS
from hashpact_server.state.view import View

CORROBORATING_GROUPS_MIN: Final = 2
"""No policy asks for fewer."""


def status_of(
    view: View,
    item: int,
    contributions: Sequence[ContributionRow],
    *,
    said: Iterable[OpinionRow] | None = None,
    now: ConditionRow | None = None,
    labels: Sequence[str] | None = None,
    joining: bytes = b"",
) -> Status:
    """The status of an item that these contributions stand for.

    WITHDRAWN: nobody says anything any more. DISPUTED: a dispute is open. CORROBORATED: enough groups judged it.
    INHERITED: it was only ever imported. PROVISIONAL: everything else.

    Args:
        view: the list, as it stands before.
        item: its id; 0 for one that is being created.
        contributions: as they will stand.
        said: opinions as they will stand, where that is not as ``view`` has them.
        now: what will hold for the item, where that is not what ``view`` has.
        labels: the item's labels as they will be, where they do not follow from ``contributions``.
        joining: a member whose first word on the item is among ``contributions`` and not yet in the list.
    """
    if not contributions:
        return Status.WITHDRAWN
    if now is None and item:
        now = condition(view, item)
    if now is not None and now.dispute:
        return Status.DISPUTED
    if said is None:
        said = opinions(view, item) if now is not None else ()
    judging = _judging(view, item, contributions, list(said), now, joining)
    groups = groups_of(view, judging) if len(judging) > 1 else ()
    if len(groups) >= CORROBORATING_GROUPS_MIN:
        stated = view.labels_of(item, contributions) if labels is None else labels
        if len(groups) >= groups_wanted(view, stated):
            return Status.CORROBORATED
    if judging:
        return Status.PROVISIONAL
    imported = all(row.basis == Basis.IMPORT for row in contributions)
    return Status.INHERITED if imported else Status.PROVISIONAL


def groups_wanted(view: View, labels: Sequence[str]) -> int:
    """Corporate groups that it takes to corroborate an item with these labels: an incident may have its own number."""
    return groups_min_under(view, labels, max(CORROBORATING_GROUPS_MIN, policy_of(view).groups_needed(labels)))


def judges(view: View, item: int) -> frozenset[bytes]:
    """Members whose human judgement counts for an item: a person of theirs looked, and nothing takes that back."""
    now = condition(view, item)
    said = opinions(view, item) if now is not None else []
    return _judging(view, item, view.contributions(item), said, now, b"")


def groups_of(view: View, members: Iterable[bytes]) -> frozenset[str]:
    """The corporate groups of these members; one whose group was redacted, or that left, has none."""
    rows = map(view.member, members)
    return frozenset(row.group for row in rows if row is not None and row.group)


def _judging(
    view: View,
    item: int,
    contributions: Iterable[ContributionRow],
    said: Sequence[OpinionRow],
    now: ConditionRow | None,
    joining: bytes,
) -> frozenset[bytes]:
    looked = {row.pseudonym for row in contributions if row.basis == Basis.PERSON_LOOKED}
    if not said and (now is None or not now.void_to):
        return frozenset(looked)
    void_to = now.void_to if now is not None else 0
    if void_to:
        looked &= _spoke_after(view, item, void_to) | {joining}
    # Who found it through the list is not believed to have found it otherwise, however it is put: see ``raises``.
    through = {row.pseudonym for row in contributions if row.basis == Basis.FOUND_THROUGH_LIST}
    for row in said:
        if not row.standing:
            continue
        if row.code.against:
            looked.discard(row.pseudonym)
        elif _looked(row) and row.sequence > void_to and row.pseudonym not in through:
            looked.add(row.pseudonym)
    return frozenset(looked)


def _looked(row: OpinionRow) -> bool:
    return row.code is OpinionCode.AGREE and row.basis == Basis.PERSON_LOOKED


def _spoke_after(view: View, item: int, sequence: int) -> set[bytes]:
    """Members that spoke about an item for the first time, or anew, after an entry. To amend is not to look again."""
    later = (
        view.entry(each)
        for each in view.signal_entries(item)
        if each > sequence and not is_undone(view.rows, item, each)
    )
    return {entry.member for entry in later if entry.kind == Kind.ITEM_CORROBORATED}


__all__ = ["CORROBORATING_GROUPS_MIN", "TRANSITIONS", "groups_of", "groups_wanted", "judges", "status_of"]
