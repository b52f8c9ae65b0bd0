"""Latency of requests: percentiles overall and by value of a dimension."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from outlay.domain.answers import ZERO, Totals, sum_totals
from outlay.domain.dimension import Grouping
from outlay.domain.latency import quantile_us
from outlay.domain.period import Interval
from outlay.domain.query import CORE_MEASURES, LATENCY_MEASURES, UsageQuery
from outlay.domain.questions import LatencyBins, LatencyByValue, StepTotals
from outlay.services.analytics.breakdowns import by_value, with_quality
from outlay.storage.cube.store import CubeReader

PERCENTILES: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyValue:
    """Latency of one value of a dimension."""

    key: str
    """Empty for requests without a value."""
    totals: Totals
    quantiles: Mapping[float, float | None]
    """Quantile → µs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBreakdown:
    """Latency overall and by value of a dimension."""

    total: Totals
    quantiles: Mapping[float, float | None]
    values: Sequence[LatencyValue]


def quantiles_us(bins: Mapping[int, int]) -> dict[float, float | None]:
    """The percentiles of a histogram in µs; None if no request has a duration."""
    return {q: quantile_us(bins, q) for q in PERCENTILES}


def read_latency(reader: CubeReader, query: UsageQuery, dimension: Grouping) -> LatencyBreakdown:
    """Latency overall and by value of a dimension, most requests first."""
    whole = replace(
        query,
        group_by=None,
        then_by=None,
        interval=Interval.TOTAL,
        measures=with_quality((*CORE_MEASURES, *LATENCY_MEASURES)),
    )
    bins = reader.ask(LatencyByValue(whole, dimension))
    used = by_value(reader, whole, dimension)
    if dimension.is_single_valued:
        total = sum_totals(list(used.values()))
        all_bins: Mapping[int, int] = sum(map(Counter, bins.values()), Counter())
    else:
        total = reader.ask(StepTotals(whole)).get(0, ZERO)
        all_bins = reader.ask(LatencyBins(whole))
    values = [
        LatencyValue(key=key, totals=totals, quantiles=quantiles_us(bins.get(key, {})))
        for key, totals in used.items()
    ]
    values.sort(key=lambda value: (-value.totals.requests, value.key))
    return LatencyBreakdown(total=total, quantiles=quantiles_us(all_bins), values=values)
