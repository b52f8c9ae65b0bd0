"""Data of line charts: ratios over time, a gap where there is nothing to divide by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from outlay.domain.answers import Breakdown, Entry, Totals
from outlay.domain.freshness import Freshness
from outlay.domain.money import divide_half_even, render_usd
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.formatting import format_count, format_latency, format_money
from outlay.web.dashboard.parts.frame import filter_of
from outlay.web.dashboard.parts.summaries import describe_lines
from outlay.web.http.rendering import Json, render_points

Ratio = Callable[[Totals], int | None]


class LineUnit(StrEnum):
    """What the values of a line chart are, and how they are embedded and read."""

    USD = "usd"
    """Pico-USD, embedded as exact dollars."""
    COUNT = "count"
    MS = "ms"
    """Microseconds, embedded as milliseconds."""

    def render(self, value: float | None) -> str | None:
        """A value as decimal text; None for a gap."""
        if value is None:
            return None
        match self:
            case LineUnit.USD:
                return render_usd(round(value))
            case LineUnit.COUNT:
                return str(round(value))
            case LineUnit.MS:
                return str(round(value / 1000, 3))

    def describe(self, value: float) -> str:
        """A value in words."""
        match self:
            case LineUnit.USD:
                return format_money(round(value))
            case LineUnit.COUNT:
                return format_count(round(value))
            case LineUnit.MS:
                return format_latency(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its values step by step, None for a gap."""

    key: str
    label: str
    kind: str
    slot: int | None
    values: Sequence[int | float | None]

    def render(self, unit: LineUnit) -> Json:
        """What the chart reads."""
        return {
            "key": self.key,
            "label": self.label,
            "kind": self.kind,
            "slot": self.slot,
            "values": [unit.render(value) for value in self.values],
        }


def cost_per_request(totals: Totals) -> int | None:
    """Pico-USD per request, None without one: the sum over the sum, never a mean of means."""
    if not totals.requests:
        return None
    return divide_half_even(totals.cost_pusd, totals.requests)


def tokens_of(totals: Totals) -> int | None:
    """Tokens, None where there was no request."""
    return totals.total_tokens if totals.requests else None


def lines_of_entries(
    found: Breakdown, entries: Sequence[Entry], slots: Mapping[str, int], ratio: Ratio
) -> list[Line]:
    """A line per entry."""
    return [
        Line(
            key=entry.key,
            label=entry.label,
            kind=entry.kind.value,
            slot=slots.get(entry.key),
            values=[ratio(entry.at(index)) for index in range(len(found.steps))],
        )
        for entry in entries
    ]


def line_data(
    query: UsageQuery,
    found: Breakdown,
    freshness: Freshness,
    lines: Sequence[Line],
    *,
    title: str,
    unit: LineUnit,
    of: int | None = None,
) -> dict[str, Any]:
    """What a `<line-chart>` reads; `of` is how many there are where not all are shown."""
    dimension = found.group_by
    named = sum(line.kind == "value" for line in lines)
    return {
        "title": title,
        "unit": unit.value,
        "interval": query.interval.value,
        "until": query.period.to_date.isoformat(),
        "points": render_points(found, freshness),
        "series": [line.render(unit) for line in lines],
        "shown": f"{named} of {of:,}" if of and of > named else None,
        "filter": filter_of(dimension) if dimension else None,
        "summary": describe_lines(
            [(line.label, line.values) for line in lines],
            found.steps,
            query.interval,
            unit.describe,
        ),
    }
