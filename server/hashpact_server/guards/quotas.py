"""Quotas: token buckets per member and role, so that one token cannot ask the whole list out, or fill it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.state.rows import Role

BURST_S: Final = 10.0
"""A bucket holds what flows into it in so many seconds."""

RETRY_S_MAX: Final = 60.0
"""Longest time that a caller is told to wait."""


class Bucket:
    """A token bucket. One that was overdrawn by a large call refuses until it is even again.

    Args:
        per_s: what flows in.
        burst: what it holds.
        now_s: when it is made, full.
    """

    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at_s = now_s

    def take(self, count: int, now_s: float) -> float:
        """Take so many; 0, or the seconds after which there will be enough, and nothing was taken.

        More than it holds is given when it is full: no call is refused for ever.
        """
        left = self._left + (now_s - self._at_s) * self._per_s
        self._left = left = min(left, self._burst)
        self._at_s = now_s
        if left < count and left < self._burst:
            return (min(count, self._burst) - left) / self._per_s
        self._left = left - count
        return 0.0


class Quotas:
    """The buckets of all members.

    Args:
        limits: say what flows in, by role.
        clock_s: a clock that only goes forward.
    """

    def __init__(self, limits: Limits, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._rates: Mapping[int, tuple[str, int, dict[bytes, Bucket]]] = {
            Role.CHECK.value: ("member_lookup_values_per_s", limits.member_lookup_values_per_s, {}),
            Role.CONTRIBUTE.value: ("member_contributions_per_s", limits.member_contributions_per_s, {}),
            Role.REPLICATE.value: ("member_items_per_s", limits.member_items_per_s, {}),
        }
        self._clock_s = clock_s
        self._lock = threading.Lock()

    def take(self, member: bytes, role: Role, count: int) -> None:
        """Take from what a member may do in a role.

        Args:
            member: its pseudonym.
            role: CHECK: values looked up; CONTRIBUTE: contributions; REPLICATE: items read with their values.
            count: how many.

        Raises:
            Refusal: QUOTA_EXCEEDED; nothing was taken.
        """
        name, per_s, buckets = self._rates[int(role)]  # a number is hashed sooner than a role
        now_s = self._clock_s()
        with self._lock:
            bucket = buckets.get(member)
            if bucket is None:
                bucket = buckets[member] = Bucket(per_s, per_s * BURST_S, now_s)
            wait_s = bucket.take(count, now_s)
        if wait_s:
            raise exceeded(f"more than {name}={per_s}, for longer than a burst; go on more slowly", name, per_s, wait_s)


def exceeded(message: str, limit: str, value: int, wait_s: float) -> Refusal:
    """The refusal of a member that does too much in a time."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_QUOTA_EXCEEDED,
        message,
        metadata={"limit": limit, "limit_value": str(value)},
        retry_after_s=min(RETRY_S_MAX, max(0.05, wait_s)),
    )
