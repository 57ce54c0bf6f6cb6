"""One upload -> signals -> look-up -> advice, within a deadline.

What cannot be answered in time is not forgotten: with ``fail = "open"`` the caller is told ``unchecked`` once the
upload lies in the re-check queue.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hashpact._operations.reading import cannot_be_asked
from hashpact.aio import AsyncClient
from hashpact.errors import ServiceError, UnavailableError
from hashpact.probes import Probe
from hashpact.results import CheckResult, ProbeResult, strongest_advice
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.modes import Modes
from hashpact.sidecar.refusals import RefusedError
from hashpact.sidecar.workers import Workers
from hashpact.signals import ImageSignals

DEADLINE: Final = "DEADLINE_EXCEEDED"
NOT_STARTED: Final = "DECODER_NOT_STARTED"

Keep = Callable[[Path | ImageSignals, str], Awaitable[str | None]]
"""Keeps an upload, by its file or its signals, and why: its id in the re-check queue, or None where it cannot."""

Remember = Callable[[str, Probe, str], Awaitable[bool]]
"""Remembers an upload by the caller's word for it, its signals, and the ``as_of`` of its answer; whether it did."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was looked up, and what came out."""

    probe: Probe
    as_of: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """What holds for every check.

    Attributes:
        modes: how far advice may go.
        deadline_s: time for one check.
        fail_open: whether a check without an answer says advice ``none``; else it is an error.
    """

    modes: Modes
    deadline_s: float
    fail_open: bool


class Checker:
    """Checks uploads.

    Args:
        workers: what decodes.
        client: of the local server.
        serving: whether that server answers at the moment.
        policy: what holds for every check.
        metrics: what is counted.
        remember: lets the replica remember an upload; None: it does not.
    """

    def __init__(
        self,
        workers: Workers,
        client: AsyncClient,
        serving: Callable[[], bool],
        policy: CheckPolicy,
        metrics: Metrics,
        remember: Remember | None,
    ) -> None:
        self._workers = workers
        self._client = client
        self._serving = serving
        self._policy = policy
        self._metrics = metrics
        self._remember = remember

    async def check(
        self, path: Path, keep: Keep, *, reference: str = "", at_least_as_fresh: str = ""
    ) -> dict[str, Any]:
        """Check one file.

        Args:
            path: of the spooled upload.
            keep: keeps what could not be checked in time.
            reference: the caller's word for it; with one it is remembered, where that is switched on.
            at_least_as_fresh: token of a write that the answer must reflect; "" for none.

        Returns:
            The answer, as the sidecar's page describes it.

        Raises:
            UnreadableMediaError: it is no picture.
            RefusedError: no answer in time, and ``fail`` is ``closed``.
            ServiceError: the replica refuses the sidecar.
        """
        began = time.monotonic()
        hashed: list[ImageSignals] = []
        try:
            async with asyncio.timeout(self._policy.deadline_s):
                signals = await self._workers.hash(path)
                if signals.canvas is None:
                    hashed.append(signals)  # else the file says more: the copy that is measured in is kept nowhere
                looked = await self._look_up(signals, at_least_as_fresh)
        except TimeoutError:
            return await self._unanswered(DEADLINE, keep, hashed[0] if hashed else path)
        except ServiceError as error:
            if not cannot_be_asked(error):
                raise
            return await self._unanswered(error.reason, keep, hashed[0] if hashed else path)
        except OSError:  # a machine without room for another process: later there will be
            return await self._unanswered(NOT_STARTED, keep, path)
        answer = await self._remembered(looked, reference)
        self._metrics.seconds.observe(time.monotonic() - began)
        return {**answer, "notes": list(signals.notes)} if signals.notes else answer

    async def check_hashed(
        self, source: Probe | ImageSignals, reference: str
    ) -> Callable[[], Awaitable[dict[str, Any]]]:
        """What remembers an upload that was hashed, where it is to be, and gives its answer.

        Raises:
            ServiceError: the replica cannot be asked, or refuses.
        """
        return functools.partial(self._remembered, await self._look_up(source, ""), reference)

    async def _remembered(self, looked: _Looked, reference: str) -> dict[str, Any]:
        """The answer, once the upload is remembered where it is to be."""
        if self._remember is None or not reference:
            return looked.answer
        return {**looked.answer, "remembered": await self._remember(reference, looked.probe, looked.as_of)}

    async def _look_up(self, source: Probe | ImageSignals, at_least_as_fresh: str) -> _Looked:
        if not self._serving():
            raise UnavailableError("the replica does not serve yet", reason="REPLICA_NOT_SERVING")
        probe = Probe.of(source)
        sha256 = dict(probe.signal_sets).get("sha256")
        if isinstance(source, Probe):
            found = await self._client.lookup([probe], at_least_as_fresh=at_least_as_fresh)
            return _Looked(probe, found.as_of, self._advised(sha256, found[0]))
        checked = await self._client.check(source, at_least_as_fresh=at_least_as_fresh)
        result = ProbeResult(checked.matches, checked.truncated, checked.problems)
        return _Looked(probe, checked.as_of, self._advised(sha256, result))

    def _advised(self, sha256: bytes | None, found: ProbeResult) -> dict[str, Any]:
        modes = self._policy.modes
        in_trial = sha256 is not None and modes.in_trial(sha256)
        lowered = tuple(modes.lowered(match, in_trial=in_trial) for match in found.matches)
        for before, after in zip(found.matches, lowered, strict=True):
            self._metrics.matched(before, after.advice)
        result = CheckResult(
            None, found.verdict, strongest_advice(lowered), lowered, found.truncated, found.problems
        ).to_dict()
        del result["path"]
        for shown, before in zip(result["matches"], found.matches, strict=True):
            shown["hub_advice"] = before.advice
        self._metrics.checks.labels(result["verdict"], result["advice"]).inc()
        return {**result, "hub_advice": found.advice, "in_trial": in_trial}

    async def _unanswered(self, reason: str, keep: Keep, source: Path | ImageSignals) -> dict[str, Any]:
        """What is said of an upload that has no answer in time."""
        self._metrics.unchecked.labels(reason).inc()
        if not self._policy.fail_open:
            raise RefusedError(503, "UNCHECKED", f"no answer in time ({reason}): try again, or let a person look")
        kept = await keep(source, reason)
        if kept is None:
            self._metrics.lost.inc()
        self._metrics.checks.labels("unchecked", "none").inc()
        return {"verdict": "unchecked", "advice": "none", "matches": [], "reason": reason, "recheck": kept}
