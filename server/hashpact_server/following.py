"""How far a replica is behind: a small board that the follower writes and everybody reads.

Time is measured, not read off two clocks: an upstream says how old *its* list is, and we count on from when we heard
it. So a replica of a replica that is cut off knows that it grows old.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Following:
    """How far the replica is behind; written by the follower's thread.

    Attributes:
        level_at: ``time.monotonic()`` when the list here was, for the last time as far as we know, all of the hub's.
        connected: whether messages are coming in.
        upstream_sequence: newest entry of the upstream, as far as we heard.
        diverged: why following has ended; "" while it goes on.
    """

    level_at: float = field(default_factory=time.monotonic)
    connected: bool = False
    upstream_sequence: int = -1
    diverged: str = ""

    @classmethod
    def since(cls, newest_ms: int) -> Following:
        """At a start: nobody wrote down when the list was level, but it was when its newest entry came.

        Args:
            newest_ms: time of that entry, Unix time in ms.
        """
        return cls(time.monotonic() - max(0.0, time.time() - newest_ms / 1000))

    def heard(self, head_sequence: int, lag_s: float) -> None:
        """A message came in, and what it brought is taken over.

        Args:
            head_sequence: newest entry of the upstream.
            lag_s: how old that makes the list here, in seconds.
        """
        self.upstream_sequence = max(self.upstream_sequence, head_sequence)
        self.level_at = max(self.level_at, time.monotonic() - lag_s)
        self.connected = True

    def lag_entries(self, sequence: int) -> int:
        """Entries that the upstream has, as far as we heard, and a list up to ``sequence`` has not."""
        return max(0, self.upstream_sequence - sequence)

    def lag_s(self) -> float:
        """Age of the list here, in seconds: everything that the hub had then is here. At most: it may be younger."""
        return max(0.0, time.monotonic() - self.level_at)
