"""The local server: ``hashpact-server serve --follow``, made, started, watched, and started again when it ends.

::

    init (once) --> start --> health over the unix socket: serving? --> ended? wait, longer each time --> start ...
                                   |
                                   '--> capabilities: how old is the list?

Crash of the sidecar at any point: the kernel ends the server with it (see tie). One that outlived it all the same
has the replica's lock, and is asked to go before the next is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import logging
import os
import random
import shutil
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hashpact.aio import AsyncClient
from hashpact.errors import ConfigError, HashpactError
from hashpact.sidecar.address import UNIX_PATH_BYTES_MAX
from hashpact.sidecar.logs import event, forward, where

SERVER: Final = "hashpact_server"
BACKOFF_S_MIN: Final = 0.5
BACKOFF_S_MAX: Final = 30.0
STEADY_S: Final = 60.0
"""Running for so long, a server is taken to be well: the next wait is short again."""
STOP_S_MAX: Final = 20.0
"""The server drains for 10 s at most."""
POLL_S: Final = 2.0
UNKNOWN_S_MAX: Final = 15.0
"""How long a replica that serves may not say how old its list is, before it is taken for too old."""
_NOT_FOR_SERVER: Final = (
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "HASHPACT_SIDECAR_SECRET",
    "HASHPACT_WEBHOOK_SECRET",
    "HASHPACT_CA",
)

Part = Callable[[], Coroutine[Any, Any, None]]


class LocalServer:
    """A replica of the hub in a process of its own, reached over a unix socket.

    Args:
        data: the sidecar's folder; the replica's is below it.
        hub: whom to follow.
        token: of a member that may replicate.
        ca: certificates of the hub, or None for the system's.
        config: its settings, as they stand in ``config.toml``.

    Attributes:
        serving: whether it answers look-ups.
        lag_s: seconds since it had everything that the hub has; None while nobody knows.
        starts: how often it was started.

    Raises:
        ConfigError: the folder's path is too long for a socket in it.
    """

    def __init__(self, data: Path, *, hub: str, token: str, ca: Path | None, config: str) -> None:
        self._replica = data / "replica"
        self._socket = data / "replica.sock"
        if len(os.fsencode(self._socket)) > UNIX_PATH_BYTES_MAX:
            raise ConfigError(f"the path of the data folder is too long for a socket in it: {data}")
        self._hub = hub
        self._token = token
        self._ca = ca
        self._config = config
        self._process: Process | None = None
        self._news = asyncio.Event()
        self.serving = False
        self.lag_s: float | None = None
        self.starts = 0
        self._known_at = 0.0

    @property
    def target(self) -> str:
        """Where it answers, as gRPC takes it."""
        return f"unix:{self._socket}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None else self._process.pid

    def is_behind(self, lag_s_max: float) -> bool:
        """Whether its list is older than that, or nobody could tell for ``UNKNOWN_S_MAX``."""
        if self.lag_s is None:
            return self.serving and time.monotonic() - self._known_at > UNKNOWN_S_MAX
        return self.lag_s > lag_s_max

    async def until_serving(self) -> None:
        """Wait until it serves."""
        while not self.serving:
            self._news.clear()
            await self._news.wait()

    async def run(self) -> None:
        """Keep it running until cancelled; it is stopped in order then."""
        wait_s = BACKOFF_S_MIN
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                code = await self._run_once()
            except (OSError, ConfigError) as error:
                event(logging.ERROR, "replica not started", why=str(error))
            else:
                event(logging.ERROR, "replica ended", code=code)
            if loop.time() - began > STEADY_S:
                wait_s = BACKOFF_S_MIN
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads restarts, hides nothing
            wait_s = min(2 * wait_s, BACKOFF_S_MAX)

    async def _run_once(self) -> int:
        await self._make()
        await _end_orphan(self._replica)
        self._socket.unlink(missing_ok=True)
        (self._replica / "config.toml").write_text(self._config, encoding="utf-8")
        options = ["serve", "--data", str(self._replica), "--listen", self.target, "--plaintext"]
        options += ["--follow", self._hub]
        if self._ca is not None:
            options += ["--ca", str(self._ca)]
        self.starts += 1
        event(logging.INFO, "replica starting", note="the first start on a machine compiles, for a minute or so")
        self._process = process = await self._start(*options)
        parts: dict[str, Part] = {
            "log": functools.partial(self._read, process),
            "health": self._listen,
            "lag": self._poll,
        }
        helpers = [asyncio.create_task(_kept_up(name, part)) for name, part in parts.items()]
        try:
            return await process.wait()
        finally:
            for task in helpers[1:]:
                task.cancel()
            self._told(serving=False)
            await _stop(process)
            await asyncio.gather(*helpers, return_exceptions=True)
            self._process, self.lag_s = None, None

    async def _start(self, *arguments: str) -> Process:
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_SERVER}
        # The token goes by the environment: the arguments of a process can be read by every user.
        environment["HASHPACT_TOKEN"] = self._token
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hashpact.sidecar.tie", str(os.getpid())),
            *(SERVER, *arguments),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            env=environment,
            # Ctrl-C reaches the whole group, and the server must outlive the requests that the sidecar drains.
            start_new_session=True,
        )

    async def _make(self) -> None:
        """Make the replica's folder, unless it is there; a half-made one is made anew."""
        if (self._replica / "layout").exists():
            return
        if (self._replica / "initialising").exists():
            await asyncio.to_thread(shutil.rmtree, self._replica)
        process = await self._start("init", str(self._replica), "--replica")
        try:
            assert process.stderr is not None  # noqa: S101  # asked for above
            said = await process.stderr.read()
            code = await process.wait()
        except BaseException:
            await _stop(process)
            raise
        if code != 0:
            raise ConfigError(f"cannot make the replica's folder: {said.decode(errors='replace').strip()[-500:]}")
        event(logging.INFO, "replica made", folder=str(self._replica))

    async def _read(self, process: Process) -> None:
        """Hand on what it logs."""
        assert process.stderr is not None  # noqa: S101  # asked for above
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than any line of ours
                continue
            if not line:
                return
            forward(line)

    async def _listen(self) -> None:
        """Hear from it whether it serves."""
        while True:
            try:
                async with grpc.aio.insecure_channel(self.target, options=[("grpc.enable_http_proxy", 0)]) as channel:
                    stub: Any = health_pb2_grpc.HealthStub(channel)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        async for answer in stub.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
                            self._told(serving=answer.status == health_pb2.HealthCheckResponse.SERVING)
            finally:  # however it ended: what was heard last holds no longer
                self._told(serving=False)
            await asyncio.sleep(BACKOFF_S_MIN)

    def _told(self, *, serving: bool) -> None:
        if serving != self.serving:
            event(logging.INFO if serving else logging.WARNING, "replica serves" if serving else "replica away")
            self._known_at = time.monotonic()
        self.serving = serving
        self._news.set()

    async def _poll(self) -> None:
        """Ask it how old its list is."""
        self.lag_s = None
        async with AsyncClient(
            self.target, token=self._token, plaintext=True, write_target="", timeout_s=POLL_S
        ) as client:
            while True:
                await self.until_serving()
                try:
                    replica = (await client.capabilities()).replica
                    self.lag_s = None if replica is None else replica.lag_s
                    if replica is not None:
                        self._known_at = time.monotonic()
                except HashpactError:
                    self.lag_s = None
                await asyncio.sleep(POLL_S)


