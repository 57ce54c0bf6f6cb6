"""Floods: what leaves its usual course. Pure arithmetic on counts; what to do about it is decided by who asks.

An item of terrorist media is met now and then, and in waves that people know of. An item that suddenly matches
thousands of uploads is most likely lawful media that many people share, listed by mistake or on purpose.
"""

from __future__ import annotations

from hashpact_server.rules.policy import Policy


def is_flood(matches: int, usual: float, policy: Policy) -> bool:
    """Whether an item matches far more often than it used to.

    Args:
        matches: of the item in one hour.
        usual: of the item per hour before, on average; 0 for an item that was not met before.
        policy: the forum's numbers.
    """
    return matches >= policy.flood_matches_per_hour and matches > policy.flood_factor * usual


def is_outpouring(contributions: int, usual: float, policy: Policy) -> bool:
    """Whether a member contributes far more than it used to; arguments as :func:`is_flood`."""
    return contributions >= policy.contributions_alarm_per_hour and contributions > policy.flood_factor * usual
