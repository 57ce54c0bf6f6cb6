"""The upstream: the server whose list a replica holds, and the two calls that are made there.

A replica is a client of its upstream like any other: it has a token of a member that may replicate.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from hashpact.v1 import feed_service_pb2 as pb
from hashpact.v1 import feed_service_pb2_grpc

from hashpact_server import addresses
from hashpact_server.ledger.store import Store
from hashpact_server.logs import event
from hashpact_server.snapshot import Told, load
from hashpact_server.tokens import is_member_token
from hashpact_server.trouble import Trouble

MESSAGE_BYTES_MAX: Final = 64 << 20
"""An entry may be larger than a batch."""


_REFUSALS: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})
"""What waiting alone does not mend. It is asked again all the same: a token may be renewed, a role given."""

_REMEDIES: Final = (
    ("CERTIFICATE_VERIFY_FAILED", "give the upstream's ca.pem: --ca FILE, or HASHPACT_CA"),
    ("is not in peer certificate", "name the upstream as its certificate does, or renew-certificate --hostname there"),
    ("Hostname Verification", "name the upstream as its certificate does, or renew-certificate --hostname there"),
)
"""Where waiting does not help either, told by gRPC in the text alone."""

_LOGGER: Final = logging.getLogger(__name__)


class AwayError(Exception):
    """The upstream cannot be reached, or does not let us.

    Attributes:
        code: the gRPC code's name.
        why: what was said.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code
        self.why = why

    @classmethod
    def of(cls, error: Any) -> AwayError:
        """A failed call."""
        return cls(error.code().name, error.details() or "")

    def log(self) -> None:
        """Tell the operator, and what to do where we know it."""
        if self.code in _REFUSALS:
            event(_LOGGER, logging.ERROR, "upstream refuses", code=self.code, why=self.why)
            return
        remedy = next((text for sign, text in _REMEDIES if sign in self.why), "")
        level = logging.ERROR if remedy else logging.WARNING
        event(_LOGGER, level, "upstream away", code=self.code, why=self.why, remedy=remedy)


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


def begin(store: Store, upstream: Upstream) -> Told:
    """Begin a replica: fill an empty store with a snapshot of the upstream's list; what that claims.

    Raises:
        SnapshotError: it is not whole, or not true.
        StoreFullError: it is larger than the store may be.
        AwayError: the upstream cannot be reached, or does not let us.
    """
    with upstream.channel() as channel:
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
        call = stub.Snapshot(pb.SnapshotRequest(), metadata=upstream.metadata)
        try:
            return load(_Arriving(call), store)
        except grpc.RpcError as error:
            raise AwayError.of(error) from error
        finally:
            call.cancel()
