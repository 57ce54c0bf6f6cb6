"""How many calls are in flight: of all, of each member, of streams, and of calls that need no token."""

from __future__ import annotations

import enum
import threading

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal

RETRY_AFTER_S = 0.5
"""What a refused caller is told to wait: about the time in which the calls ahead of it end."""


class Kind(enum.StrEnum):
    """What a call takes from."""

    REQUEST = "requests_max"
    STREAM = "streams_max"
    OPEN = "open_calls_max"


class InFlight:
    """Counts calls and refuses those over a limit. Every admitted call is released exactly once."""

    def __init__(self, limits: dict[Kind, int], member_requests_max: int, host_open_calls_max: int) -> None:
        self._limits = limits
        self._shares = {
            Kind.REQUEST: ("member_requests_max", member_requests_max),
            Kind.STREAM: ("member_requests_max", member_requests_max),
            Kind.OPEN: ("host_open_calls_max", host_open_calls_max),
        }
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._counts = dict.fromkeys(Kind, 0)
        self._callers: dict[tuple[Kind, bytes], int] = {}

    def admit(self, kind: Kind, caller: bytes) -> None:
        """Count a call in.

        Args:
            kind: what it takes from.
            caller: the member's pseudonym; for open calls, the host that they come from.

        Raises:
            Refusal: TOO_MANY_REQUESTS, with the limit that is reached.
        """
        with self._lock:
            if self._counts[kind] >= self._limits[kind]:
                raise _too_many(kind.value, self._limits[kind])
            if kind in self._shares:
                name, share = self._shares[kind]
                own = self._callers.get((kind, caller), 0)
                if own >= share:
                    raise _too_many(name, share)
                self._callers[kind, caller] = own + 1
            self._counts[kind] += 1

    def release(self, kind: Kind, caller: bytes) -> None:
        """Count a call out."""
        with self._lock:
            self._counts[kind] -= 1
            if kind in self._shares:
                own = self._callers.pop((kind, caller)) - 1
                if own:
                    self._callers[kind, caller] = own
            if not self._counts[kind]:
                self._idle.notify_all()

    def count(self, kind: Kind) -> int:
        """Calls in flight that take from ``kind``."""
        with self._lock:
            return self._counts[kind]

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no request is in flight; whether that came in time. Streams and open calls are not waited for."""
        with self._lock:
            return self._idle.wait_for(lambda: not self._counts[Kind.REQUEST], timeout_s)


def _too_many(limit: str, value: int) -> Refusal:
    return Refusal(
        error_reason_pb2.ERROR_REASON_TOO_MANY_REQUESTS,
        f"{value} calls are in flight, which is the limit {limit}; try again in a moment, or send larger batches",
        metadata={"limit": limit, "limit_value": str(value)},
        retry_after_s=RETRY_AFTER_S,
    )
