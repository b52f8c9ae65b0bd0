"""What the gateway says about itself, for Prometheus. No tenant appears in it.

Counting happens on the way of every request, so it is plain arithmetic here; the client library
is asked only when somebody looks.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"

_UPSTREAM_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
_ADDED_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class _Times:
    """A histogram of seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Take one time."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus wants them."""
        sums, seen = [], 0
        labels = (*map(str, self.bounds), "+Inf")
        for label, count in zip(labels, self.counts, strict=True):
            seen += count
            sums.append((label, float(seen)))
        return sums


class Metrics(Collector):
    """Counters, gauges and histograms of one process."""

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests let through and not ended."""
        self.draining = 0
        """Answers read to their end after the client has gone."""
        self._ended: dict[tuple[str, str], int] = {}
        self._upstream: dict[str, _Times] = {}
        self._added: dict[str, _Times] = {}
        self._gauges: list[tuple[str, str, Callable[[], int]]] = [
            ("outlay_requests_in_flight", "Requests under way.", lambda: self.in_flight),
            (
                "outlay_requests_draining",
                "Answers read on without a client.",
                lambda: self.draining,
            ),
        ]
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def add_gauge(self, name: str, text: str, read: Callable[[], int]) -> None:
        """Show what `read` answers."""
        self._gauges.append((name, text, read))

    def note_end(self, operation: str, status: str) -> None:
        """Count a request that has ended."""
        key = (operation, status)
        self._ended[key] = self._ended.get(key, 0) + 1

    def note_times(self, operation: str, upstream: float, added: float) -> None:
        """Take the seconds spent waiting for the upstream, and beside that."""
        if operation not in self._upstream:
            self._upstream[operation] = _Times(_UPSTREAM_BUCKETS)
            self._added[operation] = _Times(_ADDED_BUCKETS)
        self._upstream[operation].observe(upstream)
        self._added[operation].observe(added)

    @override
    def collect(self) -> Iterator[Metric]:
        """The present values."""
        ended = CounterMetricFamily(
            "outlay_requests", "Requests that have ended.", labels=("operation", "status")
        )
        for key, count in list(self._ended.items()):
            ended.add_metric(key, count)
        yield ended
        for name, text, times in (
            ("outlay_upstream_seconds", "Time spent waiting for upstreams.", self._upstream),
            ("outlay_added_seconds", "Time the gateway spent itself.", self._added),
        ):
            family = HistogramMetricFamily(name, text, labels=("operation",))
            for operation, found in list(times.items()):
                family.add_metric((operation,), found.buckets(), found.total)
            yield family
        for name, text, read in self._gauges:
            yield GaugeMetricFamily(name, text, value=read())

    def render(self) -> bytes:
        """The present values in Prometheus' text format."""
        return generate_latest(self._registry)
