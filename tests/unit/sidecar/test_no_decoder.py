"""A machine that can start no decoding process: uploads are kept for later, and nothing ends because of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

from hashpact.aio import AsyncClient
from hashpact.probes import Probe
from hashpact.sidecar.checking import Checker, CheckPolicy
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.modes import Modes
from hashpact.sidecar.queue import RecheckQueue
from hashpact.sidecar.rechecks import Rechecks, Settle
from hashpact.sidecar.workers import WorkerLimits, Workers
from hashpact.signals import ImageSignals

LIMITS = WorkerLimits(60.0, 1 << 30)


async def nothing(*_: Any) -> None:
    """Returns at once."""


def test_an_upload_is_kept_and_its_later_check_put_off(tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"some bytes")
    put_off = threading.Event()

    class Queue(RecheckQueue):
        def again(self, upload_id: str, delay_s: float) -> None:
            super().again(upload_id, delay_s)
            put_off.set()

    async def never(_: Probe | ImageSignals, __: str) -> Settle:
        raise AssertionError("looked up")

    async def body(queue: RecheckQueue) -> None:
        workers = Workers(1, LIMITS, program=(str(tmp_path / "absent"),))
        with contextlib.suppress(OSError):
            await workers.start()
        rechecks = Rechecks(queue, None, workers, never, nothing, at_once=1, on_done=lambda _: None)

        async def keep(source: Path | ImageSignals, reason: str) -> str | None:
            return await rechecks.put(source, "r", reason)

        policy = CheckPolicy(Modes(), 60.0, fail_open=True)
        checker = Checker(workers, AsyncClient("localhost:1", token=""), lambda: True, policy, Metrics(), None)
        answer = await checker.check(picture, keep)
        assert (answer["verdict"], answer["reason"]) == ("unchecked", "DECODER_NOT_STARTED")
        running = asyncio.create_task(rechecks.run())
        try:
            assert await asyncio.to_thread(put_off.wait, 60)
            assert not running.done()
            assert len(queue) == 1
        finally:
            running.cancel()
            await workers.close()

    with Queue(tmp_path / "memory", 1000, 10) as queue:
        asyncio.run(body(queue))
