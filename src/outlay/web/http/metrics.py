"""The gateway's Prometheus metrics. They contain no tenant data.

Counting is on the path of every request, so it is plain arithmetic; the client library is used only
for scrapes.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
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


class TimesSnapshot(NamedTuple):
    """A histogram of seconds: requests per bucket, and the sum."""

    counts: list[int]
    total: float


class _Gauge(NamedTuple):
    name: str
    text: str
    read: Callable[[], int]
    combine: Callable[[Iterable[int]], int]


class _Times:
    """A histogram of seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def snapshot(self) -> TimesSnapshot:
        """A copy of the current counts."""
        return TimesSnapshot(list(self.counts), self.total)

    def add(self, other: TimesSnapshot) -> None:
        """Add the counts of another histogram."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts in Prometheus' format."""
        sums, seen = [], 0
        labels = (*map(str, self.bounds), "+Inf")
        for label, count in zip(labels, self.counts, strict=True):
            seen += count
            sums.append((label, float(seen)))
        return sums


class Snapshot(msgspec.Struct, frozen=True):
    """The counts of one process; those of processes that serve together are summed."""

    ended: list[tuple[str, str, int]]
    """Operation, status and requests."""
    upstream: dict[str, TimesSnapshot]
    added: dict[str, TimesSnapshot]
    gauges: dict[str, int]
    refused: dict[str, int] = {}
    """Calls that never became requests, by reason."""


class Metrics(Collector):
    """Counters, gauges and histograms of this process and the other worker processes."""

    def __init__(
        self,
        others: Callable[[], Sequence[Snapshot]] = tuple,
        refused: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`others` returns the snapshots of the other processes.

        `refused` returns the calls that never became requests, by reason.
        """
        self._others = others
        self._refused = refused
        self.in_flight = 0
        """Requests admitted and not finished."""
        self.draining = 0
        """Answers being read after the client has disconnected."""
        self._ended: dict[tuple[str, str], int] = {}
        self._upstream: dict[str, _Times] = {}
        self._added: dict[str, _Times] = {}
        self._gauges: list[_Gauge] = []
        self.add_gauge("outlay_requests_in_flight", "Requests in progress.", lambda: self.in_flight)
        self.add_gauge(
            "outlay_requests_draining",
            "Answers still being read after the client disconnected.",
            lambda: self.draining,
        )
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def add_gauge(
        self,
        name: str,
        text: str,
        read: Callable[[], int],
        combine: Callable[[Iterable[int]], int] = sum,
    ) -> None:
        """Add a gauge with the value of `read`; `combine` merges the values of several
        processes.
        """
        self._gauges.append(_Gauge(name, text, read, combine))

    def note_end(self, operation: str, status: str) -> None:
        """Count a finished request."""
        key = (operation, status)
        self._ended[key] = self._ended.get(key, 0) + 1

    def note_times(self, operation: str, upstream: float, added: float) -> None:
        """Add the seconds spent waiting for the upstream, and the gateway's own."""
        if operation not in self._upstream:
            self._upstream[operation] = _Times(_UPSTREAM_BUCKETS)
            self._added[operation] = _Times(_ADDED_BUCKETS)
        self._upstream[operation].observe(upstream)
        self._added[operation].observe(added)

    def snapshot(self) -> Snapshot:
        """The counts of this process."""
        return Snapshot(
            [(*key, count) for key, count in list(self._ended.items())],
            {name: times.snapshot() for name, times in list(self._upstream.items())},
            {name: times.snapshot() for name, times in list(self._added.items())},
            {gauge.name: gauge.read() for gauge in self._gauges},
            dict(self._refused),
        )

    def refused(self) -> Mapping[str, int]:
        """Calls that never became requests, by reason, over all processes."""
        return _refused_in([self.snapshot(), *self._others()])

    @override
    def collect(self) -> Iterator[Metric]:
        """The current values over all processes."""
        snapshots = [self.snapshot(), *self._others()]
        ended = CounterMetricFamily(
            "outlay_requests", "Finished requests.", labels=("operation", "status")
        )
        counts: Counter[tuple[str, str]] = Counter()
        for snapshot in snapshots:
            for operation, status, count in snapshot.ended:
                counts[operation, status] += count
        for key, count in counts.items():
            ended.add_metric(key, count)
        yield ended
        refused = CounterMetricFamily(
            "outlay_calls_refused",
            "Calls refused before they became requests: invalid key, unknown path or method.",
            labels=("reason",),
        )
        for reason, count in _refused_in(snapshots).items():
            refused.add_metric((reason,), count)
        yield refused
        yield _histogram(
            "outlay_upstream_seconds",
            "Time spent waiting for upstreams.",
            _UPSTREAM_BUCKETS,
            [snapshot.upstream for snapshot in snapshots],
        )
        yield _histogram(
            "outlay_added_seconds",
            "Time spent in the gateway.",
            _ADDED_BUCKETS,
            [snapshot.added for snapshot in snapshots],
        )
        for gauge in self._gauges:
            values = [snapshot.gauges.get(gauge.name, 0) for snapshot in snapshots]
            yield GaugeMetricFamily(gauge.name, gauge.text, value=gauge.combine(values))

    def render(self) -> bytes:
        """The current values in Prometheus' text format."""
        return generate_latest(self._registry)


def _refused_in(snapshots: Iterable[Snapshot]) -> Counter[str]:
    total: Counter[str] = Counter()
    for snapshot in snapshots:
        total.update(snapshot.refused)
    return total


def _histogram(
    name: str,
    text: str,
    bounds: tuple[float, ...],
    snapshots: Sequence[Mapping[str, TimesSnapshot]],
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=("operation",))
    for operation in dict.fromkeys(key for snapshot in snapshots for key in snapshot):
        times = _Times(bounds)
        for snapshot in snapshots:
            if operation in snapshot:
                times.add(snapshot[operation])
        family.add_metric((operation,), times.buckets(), times.total)
    return family
