"""Tiers: how far the forum trusts a member.

A member is *full* when the operator of the data directory admitted it, or two stewards confirmed it. Admitted online,
by one steward, it is on *trial*: what it contributes a day is capped, its judgement counts towards the status
``corroborated`` but nobody is advised to act on it, and it neither seconds a motion nor resolves a dispute. So one
steward cannot make up the members that it takes to make others act. One that *left* counts for nothing.
"""

from __future__ import annotations

from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.view import View


def tier_of(view: View, pseudonym: bytes) -> Tier:
    """How far a member is trusted."""
    return record_of(view, pseudonym).tier


def is_full(view: View, pseudonym: bytes) -> bool:
    """Whether a member is full and takes part now: not suspended, and it did not leave. Two reads."""
    member = view.member(pseudonym)
    return member is not None and not member.suspended and tier_of(view, pseudonym) is Tier.FULL
