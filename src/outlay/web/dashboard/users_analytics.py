"""Users analytics: the table of all users, sorted, searched, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval, Preset
from outlay.domain.policy import Permission
from outlay.domain.query import LATENCY_MEASURES, QUALITY_MEASURES
from outlay.services.usage_tables import UserSort, UserView
from outlay.web.dashboard.asking import page_params, page_query
from outlay.web.dashboard.frame import PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.headlines import describe_totals
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.pages import render_page
from outlay.web.dashboard.usage_pages import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.user_rows import line_of_row, line_of_totals
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.params import (
    COMMON,
    FILTERS,
    read_choice,
    read_user_view,
)
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

OWN: Final = frozenset({"sort", "order", "search", "page", "pageSize"})
PAGE_SIZES: Final = (10, 25, 50, 100)
FORMATS: Final = ("csv", "json", "parquet", "xlsx")
SHORT_PRESETS: Final = {
    Preset.LAST_24_HOURS: "24H",
    Preset.LAST_7_DAYS: "7D",
    Preset.LAST_30_DAYS: "1M",
    Preset.LAST_3_MONTHS: "3M",
    Preset.ALL: "All",
}

COLUMNS: Final = {
    UserSort.NAME: "User",
    UserSort.INPUT: "Total input tokens",
    UserSort.OUTPUT: "Total output tokens",
    UserSort.COST: "Total cost",
    UserSort.LATENCY: "Average latency",
    UserSort.REQUESTS: "Requests",
}

SUBJECT: Final = Subject(
    title="Users analytics",
    crumbs=(Crumb("Monitoring"),),
    lede="Everybody's usage in one table.",
    export="",
    groupings={},
)


class Density(StrEnum):
    """How high rows are."""

    COMFORTABLE = "comfortable"
    STANDARD = "standard"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A head that sorts."""

    title: str
    is_number: bool
    sort_url: str
    state: str
    """As `aria-sort` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Leads to another page; without an address where there is none."""

    title: str
    icon: str
    url: str


@router.get("/monitoring/users")
def get_users(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """The page."""
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
    view = read_user_view(params, PAGE_SIZES[1])
    if view.page_size not in PAGE_SIZES:
        raise Invalid(
            f"pageSize must be one of {', '.join(map(str, PAGE_SIZES))}", field="pageSize"
        )
    page = services.usage_tables.users(query, view)
    if view.page > page.page_count:
        view = replace(view, page=page.page_count)
        page = services.usage_tables.users(query, view)
    with services.analytics.read() as reader:
        frame = frame_of(request, reader, query, page.total, filters_for(actor, "userId"))
    links: Links = frame["links"]
    return render_page(
        request,
        "users_analytics.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        rows=[line_of_row(row, page.total) for row in page.rows],
        matching=line_of_totals("Total", page.matching, page.total),
        unattributed=line_of_totals("Unattributed", page.unattributed, page.total)
        if page.unattributed.requests
        else None,
        columns=_columns(view, links),
        shown=view,
        page_count=page.page_count,
        user_count=page.user_count,
        turns=_turns(view, page.page_count, links),
        page_sizes=PAGE_SIZES,
        densities=list(Density),
        density=read_choice(params, "density", Density) or Density.STANDARD,
        short_presets=SHORT_PRESETS,
        all_exports=_exports(links, frozenset(FILTERS) | {"search", "sort", "order"}),
        view_exports=_exports(links, frozenset()),
        window_words=describe_totals(page.total),
        **frame,
    )


def _columns(view: UserView, links: Links) -> Sequence[Column]:
    found = []
    for sort, title in COLUMNS.items():
        is_this = view.sort is sort
        # Names begin with A, numbers with the largest.
        is_descending = not view.is_descending if is_this else sort is not UserSort.NAME
        state = "descending" if view.is_descending else "ascending"
        found.append(
            Column(
                title=title,
                is_number=sort is not UserSort.NAME,
                sort_url=links.put(
                    sort=sort.value, order="desc" if is_descending else "asc", page=None
                ),
                state=state if is_this else "none",
            )
        )
    return found


def _turns(view: UserView, pages: int, links: Links) -> Sequence[Turn]:
    places = (
        ("First page", "chevrons-left", 1),
        ("Previous page", "chevron-left", view.page - 1),
        ("Next page", "chevron-right", view.page + 1),
        ("Last page", "chevrons-right", pages),
    )
    return [
        Turn(
            title=title,
            icon=icon,
            url=links.put(page=str(page)) if 1 <= page <= pages and page != view.page else "",
        )
        for title, icon, page in places
    ]


def _exports(links: Links, without: frozenset[str]) -> Sequence[tuple[str, str]]:
    """Addresses of the table as a file in each format."""
    gone = PAGE_ONLY | {"page", "pageSize"} | without
    return [
        (kind.upper(), links.other(f"/exports/users?format={kind}", without=gone))
        for kind in FORMATS
    ]
