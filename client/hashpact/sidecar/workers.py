"""The decoding processes: as many as cores, each started again when it dies, none waited for longer than its time.

An upload that kills its process twice is told so, by its own answer; the next upload finds a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hashpact._parallel import cores
from hashpact.errors import HashpactError, InvalidSignalError, MissingExtraError, UnreadableMediaError
from hashpact.modes import CHECK_MODE, Mode
from hashpact.sidecar.signals_json import signals_from_json
from hashpact.sidecar.worker import OUT_OF_MEMORY
from hashpact.signals import ImageSignals

PROGRAM: Final = (sys.executable, "-m", "hashpact.sidecar.worker")
CRASHED: Final = "DECODER_CRASHED"
TOO_SLOW: Final = "DECODER_TOO_SLOW"
_REASONS: Final = frozenset({UnreadableMediaError.reason, MissingExtraError.reason, OUT_OF_MEMORY})
_LAST_WORDS: Final = frozenset({CRASHED, OUT_OF_MEMORY})
"""Reasons after which a process is not asked again."""
START_S_MAX: Final = 120.0
"""Loading what decodes takes a second; much longer on a machine that is busy or cold."""
_ANSWER_BYTES_MAX: Final = 1 << 20
"""Most of it the small grey copy of the picture."""
_TO_WORKERS: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH",
    "LANG",
    "TMPDIR",
)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one picture may cost.

    Attributes:
        seconds: of wall clock, and of processor time.
        memory_bytes_max: of one process.
    """

    seconds: float
    memory_bytes_max: int


class _Worker:
    """One process, and the line to it."""

    def __init__(self, program: Sequence[str], limits: WorkerLimits) -> None:
        self._limits = limits
        self._command = (*program, str(os.getpid()), str(limits.memory_bytes_max), str(limits.seconds))
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None and self._process.returncode is None:
            return
        # No token, no secret: what decodes strangers' bytes is given nothing that is worth taking.
        environment = {name: os.environ[name] for name in _TO_WORKERS if name in os.environ}
        threads = {
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OPENCV_FOR_THREADS_NUM": "1",
        }
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment | threads, limit=_ANSWER_BYTES_MAX
        )
        try:
            async with asyncio.timeout(START_S_MAX):
                if await self._read() != {"ready": True}:
                    raise UnreadableMediaError("a decoding process cannot be started", reason=CRASHED)
        except BaseException:
            await self.end()
            raise

    async def ask(self, path: Path, *, mode: Mode, listing: bool) -> ImageSignals:
        """Let it hash a file; it is ended when it did not answer as it should, or nobody waits any more."""
        await self.start()  # what goes wrong there is not the picture's fault
        try:
            line_to, _ = self._pipes()
            async with asyncio.timeout(self._limits.seconds):
                with contextlib.suppress(ConnectionError):  # it died: reading says how
                    line_to.write(json.dumps({"path": str(path), "mode": mode, "listing": listing}).encode() + b"\n")
                    await line_to.drain()
                told = await self._read()
            if "signals" in told:
                return signals_from_json(told["signals"])
            refusal = _refusal(told.get("error"))
            if refusal.reason in _LAST_WORDS:
                await self.end()
        except InvalidSignalError as error:
            await self.end()
            raise _refusal(None) from error
        except TimeoutError as error:
            await self.end()
            raise _too_slow(self._limits) from error
        except BaseException:
            await self.end()
            raise
        raise refusal

    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("not started")
        return self._process.stdin, self._process.stdout

    async def _read(self) -> dict[str, Any]:
        _, line_from = self._pipes()
        try:
            line = await line_from.readline()
            told = json.loads(line)
            if isinstance(told, dict) and told:
                return told
        except ValueError:  # cut short by its end, too long, or no JSON
            pass
        raise await self._why()

    async def _why(self) -> HashpactError:
        """How it ended, as an error about the picture that it had."""
        assert self._process is not None  # noqa: S101  # started
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._process.wait()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return _too_slow(self._limits)
        ended = f"by signal {-code}" if code is not None and code < 0 else "unexpectedly"
        return UnreadableMediaError(
            f"picture: the process that decoded it ended {ended}: give another copy of it", reason=CRASHED
        )

    async def end(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


def _refusal(told: Any) -> HashpactError:
    """What it says of a picture that it cannot hash."""
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in ("reason", "message")):
        return UnreadableMediaError("picture: the process that decoded it answered nonsense", reason=CRASHED)
    return UnreadableMediaError(told["message"], reason=told["reason"] if told["reason"] in _REASONS else CRASHED)


def _too_slow(limits: WorkerLimits) -> HashpactError:
    return UnreadableMediaError(
        f"picture: decoding takes longer than {limits.seconds:g} s (decode_s_max): give a smaller copy", reason=TOO_SLOW
    )


class Workers:
    """Some decoding processes.

    Args:
        count: how many; 0: one per core.
        limits: what one picture may cost.
        mode: how far uploads are looked into.
        program: the command that each of them is.
        on_end: called with a reason whenever one had to be ended or had died.
    """

    def __init__(
        self,
        count: int,
        limits: WorkerLimits,
        *,
        mode: Mode = CHECK_MODE,
        program: Sequence[str] = PROGRAM,
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._all = [_Worker(program, limits) for _ in range(count or cores())]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._mode: Mode = mode
        self._on_end = on_end
        self._starting: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def pids(self) -> list[int]:
        """Process ids of those that run."""
        return [worker.pid for worker in self._all if worker.pid is not None]

    async def start(self) -> None:
        """Start all of them, at once. Who wants to hash meanwhile waits for the first.

        Raises:
            HashpactError, OSError, TimeoutError: one cannot be started.
        """
        outcomes = await asyncio.gather(*(self._begin(worker) for worker in self._all), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def hash(self, path: Path, *, listing: bool = False) -> ImageSignals:
        """Hash a file in one of the processes, when one is free; twice, when the first died over it.

        Others die too: of a machine that is short of memory, say, and not of the picture that they had.

        Args:
            path: the file.
            listing: whether to compute what is listed of it; else what is looked up.

        Raises:
            UnreadableMediaError: it is no picture, or it killed the process, or took too much time or memory.
            OSError: no process can be started.
        """
        try:
            return await self._hash(path, listing=listing)
        except UnreadableMediaError as error:
            if error.reason != CRASHED:
                raise
        return await self._hash(path, listing=listing)

    async def _hash(self, path: Path, *, listing: bool) -> ImageSignals:
        worker = await self._idle.get()
        try:
            return await worker.ask(path, mode="fast" if listing else self._mode, listing=listing)
        finally:
            if worker.pid is None:
                self._on_end("ended")
                # It comes back when it is there again, so that the next upload need not wait for its start.
                task = asyncio.create_task(self._restart(worker))
                self._starting.add(task)
                task.add_done_callback(self._starting.discard)
            else:
                self._idle.put_nowait(worker)

    async def _restart(self, worker: _Worker) -> None:
        with contextlib.suppress(HashpactError, OSError, TimeoutError):  # the next upload tries, and is told
            await self._begin(worker)

    async def _begin(self, worker: _Worker) -> None:
        try:
            await worker.start()
        finally:
            self._idle.put_nowait(worker)

    async def close(self) -> None:
        """End all of them."""
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._all))
