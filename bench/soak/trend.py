"""Whether what was sampled over time grows.

The median of the second fifth is compared with that of the last: the first fifth is warming up, and
a median does not follow single peaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

MIN_SAMPLES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """Something that must not grow, and how much it may differ all the same."""

    name: str
    unit: str = ""
    slack: float
    """Growth that counts for nothing."""
    share: float = 0.0
    """Growth that counts for nothing, as a share of what there was."""
    floor: float = 0.0
    """Up to this value nothing counts as growth: the level that it is expected to settle at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What became of a gauge."""

    gauge: Gauge
    early: float
    """Median of the second fifth."""
    late: float
    """Median of the last fifth."""
    highest: float
    allowed: float
    """The highest median of the last fifth that is no growth."""

    @property
    def has_grown(self) -> bool:
        """Whether the gauge has grown by more than it may."""
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
