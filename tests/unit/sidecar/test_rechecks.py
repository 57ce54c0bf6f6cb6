"""Later checks and forgetting: what was forgotten while it was checked is neither remembered nor told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hashpact.probes import Probe
from hashpact.sidecar.queue import RecheckQueue
from hashpact.sidecar.rechecks import Rechecks, Settle
from hashpact.sidecar.signing import new_secret
from hashpact.sidecar.webhook import Webhook
from hashpact.sidecar.workers import WorkerLimits, Workers
from hashpact.signals import ImageSignals, Signal

PDQ = Signal("pdq", bytes(32), 80)
SIGNALS = ImageSignals(None, None, PDQ, (PDQ,) * 8, Signal("phash", bytes(8)), Signal("phash256", bytes(32)), 1, 1)


async def nothing() -> None:
    """Returns at once."""


class Scene:
    """Later checks whose look-ups last until they are let go."""

    def __init__(self, queue: RecheckQueue, webhook: Webhook) -> None:
        self.queue, self.webhook = queue, webhook
        self.asked, self.go, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.settling, self.settle_go = asyncio.Event(), asyncio.Event()
        self.settle_go.set()
        self.remembered: list[str] = []
        self.rechecks = Rechecks(
            queue,
            webhook,
            Workers(1, WorkerLimits(60.0, 1 << 30)),
            self.look_up,
            nothing,
            at_once=1,
            on_done=lambda _: self.done.set(),
        )

    async def look_up(self, _: Probe | ImageSignals, reference: str) -> Settle:
        self.asked.set()
        if reference == "forgotten":
            await self.go.wait()

        async def settle() -> dict[str, Any]:
            self.settling.set()
            await self.settle_go.wait()
            self.remembered.append(reference)
            return {"verdict": "none", "advice": "none"}

        return settle


def played(tmp_path: Path, part: Any) -> None:
    async def body() -> None:
        webhook = Webhook("http://127.0.0.1:9/", [new_secret()], tmp_path / "memory")
        with RecheckQueue(tmp_path / "memory", 1000, 10) as queue:
            scene = Scene(queue, webhook)
            running = asyncio.create_task(scene.rechecks.run())
            try:
                async with asyncio.timeout(60):
                    await part(scene)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                webhook.close()

    asyncio.run(body())


def test_forgotten_while_it_is_looked_up(tmp_path: Path) -> None:
    async def part(scene: Scene) -> None:
        assert await scene.rechecks.put(SIGNALS, "forgotten", "DEADLINE_EXCEEDED")
        await scene.asked.wait()
        assert await scene.rechecks.forget("forgotten") == 1
        scene.go.set()
        assert await scene.rechecks.put(SIGNALS, "other", "DEADLINE_EXCEEDED")  # comes after the first has ended
        await scene.done.wait()
        assert scene.remembered == ["other"]
        assert len(scene.webhook) == 1

    played(tmp_path, part)


def test_forgotten_while_it_is_remembered(tmp_path: Path) -> None:
    async def part(scene: Scene) -> None:
        scene.settle_go.clear()
        scene.go.set()
        assert await scene.rechecks.put(SIGNALS, "forgotten", "DEADLINE_EXCEEDED")
        await scene.settling.wait()
        forgetting = asyncio.create_task(scene.rechecks.forget("forgotten"))
        await asyncio.sleep(0)
        scene.settle_go.set()
        assert await forgetting == 1  # the event; the upload itself was done by then
        assert len(scene.webhook) == 0
        assert len(scene.queue) == 0

    played(tmp_path, part)
