"""Whether a sampled value grows over time.

The median of the second fifth is compared with that of the last: the first fifth is warm-up, and a
median ignores single peaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

MIN_SAMPLES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A value that must not grow, and its tolerance."""

    name: str
    unit: str = ""
    slack: float
    """Tolerated growth."""
    share: float = 0.0
    """Tolerated growth, as a share of the early value."""
    floor: float = 0.0
    """Values up to this level do not count as growth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The result for a gauge."""

    gauge: Gauge
    early: float
    """Median of the second fifth."""
    late: float
    """Median of the last fifth."""
    highest: float
    allowed: float
    """The highest accepted median of the last fifth."""

    @property
    def has_grown(self) -> bool:
        """Whether the gauge has grown beyond its tolerance."""
        return self.late > self.allowed


def trend_of(gauge: Gauge, values: Sequence[float]) -> Trend:
    """The trend of evenly spaced samples; raises ValueError for too few of them."""
    if len(values) < MIN_SAMPLES:
        raise ValueError(f"{len(values)} samples of {gauge.name} are too few to see a trend in")
    fifth = len(values) // 5
    early, late = median(values[fifth : 2 * fifth]), median(values[-fifth:])
    allowed = max(early * (1 + gauge.share) + gauge.slack, gauge.floor)
    return Trend(gauge=gauge, early=early, late=late, highest=max(values), allowed=allowed)


def trends_of(gauges: Sequence[Gauge], samples: Sequence[Mapping[str, float]]) -> list[Trend]:
    """The trends of all gauges."""
    return [trend_of(gauge, [sample[gauge.name] for sample in samples]) for gauge in gauges]


def table_of(trends: Sequence[Trend]) -> list[str]:
    """The trends as lines of Markdown."""
    lines = [
        "| | second fifth | last fifth | highest | at most | |",
        "|---|---|---|---|---|---|",
    ]
    for trend in trends:
        unit = f" {trend.gauge.unit}" if trend.gauge.unit else ""
        cells = [
            f"{value:,.0f}{unit}"
            for value in (trend.early, trend.late, trend.highest, trend.allowed)
        ]
        verdict = "GROWS" if trend.has_grown else "flat"
        lines.append(f"| {' | '.join([trend.gauge.name, *cells, verdict])} |")
    return lines
