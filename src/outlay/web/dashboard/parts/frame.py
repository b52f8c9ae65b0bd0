"""The context of usage pages: period, filters, notices and freshness."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.event import CostSource
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Preset, parse_zone
from outlay.domain.policy import Permission, has
from outlay.domain.query import UsageQuery
from outlay.domain.tag import Tag
from outlay.services.analytics.data_quality import MissingPart
from outlay.services.analytics.labels import read_labels
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.dates import describe_dates
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.parts.date_range import picker_of
from outlay.web.http.auth import services_of
from outlay.web.http.query_strings import read_choice
from outlay.web.http.usage_params import COMPARE, FILTERS

METRICS: Final = {Rank.COST: "Cost", Rank.REQUESTS: "Requests", Rank.TOKENS: "Tokens"}


def metrics_of(dimension: Grouping) -> Mapping[Rank, str]:
    """The metrics for the values of a dimension: kinds of usage have no requests of their own."""
    if dimension is not Dimension.KIND:
        return METRICS
    return {rank: title for rank, title in METRICS.items() if rank is not Rank.REQUESTS}


PRESETS: Final = {
    Preset.LAST_24_HOURS: "Last 24 hours",
    Preset.LAST_7_DAYS: "Last 7 days",
    Preset.LAST_30_DAYS: "Last 30 days",
    Preset.LAST_3_MONTHS: "Last 3 months",
    Preset.THIS_MONTH: "Month to date",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_QUARTER: "Quarter to date",
    Preset.YEAR_TO_DATE: "Year to date",
    Preset.ALL: "All time",
}

INTERVALS: Final = {
    Interval.HOUR: "Hourly",
    Interval.DAY: "Daily",
    Interval.WEEK: "Weekly",
    Interval.MONTH: "Monthly",
}

PAGE_ONLY: Final = frozenset({"metric", "view", "mode", "density", "id"})
"""Parameters that control how a page shows its numbers; endpoints do not have them."""

NOT_EXPORTED: Final = PAGE_ONLY | COMPARE | {"search", "page", "pageSize", "sort", "order"}
"""Parameters of pages that do not affect their files."""

FILTER_OF: Final[Mapping[Dimension, str]] = {dim: name for name, dim in FILTERS.items()}
"""The parameter that filters by a dimension."""


def filter_of(dimension: Grouping) -> str:
    """The parameter that filters by a dimension or a tag; empty if there is none."""
    return dimension.value if isinstance(dimension, Tag) else FILTER_OF.get(dimension, "")


NAMES: Final = {
    "projectId": "Project",
    "apiKeyId": "API key",
    "userId": "User",
    "groupId": "User group",
    "model": "Model",
    "provider": "Provider",
    "app": "App",
    "status": "Status",
}
"""Filters that pages offer, by parameter; others are only set by links."""


def filters_for(actor: Actor, *without: str) -> Mapping[str, str]:
    """The filters that an actor may use, without some."""
    may_see_others = has(actor, Permission.ORGANIZATION_USAGE)
    closed = set(without) | (set() if may_see_others else {"userId", "groupId"})
    return {name: noun for name, noun in NAMES.items() if name not in closed}


NAMED_PARTS: Final = 4
"""Maximum number of unpriced parts that a notice names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNotice:
    """What partly priced requests lack."""

    requests: int
    path: str
    """The log of those requests."""
    parts: Sequence[tuple[MissingPart, str]]
    """With the log of the requests that lack them."""
    more: int
    read_from: datetime | None
    """The earliest request that was read; None if all were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChip:
    """An active filter."""

    name: str
    value: str
    noun: str
    label: str
    remove_url: str

    @property
    def pair(self) -> tuple[str, str]:
        """The filter and value as in the filter menu."""
        return self.value, self.label


def frame_of(
    request: Request,
    reader: CubeReader,
    query: UsageQuery,
    total: Totals,
    filters: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The template context around a period's numbers; raises Invalid for an unknown metric.

    `filters` are the parameters of the filters that the page offers, with their labels.
    """
    services = services_of(request)
    links = Links.of(request).without("cursor")  # of a list that any change replaces
    period = query.period
    return {
        "links": links,
        "metrics": METRICS,
        "metric": read_choice(request.query_params, "metric", Rank, ErrorCode.UNKNOWN_METRIC)
        or Rank.COST,
        "page_only": NOT_EXPORTED,
        "presets": PRESETS,
        "period": period,
        "today": services.clock.now().astimezone(parse_zone(period.timezone)).date(),
        "range_title": PRESETS[period.preset] if period.preset else "Custom",
        "range_dates": describe_dates(period),
        "picker": picker_of(request, query),
        "step_name": INTERVALS.get(query.interval, ""),
        "chips": chips_of(services, query, links),
        "filter_names": filters,
        "filter_params": (*FILTERS, *(tag for tag in query.filters if isinstance(tag, Tag))),
        "total": total,
        "is_empty": not total.requests,
        "freshness": services.analytics.freshness(reader),
        "unpriced": services.analytics.unpriced_in(reader, query)
        if total.unpriced_requests
        else (),
        "missing": missing_of(services, reader, query, total),
    }


def missing_of(
    services: Services, reader: CubeReader, query: UsageQuery, total: Totals
) -> MissingNotice | None:
    """The notice about partly priced requests; None if there are none."""
    if not total.partly_priced_requests:
        return None
    found = services.data_quality.missing_parts(reader, query)
    period = {
        "from": query.period.from_date.isoformat(),
        "to": query.period.to_date.isoformat(),
        "timezone": query.period.timezone,
    }
    if query.period.preset is not None:
        period = {"preset": query.period.preset.value, "timezone": query.period.timezone}
    log = Links("/monitoring/requests", (*period.items(), *_filters_of(query)))
    return MissingNotice(
        requests=total.partly_priced_requests,
        path=log.put(costSource=CostSource.PARTIAL),
        parts=[
            (part, log.put(costSource=CostSource.PARTIAL, missing=part.name))
            for part in found.parts[:NAMED_PARTS]
        ],
        more=max(0, len(found.parts) - NAMED_PARTS),
        read_from=found.read_from,
    )


def _filters_of(query: UsageQuery) -> Iterator[tuple[str, str]]:
    """The filters of a question as parameters."""
    for dimension, values in query.filters.items():
        for value in values:
            yield filter_of(dimension), value


def chips_of(services: Services, query: UsageQuery, links: Links) -> list[FilterChip]:
    """The filters in the URL, by name, without those that a page sets itself."""
    chips: list[FilterChip] = []
    named = {name for name, _ in links.items}
    filters: dict[str, Grouping] = {**FILTERS}
    filters |= {tag.value: tag for tag in query.filters if isinstance(tag, Tag)}
    for name, dimension in filters.items():
        values = query.filters.get(dimension, ()) if name in named else ()
        if not values:
            continue
        labels = read_labels(services.directory, query.organization_id, dimension)
        chips.extend(
            FilterChip(
                name=name,
                value=value,
                noun=dimension.noun,
                label=labels.get(value, value),
                remove_url=links.drop(name, value),
            )
            for value in values
        )
    return chips
