"""The port: how gRPC is told to listen, with which certificate, and why it cannot."""

from __future__ import annotations

import os
import socket
from typing import Any, Final

import grpc

from hashpact_server.addresses import Address
from hashpact_server.config import Config
from hashpact_server.datadir import DataDirectory
from hashpact_server.tls import CertificateSource, KeyPair
from hashpact_server.trouble import Trouble

_METADATA_BYTES_MAX: Final = 16_384
_HANDSHAKE_S_MAX: Final = 10


def credentials(data: DataDirectory, config: Config) -> grpc.ServerCredentials:
    """The certificate of a data directory; read again for new connections when its files change.

    Raises:
        Trouble: it cannot be read, or does not fit its key.
    """
    source = CertificateSource(data.file(config.certificate), data.file(config.private_key))

    def renewed() -> Any:
        new = source.changed()
        return None if new is None else _certificate(new)

    return grpc.dynamic_ssl_server_credentials(_certificate(source.pair), renewed)


def options(config: Config) -> list[tuple[str, Any]]:
    """Options of the server."""
    limits = config.limits
    return [
        # Off, or a second server shares the port silently and takes half of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", limits.message_bytes_max),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", config.connection_streams_max),
        ("grpc.max_metadata_size", _METADATA_BYTES_MAX),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_S_MAX * 1000),
        ("grpc.keepalive_time_ms", round(config.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(config.ping_interval_s_min * 1000)),
    ]


def _certificate(pair: KeyPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])


def bind(server: grpc.Server, wanted: Address, credentials: grpc.ServerCredentials | None) -> Address:
    """Listen there (without credentials: in the clear); the address with the port that was taken.

    Raises:
        Trouble: it cannot; says why.
    """
    if wanted.path and _answers(wanted.path):
        # gRPC would take the path away from the server that listens there.
        raise Trouble(f"cannot listen on {wanted}: another process listens there")
    try:
        if credentials is None:
            port = server.add_insecure_port(str(wanted))
        else:
            port = server.add_secure_port(str(wanted), credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise Trouble(f"cannot listen on {wanted}: {_why_not(wanted)}")
    return wanted if wanted.path else Address(wanted.host, port)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _why_not(wanted: Address) -> str:
    """Ask the kernel itself, since gRPC only says that it could not."""
    try:
        if wanted.path:
            return f"is {os.path.dirname(wanted.path) or '.'} a directory that we may write to?"  # noqa: PTH120 - text
        family, kind, protocol, _, place = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return str(error.strerror or error)
    return "another process had the port a moment ago; try again"
