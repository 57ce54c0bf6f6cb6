"""The follower: keeps a replica equal to its upstream.

::

    connect --> Watch(after: where we stand) --> opening: the same root up to here? --> batch --> adopt --> batch ...
       ^                                                      |                                      |
       '---- wait, longer each time <---- broken off          '------- DivergedError: stop, loudly <-'

An upstream that is away is no reason to stop: the replica answers as before, and says how old it is. One that has
another history is: nothing is taken from it, and somebody has to look.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hashpact.v1 import feed_service_pb2 as pb

from hashpact_server.adopting import DivergedError, Expected, Parts, adopt, compare
from hashpact_server.engine import Engine
from hashpact_server.following import Following
from hashpact_server.ledger.store import StoreError
from hashpact_server.logs import event, where
from hashpact_server.refusal import Refusal
from hashpact_server.upstream import AwayError, Upstream

WAIT_S_MIN: Final = 0.2
WAIT_S_MAX: Final = 10.0
SILENCE_S_MAX: Final = 90.0
"""Three times the longest time between two messages of a Watch: an upstream that is silent for so long is away."""

FIRST_WORD_S_MAX: Final = 3.0
"""Time after which an upstream from which nothing was heard since the start is away: connecting may fail much later."""

TICK_S: Final = 0.5

_LOGGER: Final = logging.getLogger(__name__)


class Follower:
    """Follows an upstream in a thread of its own.

    Args:
        engine: the replica's list.
        upstream: whom to follow.
        following: the board to write on.
        on_first: called once: when everything was taken over for the first time, or the upstream could not be reached.
        on_tick: called again and again, from a thread of its own.
        on_diverged: called once when following has ended for good.
    """

    def __init__(
        self,
        engine: Engine,
        upstream: Upstream,
        following: Following,
        *,
        on_first: Callable[[], None],
        on_tick: Callable[[], None],
        on_diverged: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._upstream = upstream
        self._first = [on_first]
        self._on_tick = on_tick
        self._on_diverged = on_diverged
        self._stopping = threading.Event()
        self._call: Any = None
        self._catching_up = True
        self._heard_at = time.monotonic()
        self.following = following
        self._listener = threading.Thread(target=self._listen_for_silence, name="hashpact-silence", daemon=True)
        self._thread = threading.Thread(target=self._run, name="hashpact-follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._listener.start()

    def stop(self) -> None:
        """End; what was taken over stays."""
        self._stopping.set()
        call = self._call  # one that begins after this finds out by itself: see _follow
        if call is not None:
            call.cancel()
        for thread in (self._thread, self._listener):
            if thread.is_alive():
                thread.join()

    def _listen_for_silence(self) -> None:
        started = time.monotonic()
        while not self._stopping.wait(TICK_S):
            self._on_tick()
            now = time.monotonic()
            if self.following.upstream_sequence < 0 and now - started > FIRST_WORD_S_MAX:
                self._reached_first()  # packets may vanish without a word, and what is here answers look-ups
            call = self._call
            if call is not None and now - self._heard_at > SILENCE_S_MAX:
                call.cancel()

    def _run(self) -> None:
        wait_s = WAIT_S_MIN
        while not self._stopping.is_set():
            try:
                if self._follow():
                    wait_s = WAIT_S_MIN
            except DivergedError as error:
                self._end(str(error))
                return
            except (Refusal, StoreError) as error:
                event(_LOGGER, logging.WARNING, "following pauses", why=str(error))
            except Exception as error:  # noqa: BLE001 - a replica that stands still must not look as if it were well
                event(_LOGGER, logging.CRITICAL, "following failed", where=where(error))
                self._end(f"what the upstream sent could not be taken over ({type(error).__name__})")
                return
            finally:
                self.following.connected = False
            self._reached_first()
            self._stopping.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas, hides nothing
            wait_s = min(2 * wait_s, WAIT_S_MAX)

    def _end(self, why: str) -> None:
        self.following.diverged = why
        event(_LOGGER, logging.CRITICAL, "replica and upstream differ", why=why)
        self._on_diverged(why)

    def _reached_first(self) -> None:
        try:
            tell = self._first.pop()  # by one of two threads
        except IndexError:
            return
        tell()

    def _follow(self) -> bool:
        """Follow until the call ends; whether anything came."""
        came = False
        position = self._engine.published.head.position()
        with self._upstream.channel() as channel:
            self._heard_at = time.monotonic()
            self._catching_up = True
            self._call = call = self._upstream.watch(channel, position.encode())
            if self._stopping.is_set():
                call.cancel()
            try:
                for message in call:
                    self._heard_at = time.monotonic()
                    self._take(message, opening=not came)
                    came = True
            except grpc.RpcError as error:
                self._say(error)
            finally:
                call.cancel()
        return came

    def _take(self, message: pb.WatchResponse, *, opening: bool) -> None:
        following = self.following
        if opening:
            compare(self._engine.state, _expected(message))
            event(_LOGGER, logging.INFO, "following", upstream=self._upstream.target, **self._where(message))
        elif message.entries:
            expected = _expected(message) if message.HasField("checkpoint") else None
            adopt(self._engine.writer, self._engine.state, parts_of(message), expected)
        level = message.next_sequence > message.head_sequence
        newest_ms = self._engine.published.head.time_ms
        lag_ms = message.lag.ToMilliseconds() if level else message.sent_time.ToMilliseconds() - newest_ms
        following.heard(message.head_sequence, max(0, lag_ms) / 1000)
        if level:
            if self._catching_up:
                self._catching_up = False
                event(_LOGGER, logging.INFO, "level with the upstream", **self._where(message))
            self._reached_first()

    def _where(self, message: pb.WatchResponse) -> dict[str, int]:
        return {"sequence": self._engine.published.head.sequence, "upstream_sequence": message.head_sequence}

    def _say(self, error: Any) -> None:
        if self._stopping.is_set():
            return
        reason = _reason_of(error)
        if reason == "TOKEN_FROM_FUTURE":
            # A replica that is itself on its way to where we stand. Should it get there otherwise, roots will tell.
            event(_LOGGER, logging.WARNING, "upstream behind", sequence=self._engine.published.head.sequence)
            return
        if reason == "TOKEN_UNKNOWN_HISTORY":
            raise DivergedError(f"the upstream does not know our history: {error.details()}")
        AwayError.of(error).log()


def _expected(message: pb.WatchResponse) -> Expected:
    checkpoint = message.checkpoint
    private_parts = checkpoint.private_parts if checkpoint.HasField("private_parts") else None
    return Expected(checkpoint.size, checkpoint.root, checkpoint.state_digest, private_parts)


def _reason_of(error: Any) -> str:
    """The reason that the upstream gave; "" where there is none."""
    status = rpc_status.from_call(error)
    for packed in () if status is None else status.details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info) and info.domain == "hashpact":
            return str(info.reason)
    return ""


def parts_of(message: pb.WatchResponse) -> list[Parts]:
    """The entries of a message."""
    return [
        Parts(each.public_part, each.private_part if each.HasField("private_part") else None)
        for each in message.entries
    ]
