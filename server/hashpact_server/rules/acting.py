"""Acting: what it takes until a member is advised to act at once. Every condition, each with one sentence about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import IntEnum
from typing import NamedTuple

from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server.rules.advice import Advice
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.labels import is_context
from hashpact_server.rules.levels import Level, level_of
from hashpact_server.rules.member_policy import MemberPolicy
from hashpact_server.state.rows import Status
from hashpact_server.state.vouches import Vouched

Agreed = Callable[[Collection[Vouched]], Collection[str]]
"""Names of the signal types by which a probe agrees with some signals, within the types' default radii."""


class Condition(IntEnum):
    """What is asked for; numbers as ``ActCondition.Condition`` on the wire."""

    FORUM_POLICY = 1
    MEMBER_POLICY = 2
    STATUS = 3
    GROUPS = 4
    CONTEXT = 5
    NOT_STOPPED = 6
    AGREEMENT = 7
    NOT_BENIGN = 8


class Finding(NamedTuple):
    """Whether a condition holds, in words."""

    condition: Condition
    holds: bool
    message: str


def types_of(signals: Collection[Vouched]) -> frozenset[str]:
    """Names of the types of some signals: what a probe that has all of them agrees by."""
    return frozenset(
        SIGNAL_TYPES_BY_CODE[each.signal.code].name for each in signals if each.signal.code in SIGNAL_TYPES_BY_CODE
    )


def findings(ground: Ground, wish: MemberPolicy, use: str, agreed: Agreed) -> Iterator[Finding]:
    """What ``act`` takes, cheapest first: whoever only wants to know whether all hold stops at the first that does not.

    Args:
        ground: the item.
        wish: the policy of the member that asks.
        use: for which of its uses; "": none.
        agreed: how the probe agrees with signals of the item.
    """
    forum = ground.forum
    told = "the forum lets its members be advised to act" if forum.act else "the forum's policy advises nobody to act"
    yield Finding(Condition.FORUM_POLICY, forum.act, told)
    mode = wish.mode_for(ground.labels, use)
    told = f"the member's own policy says {mode.name.lower()} for these labels"
    yield Finding(Condition.MEMBER_POLICY, mode is Advice.ACT, told)
    corroborated = ground.status is Status.CORROBORATED
    yield Finding(Condition.STATUS, corroborated, f"the item is {ground.status.name.lower()}")
    context = ", ".join(label for label in ground.labels if is_context(label, ground.taxonomy))
    told = f"labels that say it may be lawful: {context or 'none'}"
    yield Finding(Condition.CONTEXT, not context, told)
    told = "an opinion, a dispute or a limit stops it" if ground.stopped else "no opinion, dispute or limit stops it"
    yield Finding(Condition.NOT_STOPPED, not ground.stopped, told)
    needed = max(ground.needed, wish.groups_min)
    told = f"full members of {ground.judging} groups say that a person looked; it takes {needed}"
    yield Finding(Condition.GROUPS, ground.judging >= needed, told)
    types = agreed(ground.vouched_by(needed))
    told = f"signal types that agree with what {needed} groups vouch for: {', '.join(sorted(types)) or 'none'}"
    yield Finding(Condition.AGREEMENT, level_of(types) is Level.STRONG, told)


def may_act(ground: Ground, wish: MemberPolicy, use: str, agreed: Agreed) -> bool:
    """Whether the member is advised to act."""
    return all(finding.holds for finding in findings(ground, wish, use, agreed))
