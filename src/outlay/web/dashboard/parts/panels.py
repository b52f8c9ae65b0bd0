"""A breakdown for display: a chart over time and a ranking in the same colours."""

from collections.abc import Mapping
from dataclasses import dataclass

from outlay.domain.answers import Comparison
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.query import UsageQuery
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.parts.bands import metric_data
from outlay.web.dashboard.parts.chart_data import AreaChart, Shape, chart_points
from outlay.web.dashboard.parts.compared import compared_data
from outlay.web.dashboard.parts.frame import FILTER_OF, METRICS, filter_of, metrics_of
from outlay.web.dashboard.parts.ranking import Ranking, rank_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The template context of a breakdown."""

    view: str
    """Distinguishes the panels of a page."""
    noun: str
    rankings: Mapping[Rank, Ranking]
    data: AreaChart
    """The chart data: the bands of each metric, with every figure as exact text."""
    filter_name: str
    """The parameter that selecting a series sets; empty if series cannot be selected."""
    has_ranking: bool
    """Whether all of its values are listed on a page of their own."""
    overlaps: bool
    """The parts may exceed the total."""
    is_unfinished: bool


def panel_of(
    services: Services,
    reader: CubeReader,
    query: UsageQuery,
    comparison: Comparison,
    slots: Mapping[str, int],
) -> Panel:
    """The panel of a grouped question and its answer, which came from the reader.

    `slots` are the colours of the values on the page.
    """
    dimension = query.group_by or Dimension.MODEL
    rankings = {metric: rank_entries(comparison, metric, slots) for metric in metrics_of(dimension)}
    overlaps = not dimension.is_single_valued
    filter_name = filter_of(dimension)
    freshness = services.analytics.freshness(reader)
    return Panel(
        view=dimension.value,
        noun=dimension.noun,
        rankings=rankings,
        data=AreaChart(
            shape=Shape.LINES if overlaps else Shape.STACK,
            interval=query.interval,
            until=query.period.to_date.isoformat(),
            points=chart_points(comparison.current, freshness),
            metrics={
                metric.value: metric_data(
                    query,
                    comparison,
                    ranking,
                    f"{METRICS[metric]} by {dimension.noun} over time",
                    overlaps=overlaps,
                )
                for metric, ranking in rankings.items()
            },
            filter=filter_name,
            compared=compared_data(comparison),
        ),
        filter_name=filter_name,
        has_ranking=dimension in FILTER_OF,
        overlaps=overlaps,
        is_unfinished=comparison.is_unfinished,
    )
