"""What Prometheus scrapes: how many checks, what they said, how long they took; never what was checked."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from hashpact.results import Match

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
