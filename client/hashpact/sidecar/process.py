"""The sidecar as a process: opens, wires, serves, drains.

::

    lock --> spool --> listen --> local server, decoding processes --> requests ...
                                                                          |
    exit 0 <-- processes ended <-- local server stopped <-- requests drained <-- SIGTERM

Listening begins at once: a check that comes before the replica serves is told so, as ``fail`` says, and not cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from hashpact.aio import AsyncClient
from hashpact.errors import ConfigError, HashpactError
from hashpact.sidecar.address import Address
from hashpact.sidecar.app import Parts, make_app
from hashpact.sidecar.checking import Checker, CheckPolicy
from hashpact.sidecar.guard import LOOPBACK_NAMES, Guard
from hashpact.sidecar.local_server import LocalServer
from hashpact.sidecar.logs import event, notify
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.modes import Modes
from hashpact.sidecar.protocol import bounded_protocol
from hashpact.sidecar.settings import Sidecar
from hashpact.sidecar.uploads import Spool
from hashpact.sidecar.workers import WorkerLimits, Workers

HUB_S_MAX: Final = 30.0
"""Deadline of a call to the hub; those to the local server have the check's."""
HEAD_BYTES_MAX: Final = 16_384
FILES_WANTED: Final = 65_536


class SidecarProcess:
    """One sidecar on one data folder.

    Args:
        sidecar: its settings.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._settings = settings = sidecar.settings
        self._metrics = Metrics()
        self._server = LocalServer(sidecar.data, hub=sidecar.hub, token=sidecar.token, ca=sidecar.ca)
        self._workers = Workers(
            settings.workers,
            WorkerLimits(settings.decode_s_max, settings.worker_memory_bytes_max),
            on_end=lambda _: self._metrics.workers_ended.inc(),
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ConfigError: it cannot: the data folder is in use, or the address is taken.
        """
        settings = self._settings
        with _locked(self._sidecar.data):
            spool = Spool(
                self._sidecar.data / "spool",
                bytes_max=settings.upload_bytes_max,
                seconds=settings.receive_s,
                folders=self._sidecar.folders,
            )
            # Forms are kept here too while they arrive, and not where others look.
            tempfile.tempdir = str(self._sidecar.data / "spool")
            listening, address = self._sidecar.listen.bind()
            with contextlib.closing(listening):
                try:
                    await self._serve(spool, listening, address)
                finally:
                    if address.path:
                        Path(address.path).unlink(missing_ok=True)

    async def _serve(self, spool: Spool, listening: socket.socket, address: Address) -> None:
        client = AsyncClient(
            self._server.target,
            token=self._sidecar.token,
            plaintext=True,
            write_target=self._sidecar.hub,
            write_ca=self._sidecar.ca,
            timeout_s=HUB_S_MAX,
            read_your_writes=False,  # a check must not wait for the replica because somebody contributed
        )
        supervising = asyncio.create_task(self._server.run())
        warming = asyncio.create_task(self._warm())
        try:
            async with client:
                http = _Http(self._config(self._app(spool, client), address))
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, http.stop)
                event(logging.INFO, "listening", address=str(address))
                notify("READY=1")
                await http.serve([listening])
                notify("STOPPING=1")
        finally:
            for task in (warming, supervising):
                task.cancel()
            await asyncio.gather(warming, supervising, return_exceptions=True)
            await self._workers.close()
            event(logging.INFO, "stopped")

    async def _warm(self) -> None:
        try:
            await self._workers.start()
        except (HashpactError, OSError, TimeoutError) as error:
            event(logging.ERROR, "decoding processes not started", error=type(error).__name__)

    def _app(self, spool: Spool, client: AsyncClient) -> Guard:
        settings = self._settings
        checker = Checker(
            self._workers,
            client,
            lambda: self._server.serving,
            CheckPolicy(
                Modes(settings.mode, settings.modes, settings.trial_share),
                settings.deadline_s,
                fail_open=settings.fail == "open",
            ),
            self._metrics,
        )
        secret = self._sidecar.secret
        parts = Parts(settings, spool, self._workers, checker, client, self._server, self._metrics, secret=bool(secret))
        # A page whose name was pointed at this machine does not know the secret, and pods have names of their own.
        hosts = {*LOOPBACK_NAMES, *settings.hosts} if settings.hosts or not secret else set()
        if self._sidecar.listen.path:
            hosts = set()  # no browser gets here
        guard = Guard(make_app(parts), hosts=hosts, secret=secret, uploads_max=settings.uploads_max)
        self._metrics.uploads.set_function(lambda: guard.uploads)
        return guard

    def _config(self, app: Guard, address: Address) -> uvicorn.Config:
        settings = self._settings
        return uvicorn.Config(
            app,
            host=address.host or None,  # type: ignore[arg-type]  # for its own log line only
            port=address.port,
            http=bounded_protocol(header_s=settings.header_s, connections_max=settings.connections_max),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            timeout_keep_alive=round(settings.header_s) or 1,
            timeout_graceful_shutdown=round(settings.drain_s) or 1,
        )


class _Http(uvicorn.Server):
    """uvicorn, which leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Take no more requests, and end when those in flight have; at once when asked twice."""
        self.force_exit = self.should_exit
        self.should_exit = True


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """The data folder, ours alone while the block runs.

    Raises:
        ConfigError: it cannot be made, or another sidecar uses it.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(data / "sidecar.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the data folder {data} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ConfigError(f"another sidecar uses {data}: stop it, or give this one another folder") from error
    try:
        yield
    finally:
        os.close(handle)


def run(sidecar: Sidecar) -> None:
    """Run a sidecar in this process until it is told to end.

    Raises:
        ConfigError: it cannot start.
    """
    os.umask(0o077)
    # A dump of our memory would put uploads and the token where core files go.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    asyncio.run(_run(sidecar))


async def _run(sidecar: Sidecar) -> None:
    await SidecarProcess(sidecar).run()
