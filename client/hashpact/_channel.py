"""The channel to the service: TLS or local plaintext, options, and the token in the metadata."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from hashpact._target import is_local, load_ca, require_plaintext_allowed, require_target, require_token
from hashpact._wire import Method, service_config
from hashpact.errors import ConfigError

ANSWER_BYTES_MAX: Final = 64 << 20
"""Largest answer that a client reads: a full batch with many matches per probe stays well below."""

_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    # The server's limit decides, and says so; a local one would only repeat it.
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 1),
    # A DNS record must not change how calls are repeated.
    ("grpc.service_config_disable_resolution", 1),
    # By default gRPC waits up to 2 minutes between attempts to connect: too long after a server's restart.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A connection that a firewall dropped in silence would time out call after call; a ping notices it. Pings are
    # sent only while a call waits, so no server takes offence.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked description of where the service is; channels are made from it.

    Attributes:
        target: as gRPC takes it.
        token: the member's token; "" for none. Not in the repr.
        ca: PEM certificates, or None for gRPC's own list.
        plaintext: whether TLS is left away.
        writes: where writes go, when that is another place.
    """

    target: str
    token: str = field(repr=False)
    ca: bytes | None = field(repr=False)
    plaintext: bool
    writes: Endpoint | None = None

    def of(self, method: Method[Any]) -> Endpoint:
        """Where a method is called."""
        return self if self.writes is None or not method.at_hub else self.writes

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def open(self) -> grpc.Channel:
        """A channel; it connects when the first call is made."""
        if self.plaintext:
            return grpc.insecure_channel(self.target, options=self._options)
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(self.ca), options=self._options)

    def open_async(self) -> grpc.aio.Channel:
        """The same for the running event loop."""
        if self.plaintext:
            return grpc.aio.insecure_channel(self.target, options=self._options)
        return grpc.aio.secure_channel(self.target, grpc.ssl_channel_credentials(self.ca), options=self._options)

    @property
    def _options(self) -> list[tuple[str, int | str]]:
        # What stays on this machine must not be sent to the proxy that http_proxy names, the token in clear before all.
        return [*channel_options(), ("grpc.enable_http_proxy", 0)] if is_local(self.target) else channel_options()


def channel_options() -> list[tuple[str, int | str]]:
    """Options of every channel."""
    return [*_OPTIONS, ("grpc.service_config", service_config())]


PathOrPem: TypeAlias = str | os.PathLike[str] | bytes
"""Certificates: the path of a PEM file, or its bytes."""


def endpoint(
    target: str | None,
    *,
    token: str | None,
    ca: PathOrPem | None,
    plaintext: bool,
    write_target: str | None = None,
    write_ca: PathOrPem | None = None,
) -> Endpoint:
    """Check the settings; what is None is taken from the environment.

    Raises:
        ConfigError: a setting is missing or wrong; says which and what to do.
    """
    checked = require_target(os.environ.get("HASHPACT_TARGET") if target is None else target)
    secret = require_token(os.environ.get("HASHPACT_TOKEN", "") if token is None else token)
    writes = _writes_of(secret, write_target, write_ca)
    if plaintext:
        if ca is not None:
            raise ConfigError("ca and plaintext exclude each other: leave one away", reason="PLAINTEXT_WITH_CA")
        require_plaintext_allowed(checked)
        return Endpoint(checked, secret, None, plaintext=True, writes=writes)
    pem = load_ca(os.environ.get("HASHPACT_CA") or None if ca is None else ca)
    return Endpoint(checked, secret, pem, plaintext=False, writes=writes)


def _writes_of(token: str, target: str | None, ca: PathOrPem | None) -> Endpoint | None:
    """Where writes go when reads go to a replica; None: to the same place."""
    named = os.environ.get("HASHPACT_WRITE_TARGET") if target is None else target
    if not named:
        return None
    pem = load_ca(os.environ.get("HASHPACT_WRITE_CA") or None if ca is None else ca)
    return Endpoint(require_target(named), token, pem, plaintext=False)
