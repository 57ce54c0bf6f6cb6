"""What a member may do in a day: caps on acts that lower what others put on the list."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.tiers import is_full
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.tallies import DAY_MS, Tally, counted

SEARCHES_PER_DAY: Final = 100


def check_day(scene: Scene, member: bytes, what: Tally, more: int = 1) -> None:
    """Whether a member may do so many more today.

    Raises:
        Refusal: DAY_LIMIT_REACHED.
    """
    policy = policy_of(scene)
    name = "member_disputes_per_day" if is_full(scene, member) else "trial_disputes_per_day"
    most: int = getattr(policy, name)
    if counted(scene, what, scene.now_ms, member) + more > most:
        raise day_limit(name, most, scene.now_ms)


class Searches:
    """Look-ups by signals of a challenge: counted in memory, since what finds nothing leaves no entry.

    They answer as a look-up does, and would else be one without a quota.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._day = 0
        self._made: Counter[bytes] = Counter()

    def count(self, member: bytes, now_ms: int) -> None:
        """One more of this member.

        Raises:
            Refusal: DAY_LIMIT_REACHED.
        """
        with self._lock:
            if self._day != now_ms // DAY_MS:
                self._day = now_ms // DAY_MS
                self._made.clear()
            self._made[member] += 1
            if self._made[member] > SEARCHES_PER_DAY:
                raise day_limit("challenge_searches_per_day", SEARCHES_PER_DAY, now_ms)


def watch_objections(scene: Scene, member: bytes) -> None:
    """After an act that keeps others from being advised to act: a full member may do so as it likes, stewards hear."""
    alarm = policy_of(scene).disputes_alarm_per_day
    today = counted(scene, Tally.OBJECTIONS, scene.now_ms, member)
    if today and today % alarm == 0:
        raise_alert(scene, AlertKind.DISPUTES, member=member, count=today, note="one member objects to many items")


def day_limit(name: str, most: int, now_ms: int) -> Refusal:
    """The refusal of a member that did as much today as the field ``name`` of the policy allows."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_DAY_LIMIT_REACHED,
        f"this member may do {most} of these a day (UTC): {name}",
        metadata={"limit": name, "limit_value": str(most)},
        retry_after_s=(DAY_MS - now_ms % DAY_MS) / 1000,
    )
