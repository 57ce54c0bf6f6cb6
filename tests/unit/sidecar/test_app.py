"""Routes, without what is behind them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
from hashpact.sidecar.app import READERS_MAX, Parts, make_app
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.settings import SidecarSettings


class Waiting:
    """Has nothing to tell until it is let go."""

    def __init__(self) -> None:
        self.readers = 0
        self.full, self.go = asyncio.Event(), asyncio.Event()

    async def poll(self, _: str, after: str) -> dict[str, Any]:
        self.readers += 1
        if self.readers == READERS_MAX:
            self.full.set()
        await self.go.wait()
        return {"events": [], "as_of": after}


def parts(**given: Any) -> Parts:
    named = dict.fromkeys(("spool", "workers", "checker", "rechecks", "afterwards", "client", "server"))
    return Parts(settings=SidecarSettings(), metrics=Metrics(), secret=False, **cast("dict[str, Any]", named | given))


def test_few_callers_wait_for_what_becomes_known_later() -> None:
    async def body() -> None:
        waiting = Waiting()
        transport = httpx.ASGITransport(make_app(parts(afterwards=waiting)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http, asyncio.timeout(60):
            first = [asyncio.create_task(http.get("/v1/retro")) for _ in range(READERS_MAX)]
            await waiting.full.wait()
            for path in ("/v1/retro", "/v1/corrections"):
                refused = await http.get(path)
                assert (refused.status_code, refused.json()["error"]["reason"]) == (503, "TOO_MANY_REQUESTS")
            waiting.go.set()
            assert {(await each).status_code for each in first} == {200}
            assert (await http.get("/v1/corrections")).status_code == 200

    asyncio.run(body())


def test_a_list_of_unknown_age_is_not_ready() -> None:
    async def body() -> None:
        server = SimpleNamespace(serving=True, lag_s=None, is_behind=lambda _: True)
        transport = httpx.ASGITransport(make_app(parts(server=server)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "REPLICA_BEHIND")

    asyncio.run(body())
