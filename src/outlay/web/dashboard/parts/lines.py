"""Data of line charts: ratios over time, with a gap if there is nothing to divide by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from outlay.domain.answers import Breakdown, Entry, EntryKind, Totals
from outlay.domain.freshness import Freshness
from outlay.domain.money import divide_half_even, render_usd
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.formatting import format_count, format_latency, format_money
from outlay.web.dashboard.parts.chart_data import ChartSeries, LineChart, Unit, chart_points
from outlay.web.dashboard.parts.frame import filter_of
from outlay.web.dashboard.parts.summaries import describe_lines

Ratio = Callable[[Totals], int | None]


def _text(value: float | None, unit: Unit) -> str | None:
    """A value as decimal text: dollars from pico-USD, milliseconds from microseconds."""
    if value is None:
        return None
    match unit:
        case Unit.USD:
            return render_usd(round(value))
        case Unit.COUNT:
            return str(round(value))
        case Unit.MS:
            return str(round(value / 1000, 3))


def _words(value: float, unit: Unit) -> str:
    match unit:
        case Unit.USD:
            return format_money(round(value))
        case Unit.COUNT:
            return format_count(round(value))
        case Unit.MS:
            return format_latency(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSeries:
    """One line: its values by step, None for a gap.

    Money is in pico-USD, latency in microseconds.
    """

    key: str
    label: str
    kind: EntryKind
    slot: int | None
    values: Sequence[int | float | None]

    def render(self, unit: Unit) -> ChartSeries:
        """The line in the form that charts read."""
        return ChartSeries(
            key=self.key,
            label=self.label,
            kind=self.kind,
            slot=self.slot,
            values=[_text(value, unit) for value in self.values],
            total=None,
        )


def cost_per_request(totals: Totals) -> int | None:
    """Pico-USD per request, None without requests: the ratio of the sums, never a mean of means."""
    if not totals.requests:
        return None
    return divide_half_even(totals.cost_pusd, totals.requests)


def tokens_of(totals: Totals) -> int | None:
    """Tokens; None if there was no request."""
    return totals.total_tokens if totals.requests else None


def lines_of_entries(
    found: Breakdown, entries: Sequence[Entry], slots: Mapping[str, int], ratio: Ratio
) -> list[LineSeries]:
    """A line per entry."""
    return [
        LineSeries(
            key=entry.key,
            label=entry.label,
            kind=entry.kind,
            slot=slots.get(entry.key),
            values=[ratio(entry.at(index)) for index in range(len(found.steps))],
        )
        for entry in entries
    ]


def line_data(
    query: UsageQuery,
    found: Breakdown,
    freshness: Freshness,
    lines: Sequence[LineSeries],
    *,
    title: str,
    unit: Unit,
    of: int | None = None,
) -> LineChart:
    """The data of a `<line-chart>`; `of` is the total number of entities if not all are shown."""
    dimension = found.group_by
    named = sum(line.kind is EntryKind.VALUE for line in lines)
    return LineChart(
        title=title,
        unit=unit,
        interval=query.interval,
        until=query.period.to_date.isoformat(),
        points=chart_points(found, freshness),
        series=[line.render(unit) for line in lines],
        shown=f"{named} of {of:,}" if of and of > named else None,
        filter=filter_of(dimension) if dimension else "",
        summary=describe_lines(
            [(line.label, line.values) for line in lines],
            found.steps,
            query.interval,
            lambda value: _words(value, unit),
        ),
    )
