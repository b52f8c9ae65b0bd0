"""A breakdown as it is shown: a chart over time beside a ranking, in the same colours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outlay.domain.answers import Comparison
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.query import UsageQuery
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.parts.bands import metric_data
from outlay.web.dashboard.parts.compared import compared_data
from outlay.web.dashboard.parts.frame import FILTER_OF, METRICS, filter_of, metrics_of
from outlay.web.dashboard.parts.ranking import Ranking, rank_entries
from outlay.web.http.rendering import render_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What the template of a breakdown needs."""

    view: str
    """Tells the panels of a page apart."""
    noun: str
    rankings: Mapping[Rank, Ranking]
    data: Mapping[str, Any]
    """What the chart draws: the bands of each metric, with every figure as exact text."""
    filter_name: str
    """The parameter that picking a series sets; empty where nothing can be picked."""
    has_ranking: bool
    """Whether all of its values stand on a page of their own."""
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
    """The panel of a question that is grouped, and its answer, which came from the reader.

    `slots` are the colours that the page gives to the values.
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
        data={
            "shape": "lines" if overlaps else "stack",
            "interval": query.interval.value,
            "until": query.period.to_date.isoformat(),
            "points": render_points(comparison.current, freshness),
            "metrics": {
                metric.value: metric_data(
                    query,
                    comparison,
                    ranking,
                    f"{METRICS[metric]} by {dimension.noun} over time",
                    overlaps=overlaps,
                )
                for metric, ranking in rankings.items()
            },
            "filter": filter_name,
            "compared": compared_data(comparison),
        },
        filter_name=filter_name,
        has_ranking=dimension in FILTER_OF,
        overlaps=overlaps,
        is_unfinished=comparison.is_unfinished,
    )
