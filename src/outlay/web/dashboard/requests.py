"""The log of single requests, and one of them beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import NotFound
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource, split_groups
from outlay.domain.measure import Rank
from outlay.domain.money import render_usd
from outlay.domain.period import parse_zone
from outlay.domain.policy import Permission, is_limited
from outlay.domain.query import UsageQuery
from outlay.domain.result import Breakdown
from outlay.kit.clock import from_us
from outlay.services.bundle import Services
from outlay.storage.ledger.log import LoggedEvent, LogPosition
from outlay.web.dashboard.formatting import (
    format_exact_count,
    format_exact_money,
    format_latency,
    format_percent,
)
from outlay.web.dashboard.frame import PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.headlines import describe_totals
from outlay.web.dashboard.histogram import Histogram, draw_histogram
from outlay.web.dashboard.log_lines import (
    Labels,
    cost_of,
    exact_cost_of,
    labels_of,
    lines_of,
)
from outlay.web.dashboard.pages import render_page
from outlay.web.dashboard.usage_pages import Crumb, Subject, has_usage, render_first_steps
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.ownership import own_requests_only
from outlay.web.http.params import (
    COMMON,
    check_names,
    read_number,
    read_query,
    read_text,
    read_usd,
)
from outlay.web.http.rendering import render_instant
from outlay.web.http.routes import Router
from outlay.wire.cursors import read_cursor, write_cursor

router = Router(include_in_schema=False)

MAX_LATENCY_MS: Final = 86_400_000
PAGE_LINES: Final = 50
LOG: Final = COMMON | {"cursor", "minLatencyMs", "minCost", "search"} | PAGE_ONLY
SUBJECT: Final = Subject(
    title="Requests",
    crumbs=(Crumb("Monitoring"),),
    lede="Every request on record, newest first.",
    export="",
    groupings={},
)

Reader = Annotated[Actor, Depends(OnPage(Permission.REQUESTS_READ))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of a request's detail."""

    name: str
    value: str
    exact: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One kind of tokens and what it cost."""

    kind: str
    tokens: str
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All that is on record of one request."""

    event_id: str
    title: str
    status: str
    status_title: str
    cost: str
    exact_cost: str
    time: str
    facts: Sequence[Fact]
    prices: Sequence[PriceLine]
    price_note: str
    first_token_share: int
    """How far along the request the first token came, in thousandths; 0 when nobody knows."""
    first_token: str
    duration: str


@router.get("/monitoring/requests")
def get_requests(request: Request, actor: Reader) -> Response:
    """The page; with `id` one request stands beside the list."""
    services = services_of(request)
    # A form sends what is left empty, too.
    params = QueryParams([pair for pair in request.query_params.multi_items() if pair[1]])
    check_names(params, LOG)
    if not has_usage(request, actor):
        return render_first_steps(request, actor, SUBJECT)
    query = own_requests_only(actor, read_query(params, actor, services.analytics, group_by=None))
    latency_ms = read_number(params, "minLatencyMs", None, least=0, most=MAX_LATENCY_MS)
    min_cost = read_usd(params, "minCost")
    cursor = read_text(params, "cursor")
    page = services.request_log.page(
        query,
        before=read_cursor(cursor, LogPosition) if cursor else None,
        limit=PAGE_LINES,
        min_duration_us=None if latency_ms is None else latency_ms * 1000,
        min_cost_pusd=min_cost,
    )
    search = read_text(params, "search") or ""
    chosen = read_text(params, "id") or search
    with services.analytics.read() as reader:
        volume = services.analytics.breakdown_in(reader, query)
        frame = frame_of(request, reader, query, volume.total, filters_for(actor, "status"))
    return render_page(
        request,
        "requests.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        lines=lines_of(services, query, page.entries),
        older=write_cursor(page.following) if page.following else None,
        is_first=cursor is None,
        is_short=bool(latency_ms or min_cost),
        min_latency=latency_ms,
        min_cost=None if min_cost is None else render_usd(min_cost),
        histogram=_histogram(volume, query),
        window_words=describe_totals(volume.total),
        detail=_detail(request, actor, query, chosen) if chosen else None,
        search=search,
        statuses={status.value: status.label for status in Status},
        **frame,
    )


def _histogram(volume: Breakdown, query: UsageQuery) -> Histogram:
    steps = volume.steps
    values = [volume.at(index).rank_value(Rank.REQUESTS) for index in range(len(steps))]
    failed = [volume.at(index).errors for index in range(len(steps))]
    return draw_histogram(steps, query.period, values, failed)


