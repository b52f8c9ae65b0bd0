"""The complete usage of one member, API key or project, from one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from outlay.domain.answers import Breakdown, Entry, EntryKind, Row, Totals, sum_totals
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.domain.questions import LatencyBins, Rows
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.breakdowns import cut_entries
from outlay.services.analytics.latencies import quantiles_us
from outlay.storage.cube.store import CubeReader

TOP: Final = 10
USED: Final = (Dimension.MODEL, Dimension.PROVIDER, Dimension.APP)
"""Dimensions whose most used value and top values by cost are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProfile:
    """The usage that a filter selects."""

    total: Totals
    latency: Mapping[float, float | None]
    """Quantile → µs."""
    activity: Breakdown
    """By step and model."""
    top: Mapping[Dimension, tuple[Entry, ...]]
    """By cost, including Other and Unattributed."""
    most_used: Mapping[Dimension, Entry | None]
    """By requests; None if no request has a value."""


def read_profile(analytics: Analytics, query: UsageQuery) -> UsageProfile:
    """The profile of a query's period and filters, from one snapshot."""
    with analytics.read() as reader:
        return read_profile_in(reader, analytics, query)


def read_profile_in(reader: CubeReader, analytics: Analytics, query: UsageQuery) -> UsageProfile:
    """Like `read_profile`, from a snapshot that several questions share."""
    # One scan for everything that is not by step: a filter leaves few combinations.
    rows = list(reader.ask(Rows(replace(query.by(*USED), measures=ALL_MEASURES))))
    bins = reader.ask(LatencyBins(query))
    activity = analytics.breakdown_in(
        reader, replace(query, group_by=Dimension.MODEL, then_by=None, top=TOP)
    )
    ranked = {
        dimension: cut_entries(_values(rows, index), TOP, (Rank.COST, Rank.REQUESTS))
        for index, dimension in enumerate(USED)
    }
    return UsageProfile(
        total=sum_totals([row.measures for row in rows]),
        latency=quantiles_us(bins),
        activity=activity,
        top=ranked,
        most_used={dimension: _most_used(entries) for dimension, entries in ranked.items()},
    )


def _values(rows: Sequence[Row], index: int) -> dict[str, Totals]:
    """Totals by one of the keys of rows."""
    parts: dict[str, list[Totals]] = {}
    for row in rows:
        parts.setdefault(row.keys[index], []).append(row.measures)
    return {key: sum_totals(found) for key, found in parts.items()}


def _most_used(entries: tuple[Entry, ...]) -> Entry | None:
    named = [entry for entry in entries if entry.kind is EntryKind.VALUE]
    return max(
        named,
        key=lambda entry: (entry.total.requests, entry.total.cost_pusd, entry.key),
        default=None,
    )
