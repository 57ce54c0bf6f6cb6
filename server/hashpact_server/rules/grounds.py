"""Grounds: what the list says about an item, as far as it matters for what a match means. Read once per answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from hashpact_server.rules.canaries import is_canary
from hashpact_server.rules.policy import Policy
from hashpact_server.rules.rulebook import policy_of, taxonomy_of
from hashpact_server.rules.standing import judges
from hashpact_server.rules.taxonomy import Taxonomy
from hashpact_server.rules.tiers import is_full
from hashpact_server.state.judgement import act_stopped, condition, opinions
from hashpact_server.state.judgement_rows import ConditionRow, OpinionCode, OpinionRow
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow, Status
from hashpact_server.state.view import View
from hashpact_server.state.vouches import Vouched, stated_signals

INCIDENT_PREFIX: Final = "incident:"

Groups = dict[bytes, str]
"""Pseudonym -> corporate group; "" where the member's judgement counts for none."""


class Ground:
    """What the list says about an item. What only some ask for is read when they do.

    Args:
        view: where it stands.
        row: the item.
        rows: its standing contributions.
        known: corporate groups that were looked up for another item already.
    """

    def __init__(self, view: View, row: ItemRow, rows: list[ContributionRow], known: Groups | None = None) -> None:
        self._view = view
        self._known = {} if known is None else known
        self.item: int = row.item
        self.status: Status = row.status
        self.rows = rows
        self.labels: tuple[str, ...] = view.labels_of(row.item, rows)
        self.canary = row.status.matches and is_canary(view, row.item, self.labels)

    @cached_property
    def forum(self) -> Policy:
        """The forum's policy."""
        return policy_of(self._view)

    @property
    def needed(self) -> int:
        """Groups that corroborate an item with these labels."""
        return self.forum.groups_needed(self.labels)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Names of the members that speak for it, sorted: they contributed to it, or agree."""
        speaking = {row.pseudonym for row in self.rows} | {row.pseudonym for row in self._agreeing}
        known = (self._view.member(pseudonym) for pseudonym in speaking)
        return tuple(sorted(member.name for member in known if member is not None and member.name))

    @cached_property
    def _condition(self) -> ConditionRow | None:
        return condition(self._view, self.item)

    @cached_property
    def _agreeing(self) -> list[OpinionRow]:
        if self._condition is None:
            return []
        return [row for row in opinions(self._view, self.item) if row.standing and row.code is OpinionCode.AGREE]

    @property
    def incidents(self) -> tuple[str, ...]:
        """Names of the incidents that it belongs to."""
        return tuple(label[len(INCIDENT_PREFIX) :] for label in self.labels if label.startswith(INCIDENT_PREFIX))

    @property
    def sequence(self) -> int:
        """The newest entry by which a member speaks for it; 0: none does."""
        said = [row.sequence for row in self.rows] + [row.sequence for row in self._agreeing]
        return max(said, default=0)

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy in force: which labels say that it may be lawful."""
        return taxonomy_of(self._view)

    @cached_property
    def stopped(self) -> bool:
        """Whether an opinion, a dispute or a limit keeps everybody from being advised to act."""
        return self._condition is not None and act_stopped(self._view, self.item)

    @cached_property
    def signals(self) -> Mapping[int, Vouched]:
        """Its signals, by signal id."""
        return {
            identity: each for identity, each in self._stated.items() if self._view.lists_signal(identity, each.signal)
        }

    @cached_property
    def _stated(self) -> Mapping[int, Vouched]:
        """Its signals, those that were taken off included: to look each one up costs a read."""
        if not self.status.matches:
            return {}
        return {each.identity: each for each in stated_signals(self._view, self.item, self.rows)}

    @cached_property
    def _groups(self) -> Mapping[int, int]:
        """Signal id -> number of corporate groups of which a full member vouches for the signal."""
        return {identity: self._groups_of(each.voices & self._judges) for identity, each in self._stated.items()}

    @cached_property
    def judging(self) -> int:
        """Number of corporate groups of which a full member's human judgement counts for the item."""
        return self._groups_of(self._judges)

    @cached_property
    def _judges(self) -> frozenset[bytes]:
        if self._condition is None:
            # Nearly always: nobody gave an opinion on it, and no dispute was decided.
            return frozenset(row.pseudonym for row in self.rows if row.basis == Basis.PERSON_LOOKED)
        return judges(self._view, self.item)

    def vouching(self, identity: int) -> int:
        """How many groups vouch for a signal that is listed."""
        return self._groups.get(identity, 0)

    def vouched_by(self, groups_min: int) -> list[Vouched]:
        """Signals that so many groups vouch for."""
        enough = (self._stated[identity] for identity, groups in self._groups.items() if groups >= groups_min)
        return [each for each in enough if self._view.lists_signal(each.identity, each.signal)]

    def _groups_of(self, voices: Iterable[bytes]) -> int:
        return len({group for voice in voices if (group := self._group(voice))})

    def _group(self, pseudonym: bytes) -> str:
        group = self._known.get(pseudonym)
        if group is None:
            member = self._view.member(pseudonym)
            counts = member is not None and is_full(self._view, pseudonym)
            group = self._known[pseudonym] = member.group if member is not None and counts else ""
        return group


def ground_of(view: View, item: int, known: Groups | None = None) -> Ground | None:
    """What the list says about an item; None: it is not listed."""
    row = view.item(item)
    if row is None or not row.status.matches:
        return None
    return Ground(view, row, view.contributions(item), known)
