"""Signs of life: when each member called last, and how far those are who follow the list; in memory only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Watcher:
    """Who follows the list.

    Attributes:
        member: its name.
        next: number of the entry that it waits for, or is being sent.
        moved_ms: when that changed last, in Unix ms.
        gone_ms: when it went; 0: it is there.
    """

    member: str
    next: int
    moved_ms: int
    gone_ms: int = 0


class Presence:
    """Who was there.

    Args:
        clock_ms: Unix time in ms.
    """

    def __init__(self, clock_ms: Callable[[], int] = _now_ms) -> None:
        self._clock_ms = clock_ms
        self.since_ms = clock_ms()
        self._seen: dict[str, int] = {}
        self._watchers: dict[int, Watcher] = {}
        self._left: dict[str, Watcher] = {}
        self._lock = threading.Lock()

    def seen(self, member: str) -> None:
        """The member makes a call."""
        self._seen[member] = self._clock_ms()

    def last_seen_ms(self, member: str) -> int:
        """When the member called last, in Unix ms; 0: not since the start."""
        return self._seen.get(member, 0)

    @contextmanager
    def following(self, member: str, sequence: int) -> Iterator[Callable[[int], None]]:
        """For as long as a member follows the list from ``sequence`` on; call what it gives as the watcher moves on."""
        watcher = Watcher(member, sequence, self._clock_ms())
        with self._lock:
            self._watchers[id(watcher)] = watcher
            self._left.pop(member, None)

        def moved(following: int) -> None:
            watcher.next, watcher.moved_ms = following, self._clock_ms()

        try:
            yield moved
        finally:
            watcher.gone_ms = self._clock_ms()
            with self._lock:
                del self._watchers[id(watcher)]
                if all(each.member != member for each in self._watchers.values()):
                    self._left[member] = watcher

    def watchers(self) -> list[Watcher]:
        """All that follow."""
        with self._lock:
            return list(self._watchers.values())

    def left(self) -> Mapping[str, Watcher]:
        """Members that followed since the start, and do not any more, each as it was when it went."""
        with self._lock:
            return dict(self._left)
