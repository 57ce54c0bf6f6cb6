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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from hashpact.v1 import feed_service_pb2 as pb
from hashpact.v1 import feed_service_pb2_grpc

from hashpact_server import addresses
from hashpact_server.adopting import DivergedError, Expected, Parts, adopt, compare
from hashpact_server.engine import Engine
from hashpact_server.ledger.store import Store, StoreError
from hashpact_server.logs import event, where
from hashpact_server.refusal import Refusal
from hashpact_server.snapshot import load
from hashpact_server.tokens import is_member_token
from hashpact_server.trouble import Trouble

WAIT_S_MIN: Final = 0.2
WAIT_S_MAX: Final = 10.0
SILENCE_S_MAX: Final = 90.0
"""Three times the longest time between two messages of a Watch: an upstream that is silent for so long is away."""

MESSAGE_BYTES_MAX: Final = 64 << 20
"""An entry may be larger than a batch."""

_FOR_EVER: Final = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""What waiting alone does not mend. It is asked again all the same: a token may be renewed, a role given."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whom to follow.

    Attributes:
        target: where it serves, ``HOST:PORT`` or ``unix:PATH``.
        token: of a member that may replicate.
        ca: PEM of the authority to trust; None: those of the system.
    """

    target: str
    token: str = field(repr=False)
    ca: bytes | None = None

    def channel(self) -> grpc.Channel:
        """A connection."""
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ]
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(self.ca), options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),)

    def watch(self, channel: grpc.Channel, after: str) -> Any:
        """A call of Watch from there on."""
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
        return stub.Watch(pb.WatchRequest(after=after), metadata=self.metadata)


def upstream_of(target: str, token: str, ca: Path | None) -> Upstream:
    """The upstream that an operator names.

    Raises:
        Trouble: something is missing or cannot be read; says what to do.
    """
    if not is_member_token(token):
        raise Trouble(
            "--follow needs the token of a member that has the role replicate, in HASHPACT_TOKEN: a steward of the"
            " upstream makes one with: hashpact-server member add NAME --role replicate"
        )
    try:
        pem = None if ca is None else ca.read_bytes()
    except OSError as error:
        raise Trouble(f"cannot read {ca}: {error.strerror}") from error
    place = addresses.parse(target, what="--follow")
    return Upstream(str(place), token, pem)


@dataclass(slots=True)
class Following:
    """How far the replica is behind; written by the follower's thread, read by everybody.

    Attributes:
        connected: whether messages are coming in.
        upstream_sequence: newest entry of the upstream, as far as we heard.
        level_at: ``time.monotonic()`` when we last had everything that the upstream had; None: not since the start.
        diverged: why following has ended; "" while it goes on.
    """

    connected: bool = False
    upstream_sequence: int = -1
    level_at: float | None = None
    diverged: str = ""


class Follower:
    """Follows an upstream in a thread of its own.

    Args:
        engine: the replica's list.
        upstream: whom to follow.
        on_first: called once: when everything was taken over for the first time, or the upstream could not be reached.
        on_diverged: called once when following has ended for good.
    """

    def __init__(
        self, engine: Engine, upstream: Upstream, *, on_first: Callable[[], None], on_diverged: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._upstream = upstream
        self._on_first: Callable[[], None] | None = on_first
        self._on_diverged = on_diverged
        self._stopping = threading.Event()
        self._call: Any = None
        self._heard_at = self._started = time.monotonic()
        self.following = Following()
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

    @property
    def lag_entries(self) -> int:
        """Entries that the upstream has and we have not, as far as we heard."""
        return max(0, self.following.upstream_sequence - self._engine.published.head.sequence)

    @property
    def lag_s(self) -> float:
        """Seconds since we last had everything that the upstream had; since the start, when we never had."""
        level_at = self.following.level_at
        return time.monotonic() - (self._started if level_at is None else level_at)

    def _listen_for_silence(self) -> None:
        while not self._stopping.wait(SILENCE_S_MAX / 10):
            call = self._call
            if call is not None and time.monotonic() - self._heard_at > SILENCE_S_MAX:
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
        tell, self._on_first = self._on_first, None
        if tell is not None:
            tell()

    def _follow(self) -> bool:
        """Follow until the call ends; whether anything came."""
        came = False
        position = self._engine.published.head.position()
        with self._upstream.channel() as channel:
            self._heard_at = time.monotonic()
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
        elif message.entries:
            expected = _expected(message) if message.HasField("checkpoint") else None
            adopt(self._engine.writer, self._engine.state, parts_of(message), expected)
        following.connected = True
        following.upstream_sequence = max(following.upstream_sequence, message.head_sequence)
        if message.next_sequence > message.head_sequence:
            following.level_at = time.monotonic()
            self._reached_first()

    def _say(self, error: Any) -> None:
        if self._stopping.is_set():
            return
        code = error.code()
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            # TOKEN_UNKNOWN_HISTORY, TOKEN_FROM_FUTURE: what we hold is not part of what it holds.
            raise DivergedError(f"the upstream does not know our history: {error.details()}")
        level = logging.ERROR if code in _FOR_EVER else logging.WARNING
        event(_LOGGER, level, "upstream away", code=code.name, why=error.details())


def _expected(message: pb.WatchResponse) -> Expected:
    checkpoint = message.checkpoint
    return Expected(checkpoint.size, checkpoint.root, checkpoint.state_digest)


def parts_of(message: pb.WatchResponse) -> list[Parts]:
    """The entries of a message."""
    return [
        Parts(each.public_part, each.private_part if each.HasField("private_part") else None)
        for each in message.entries
    ]


class _Arriving:
    """The bytes of a snapshot, as they come."""

    def __init__(self, messages: Iterator[pb.SnapshotResponse]) -> None:
        self._messages = messages
        self._left = b""

    def read(self, size: int, /) -> bytes:
        """As many bytes; fewer at the end only."""
        pieces, length = [self._left], len(self._left)
        while length < size and (message := next(self._messages, None)) is not None:
            pieces.append(message.data)
            length += len(message.data)
        together = b"".join(pieces)
        self._left = together[size:]
        return together[:size]


def begin(store: Store, upstream: Upstream) -> None:
    """Begin a replica: fill an empty store with a snapshot of the upstream's list.

    Raises:
        SnapshotError: it is not whole, or not true.
        grpc.RpcError: the upstream cannot be reached, or does not let us.
    """
    with upstream.channel() as channel:
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
        call = stub.Snapshot(pb.SnapshotRequest(), metadata=upstream.metadata)
        try:
            load(_Arriving(call), store)
        finally:
            call.cancel()
