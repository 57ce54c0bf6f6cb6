"""Asking a running server how it is: light, since container platforms do so every few seconds."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def ask_health(target: str, ca: bytes | None, timeout_s: float) -> str:
    """What a server says of itself.

    Args:
        target: as ``HOST:PORT`` or ``unix:PATH``.
        ca: certificates to trust, PEM; None: it serves without TLS.
        timeout_s: seconds to wait for an answer.

    Returns:
        ``SERVING``, ``NOT_SERVING``, or the name of the gRPC status where there was no answer.
    """
    if ca is None:
        channel = grpc.insecure_channel(target)
    else:
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca))
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=timeout_s, wait_for_ready=True
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
