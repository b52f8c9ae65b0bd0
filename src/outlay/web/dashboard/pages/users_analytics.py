"""Users analytics: the table of all users, sorted, searched, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval, Preset
from outlay.domain.policy import Permission
from outlay.domain.query import LATENCY_MEASURES, QUALITY_MEASURES
from outlay.services.analytics.usage_tables import MAX_PAGE_SIZE, UserSort
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.paging import turns_of
from outlay.web.dashboard.parts.frame import PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import describe_totals
from outlay.web.dashboard.parts.usage import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.parts.user_rows import leads_to_user, line_of_row, line_of_totals
from outlay.web.dashboard.sorting import Order, SortableColumn, heads_of
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.parameters import Number
from outlay.web.http.query_strings import read_choice
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON, FILTERS, UserViewParams

router = Router(include_in_schema=False)

OWN: Final = frozenset({"sort", "order", "search", "page", "pageSize"})
PAGE_SIZES: Final = (10, 25, 50, 100)


@dataclass(frozen=True, kw_only=True)
class ViewParams(UserViewParams):
    """The shown part of the table; the default page is shorter."""

    page_size: Annotated[int, Number("Rows per page.", 1, MAX_PAGE_SIZE)] = PAGE_SIZES[0]


FORMATS: Final = ("csv", "json", "parquet", "xlsx")
SHORT_PRESETS: Final = {
    Preset.LAST_24_HOURS: "24H",
    Preset.LAST_7_DAYS: "7D",
    Preset.LAST_30_DAYS: "1M",
    Preset.LAST_3_MONTHS: "3M",
    Preset.ALL: "All",
}

COLUMNS: Final = {
    UserSort.NAME.value: SortableColumn("User", is_number=False),
    UserSort.INPUT.value: SortableColumn("Total input tokens"),
    UserSort.OUTPUT.value: SortableColumn("Total output tokens"),
    UserSort.COST.value: SortableColumn("Total cost"),
    UserSort.LATENCY.value: SortableColumn("Average latency"),
    UserSort.REQUESTS.value: SortableColumn("Requests"),
}

SUBJECT: Final = Subject(
    title="Users analytics",
    crumbs=(Crumb("Monitoring"),),
    lede="Usage of all users in one table.",
    export="",
    groupings={},
)


class Density(StrEnum):
    """The row height of the table."""

    COMFORTABLE = "comfortable"
    STANDARD = "standard"
    COMPACT = "compact"


@router.get("/monitoring/users")
def get_users(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render the table of all users."""
    services = services_of(request)
    params = page_params(request, COMMON | OWN | PAGE_ONLY)
    if not has_usage(request, actor):
        return render_first_steps(request, actor, SUBJECT)
    query = page_query(request, params, actor, group_by=None)
    query = replace(
        query,
        interval=Interval.TOTAL,
        measures=(*QUALITY_MEASURES, *LATENCY_MEASURES),
    )
    view = ViewParams.parse(params).view()
    if view.page_size not in PAGE_SIZES:
        raise Invalid(
            f"`pageSize` must be one of {', '.join(map(str, PAGE_SIZES))}.", field="pageSize"
        )
    page = services.usage_tables.users(query, view)
    if view.page > page.page_count:
        view = replace(view, page=page.page_count)
        page = services.usage_tables.users(query, view)
    with services.analytics.read() as reader:
        frame = frame_of(request, reader, query, page.total, filters_for(actor, "userId"))
    links: Links = frame["links"]
    alone = leads_to_user(links, OWN | PAGE_ONLY)
    return render_page(
        request,
        "users_analytics.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        rows=[line_of_row(row, page.total, alone) for row in page.rows],
        matching=line_of_totals("Total", page.matching, page.total),
        unattributed=line_of_totals("Unattributed", page.unattributed, page.total)
        if page.unattributed.requests
        else None,
        heads=heads_of(COLUMNS, Order(view.sort.value, view.is_descending), links),
        shown=view,
        page_count=page.page_count,
        user_count=page.user_count,
        turns=turns_of(view.page, page.page_count, links),
        page_sizes=PAGE_SIZES,
        densities=list(Density),
        density=read_choice(params, "density", Density, ErrorCode.UNKNOWN_DENSITY)
        or Density.STANDARD,
        has_own_period=True,
        short_presets=SHORT_PRESETS,
        all_exports=_exports(links, frozenset(FILTERS) | {"search", "sort", "order"}),
        view_exports=_exports(links, frozenset()),
        window_words=describe_totals(page.total),
        **frame,
    )


def _exports(links: Links, without: frozenset[str]) -> Sequence[tuple[str, str]]:
    """URLs of the table as a file in each format."""
    gone = PAGE_ONLY | {"page", "pageSize"} | without
    return [
        (kind.upper(), links.other(f"/api/v1/exports/users?format={kind}", without=gone))
        for kind in FORMATS
    ]
