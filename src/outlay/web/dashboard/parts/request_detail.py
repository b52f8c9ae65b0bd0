"""All recorded data of one request, for display."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from outlay.domain.dimension import Dimension
from outlay.domain.event import Status, UsageEvent, UsageSource, split_groups
from outlay.domain.failure import describe_failure
from outlay.domain.period import (
    BUCKET_US,
    BUCKETS_PER_HOUR,
    Interval,
    parse_zone,
    period_of_buckets,
)
from outlay.domain.query import UsageQuery
from outlay.kit.clock import from_us, to_us
from outlay.services.analytics.request_log import LoggedRequest, LogQuery, TooWide
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.log import LogConditions
from outlay.web.dashboard.formatting import format_latency
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.parts.cost_detail import CostDetail, cost_detail_of
from outlay.web.dashboard.parts.frame import FILTER_OF
from outlay.web.dashboard.parts.log_lines import (
    Labels,
    cost_of,
    describe_parts,
    exact_cost_of,
    has_used_nothing,
    labels_of,
)
from outlay.web.dashboard.parts.price_rows import describe_price
from outlay.web.dashboard.parts.request_history import History, history_of
from outlay.web.http.rendering import render_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of a request's detail."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarRequests:
    """Requests that failed in the same way at about the same time."""

    title: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDetail:
    """All recorded data of one request."""

    event_id: str
    title: str
    status: str
    status_title: str
    failure: str
    """Why it failed, as a sentence; empty if it did not."""
    alike: SimilarRequests | None
    cost: str
    exact_cost: str
    time: str
    facts: Sequence[Fact]
    costs: CostDetail | None
    """None if nothing was used or no counts were reported."""
    usage_note: str
    """Why there are no tokens; empty if there are."""
    history: History
    first_token_share: int
    """Time to first token as thousandths of the whole request; 0 if unknown."""
    first_token: str
    duration: str


def detail_of(
    services: Services, reader: CubeReader, seen: UsageQuery, found: LoggedRequest
) -> RequestDetail:
    """Everything recorded about a request, in the query's time zone."""
    event = found.event
    time = from_us(event.event_time_us).astimezone(parse_zone(seen.period.timezone))
    first, duration = _first_token_us(event), event.duration_us
    return RequestDetail(
        event_id=event.event_id,
        title=event.mapping or event.model or "Unknown model",
        status=event.status.value,
        status_title=event.status.label,
        failure=describe_failure(event.status, event.error_code, event.http_status),
        alike=_alike(services, reader, seen, event, time),
        cost="No cost" if has_used_nothing(event) else cost_of(event),
        exact_cost=exact_cost_of(event),
        time=_to_the_millisecond(time),
        facts=[
            *_facts(
                event,
                labels_of(services, event.organization_id),
                from_us(found.entry.recorded_at_us).astimezone(time.tzinfo),
            ),
            *_agreed(services, event),
        ],
        costs=None
        if _usage_note(event)
        else cost_detail_of(event, services.price_books.explain(event)),
        usage_note=_usage_note(event),
        history=history_of(found, time.tzinfo),
        first_token_share=1000 * first // duration if first and duration else 0,
        first_token="" if first is None else format_latency(first),
        duration="" if duration is None else format_latency(duration),
    )


def _to_the_millisecond(local: datetime) -> str:
    """`Sat, Nov 28, 2026, 08:34:47.990 UTC`."""
    return (
        f"{local:%a, %b} {local.day}, {local:%Y, %H:%M:%S}.{local.microsecond // 1000:03d} "
        f"{local:%Z}"
    )


def _first_token_us(event: UsageEvent) -> int | None:
    """Time to first token of a streamed answer; None if there is none."""
    is_answer = event.is_stream and not has_used_nothing(event)
    return event.time_to_first_token_us if is_answer else None


def _alike(
    services: Services, reader: CubeReader, seen: UsageQuery, event: UsageEvent, time: datetime
) -> SimilarRequests | None:
    """Requests of the same hour that failed with the same error, key and model."""
    if event.status is Status.OK:
        return None
    begin = time.replace(minute=0, second=0, microsecond=0)
    start = to_us(begin) // BUCKET_US
    period = period_of_buckets(start, start + BUCKETS_PER_HOUR, seen.period.timezone)
    filters = {
        Dimension.API_KEY: event.api_key_id,
        Dimension.MODEL: event.model,
        Dimension.STATUS: event.status.value,
    }
    alike = {dimension: value for dimension, value in filters.items() if value}
    asked = LogQuery(
        usage=replace(
            seen,
            period=period,
            interval=Interval.TOTAL,
            filters={**seen.filters, **{key: (value,) for key, value in alike.items()}},
        ),
        conditions=LogConditions(error_codes=(event.error_code,) if event.error_code else ()),
    )
    log = services.request_log
    try:
        count = log.volume(log.plan(reader, asked)).total.requests
    except TooWide:
        return None
    if count < 2:
        return None
    day = begin.date().isoformat()
    return SimilarRequests(
        title=f"All {count:,} requests with the same error, API key and model between "
        f"{begin:%H:%M} and {period.end.astimezone(begin.tzinfo):%H:%M}",
        path=Links("/monitoring/requests", ()).put(
            **{"from": day, "to": day},
            timezone=seen.period.timezone,
            hour=render_instant(begin),
            errorCode=event.error_code or None,
            **{FILTER_OF[dimension]: value for dimension, value in alike.items()},
        ),
    )


def _facts(event: UsageEvent, labels: Labels, recorded: datetime) -> list[Fact]:
    def named(dimension: Dimension, key: str) -> str:
        return labels[dimension].get(key, key)

    groups = ", ".join(named(Dimension.GROUP, key) for key in split_groups(event.groups))
    rows = [
        ("Project", named(Dimension.PROJECT, event.project_id)),
        ("API key", named(Dimension.API_KEY, event.api_key_id)),
        ("User", named(Dimension.USER, event.user_id)),
        ("User groups", groups),
        ("End user", event.end_user),
        ("App", event.app),
        ("Session", event.session_id),
        ("Provider", event.provider),
        ("Canonical model", event.model),
        ("Answered by", event.response_model),
        ("Operation", event.operation),
        ("Streamed", "yes" if event.is_stream else "no"),
        ("HTTP status", "" if event.http_status is None else str(event.http_status)),
        ("Error", event.error_code),
        ("Tokens counted by", "" if _usage_note(event) else event.usage_source.value),
        ("Price variant", event.price_context),
        ("Without a price", describe_parts(event)),
        ("Unknown counters", event.unread.replace(",", ", ")),
        ("Provider's id", event.response_id),
        ("Source", event.source),
        ("Recorded at", _to_the_millisecond(recorded)),
    ]
    return [Fact(name=name, value=value) for name, value in rows if value]


def _agreed(services: Services, event: UsageEvent) -> list[Fact]:
    """The organization's own prices that were applied, in their currency."""
    prices = services.administration.prices.referred(event.organization_id, event.price_ref)
    return [
        Fact(name=f"Custom price {price.price_id}", value=describe_price(price, conversion))
        for price, conversion in prices
    ]


def _usage_note(event: UsageEvent) -> str:
    """Why there are no tokens to show."""
    if event.usage_source is UsageSource.UNKNOWN:
        return (
            "No token counts were reported for this request. It is counted as a request with "
            "unknown usage."
        )
    if has_used_nothing(event):
        return "It failed before any tokens were used, so it has no cost."
    if not (event.input_tokens + event.output_tokens + event.cost_pusd or event.meters):
        return "It used no billable tokens, so it has no cost."
    return ""
