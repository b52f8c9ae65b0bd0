"""Query strings → questions about single requests, for the log's page, endpoint and file alike."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from starlette.datastructures import QueryParams

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT, CostSource, UsageSource
from outlay.domain.period import BUCKET_US, BUCKETS_PER_HOUR, Interval, period_of_buckets
from outlay.domain.query import UsageQuery
from outlay.kit.clock import to_us
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.own_usage import own_requests_only
from outlay.services.analytics.request_log import LogCursor, LogQuery
from outlay.storage.ledger.log import LogConditions, LogOrder, LogSort
from outlay.web.http.params import (
    COMMON,
    read_choice,
    read_choices,
    read_flag,
    read_number,
    read_order,
    read_query,
    read_text,
    read_usd,
)
from outlay.wire.cursors import read_cursor

CONDITIONS: Final = (
    "minLatencyMs",
    "minCost",
    "errorCode",
    "session",
    "search",
    "costSource",
    "usageSource",
    "hasReportedCost",
    "hasComputedCost",
    "missing",
)
"""Filters of single requests, by parameter."""

LOG: Final = COMMON | {*CONDITIONS, "hour", "sort", "order", "cursor"}

MAX_LATENCY_MS: Final = 86_400_000
MAX_ERROR_CODES: Final = 20

SCHEMAS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "sort": ({"type": "string", "enum": [*LogSort], "default": LogSort.TIME}, "What decides."),
    "search": ({"type": "string", "maxLength": MAX_TEXT}, "Part of a request's id."),
    "session": ({"type": "string", "maxLength": MAX_TEXT}, "Only requests of this session."),
    "errorCode": (
        {"type": "array", "items": {"type": "string"}, "maxItems": MAX_ERROR_CODES},
        "Why a request failed, repeatable: values are alternatives.",
    ),
    "costSource": (
        {"type": "array", "items": {"type": "string", "enum": [*CostSource]}},
        "Where the cost comes from, repeatable.",
    ),
    "usageSource": (
        {"type": "array", "items": {"type": "string", "enum": [*UsageSource]}},
        "Who counted the tokens, repeatable.",
    ),
    "hasReportedCost": (
        {"type": "string", "enum": ["true", "false"]},
        "Whether the sender reported a cost.",
    ),
    "hasComputedCost": (
        {"type": "string", "enum": ["true", "false"]},
        "Whether the price book has a price for all that was used.",
    ),
    "missing": (
        {"type": "string", "maxLength": MAX_TEXT},
        "A meter, counter or context that has no price, or a counter that is not understood.",
    ),
    "hour": (
        {"type": "string", "format": "date-time"},
        "Only the hour that begins at this instant, which lies in the period.",
    ),
    "cursor": ({"type": "string"}, "`next` or `previous` of another page of the same question."),
}
"""What the OpenAPI description says of the parameters that only the log has, or has otherwise."""


def read_log_query(
    params: QueryParams, actor: Actor, analytics: Analytics, interval: Interval | None = None
) -> LogQuery:
    """The requests that a query string asks for, of those that the actor may see.

    `interval` is the step of what they add up to; one that fits the period when it is left out.
    """
    usage = own_requests_only(actor, read_query(params, actor, analytics, group_by=None))
    return log_query_of(usage, params, interval)


def log_query_of(
    usage: UsageQuery, params: QueryParams, interval: Interval | None = None
) -> LogQuery:
    """The single requests of a question that a query string asks for."""
    usage = _in_hour(usage, read_text(params, "hour"))
    if interval is not None:
        usage = replace(usage, interval=interval)
    latency_ms = read_number(params, "minLatencyMs", None, least=0, most=MAX_LATENCY_MS)
    cursor = read_text(params, "cursor")
    return LogQuery(
        usage=usage,
        conditions=LogConditions(
            min_duration_us=None if latency_ms is None else latency_ms * 1000,
            min_cost_pusd=read_usd(params, "minCost"),
            error_codes=_error_codes(params),
            id_part=_text(params, "search"),
            cost_sources=read_choices(params, "costSource", CostSource),
            usage_sources=read_choices(params, "usageSource", UsageSource),
            has_reported_cost=read_flag(params, "hasReportedCost"),
            has_computed_cost=read_flag(params, "hasComputedCost"),
            missing=_text(params, "missing"),
            session_id=_text(params, "session"),
        ),
        order=LogOrder(read_choice(params, "sort", LogSort) or LogSort.TIME, read_order(params)),
        cursor=read_cursor(cursor, LogCursor) if cursor else None,
    )


def _in_hour(query: UsageQuery, text: str | None) -> UsageQuery:
    """The question, about the hour that begins at an instant."""
    if text is None:
        return query
    try:
        instant = datetime.fromisoformat(text)
        start, rest = divmod(to_us(instant), BUCKET_US)
    except (ValueError, TypeError, OverflowError):
        rest = -1
    if rest:
        raise Invalid(
            "`hour` must be the start of an hour, such as 2026-11-20T09:00:00Z.",
            field="hour",
        )
    period = query.period
    if not period.start_bucket <= start < period.end_bucket:
        raise Invalid("`hour` must be within the period.", field="hour")
    end = min(start + BUCKETS_PER_HOUR, period.end_bucket)
    return replace(
        query, period=period_of_buckets(start, end, period.timezone), interval=Interval.HOUR
    )


def _error_codes(params: QueryParams) -> tuple[str, ...]:
    codes = tuple(dict.fromkeys(params.getlist("errorCode")))
    if len(codes) > MAX_ERROR_CODES:
        raise Invalid(f"`errorCode` takes 1 to {MAX_ERROR_CODES} values.", field="errorCode")
    return tuple(_checked(code, "errorCode") for code in codes)


def _text(params: QueryParams, name: str) -> str:
    return _checked(read_text(params, name) or "", name)


def _checked(text: str, name: str) -> str:
    """A text that an event may have."""
    is_text = text.isprintable() and "\ufffd" not in text
    if len(text) > MAX_TEXT or not is_text:
        raise Invalid(f"`{name}` must have at most {MAX_TEXT} printable characters.", field=name)
    return text
