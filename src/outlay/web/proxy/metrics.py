"""What the gateway says about itself, for Prometheus. No tenant appears in it."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"

_UPSTREAM_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_ADDED_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1)


class Metrics:
    """Counters, gauges and histograms of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "outlay_requests",
            "Requests that have ended, by operation and status.",
            ("operation", "status"),
            registry=self.registry,
        )
        self._upstream = Histogram(
            "outlay_upstream_seconds",
            "Time spent waiting for upstreams, by operation.",
            ("operation",),
            buckets=_UPSTREAM_BUCKETS,
            registry=self.registry,
        )
        self._added = Histogram(
            "outlay_added_seconds",
            "Time that the gateway added to answers that were not streamed, by operation.",
            ("operation",),
            buckets=_ADDED_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "outlay_requests_in_flight",
            "Requests let through and not ended.",
            registry=self.registry,
        )
        self.draining = Gauge(
            "outlay_requests_draining",
            "Answers read to their end after the client has gone.",
            registry=self.registry,
        )
        self.ledger_lag = Gauge(
            "outlay_ledger_lag_events",
            "Events on record that are not in answers yet.",
            registry=self.registry,
        )
        self.overdue = Gauge(
            "outlay_outcomes_overdue",
            "Outcomes that wait for a ledger that cannot write.",
            registry=self.registry,
        )
        # Looked up once per combination: finding a child by its labels costs more than counting.
        self._ended: dict[tuple[str, str], Counter] = {}
        self._times: dict[str, tuple[Histogram, Histogram]] = {}

    def note_end(self, operation: str, status: str) -> None:
        """Count a request that has ended."""
        child = self._ended.get((operation, status))
        if child is None:
            child = self._ended[operation, status] = self._requests.labels(operation, status)
        child.inc()

    def note_times(self, operation: str, upstream: float, added: float | None) -> None:
        """Take the seconds spent waiting for the upstream, and beside that."""
        children = self._times.get(operation)
        if children is None:
            children = (self._upstream.labels(operation), self._added.labels(operation))
            self._times[operation] = children
        children[0].observe(upstream)
        if added is not None:
            children[1].observe(added)

    def render(self) -> bytes:
        """The present values in Prometheus' text format."""
        return generate_latest(self.registry)
