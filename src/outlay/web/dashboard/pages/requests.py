"""The request log, with one request open next to the list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown
from outlay.domain.errors import NotFound
from outlay.domain.event import CostSource, Status
from outlay.domain.ids import EventId
from outlay.domain.measure import Rank
from outlay.domain.money import render_usd
from outlay.domain.period import Interval, Period, Step, parse_zone
from outlay.domain.policy import Permission, is_limited
from outlay.services.analytics.own_usage import own_requests_only
from outlay.services.analytics.request_log import LogPage, LogPlan, LogQuery, TooWide
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.log import LogOrder, LogSort
from outlay.web.dashboard.dates import describe_date
from outlay.web.dashboard.drawing.histogram import Bar, Histogram, draw_histogram
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import accepted_params, page_params, page_query
from outlay.web.dashboard.parts.frame import PAGE_ONLY, FilterChip, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import describe_totals
from outlay.web.dashboard.parts.log_lines import lines_of
from outlay.web.dashboard.parts.request_detail import RequestDetail, detail_of
from outlay.web.dashboard.parts.usage import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.log_params import CONDITIONS, LOG, LogParams
from outlay.web.http.query_strings import read_text
from outlay.web.http.rendering import render_instant
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMPARE
from outlay.wire.cursors import write_cursor

router = Router(include_in_schema=False)

PAGE_LINES: Final = 50
PAGE: Final = LOG | PAGE_ONLY
FORMATS: Final = ("csv", "json", "ndjson", "parquet", "xlsx")
SUBJECT: Final = Subject(
    title="Requests",
    crumbs=(Crumb("Monitoring"),),
    lede="Single requests: what each cost, how long it took and, if it failed, why.",
    export="",
    groupings={},
)
OWN_SUBJECT: Final = replace(
    SUBJECT,
    lede="Your own requests: what each cost, how long it took and, if it failed, why.",
)

SORTS: Final = {
    LogSort.TIME: "Time",
    LogSort.TOKENS: "Tokens",
    LogSort.COST: "Cost",
    LogSort.LATENCY: "Latency",
    LogSort.DIFFERENCE: "Difference",
}
ORDERS: Final = {
    LogOrder(LogSort.TIME): ("newest first", "Newest", "Newer", "Older"),
    LogOrder(LogSort.TIME, False): ("oldest first", "Oldest", "Older", "Newer"),
    LogOrder(LogSort.COST): ("highest cost first", "First", "Previous", "Next"),
    LogOrder(LogSort.COST, False): ("lowest cost first", "First", "Previous", "Next"),
    LogOrder(LogSort.LATENCY): ("slowest first", "First", "Previous", "Next"),
    LogOrder(LogSort.LATENCY, False): ("fastest first", "First", "Previous", "Next"),
    LogOrder(LogSort.DIFFERENCE): ("largest difference first", "First", "Previous", "Next"),
    LogOrder(LogSort.DIFFERENCE, False): (
        "smallest difference first",
        "First",
        "Previous",
        "Next",
    ),
    LogOrder(LogSort.TOKENS): ("most tokens first", "First", "Previous", "Next"),
    LogOrder(LogSort.TOKENS, False): ("fewest tokens first", "First", "Previous", "Next"),
}
"""The names of an order, and its buttons for the first, previous and next page."""

COST_SOURCES: Final = {
    CostSource.COMPUTED.value: "Computed",
    CostSource.OVERRIDE.value: "Custom price",
    CostSource.REPORTED.value: "Reported",
    CostSource.PARTIAL.value: "Partly priced",
    CostSource.UNPRICED.value: "Unpriced",
}
"""Cost sources as filter options."""

Reader = Annotated[Actor, Depends(OnPage(Permission.REQUESTS_READ))]


PRICE_CHIPS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "usageSource": ("tokens", {}),
    "hasReportedCost": ("reported cost", {"true": "known", "false": "unknown"}),
    "hasComputedCost": ("computed cost", {"true": "known", "false": "unknown"}),
    "missing": ("without", {}),
}
"""Filters by how a request was priced, which only links set: the names of them and their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortHead:
    """The heading of a column that sorts."""

    url: str
    state: str
    """The value of `aria-sort`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPageLink:
    """A button for another page of the list."""

    title: str
    url: str


@router.get("/monitoring/requests")
def get_requests(request: Request, actor: Reader) -> Response:
    """Render the request log; `id` opens one request next to the list."""
    services = services_of(request)
    params = page_params(request, PAGE)
    subject = OWN_SUBJECT if is_limited(actor, Permission.REQUESTS_READ) else SUBJECT
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    usage = own_requests_only(actor, page_query(request, params, actor, group_by=None))
    query = LogParams.parse(accepted_params(request, params)).log_query_of(usage)
    search = read_text(params, "search") or ""
    chosen = EventId(read_text(params, "id") or search)
    with services.analytics.read() as reader:
        plan = services.request_log.plan(reader, query)
        frame = frame_of(
            request, reader, query.usage, plan.usage.total, filters_for(actor, "status")
        )
        detail = _detail(services, reader, actor, query, chosen) if chosen else None
    page, volume, too_wide = _answer(services, plan)
    frame["links"] = links = _filled(frame["links"])
    compares = query.conditions.has_reported_cost or query.order.sort is LogSort.DIFFERENCE
    histogram = _histogram(volume, query.usage.period) if volume else None
    return render_page(
        request,
        "requests.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        lines=lines_of(services, query.usage, page.entries) if page else [],
        turns=_turns(links, query.order, page),
        cursor=read_text(params, "cursor"),
        heads=_heads(links, query.order),
        sorts={
            sort.value: title
            for sort, title in SORTS.items()
            if compares or sort is not LogSort.DIFFERENCE
        },
        compares=compares,
        cost_sources=COST_SOURCES,
        order_words=ORDERS[query.order][0],
        has_more=bool(page and page.following),
        too_wide=too_wide,
        params={name: params.get(name, "") for name in CONDITIONS},
        min_cost=_usd(query.conditions.min_cost_pusd),
        histogram=histogram,
        bars=_bars(links, histogram, query, volume) if histogram and volume else (),
        window_words=describe_totals(volume.total) if volume else "",
        detail=detail,
        search=search,
        statuses={status.value: status.label for status in Status},
        exports=[
            (
                kind.upper(),
                links.other(f"/api/v1/exports/requests?format={kind}", without=PAGE_ONLY | COMPARE),
            )
            for kind in FORMATS
        ],
        **_with_conditions(frame, query, volume),
    )


def _answer(services: Services, plan: LogPlan) -> tuple[LogPage | None, Breakdown | None, str]:
    """The page of the list and the totals of all pages, if they can be read; otherwise the
    reason."""
    log = services.request_log
    page = volume = None
    try:
        volume = log.volume(plan)
        page = log.page(plan, PAGE_LINES)
    except TooWide as error:
        if plan.query.order.sort is LogSort.TIME:
            page = log.page(plan, PAGE_LINES)
        return page, volume, error.message
    return page, volume, ""


def _with_conditions(
    frame: dict[str, Any], query: LogQuery, volume: Breakdown | None
) -> dict[str, Any]:
    """The frame of the page, with the filters that only the log has."""
    links: Links = frame["links"]
    chips = list(frame["chips"])
    chips += [
        _chip(links, "errorCode", code, "error", code) for code in query.conditions.error_codes
    ]
    chips += [
        _chip(links, name, value, noun, words.get(value, value))
        for name, (noun, words) in PRICE_CHIPS.items()
        for value in links.values(name)
    ]
    if session_id := query.conditions.session_id:
        chips.append(_chip(links, "session", session_id, "session", session_id))
    hour = dict(links.items).get("hour")
    if hour:
        period = query.usage.period
        zone = parse_zone(period.timezone)
        start, end = period.start.astimezone(zone), period.end.astimezone(zone)
        label = f"{describe_date(start.date())}, {start:%H:%M}–{end:%H:%M}"
        chips.append(_chip(links, "hour", hour, "hour", label))
    return {
        **frame,
        "chips": chips,
        "filter_params": (*frame["filter_params"], "errorCode", *PRICE_CHIPS, "session", "hour"),
        "total": volume.total if volume else frame["total"],
    }


def _chip(links: Links, name: str, value: str, noun: str, label: str) -> FilterChip:
    return FilterChip(
        name=name, value=value, noun=noun, label=label, remove_url=links.drop(name, value)
    )


def _turns(links: Links, order: LogOrder, page: LogPage | None) -> Sequence[LogPageLink]:
    """The buttons to other pages of the list, if there are any."""
    _, first, before, after = ORDERS[order]
    links = links.without("id", "cursor")
    turns = []
    if page and page.preceding:
        turns.append(LogPageLink(title=first, url=links.put()))
        turns.append(LogPageLink(title=before, url=links.put(cursor=write_cursor(page.preceding))))
    if page and page.following:
        turns.append(LogPageLink(title=after, url=links.put(cursor=write_cursor(page.following))))
    return turns


def _heads(links: Links, order: LogOrder) -> dict[str, SortHead]:
    """The headings that sort, by sort order."""
    heads = {}
    for sort in SORTS:
        is_this = order.sort is sort
        direction = "asc" if is_this and order.is_descending else "desc"
        state = ("descending" if order.is_descending else "ascending") if is_this else "none"
        url = links.without("id").put(sort=sort.value, order=direction)
        heads[sort.value] = SortHead(url=url, state=state)
    return heads


def _usd(pusd: int | None) -> str:
    return "" if pusd is None else render_usd(pusd)


def _histogram(volume: Breakdown, period: Period) -> Histogram:
    steps = volume.steps
    values = [volume.at(index).rank_value(Rank.REQUESTS) for index in range(len(steps))]
    failed = [volume.at(index).errors for index in range(len(steps))]
    return draw_histogram(steps, period, values, failed)


def _bars(
    links: Links, histogram: Histogram, query: LogQuery, volume: Breakdown
) -> Sequence[tuple[Bar, str]]:
    """The bars with their links: to their days, or their hour."""
    links = links.without("id")
    hours: Sequence[Step | None] = [None] * len(histogram.bars)
    if len(volume.steps) == len(histogram.bars) and query.usage.interval is Interval.HOUR:
        hours = volume.steps
    return [
        (
            bar,
            links.period(
                {"from": bar.from_date, "to": bar.to_date}
                | ({"hour": render_instant(hour.start)} if hour else {})
            ),
        )
        for bar, hour in zip(histogram.bars, hours, strict=True)
    ]


def _filled(links: Links) -> Links:
    """Links without the parameters that a form left empty."""
    return Links(links.path, tuple(item for item in links.items if item[1]))


def _detail(
    services: Services, reader: CubeReader, actor: Actor, query: LogQuery, event_id: EventId
) -> RequestDetail | None:
    """One request; None if there is none that the actor may see."""
    try:
        found = services.request_log.find(actor, event_id)
    except NotFound:
        return None
    seen = own_requests_only(actor, replace(query.usage, filters={}))
    return detail_of(services, reader, seen, found)
