"""Complete rankings: every value of a dimension in a period, sorted, searched, page by page.

The values that cards of other pages sum up as Other are listed here by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.policy import Permission, has
from outlay.domain.query import MAX_TOP, QUALITY_MEASURES, UsageQuery
from outlay.services.analytics.own_usage import own_usage_only
from outlay.services.analytics.value_totals import ValueTotals, read_value_totals
from outlay.web.dashboard.choices import PEOPLE
from outlay.web.dashboard.formatting import format_percent
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.pages.my_usage import ME
from outlay.web.dashboard.pages.organization_analytics import ORGANIZATION
from outlay.web.dashboard.pages.project import ProjectReader, read_project, remember, subject_of
from outlay.web.dashboard.paging import page_of
from outlay.web.dashboard.parts.amounts import Amounts, amounts_of
from outlay.web.dashboard.parts.frame import METRICS, PAGE_ONLY, filter_of, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import describe_totals
from outlay.web.dashboard.parts.usage import (
    GROUPINGS,
    Crumb,
    Subject,
    has_usage,
    render_first_steps,
)
from outlay.web.dashboard.sorting import (
    SORTING,
    SortableColumn,
    error_rate_of,
    heads_of,
    read_order,
    sort_rows,
)
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_text
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON, OWN_QUERY

router = Router(include_in_schema=False)

OWN: Final = SORTING | {"groupBy", "search", "page"}
"""Parameters of the page itself."""

COLUMNS: Final = {
    "name": SortableColumn("Name", is_number=False),
    **{metric.value: SortableColumn(title) for metric, title in METRICS.items()},
    "errorRate": SortableColumn("Error rate"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedValue:
    """A value of a dimension and its usage."""

    key: str
    label: str
    totals: Totals


_VALUES: Final[Mapping[str, Callable[[RankedValue], Any]]] = {
    "name": lambda value: value.label.casefold(),
    "errorRate": lambda value: error_rate_of(value.totals),
    Rank.COST.value: lambda value: value.totals.cost_pusd,
    Rank.REQUESTS.value: lambda value: value.totals.requests,
    Rank.TOKENS.value: lambda value: value.totals.total_tokens,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """A row of the table."""

    label: str
    url: str
    """The page about this value alone."""
    used: Amounts
    share: str
    """Of the total, by the selected metric."""
    bar: int
    """The share in thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPage:
    """The scope of the rankings."""

    crumbs: tuple[Crumb, ...]
    origin: str
    """The page whose cards show the top values, and which can be filtered by one value."""
    groupings: Mapping[Grouping, str]
    filters: Mapping[str, str]
    export: Callable[[Grouping], str]
    """The same numbers as a file."""


@router.get("/organization/ranking")
def get_organization_ranking(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """The ranking of the whole organization."""
    params = page_params(request, COMMON | OWN | PAGE_ONLY)
    query = page_query(request, params, actor)
    place = RankingPage(
        crumbs=(Crumb("Organization"), Crumb("Analytics", "/organization/analytics")),
        origin="/organization/analytics",
        groupings=GROUPINGS,
        filters=ORGANIZATION.filters,
        export=lambda dimension: f"/api/v1/exports/report?groupBy={dimension}",
    )
    return _render(request, actor, query, place)


@router.get("/project/{project_id}/ranking")
def get_project_ranking(request: Request, project_id: str, actor: ProjectReader) -> Response:
    """The ranking of a project; for developers, of their own keys in it."""
    project, query = read_project(request, project_id, actor, more=OWN)
    subject = subject_of(actor, project, "Analytics", "")
    closed = set() if has(actor, Permission.ORGANIZATION_USAGE) else PEOPLE
    origin = f"/project/{project_id}/analytics"
    place = RankingPage(
        crumbs=(*subject.crumbs, Crumb("Analytics", origin)),
        origin=origin,
        groupings={
            dimension: title
            for dimension, title in GROUPINGS.items()
            if dimension not in {Dimension.PROJECT, *closed}
        },
        filters=filters_for(actor, "projectId"),
        export=lambda dimension: f"{subject.export}?groupBy={dimension}&top={MAX_TOP}",
    )
    return remember(request, project, _render(request, actor, query, place))


@router.get("/me/ranking")
def get_own_ranking(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.OWN_USAGE))]
) -> Response:
    """The ranking of the actor's own usage."""
    params = page_params(request, OWN_QUERY | OWN | PAGE_ONLY)
    query = own_usage_only(actor, page_query(request, params, actor))
    place = RankingPage(
        crumbs=(*ME.crumbs, Crumb(ME.title, "/me/usage")),
        origin="/me/usage",
        groupings={
            dimension: title for dimension, title in ME.groupings.items() if dimension in GROUPINGS
        },
        filters=ME.filters,
        export=lambda dimension: f"{ME.export}?groupBy={dimension}&top={MAX_TOP}",
    )
    return _render(request, actor, query, place)


def _render(request: Request, actor: Actor, query: UsageQuery, place: RankingPage) -> Response:
    services, params = services_of(request), request.query_params
    dimension = query.group_by or Dimension.MODEL
    if dimension not in place.groupings:
        raise Invalid(f"`groupBy` must be one of {', '.join(place.groupings)}.", field="groupBy")
    subject = Subject(
        title=f"All {dimension.plural}",
        crumbs=place.crumbs,
        lede=f"Every {dimension.noun} with usage in the period.",
        export=place.export(dimension),
        groupings=place.groupings,
    )
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    order = read_order(params, COLUMNS, Rank.COST.value)
    query = replace(query, measures=QUALITY_MEASURES)
    with services.analytics.read() as reader:
        found = read_value_totals(reader, query, dimension)
        frame = frame_of(request, reader, query, found.total, place.filters)
    labels = services.analytics.labels(actor.organization_id, dimension)
    search = read_text(params, "search") or ""
    values = [
        RankedValue(key=key, label=labels.get(key, key), totals=totals)
        for key, totals in found.values.items()
        if search.casefold() in f"{labels.get(key, '')}\n{key}".casefold()
    ]
    shown, paging = page_of(request, sort_rows(values, order, _VALUES, lambda value: value.key))
    metric = Rank(order.column) if order.column in set(METRICS) else Rank.COST
    links: Links = frame["links"]
    return render_page(
        request,
        "ranking.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        dimension=dimension,
        rows=[_row(value, metric, found, _alone(links, place, dimension)) for value in shown],
        unattributed=amounts_of(found.unattributed) if found.unattributed.requests else None,
        totals=amounts_of(found.total),
        heads=heads_of(COLUMNS, order, links),
        share_title=f"Share of {METRICS[metric].lower()}",
        search=search,
        paging=paging,
        overlaps=not dimension.is_single_valued,
        window_words=describe_totals(found.total),
        # The path of the export has it.
        **{**frame, "page_only": frame["page_only"] | {"groupBy"}},
    )


def _alone(links: Links, place: RankingPage, dimension: Grouping) -> Callable[[str], str]:
    """A function that returns the URL of the page about one value."""
    kept = links.without(*OWN, *PAGE_ONLY)
    return lambda key: replace(kept, path=place.origin).add(filter_of(dimension), key)


def _row(
    value: RankedValue, metric: Rank, found: ValueTotals, url_of: Callable[[str], str]
) -> ValueRow:
    used, whole = value.totals.rank_value(metric), found.total.rank_value(metric)
    return ValueRow(
        label=value.label,
        url=url_of(value.key),
        used=amounts_of(value.totals),
        share=format_percent(used, whole),
        bar=1000 * used // whole if whole else 0,
    )
