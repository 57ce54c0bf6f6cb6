"""What the server says of itself."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from hashpact_server.services.health import HealthService


def status(health: HealthService) -> str:
    nobody: Any = grpc.ServicerContext
    answer = health.Check(health_pb2.HealthCheckRequest(), nobody)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def test_a_server_that_stops_does_not_serve_again() -> None:
    health = HealthService([])
    assert status(health) == "NOT_SERVING"
    health.set_serving(serving=True)
    assert status(health) == "SERVING"
    health.end()
    health.set_serving(serving=True)  # a replica that got level with its hub at this moment
    assert status(health) == "NOT_SERVING"
