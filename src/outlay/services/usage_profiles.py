"""Everything about the usage of one member, API key or project, from one snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.latency import quantile_us
from outlay.domain.measure import Rank
from outlay.domain.period import Interval
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.domain.result import ZERO, Breakdown, Entry, EntryKind, Totals
from outlay.services.analytics import PERCENTILES, Analytics

TOP: Final = 10
USED: Final = (Dimension.MODEL, Dimension.PROVIDER, Dimension.APP)
"""What the most used value is told of, and the top values by cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProfile:
    """What a filter comes to."""

    total: Totals
    latency: Mapping[float, float | None]
    """Quantile → µs."""
    activity: Breakdown
    """Step by step, by model."""
    top: Mapping[Dimension, tuple[Entry, ...]]
    """By cost; Other and Unattributed included."""
    most_used: Mapping[Dimension, Entry | None]
    """By requests; None when no request has a value."""


def read_profile(analytics: Analytics, query: UsageQuery) -> UsageProfile:
    """The profile of a question's window and filters."""
    whole = replace(
        query, group_by=None, then_by=None, interval=Interval.TOTAL, measures=ALL_MEASURES
    )
    with analytics.read() as reader:
        total = reader.totals(whole).get(0, ZERO)
        bins = reader.latency_bins(whole)
        activity = analytics.breakdown_in(
            reader, replace(query, group_by=Dimension.MODEL, then_by=None, top=TOP)
        )
        ranked = {
            dimension: analytics.breakdown_in(
                reader,
                replace(
                    query,
                    group_by=dimension,
                    then_by=None,
                    interval=Interval.TOTAL,
                    top=TOP,
                    ranks=(Rank.COST, Rank.REQUESTS),
                ),
            ).entries
            for dimension in USED
        }
    return UsageProfile(
        total=total,
        latency={q: quantile_us(bins, q) for q in PERCENTILES},
        activity=activity,
        top=ranked,
        most_used={dimension: _most_used(entries) for dimension, entries in ranked.items()},
    )


def _most_used(entries: tuple[Entry, ...]) -> Entry | None:
    named = [entry for entry in entries if entry.kind is EntryKind.VALUE]
    return max(
        named,
        key=lambda entry: (entry.total.requests, entry.total.cost_pusd, entry.key),
        default=None,
    )