async def _kept_up(name: str, part: Part) -> None:
    """Run a part until it returns; again when it ends with a fault."""
    while True:
        try:
            return await part()
        except Exception as error:  # noqa: BLE001  # a fault of one part must not leave what it told last as the truth
            event(logging.ERROR, "a part of the supervising failed", part=name, where=where(error))
        await asyncio.sleep(BACKOFF_S_MIN)


async def _stop(process: Process) -> None:
    """End a server in order; by force when that takes too long."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _end_orphan(replica: Path) -> None:
    """End a server that an earlier sidecar left: ours is the only sidecar here, so whoever has the lock is one."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STOP_S_MAX
    while (pid := _holder(replica / "lock")) is not None:
        if not _is_server_on(pid, replica):
            raise ConfigError(f"{replica} is in use by process {pid}: stop it")
        event(logging.WARNING, "ending a server that was left", pid=pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM if loop.time() < until else signal.SIGKILL)
        await asyncio.sleep(BACKOFF_S_MIN)


def _holder(lock: Path) -> int | None:
    """Process id of whoever has a lock file locked; None when nobody has."""
    try:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                text = file.read(20).strip()
                return int(text) if text.isdigit() else 0
    except FileNotFoundError:
        pass
    return None


def _is_server_on(pid: int, replica: Path) -> bool:
    """Whether a process is a server on this folder."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return pid > 0  # it has ended meanwhile
    return {b"hashpact_server", b"serve", os.fsencode(replica)} <= set(words)
