"""Grounds: what the list says about an item, as far as it matters for what a match means; worked out once a commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hashpact_server.rules.canaries import is_canary
from hashpact_server.rules.policy import Policy
from hashpact_server.rules.rulebook import policy_of, taxonomy_of
from hashpact_server.rules.standing import judges
from hashpact_server.rules.taxonomy import Taxonomy
from hashpact_server.rules.tiers import is_full
from hashpact_server.state.judgement import act_stopped, condition, opinions
from hashpact_server.state.judgement_rows import OpinionCode, OpinionRow
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow, Status
from hashpact_server.state.view import View
from hashpact_server.state.vouches import Vouched, stated_signals
from hashpact_server.videos import Frames, frames_of

INCIDENT_PREFIX: Final = "incident:"


class Ground:
    """What the list says about an item. What only some ask for is read when they do.

    Args:
        view: where it stands.
        row: the item.
    """

    def __init__(self, view: View, row: ItemRow) -> None:
        self._view = view
        self.item: int = row.item
        self.status: Status = row.status
        self.rows: tuple[ContributionRow, ...] = view.once(_contributions, row.item)
        self.labels: tuple[str, ...] = view.once(_labels, row.item)
        self.canary: bool = row.status.matches and view.once(is_canary, row.item, self.labels)

    @property
    def forum(self) -> Policy:
        """The forum's policy."""
        return self._view.once(policy_of)

    @property
    def needed(self) -> int:
        """Groups that corroborate an item with these labels."""
        return self.forum.groups_needed(self.labels)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members that speak for it, sorted: they contributed to it, or agree."""
        return self._view.once(_members, self.item)

    @property
    def incidents(self) -> tuple[str, ...]:
        """Names of the incidents that it belongs to."""
        return tuple(label[len(INCIDENT_PREFIX) :] for label in self.labels if label.startswith(INCIDENT_PREFIX))

    @property
    def sequence(self) -> int:
        """The newest entry by which a member speaks for it; 0: none does."""
        return self._view.once(_newest_word, self.item)

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy in force: which labels say that it may be lawful."""
        return self._view.once(taxonomy_of)

    @property
    def stopped(self) -> bool:
        """Whether an opinion, a dispute or a limit keeps everybody from being advised to act."""
        return self._view.once(act_stopped, self.item)

    @property
    def signals(self) -> Mapping[int, Vouched]:
        """Its signals, by signal id."""
        stated = self._stated.values()
        return {each.identity: each for each in stated if self._view.lists_signal(each.identity, each.signal)}

    @property
    def frames(self) -> Frames:
        """The frames that it has, of a video."""
        return self._view.once(_frames, self.item)

    @property
    def judging(self) -> int:
        """Number of corporate groups of which a full member's human judgement counts for the item."""
        return _groups_of(self._view, self._view.once(_judges, self.item))

    def vouching(self, identity: int) -> int:
        """How many groups vouch for a signal that is listed."""
        return self._groups.get(identity, 0)

    def vouching_of(self, identities: Iterable[int]) -> tuple[int, ...]:
        """The same for several signals."""
        groups = self._groups
        return tuple(groups.get(identity, 0) for identity in identities)

    def vouched_by(self, groups_min: int) -> tuple[Vouched, ...]:
        """Signals that so many groups vouch for."""
        return self._view.once(_vouched_by, self.item, groups_min) if self.status.matches else ()

    @property
    def _stated(self) -> Mapping[int, Vouched]:
        """Its signals, those that were taken off included: to look each one up costs a read."""
        return self._view.once(_stated, self.item) if self.status.matches else {}

    @property
    def _groups(self) -> Mapping[int, int]:
        """Signal id -> number of corporate groups of which a full member vouches for the signal."""
        return self._view.once(_vouching, self.item) if self.status.matches else {}


def ground_of(view: View, item: int) -> Ground | None:
    """What the list says about an item; None: it is not listed."""
    row = view.once(View.item, item)
    return None if row is None or not row.status.matches else Ground(view, row)


def _contributions(view: View, item: int) -> tuple[ContributionRow, ...]:
    return tuple(view.contributions(item))


def _labels(view: View, item: int) -> tuple[str, ...]:
    return view.labels_of(item, view.once(_contributions, item))


def _agreeing(view: View, item: int) -> list[OpinionRow]:
    if view.once(condition, item) is None:
        return []  # nearly always: nobody gave an opinion on it, and no dispute was decided
    return [row for row in opinions(view, item) if row.standing and row.code is OpinionCode.AGREE]


def _members(view: View, item: int) -> tuple[str, ...]:
    speaking = {row.pseudonym for row in view.once(_contributions, item)}
    speaking |= {row.pseudonym for row in view.once(_agreeing, item)}
    known = (view.member(pseudonym) for pseudonym in speaking)
    return tuple(sorted(member.name for member in known if member is not None and member.name))


def _newest_word(view: View, item: int) -> int:
    said = [row.sequence for row in view.once(_contributions, item)]
    return max((*said, *(row.sequence for row in view.once(_agreeing, item))), default=0)


def _judges(view: View, item: int) -> frozenset[bytes]:
    if view.once(condition, item) is None:
        rows = view.once(_contributions, item)
        return frozenset(row.pseudonym for row in rows if row.basis == Basis.PERSON_LOOKED)
    return judges(view, item)


def _stated(view: View, item: int) -> Mapping[int, Vouched]:
    return {each.identity: each for each in stated_signals(view, item, view.once(_contributions, item))}


def _frames(view: View, item: int) -> Frames:
    stated = view.once(_stated, item).values()
    return frames_of(each for each in stated if view.lists_signal(each.identity, each.signal))


def _vouching(view: View, item: int) -> Mapping[int, int]:
    judging = view.once(_judges, item)
    stated = view.once(_stated, item).values()
    groups = {voices: _groups_of(view, voices & judging) for voices in {each.voices for each in stated}}
    return {each.identity: groups[each.voices] for each in stated}


def _vouched_by(view: View, item: int, groups_min: int) -> tuple[Vouched, ...]:
    stated = view.once(_stated, item)
    enough = (stated[identity] for identity, groups in view.once(_vouching, item).items() if groups >= groups_min)
    return tuple(each for each in enough if view.lists_signal(each.identity, each.signal))


def _groups_of(view: View, voices: Iterable[bytes]) -> int:
    return len({group for voice in voices if (group := view.once(_group, voice))})


def _group(view: View, pseudonym: bytes) -> str:
    """Its corporate group; "" where the member's judgement counts for none."""
    member = view.member(pseudonym)
    return member.group if member is not None and is_full(view, pseudonym) else ""
