"""The sidecar as a process: opens, wires, serves, drains.

::

    lock --> spool, queue --> listen --> local server, decoding processes, later checks, webhook --> requests ...
                                                                                                        |
    exit 0 <-- processes ended <-- local server stopped <-- requests drained <---------------------- SIGTERM

Listening begins at once: a check that comes before the replica serves is told so, as ``fail`` says, and not cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from hashpact.aio import AsyncClient
from hashpact.errors import HashpactError
from hashpact.modes import require_mode
from hashpact.sidecar.address import Address
from hashpact.sidecar.afterwards import Afterwards, server_settings
from hashpact.sidecar.app import Parts, make_app
from hashpact.sidecar.checking import Checker, CheckPolicy
from hashpact.sidecar.guard import LOOPBACK_NAMES, Guard
from hashpact.sidecar.local_server import LocalServer
from hashpact.sidecar.logs import event, notify, where
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.modes import Modes
from hashpact.sidecar.protocol import bounded_protocol
from hashpact.sidecar.queue import RecheckQueue
from hashpact.sidecar.rechecks import Rechecks
from hashpact.sidecar.settings import Sidecar
from hashpact.sidecar.uploads import Spool
from hashpact.sidecar.webhook import Webhook
from hashpact.sidecar.workers import WorkerLimits, Workers

HUB_S_MAX: Final = 30.0
"""Deadline of a call to the hub; those to the local server have the check's."""
HEAD_BYTES_MAX: Final = 16_384


class SidecarFailedError(HashpactError):
    """A part of the sidecar ended with a fault: the process ends, for a supervisor to start it again."""

    reason = "SIDECAR_FAILED"


@dataclass
class _Stores:
    """What lies on the disk."""

    spool: Spool
    queue: RecheckQueue
    webhook: Webhook | None


class SidecarProcess:
    """One sidecar on one data folder, which must be ours alone.

    Args:
        sidecar: its settings.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._settings = settings = sidecar.settings
        self._metrics = Metrics()
        self._server = LocalServer(
            sidecar.data,
            hub=sidecar.hub,
            token=sidecar.token,
            ca=sidecar.ca,
            config=server_settings(settings),
        )
        self._workers = Workers(
            settings.workers,
            WorkerLimits(settings.decode_s_max, settings.worker_memory_bytes_max),
            mode=require_mode(settings.check_mode),
            on_end=lambda _: self._metrics.workers_ended.inc(),
        )
        self._modes = Modes(settings.mode, settings.modes, settings.trial_share)
        self._failed = ""

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ConfigError: it cannot: the address is taken.
            StorageError: the memory of what waits is damaged, or exposed to others.
            SidecarFailedError: a part of it ended with a fault.
        """
        with contextlib.ExitStack() as undo:
            stores = self._open(undo)
            listening, address = self._sidecar.listen.bind()
            undo.enter_context(contextlib.closing(listening))
            if address.path:
                undo.callback(lambda: Path(address.path).unlink(missing_ok=True))
            await self._serve(stores, listening, address)
        if self._failed:
            raise SidecarFailedError(f"the sidecar ends: {self._failed} failed, see its log")

    def _open(self, undo: contextlib.ExitStack) -> _Stores:
        settings, data = self._settings, self._sidecar.data
        spool = Spool(
            data / "spool",
            bytes_max=settings.upload_bytes_max,
            seconds=settings.receive_s,
            folders=self._sidecar.folders,
        )
        # Forms are kept here too while they arrive, and not where others look.
        tempfile.tempdir = str(data / "spool")
        memory = data / "memory"
        queue = RecheckQueue(memory, settings.recheck_bytes_max, settings.recheck_entries_max)
        undo.callback(queue.close)
        webhook = None
        if settings.webhook_url:
            webhook = Webhook(settings.webhook_url, self._sidecar.webhook_secrets, memory, ca=self._sidecar.webhook_ca)
            undo.callback(webhook.close)
        return _Stores(spool, queue, webhook)

    async def _serve(self, stores: _Stores, listening: socket.socket, address: Address) -> None:
        client = AsyncClient(
            self._server.target,
            token=self._sidecar.token,
            plaintext=True,
            write_target=self._sidecar.hub,
            write_ca=self._sidecar.ca,
            timeout_s=HUB_S_MAX,
            read_your_writes=False,  # a check must not wait for the replica because somebody contributed
        )
        afterwards = None
        if self._settings.remember_hours:
            afterwards = Afterwards(
                client, self._modes, stores.webhook, self._sidecar.data / "memory", self._server.until_serving
            )
        checker = self._checker(client, afterwards)
        rechecks = Rechecks(
            stores.queue,
            stores.webhook,
            self._workers,
            checker.check_hashed,
            self._server.until_serving,
            at_once=max(1, self._workers.count // 2),
            on_done=lambda outcome: self._metrics.rechecks.labels(outcome).inc(),
        )
        self._metrics.observe(stores.queue, stores.webhook, self._server)
        http = _Http(self._config(self._app(stores.spool, checker, rechecks, client, afterwards), address))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, http.stop)
        work: dict[str, Coroutine[Any, Any, None]] = {
            "supervising": self._server.run(),
            "later checks": rechecks.run(),
            "warming up": self._warm(),
        }
        if stores.webhook is not None:
            work["webhook"] = stores.webhook.run()
        if afterwards is not None:
            work["afterwards"] = afterwards.run()
        tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in work.items()]
        for task in tasks:
            task.add_done_callback(lambda task: self._ended(task, http))
        try:
            async with client:
                event(logging.INFO, "listening", address=str(address))
                notify("READY=1")
                await http.serve([listening])
                notify("STOPPING=1")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._workers.close()
            event(logging.INFO, "stopped")

    def _ended(self, task: asyncio.Task[None], http: _Http) -> None:
        """A part that ends with a fault must not leave a sidecar that looks as if it were well."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = task.get_name()
            event(logging.CRITICAL, "a part failed", part=self._failed, where=where(error))
            http.stop()

    async def _warm(self) -> None:
        try:
            await self._workers.start()
        except (HashpactError, OSError, TimeoutError) as error:
            event(logging.ERROR, "decoding processes not started", error=type(error).__name__)

    def _checker(self, client: AsyncClient, afterwards: Afterwards | None) -> Checker:
        policy = CheckPolicy(self._modes, self._settings.deadline_s, fail_open=self._settings.fail == "open")
        return Checker(
            self._workers,
            client,
            lambda: self._server.serving,
            policy,
            self._metrics,
            None if afterwards is None else afterwards.remember,
        )

    def _app(
        self,
        spool: Spool,
        checker: Checker,
        rechecks: Rechecks,
        client: AsyncClient,
        afterwards: Afterwards | None,
    ) -> Guard:
        settings, secret = self._settings, self._sidecar.secret
        parts = Parts(
            settings=settings,
            spool=spool,
            workers=self._workers,
            checker=checker,
            rechecks=rechecks,
            afterwards=afterwards,
            client=client,
            server=self._server,
            metrics=self._metrics,
            secret=bool(secret),
        )
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
