"""What Prometheus scrapes: how many checks, what they said, how long they took; never what was checked."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from hashpact.results import Match
from hashpact.sidecar.local_server import LocalServer
from hashpact.sidecar.queue import RecheckQueue
from hashpact.sidecar.webhook import Webhook

LABELS_MAX: Final = 200
"""Labels that are counted by name: members may invent more than a time series database likes."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counters of one sidecar."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began is noise
        self.registry = CollectorRegistry()
        self.checks = Counter(
            "hashpact_sidecar_checks", "Checks answered.", ["verdict", "advice"], registry=self.registry
        )
        self.matches = Counter(
            "hashpact_sidecar_matches",
            "Matches by label, with the hub's advice and the one given here.",
            ["label", "hub_advice", "advice"],
            registry=self.registry,
        )
        self.refused = Counter(
            "hashpact_sidecar_refused", "Requests refused or failed.", ["reason"], registry=self.registry
        )
        self.unchecked = Counter(
            "hashpact_sidecar_unchecked", "Checks without an answer in time.", ["reason"], registry=self.registry
        )
        self.lost = Counter(
            "hashpact_sidecar_not_kept",
            "Unchecked uploads for which the re-check queue had no room.",
            registry=self.registry,
        )
        self.rechecks = Counter(
            "hashpact_sidecar_rechecks", "Later checks by what came out.", ["outcome"], registry=self.registry
        )
        self.waiting = Gauge("hashpact_sidecar_recheck_queue", "Uploads that wait.", registry=self.registry)
        self.waiting_bytes = Gauge("hashpact_sidecar_recheck_queue_bytes", "Their size.", registry=self.registry)
        self.waiting_s = Gauge(
            "hashpact_sidecar_recheck_queue_oldest_seconds", "Age of the oldest of them.", registry=self.registry
        )
        self.events = Gauge("hashpact_sidecar_webhook_outbox", "Events that wait.", registry=self.registry)
        self.events_s = Gauge(
            "hashpact_sidecar_webhook_outbox_oldest_seconds", "Age of the oldest of them.", registry=self.registry
        )
        self.events_failed = Gauge(
            "hashpact_sidecar_webhook_failed_attempts",
            "Attempts without success, since the start.",
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hashpact_sidecar_check_seconds",
            "Time from an upload's arrival to its answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.contributions = Counter(
            "hashpact_sidecar_contributions", "Contributions by outcome.", ["outcome"], registry=self.registry
        )
        self.workers_ended = Counter(
            "hashpact_sidecar_workers_ended", "Decoding processes that died or were ended.", registry=self.registry
        )
        self.replica_starts = Gauge(
            "hashpact_sidecar_replica_starts", "Times that the local server was started.", registry=self.registry
        )
        self.serving = Gauge("hashpact_sidecar_replica_serving", "1 while the replica serves.", registry=self.registry)
        self.lag = Gauge(
            "hashpact_sidecar_replica_lag_seconds", "Age of the replica's list; -1: unknown.", registry=self.registry
        )
        self.uploads = Gauge("hashpact_sidecar_uploads", "Uploads being worked on.", registry=self.registry)
        self._labels: set[str] = set()

    def observe(self, queue: RecheckQueue, webhook: Webhook | None, server: LocalServer) -> None:
        """Read these whenever somebody scrapes."""
        self.waiting.set_function(lambda: len(queue))
        self.waiting_bytes.set_function(lambda: queue.bytes_waiting)
        self.waiting_s.set_function(lambda: queue.oldest_age_s)
        if webhook is not None:
            self.events.set_function(lambda: len(webhook))
            self.events_s.set_function(lambda: webhook.oldest_age_s)
            self.events_failed.set_function(lambda: webhook.failed_attempts)
        self.serving.set_function(lambda: server.serving)
        self.lag.set_function(lambda: -1 if server.lag_s is None else server.lag_s)
        self.replica_starts.set_function(lambda: server.starts)

    def matched(self, match: Match, advice: str) -> None:
        """Count a match under each of its labels."""
        for label in match.labels:
            if label not in self._labels and len(self._labels) >= LABELS_MAX:
                name = "other"
            else:
                self._labels.add(label)
                name = label
            self.matches.labels(name, match.advice, advice).inc()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