def _detail(request: Request, actor: Actor, query: UsageQuery, event_id: str) -> Detail | None:
    """One request; None when there is none that the actor may see."""
    services = services_of(request)
    try:
        found = services.request_log.find(actor.organization_id, event_id)
    except NotFound:
        return None
    if is_limited(actor, Permission.REQUESTS_READ) and found.event.user_id != actor.member_id:
        return None
    return detail_of(services, query, found)


def detail_of(services: Services, query: UsageQuery, found: LoggedEvent) -> Detail:
    """All that is on record of a request, for reading."""
    event = found.event
    zone = parse_zone(query.period.timezone)
    time = from_us(event.event_time_us).astimezone(zone)
    first, duration = event.first_token_us, event.duration_us
    return Detail(
        event_id=event.event_id,
        title=event.mapping or event.model or "Unknown model",
        status=event.status.value,
        status_title=event.status.label,
        cost=cost_of(event),
        exact_cost=exact_cost_of(event),
        time=f"{time:%a, %b} {time.day}, {time:%Y, %H:%M:%S}.{time.microsecond // 1000:03d} "
        f"{time:%Z}",
        facts=_facts(event, labels_of(services, event.organization_id), found),
        prices=_prices(event),
        price_note=_price_note(event),
        first_token_share=1000 * first // duration if first and duration else 0,
        first_token="" if first is None else format_latency(first),
        duration="" if duration is None else format_latency(duration),
    )


def _facts(event: UsageEvent, labels: Labels, found: LoggedEvent) -> list[Fact]:
    def named(dimension: Dimension, key: str) -> str:
        return labels[dimension].get(key, key)

    groups = ", ".join(named(Dimension.GROUP, key) for key in split_groups(event.groups))
    recorded = render_instant(from_us(found.recorded_at_us))
    rows = [
        ("Project", named(Dimension.PROJECT, event.project_id)),
        ("API key", named(Dimension.API_KEY, event.api_key_id)),
        ("User", named(Dimension.USER, event.user_id)),
        ("User groups", groups),
        ("End user", event.end_user),
        ("App", event.app),
        ("Provider", event.provider),
        ("Canonical model", event.model),
        ("Answered by", event.response_model),
        ("Operation", event.operation),
        ("Streamed", "yes" if event.is_stream else "no"),
        ("HTTP status", "" if event.http_status is None else str(event.http_status)),
        ("Error", event.error_code),
        ("Tokens counted by", event.usage_source.value),
        ("Price variant", event.price_context),
        ("Provider's id", event.response_id),
        ("Source", event.source),
        ("On record since", recorded),
    ]
    return [Fact(name=name, value=value) for name, value in rows if value]


def _prices(event: UsageEvent) -> list[PriceLine]:
    if event.usage_source is UsageSource.UNKNOWN:
        return []
    uncached = event.input_tokens - event.cache_read_input_tokens - event.cache_write_input_tokens
    rows = [
        ("Input", uncached, event.input_cost_pusd),
        ("Cache read", event.cache_read_input_tokens, event.cache_read_cost_pusd),
        ("Cache write", event.cache_write_input_tokens, event.cache_write_cost_pusd),
        ("Output", event.output_tokens, event.output_cost_pusd),
    ]
    lines = [
        PriceLine(kind=kind, tokens=format_exact_count(tokens), cost=format_exact_money(cost))
        for kind, tokens, cost in rows
        if tokens or cost
    ]
    if event.reasoning_output_tokens:
        share = format_percent(event.reasoning_output_tokens, event.output_tokens, 0)
        lines.append(
            PriceLine(
                kind=f"of it reasoning ({share})",
                tokens=format_exact_count(event.reasoning_output_tokens),
                cost="",
            )
        )
    return lines


def _price_note(event: UsageEvent) -> str:
    if event.cost_source is CostSource.UNPRICED:
        return "No price is known for this model: the request is counted, its cost is not."
    if event.reported_cost_pusd is not None and event.cost_source is not CostSource.REPORTED:
        reported = format_exact_money(event.reported_cost_pusd)
        return f"Priced at {event.price_ref}. Its sender reported {reported}."
    if event.cost_source is CostSource.REPORTED:
        return "As its sender reported it: the price book has no price for this model."
    return f"Priced at {event.price_ref}." if event.price_ref else ""
