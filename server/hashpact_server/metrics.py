"""What operators scrape: Prometheus metrics in a registry of their own, answered on a port of their own.

Labels are words of ours (methods, codes, signal types) and the names of members, of which there are few and which a
steward gave; nothing that a caller sends becomes a label.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hashpact_server.addresses import Address
from hashpact_server.trouble import Trouble

_CALL_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value read at the moment of a scrape.

    Attributes:
        name: the metric's name.
        doc: what it says.
        value: the value, or values by label.
        label: the label's name where ``value`` is a mapping.
        counter: whether it only ever grows while the process lives.
    """

    name: str
    doc: str
    value: float | dict[str, float]
    label: str = ""
    counter: bool = False


@dataclass(slots=True, eq=False)
class _Readings(Collector):
    """Asks the running server at each scrape; empty while there is none."""

    source: Callable[[], Iterable[Reading]] = field(default=lambda: ())

    def collect(self) -> Iterable[Metric]:
        for reading in self.source():
            make = CounterMetricFamily if reading.counter else GaugeMetricFamily
            if isinstance(reading.value, dict):
                family = make(reading.name, reading.doc, labels=[reading.label])
                for label, value in reading.value.items():
                    family.add_metric([label], value)
            else:
                family = make(reading.name, reading.doc, value=reading.value)
            yield family


class Metrics:
    """The metrics of one server."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series beside each, which nobody asks for
        self.registry = CollectorRegistry()
        self._readings = _Readings()
        self.registry.register(self._readings)
        self._calls = Counter(
            "hashpact_calls",
            "Calls answered, by method and canonical code.",
            ["method", "code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "hashpact_call_seconds",
            "Time from the start of a call to its answer.",
            ["method"],
            buckets=_CALL_SECONDS,
            registry=self.registry,
        )
        self._member_calls = Counter(
            "hashpact_member_calls", "Calls of a member that were let in.", ["member"], registry=self.registry
        )
        # Finding a child by its labels costs as much as all that is counted of a call; there are few, so they are kept.
        self._calls_of: dict[tuple[str, str], Counter] = {}
        self._seconds_of: dict[str, Histogram] = {}
        self._calls_by: dict[str, Counter] = {}
        build = Gauge("hashpact_build_info", "Always 1; says which version runs.", ["version"], registry=self.registry)
        build.labels(version).set(1)

    def call(self, method: str, code: str, seconds: float) -> None:
        """Count a call that was answered."""
        calls, took = self._calls_of.get((method, code)), self._seconds_of.get(method)
        if calls is None or took is None:
            calls = self._calls_of[method, code] = self._calls.labels(method, code)
            took = self._seconds_of[method] = self._seconds.labels(method)
        calls.inc()
        took.observe(seconds)

    def member_call(self, member: str) -> None:
        """Count a call of a member that was let in."""
        calls = self._calls_by.get(member)
        if calls is None:
            calls = self._calls_by[member] = self._member_calls.labels(member)
        calls.inc()

    def read_from(self, source: Callable[[], Iterable[Reading]]) -> None:
        """Ask ``source`` at each scrape from now on."""
        self._readings.source = source


class MetricsPort:
    """Answers scrapes over HTTP until closed.

    Raises:
        Trouble: the address cannot be listened at.
    """

    def __init__(self, metrics: Metrics, address: Address) -> None:
        try:
            server, thread = start_http_server(address.port, address.host, registry=metrics.registry)
        except OSError as error:
            raise Trouble(f"cannot listen for metrics on {address}: {error.strerror or error}") from error
        self._server: WSGIServer = server
        self._thread: threading.Thread = thread
        self.address = Address(address.host, int(server.server_port))

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
