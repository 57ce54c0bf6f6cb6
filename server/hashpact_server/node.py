"""The composition root: opens the list, starts gRPC, tells how it is, and ends in order.

::

    lock --> certificate --> listen (health: NOT_SERVING) --> Engine.open --> services --> gate open (SERVING)
                                                                                               |
    exit 0 <-- store closed <-- last commit <-- calls in flight end <-- listen no more <-- SIGTERM

Listening begins before the index is built, so that whoever asks hears "not yet" and not nothing. A crash anywhere is
safe: what was acknowledged is on disk, and the lock goes with the process.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server import addresses, listening, services, supervisor, versions
from hashpact_server.addresses import Address
from hashpact_server.clockwork import Clockwork
from hashpact_server.config import Config
from hashpact_server.datadir import DataDirectory
from hashpact_server.engine import Engine
from hashpact_server.guards import Guards
from hashpact_server.index import warm
from hashpact_server.inflight import Kind
from hashpact_server.interceptors import Gate, Method
from hashpact_server.ledger.store import StoreError
from hashpact_server.lock import DirectoryLock
from hashpact_server.logs import event
from hashpact_server.metrics import Metrics, MetricsPort, Reading
from hashpact_server.replica import Replica, begin_list, check_mark
from hashpact_server.reports import Reports
from hashpact_server.routes import METHODS, Collector, Routes, service_names
from hashpact_server.rules.due import DUE_RULES, DUTIES
from hashpact_server.services.health import HealthService
from hashpact_server.snapshot_files import SnapshotFiles
from hashpact_server.trouble import Trouble
from hashpact_server.uploads import UploadMemory
from hashpact_server.uploads.clock import SteadyClock
from hashpact_server.uploads.readings import readings
from hashpact_server.upstream import Upstream

EXIT_FATAL: Final = 70
"""The server ended because it could not go on: a supervisor should start it again."""

SIGNAL_S_MAX: Final = 0.2
"""Time after which a signal is noticed at the latest."""

_SPARE_THREADS: Final = 16
"""Threads that tell callers over a limit so, while all others work."""

_BACKLOG_CALLS: Final = 512
"""Calls that may wait for a thread; gRPC itself refuses more, without a reason of ours."""

_LAST_ANSWERS_S: Final = 2.0
"""Time for answers that were given to reach the wire before connections are closed."""

_LOGGER = logging.getLogger(__name__)


class Node:
    """One server on one data directory.

    Args:
        data: the directory; must be whole.
        config: limits and settings.
        plaintext: serve without TLS; only where nothing leaves the machine.
        upstream: whom to follow; None: this server writes the list.
    """

    def __init__(
        self, data: DataDirectory, config: Config, *, plaintext: bool = False, upstream: Upstream | None = None
    ) -> None:
        self._data = data
        self._config = config
        self._plaintext = plaintext
        self._upstream = upstream
        self.replica: Replica | None = None
        self._metrics = Metrics(versions.own())
        self._gate = Gate(config, self._metrics)
        self._health = HealthService(service_names())
        self._routes = Routes(self._metrics)
        self._engine: Engine | None = None
        self._reports: Reports | None = None
        self._memory: UploadMemory | None = None
        self._end = threading.Event()
        self._asked_to_end = False
        self._fatal = False
        self._undo = contextlib.ExitStack()
        self._server: grpc.Server | None = None
        self.address = Address()

    def start(self) -> None:
        """Listen, open the list, and take calls; returns when the server is ready.

        Raises:
            Trouble, ConfigError: it cannot; nothing is left open.
        """
        with contextlib.ExitStack() as undo:
            self._undo = undo
            undo.callback(self._gate.patience.close)
            undo.enter_context(DirectoryLock(self._data))
            check_mark(self._data, self._upstream)
            self._listen(undo)
            started = time.monotonic()
            with supervisor.starting():
                self._open(undo)
            self._undo = undo.pop_all()
        # What is there now stays: the collector need not walk through modules and tables again and again.
        gc.collect()
        gc.freeze()
        event(
            _LOGGER,
            logging.INFO,
            "ready",
            sequence=self.engine.published.head.sequence,
            seconds=round(time.monotonic() - started, 3),
        )
        supervisor.notify("READY=1")

    def run(self) -> int:
        """Start, serve until SIGTERM or SIGINT, and stop; the process's exit code."""
        with _signals(self._on_signal):
            self.start()
            while not self._ending(SIGNAL_S_MAX):
                pass
            self.stop()
        return EXIT_FATAL if self._fatal else 0

    def stop(self) -> None:
        """Say so, take no more calls, let those in flight end, commit, close. Does nothing the second time."""
        server, self._server = self._server, None
        if server is None:
            return
        event(_LOGGER, logging.INFO, "stopping", in_flight=self.in_flight(Kind.REQUEST))
        supervisor.notify("STOPPING=1")
        self._health.end()
        server.stop(self._config.drain_s)
        self.engine.feed.close()  # watchers are told, and come back
        if self._memory is not None:
            self._memory.end_watches()
        drained = self._gate.in_flight.wait_idle(self._config.drain_s)
        server.stop(_LAST_ANSWERS_S).wait()
        self._gate.shut()
        # Crash up to here: what was acknowledged is on disk. Closing commits writes whose callers may be gone.
        self._undo.close()
        event(_LOGGER, logging.INFO, "stopped", drained=drained)

    @property
    def engine(self) -> Engine:
        """The list, once it is open."""
        if self._engine is None:
            raise AssertionError("the node was not started")
        return self._engine

    def in_flight(self, kind: Kind) -> int:
        """Calls in flight that take from ``kind``."""
        return self._gate.in_flight.count(kind)

    # Listening.

    def _listen(self, undo: contextlib.ExitStack) -> None:
        limits = self._config.limits
        wanted = addresses.parse(self._config.listen, what="--listen")
        if self._plaintext and not wanted.is_private():
            raise Trouble(
                f"{wanted} can be reached from other machines, and tokens must not cross a network in the clear:"
                " leave out --plaintext, or listen on 127.0.0.1 or unix:PATH"
            )
        credentials = None if self._plaintext else listening.credentials(self._data, self._config)
        threads = limits.requests_max + limits.streams_max + self._config.open_calls_max + _SPARE_THREADS
        pool = ThreadPoolExecutor(threads, thread_name_prefix="hashpact-call")
        undo.callback(pool.shutdown, wait=False, cancel_futures=True)
        self._add_open_services()
        for path, method in METHODS.items():
            self._routes.table[path] = self._gate.guard(method, None)
        server = grpc.server(
            pool,
            handlers=[self._routes],
            options=listening.options(self._config),
            maximum_concurrent_rpcs=threads + _BACKLOG_CALLS,
        )
        undo.callback(lambda: server.stop(None).wait())
        self.address = listening.bind(server, wanted, credentials)
        server.start()
        self._server = server
        event(_LOGGER, logging.INFO, "listening", address=str(self.address), tls=credentials is not None)
        if self._config.metrics_listen:
            place = addresses.parse(self._config.metrics_listen, what="--metrics", bare_port_host="127.0.0.1")
            port = MetricsPort(self._metrics, place)
            undo.callback(port.close)
            event(_LOGGER, logging.INFO, "metrics", address=str(port.address))

    def _add_open_services(self) -> None:
        """Health and reflection: what needs no token."""
        collected = Collector()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, collected)
        names = (*service_names(), health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.ReflectionServicer(names), collected)
        for path, handler in collected.table.items():
            self._routes.table[path] = self._gate.guard(Method(path, frozenset(), Kind.OPEN), handler)

    # The list.

    def _open(self, undo: contextlib.ExitStack) -> None:
        started = time.monotonic()
        done = warm()
        event(
            _LOGGER,
            logging.WARNING if done.unkept else logging.INFO,
            "kernels",
            compiled=done.compiled,
            compiled_and_not_kept=done.unkept,
            seconds=round(time.monotonic() - started, 3),
        )
        try:
            if self._upstream is not None and Engine.is_empty(self._data.path):
                begin_list(self._data, self._config, self._upstream, self._ending)
            engine = Engine.open(self._data.path, self._config, self._on_fatal)
        except StoreError as error:
            raise Trouble(f"cannot open the store in {self._data.path}: {error}") from error
        self._engine = engine
        undo.callback(engine.close)
        collected = Collector()
        files = SnapshotFiles(self._data.path)
        undo.callback(files.close)
        reports, memory = self._open_reports(undo), self._open_memory(engine, undo)
        guards = None if self._upstream else Guards.open(self._data, self._config, engine, reports)
        services.register(collected, engine, files, self._config, reports=reports, memory=memory, guards=guards)
        for path, handler in collected.table.items():
            self._routes.table[path] = self._gate.guard(METHODS[path], handler)
        self._metrics.read_from(self._readings)
        undo.callback(self._metrics.read_from, lambda: ())
        self._gate.read_only = self._upstream is not None
        if self._upstream is not None:
            lag_s_max = self._config.replica_lag_s_max
            self.replica = Replica(engine, self._upstream, self._health, lag_s_max, self._on_fatal)
        self._gate.saw = engine.presence.seen
        self._gate.open(lambda: engine.published.roster)
        if self.replica is None:
            self._health.set_serving(serving=True)
            clockwork = Clockwork(engine, DUE_RULES, [*(make() for make in DUTIES), *(guards.duties if guards else ())])
            clockwork.start()
            undo.callback(clockwork.stop)
        else:
            self.replica.start()
            undo.callback(self.replica.stop)

    def _open_reports(self, undo: contextlib.ExitStack) -> Reports | None:
        """What members report is kept by the hub alone."""
        if self._upstream is not None:
            return None
        limits = self._config.limits
        reports = self._reports = Reports(
            self._data.reports,
            days=limits.report_days_max,
            member_max=limits.member_reports_max,
            bytes_max=self._config.reports_bytes_max,
        )
        undo.callback(reports.close)
        return reports

    def _open_memory(self, engine: Engine, undo: contextlib.ExitStack) -> UploadMemory | None:
        """Uploads are remembered by a replica whose operator wants it; whoever does not keeps nothing of them."""
        folder, settings = self._data.uploads, self._config.uploads
        if self._upstream is None or not settings.enabled:
            if folder.exists():
                shutil.rmtree(folder)
                event(_LOGGER, logging.WARNING, "uploads forgotten")
            return None
        memory = self._memory = UploadMemory(engine, folder, settings, self._config.limits.matches_max, SteadyClock())
        undo.callback(memory.close)
        return memory

    def _on_fatal(self, error: BaseException) -> None:
        """Nothing can be written, or followed, any more: end, and let the supervisor start afresh."""
        event(_LOGGER, logging.CRITICAL, "the server ends", error=type(error).__name__)
        self._fatal = True
        self._end.set()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            return  # certificates are read again by themselves; the signal must only not end the server
        if self._engine is None:
            # Nothing was written since the start, and there is no call to wait for.
            os._exit(0)
        if self._asked_to_end:
            os._exit(128 + number)
        # A plain flag, since the thread that a signal interrupts may hold any lock, that of an Event too.
        self._asked_to_end = True

    def _ending(self, wait_s: float) -> bool:
        """Wait a little; whether the server shall end.

        Never for long: a signal that comes the moment before a wait begins is only seen when the wait is over.
        """
        until = time.monotonic() + wait_s
        while not self._asked_to_end and (left := until - time.monotonic()) > 0:
            if self._end.wait(min(left, SIGNAL_S_MAX)):
                return True
        return self._asked_to_end or self._end.is_set()

    def _readings(self) -> Iterator[Reading]:
        engine, flight = self.engine, self._gate.in_flight
        writer, figures = engine.writer, engine.writer.figures
        yield Reading("hashpact_head_sequence", "Number of the newest entry.", engine.published.head.sequence)
        yield Reading(
            "hashpact_in_flight",
            "Calls in flight, by what they take from.",
            {kind.name.lower(): float(flight.count(kind)) for kind in Kind},
            label="kind",
        )
        yield Reading("hashpact_write_queue", "Writes that wait for the writer.", writer.queue_length)
        yield Reading("hashpact_writes", "Writes carried out, refused ones included.", figures.acts, counter=True)
        yield Reading("hashpact_commits", "Commits; writes share them.", figures.groups, counter=True)
        yield Reading("hashpact_commit_seconds", "Time spent in commits.", figures.commit_s, counter=True)
        yield Reading("hashpact_write_group", "Writes in the newest group.", figures.last_group)
        yield Reading("hashpact_store_bytes", "Size of the store.", engine.store.used_bytes())
        yield Reading(
            "hashpact_store_bytes_max", "Size at which writes are refused.", self._config.limits.store_bytes_max
        )
        yield Reading("hashpact_oldest_reader_seconds", "Age of the oldest open read.", engine.store.oldest_reader_s())
        if self.replica is not None:
            yield from self.replica.readings()
        if self._reports is not None:
            yield Reading("hashpact_reports", "Reports of members that are kept.", len(self._reports))
        if (memory := self._memory) is not None:
            yield from readings(memory)
        yield Reading("hashpact_members", "Members, suspended ones included.", len(engine.published.roster.members))
        yield Reading(
            "hashpact_signals",
            "Values that can be found by distance, by signal type.",
            {SIGNAL_TYPES_BY_CODE[code].name: float(count) for code, count in engine.matcher.counts().items()},
            label="signal_type",
        )


@contextlib.contextmanager
def _signals(react: Any) -> Iterator[None]:
    def handler(number: int, _frame: FrameType | None) -> None:
        react(number)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
