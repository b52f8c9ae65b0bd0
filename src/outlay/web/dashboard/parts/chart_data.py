"""The chart data in pages: values summed, ranked and cut by the server, as exact text.

`tools/payload_types.py` writes these types to `static/js/payloads.d.ts` for the scripts that draw
them.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypedDict

from outlay.domain.answers import Breakdown, EntryKind
from outlay.domain.freshness import Freshness
from outlay.domain.measure import Rank
from outlay.domain.period import Interval
from outlay.web.http.rendering import render_points


class Shape(StrEnum):
    """How an area chart draws its series."""

    STACK = "stack"
    """The series add up to the total."""
    LINES = "lines"
    """The series overlap; their sum exceeds the total."""


class Unit(StrEnum):
    """The unit of a chart's values."""

    USD = "usd"
    COUNT = "count"
    MS = "ms"


UNITS: Final[Mapping[Rank, Unit]] = {
    Rank.COST: Unit.USD,
    Rank.REQUESTS: Unit.COUNT,
    Rank.TOKENS: Unit.COUNT,
}


class ChartPoint(TypedDict):
    """One step of the time axis."""

    date: str
    start: str
    incomplete: bool
    """Events of this step may still be missing."""
    pending: bool
    """The step has not begun."""
    partial: bool
    """The period covers only part of the step."""


class ChartSeries(TypedDict):
    """One series: an entity, Other or Unattributed."""

    key: str
    label: str
    kind: EntryKind
    slot: int | None
    """Its colour."""
    values: Sequence[str | None]
    """A value for each point; None for a gap."""
    total: str | None
    """None if values cannot be summed."""


class ComparedPeriod(TypedDict):
    """The period that a chart is compared with."""

    label: str
    note: str
    dates: Sequence[str | None]
    """The earlier step of each point; None if nothing was recorded then."""


class MetricChart(TypedDict):
    """A chart over time by one metric."""

    title: str
    unit: Unit
    bands: Sequence[ChartSeries]
    totals: Sequence[str]
    total: str
    earlier: Sequence[str]
    earlierTotal: str
    change: str | None
    summary: str


class AreaChart(TypedDict):
    """The data of `<usage-area>`."""

    shape: Shape
    interval: Interval
    until: str
    points: Sequence[ChartPoint]
    metrics: Mapping[str, MetricChart]
    filter: str
    """The parameter that choosing a series sets; empty if there is none."""
    compared: ComparedPeriod | None


class LineChart(TypedDict):
    """The data of `<line-chart>`."""

    title: str
    unit: Unit
    interval: Interval
    until: str
    points: Sequence[ChartPoint]
    series: Sequence[ChartSeries]
    shown: str | None
    """How many entities are shown, if not all are."""
    filter: str
    summary: str


def chart_points(result: Breakdown, freshness: Freshness) -> list[ChartPoint]:
    """The time axis of a breakdown."""
    return [
        ChartPoint(
            date=point.date,
            start=point.start,
            incomplete=point.incomplete,
            pending=point.pending,
            partial=point.partial,
        )
        for point in render_points(result, freshness)
    ]
