"""The bands of a chart over time for each metric, computed from exact integers.

All figures of a chart are computed here: values, totals and Other. The browser only draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outlay.domain.answers import Breakdown, Comparison, Entry, EntryKind
from outlay.domain.measure import Rank
from outlay.domain.money import render_usd
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.formatting import format_signed_change
from outlay.web.dashboard.parts.chart_data import UNITS, ChartSeries, MetricChart
from outlay.web.dashboard.parts.ranking import Ranking, RankRow
from outlay.web.dashboard.parts.summaries import describe_series


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One series of a metric: an entity, Other or Unattributed."""

    key: str
    label: str
    kind: EntryKind
    slot: int | None
    values: Sequence[int]
    total: int

    def render(self, metric: Rank) -> ChartSeries:
        """The band in the form that charts read."""
        return ChartSeries(
            key=self.key,
            label=self.label,
            kind=self.kind,
            slot=self.slot,
            values=[render_value(value, metric) for value in self.values],
            total=render_value(self.total, metric),
        )


def render_value(value: int, metric: Rank) -> str:
    """A value as exact decimal text, which no JSON parser can round."""
    return render_usd(value) if metric is Rank.COST else str(value)


def bands_of(result: Breakdown, ranking: Ranking, *, overlaps: bool) -> list[Band]:
    """The bands of a ranking's metric in its order; entries without a row are summed in Other.

    If entries do not overlap, the bands sum to the totals of the answer in every step.
    """
    named = {row.key for row in ranking.rows if row.kind == EntryKind.VALUE}
    bands = []
    for row in ranking.rows:
        band = _band(result, row, _entries_of(result, row, named), ranking.metric)
        if row.kind == EntryKind.VALUE or band.total or any(band.values):
            bands.append(band)
    return [_mark_overlap(band) if overlaps else band for band in bands]


def _entries_of(result: Breakdown, row: RankRow, named: set[str]) -> list[Entry]:
    """The entries behind a row."""
    if row.kind == EntryKind.OTHER:
        return [
            entry
            for entry in result.entries
            if entry.kind is EntryKind.OTHER
            or (entry.kind is EntryKind.VALUE and entry.key not in named)
        ]
    return [entry for entry in result.entries if entry.kind == row.kind and entry.key == row.key]


def _band(result: Breakdown, row: RankRow, entries: Sequence[Entry], metric: Rank) -> Band:
    return Band(
        key=row.key,
        label=row.label,
        kind=row.kind,
        slot=row.slot,
        values=[
            sum(entry.at(step).rank_value(metric) for entry in entries)
            for step in range(len(result.steps))
        ],
        total=sum(entry.total.rank_value(metric) for entry in entries),
    )


def _mark_overlap(band: Band) -> Band:
    """The note on Other of an overlapping grouping: it counts a request once for each group."""
    if band.kind != EntryKind.OTHER:
        return band
    return replace(band, label=f"{band.label}: sum of overlapping groups")


def metric_data(
    query: UsageQuery, comparison: Comparison, ranking: Ranking, title: str, *, overlaps: bool
) -> MetricChart:
    """The chart data of one metric. Totals count each request once."""
    result, metric = comparison.current, ranking.metric
    total = result.total.rank_value(metric)
    earlier = comparison.earlier_total.rank_value(metric)
    steps = range(len(result.steps))
    return MetricChart(
        title=title,
        unit=UNITS[metric],
        bands=[band.render(metric) for band in bands_of(result, ranking, overlaps=overlaps)],
        totals=[render_value(result.at(step).rank_value(metric), metric) for step in steps],
        total=render_value(total, metric),
        earlier=[
            render_value(totals.rank_value(metric), metric)
            for totals in comparison.earlier_steps[: len(result.steps)]
        ],
        earlierTotal=render_value(earlier, metric),
        change=format_signed_change(total, earlier) if earlier else None,
        summary=describe_series(comparison, query.interval, metric),
    )
