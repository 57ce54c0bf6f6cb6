"""Supervising: a part of it that fails leaves nothing stale, and a replica that cannot tell its age is not well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hashpact.sidecar import local_server
from hashpact.sidecar.local_server import UNKNOWN_S_MAX, LocalServer


class Health:
    """Says that it serves, and fails with something that is no gRPC error; from the second time on it stays."""

    watches = 0

    def __init__(self, _: Any) -> None:
        pass

    async def Watch(self, *_: Any, **__: Any) -> AsyncIterator[health_pb2.HealthCheckResponse]:  # noqa: N802
        Health.watches += 1
        yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        if Health.watches == 1:
            raise RuntimeError("a fault of ours")
        await asyncio.Event().wait()


def made(tmp_path: Path) -> LocalServer:
    return LocalServer(tmp_path, hub="localhost:1", token="", ca=None, config="")


def test_a_part_that_fails_leaves_nothing_stale_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_pb2_grpc, "HealthStub", Health)
    monkeypatch.setattr(local_server, "BACKOFF_S_MIN", 0.001)
    monkeypatch.setattr(Health, "watches", 0)
    told: list[bool] = []

    class Server(LocalServer):
        def _told(self, *, serving: bool) -> None:
            super()._told(serving=serving)
            told.append(serving)

    async def body() -> None:
        server = Server(tmp_path, hub="localhost:1", token="", ca=None, config="")
        task = asyncio.create_task(local_server._kept_up("health", server._listen))
        try:
            async with asyncio.timeout(60):
                while told.count(True) < 2:
                    assert not task.done()
                    await asyncio.sleep(0)
            assert told == [True, False, True]
            assert server.serving
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(body())


def test_an_age_that_nobody_can_tell_is_too_old_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    server = made(tmp_path)
    assert not server.is_behind(300)  # it does not serve: that is said otherwise
    server._told(serving=True)
    now += UNKNOWN_S_MAX
    assert not server.is_behind(300)
    now += 1
    assert server.is_behind(300)
    server.lag_s = 300.0
    assert not server.is_behind(300)
    server.lag_s = 301.0
    assert server.is_behind(300)
