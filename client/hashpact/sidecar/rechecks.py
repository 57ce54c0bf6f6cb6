"""What could not be checked in time is checked later: on the disk before the caller is told so, then told by webhook.

::

    put: queue (on the disk) --> "unchecked", with the queue's id
    run: replica serves --> due --> signals --> look-up --> still wanted? event posted (on the disk) --> out of it
                                                   '--> no answer: again, later

Crash before an event is posted: the upload is checked again after the restart. Crash after that: it is checked again
too, and the event has the same key, so it is the same event.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from hashpact.errors import HashpactError, ServiceError, StorageError, UnreadableMediaError
from hashpact.probes import Probe
from hashpact.sidecar.logs import event
from hashpact.sidecar.queue import QueuedUpload, RecheckQueue
from hashpact.sidecar.webhook import Event, Webhook
from hashpact.signals import ImageSignals

BATCH: Final = 16
"""Uploads taken from the queue at a time."""
IDLE_S_MAX: Final = 5.0
"""How long an upload that was put off may be overdue before somebody looks."""
DELAY_S_MIN: Final = 0.5
DELAY_S_MAX: Final = 60.0

Settle = Callable[[], Awaitable[dict[str, Any]]]
"""What gives the answer, once the upload is remembered where it is to be."""

LookUp = Callable[[Probe | ImageSignals, str], Awaitable[Settle]]
"""What turns signals into an answer, given the caller's word for the upload; nothing is remembered yet."""


class Hashing(Protocol):
    """What turns a file into signals."""

    async def hash(self, path: Path) -> ImageSignals:
        """The signals; raises UnreadableMediaError."""


class Rechecks:
    """The queue, and who works it off.

    Args:
        queue: where uploads wait.
        webhook: who is told; None: nobody, and the log says what came out.
        hashing: what turns a file into signals.
        look_up: what turns signals into an answer.
        until_serving: returns when the replica serves.
        at_once: uploads checked at the same time; beside them there are those that callers wait for.
        on_done: called with the verdict, or the reason of an error, of each.
    """

    def __init__(
        self,
        queue: RecheckQueue,
        webhook: Webhook | None,
        hashing: Hashing,
        look_up: LookUp,
        until_serving: Callable[[], Awaitable[None]],
        *,
        at_once: int,
        on_done: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._webhook = webhook
        self._hashing = hashing
        self._look_up = look_up
        self._until_serving = until_serving
        self._at_once = asyncio.Semaphore(at_once)
        self._on_done = on_done
        self._news = asyncio.Event()
        self._settling = asyncio.Lock()

    async def put(self, source: Path | ImageSignals, reference: str, reason: str) -> str | None:
        """Keep an upload; it is on the disk when this returns.

        Args:
            source: its file, which nobody writes to any more, or its signals where it was hashed already.
            reference: the caller's word for it.
            reason: why it was not checked.

        Returns:
            Its id; None when it could not be kept: the queue is full, or the disk.
        """
        try:
            kept = await asyncio.to_thread(self._keep, source, reference, reason)
        except (StorageError, OSError) as error:
            event(logging.ERROR, "upload not kept for a later check", why=_word(error))
            return None
        self._news.set()
        return kept

    def _keep(self, source: Path | ImageSignals, reference: str, reason: str) -> str:
        return self._queue.put(QueuedUpload(reference, source, time.time_ns() // 1_000_000, reason))

    async def forget(self, reference: str) -> int:
        """Delete what waits under a reference, and what was to be told of it; how many there were."""
        # What is being settled is settled first, so that what it leaves elsewhere is there to be deleted.
        async with self._settling:
            count = await asyncio.to_thread(self._queue.forget, reference)
        return count + (await self._webhook.forget(reference) if self._webhook is not None else 0)

    async def run(self) -> None:
        """Work the queue off until cancelled."""
        while True:
            self._news.clear()
            try:
                await self._until_serving()
                due = await asyncio.to_thread(self._queue.next_due, BATCH)
                await asyncio.gather(*(self._one(upload) for upload in due))
            except StorageError as error:
                event(logging.ERROR, "re-check queue", why=_word(error))
                due = []
            if not due:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), IDLE_S_MAX)

    async def _one(self, upload: QueuedUpload) -> None:
        async with self._at_once:
            try:
                settle = await self._answer(upload)
                async with self._settling:
                    if not await asyncio.to_thread(self._queue.holds, upload.id):
                        return  # forgotten meanwhile: neither remembered nor told
                    told = await settle()
                    await self._tell(upload, told)
                    # Crash here: it is checked once more, and told under the same key.
                    await asyncio.to_thread(self._queue.done, upload.id)
            except (ServiceError, StorageError, OSError) as error:  # OSError: no process to decode can be started
                delay_s = min(DELAY_S_MAX, DELAY_S_MIN * 2.0 ** min(upload.attempts, 16)) * random.uniform(0.75, 1.0)  # noqa: S311  # spreads load
                event(logging.WARNING, "re-check put off", recheck=upload.id, why=_word(error))
                await asyncio.to_thread(self._queue.again, upload.id, delay_s)
                return
        self._on_done(told["verdict"] if "verdict" in told else told["error"]["reason"])

    async def _answer(self, upload: QueuedUpload) -> Settle:
        source = upload.source
        try:
            if isinstance(source, Path):
                source = await self._hashing.hash(source)
            if isinstance(source, bytes):
                raise AssertionError("what comes out of the queue is a path or a probe")
            return await self._look_up(source, upload.reference)
        except UnreadableMediaError as error:
            # A later try would end the same way.
            refusal = {"error": {"reason": error.reason, "message": error.message}}

            async def settle() -> dict[str, Any]:
                return refusal

            return settle

    async def _tell(self, upload: QueuedUpload, told: dict[str, Any]) -> None:
        if self._webhook is not None:
            about = {"recheck": upload.id, "received_at_ms": upload.received_at_ms, **told}
            await self._webhook.post(Event("check.completed", upload.reference, about, key=upload.id))
        verdict, advice = told.get("verdict", "error"), told.get("advice", "none")
        event(logging.INFO, "re-check completed", recheck=upload.id, verdict=verdict, advice=advice)


def _word(error: Exception) -> str:
    return error.reason if isinstance(error, HashpactError) else type(error).__name__
