"""Data of line charts: ratios over time, a gap where there is nothing to divide by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.domain.money import divide_half_even
from outlay.domain.query import UsageQuery
from outlay.domain.result import Breakdown, Entry, Freshness, Totals
from outlay.web.dashboard.frame import FILTER_OF
from outlay.web.http.rendering import Json, render_money, render_points

Ratio = Callable[[Totals], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its values step by step."""

    key: str
    label: str
    kind: str
    slot: int | None
    values: Sequence[object]

    def render(self) -> Json:
        """What the chart reads."""
        return {
            "key": self.key,
            "label": self.label,
            "kind": self.kind,
            "slot": self.slot,
            "values": self.values,
        }


def cost_per_request(totals: Totals) -> object:
    """USD per request, None without one: the sum over the sum, never a mean of means."""
    if not totals.requests:
        return None
    return render_money(divide_half_even(totals.cost_pusd, totals.requests))


def tokens_of(totals: Totals) -> object:
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
    unit: str,
    of: int | None = None,
) -> dict[str, Any]:
    """What a `<line-chart>` reads; `of` is how many there are where not all are shown."""
    dimension = found.group_by
    named = sum(line.kind == "value" for line in lines)
    return {
        "title": title,
        "unit": unit,
        "interval": query.interval.value,
        "until": query.period.to_date.isoformat(),
        "points": render_points(found, freshness),
        "series": [line.render() for line in lines],
        "shown": f"{named} of {of:,}" if of and of > named else None,
        "filter": FILTER_OF[dimension] if dimension else None,
    }
