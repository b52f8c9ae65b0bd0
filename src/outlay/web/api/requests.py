"""`/api/v1/requests`: the log of single requests, and one of them in detail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of
from outlay.domain.dimension import Dimension
from outlay.domain.event import UsageEvent, split_groups
from outlay.domain.failure import describe_failure
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.meter import split_meters
from outlay.domain.money import render_usd
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.kit.clock import from_us
from outlay.pricing.evidence import computed_cost_of
from outlay.services.analytics.request_log import MAX_LIMIT, LoggedRequest
from outlay.services.bundle import Services
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.http.answers.measures import QualityTotals, in_ms, measured
from outlay.web.http.answers.requests import (
    AmendmentAnswer,
    CostParts,
    PriceLine,
    RequestDetail,
    RequestPage,
    TokenParts,
)
from outlay.web.http.answers.requests import LoggedRequest as RequestRow
from outlay.web.http.answers.sessions import Labelled
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.log_params import LogParams
from outlay.web.http.parameters import Number
from outlay.web.http.rendering import render_instant, render_meta, render_money
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    MoneyParams,
)
from outlay.wire.cursors import write_cursor
from outlay.wire.json_money import Money

router = Router(prefix="/requests", tags=["requests"])

Reader = Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))]
Labels = Mapping[Dimension, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class RequestParams(LogParams, MoneyParams):
    """A page of requests."""

    limit: Annotated[int, Number("Maximum number of requests per page.", 1, MAX_LIMIT)] = 50


@router.get("")
def get_requests(
    request: Request,
    actor: Reader,
    asked: Annotated[RequestParams, Depends(RequestParams.of)],
) -> RequestPage:
    """List requests of a period, page by page, with the totals of all pages.

    Developers see their own. Filters of single requests and orders other than by time read each
    request of the period; if there are too many, the answer is 400 `period-too-wide`.
    """
    services = services_of(request)
    query = asked.log_query(actor, services.analytics, Interval.TOTAL)
    log = services.request_log
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        plan = log.plan(reader, query)
    page = log.page(plan, asked.limit)
    total = log.volume(plan).total
    labels = _labels(services, actor.organization_id)
    return RequestPage(
        requests=[RequestRow(**_fields(entry, labels)) for entry in page.entries],
        totals=measured(QualityTotals, total),
        next=write_cursor(page.following) if page.following else None,
        previous=write_cursor(page.preceding) if page.preceding else None,
        meta=render_meta(query.usage, total, freshness),
    )


@router.get("/{event_id:path}")
def get_request(
    request: Request,
    event_id: EventId,
    actor: Reader,
    asked: Annotated[MoneyParams, Depends(MoneyParams.of)],
) -> RequestDetail:
    """One request: its tokens by kind, the cost of each part, its timing and its attribution."""
    services = services_of(request)
    found = services.request_log.find(actor, event_id)
    labels = _labels(services, actor.organization_id)
    return RequestDetail(
        **_fields(found.entry, labels),
        **_details(found.event),
        **_price(services, found.event),
        **_history(found),
    )


def _labels(services: Services, organization_id: OrganizationId) -> Labels:
    return {
        dimension: services.analytics.labels(organization_id, dimension)
        for dimension in (Dimension.PROJECT, Dimension.API_KEY, Dimension.USER, Dimension.GROUP)
    }


def _fields(entry: LoggedEvent, labels: Labels) -> dict[str, Any]:
    """The fields of a request in the log."""
    event = entry.event

    def named(dimension: Dimension, key: str) -> Labelled:
        return Labelled(id=key, label=labels[dimension].get(key, key))

    def named_if_any(dimension: Dimension, key: str) -> Labelled | None:
        return named(dimension, key) if key else None

    return {
        "event_id": event.event_id,
        "time": render_instant(from_us(event.event_time_us)),
        "status": event.status,
        "http_status": event.http_status,
        "error_code": event.error_code or None,
        "model": event.model,
        "mapping": event.mapping,
        "provider": event.provider,
        "operation": event.operation,
        "project": named_if_any(Dimension.PROJECT, event.project_id),
        "api_key": named_if_any(Dimension.API_KEY, event.api_key_id),
        "user": named_if_any(Dimension.USER, event.user_id),
        "groups": [named(Dimension.GROUP, key) for key in split_groups(event.groups)],
        "end_user": event.end_user or None,
        "app": event.app or None,
        "session_id": event.session_id or None,
        "input_tokens": event.input_tokens,
        "output_tokens": event.output_tokens,
        "total_tokens": event.input_tokens + event.output_tokens,
        "cost": Money(event.cost_pusd),
        "cost_source": event.cost_source,
        "reported_cost": render_money(event.reported_cost_pusd),
        "computed_cost": render_money(event.computed_cost_pusd),
        "unpriced_parts": [*filter(None, event.unpriced_parts.split(","))],
        "unread_counters": [*filter(None, event.unread.split(","))],
        "usage_source": event.usage_source,
        "latency_ms": in_ms(event.duration_us),
        "time_to_first_token_ms": in_ms(event.first_token_us),
        "is_stream": event.is_stream,
        "recorded_at": render_instant(from_us(entry.recorded_at_us)),
    }


def _history(found: LoggedRequest) -> dict[str, Any]:
    """The amendments of a request, and the report that counts instead of it."""
    return {
        "version": found.entry.version,
        "is_counted": found.is_counted,
        "counted_as": [root_of(event.event_id) for event in found.counted],
        "amendments": [
            AmendmentAnswer(
                kind=entry.event.amendment,
                recorded_at=render_instant(from_us(entry.recorded_at_us)),
                amendment_id=entry.event.amendment_id or None,
                cost=Money(entry.event.cost_pusd),
                cost_source=entry.event.cost_source,
                price_ref=entry.event.price_ref or None,
            )
            for entry in found.history
            if entry.event.amendment
        ],
    }


def _details(event: UsageEvent) -> dict[str, Any]:
    return {
        "member_id": event.member_id or None,
        "source": event.source,
        "response_id": event.response_id or None,
        "response_model": event.response_model or None,
        "price_ref": event.price_ref or None,
        "price_context": event.price_context or None,
        "meters": split_meters(event.meters),
        "is_adjusted": event.adjusted,
        "failure": describe_failure(event.status, event.error_code, event.http_status) or None,
        "tokens": TokenParts(
            uncached_input=event.input_tokens
            - event.cache_read_input_tokens
            - event.cache_write_input_tokens,
            cache_read=event.cache_read_input_tokens,
            cache_write=event.cache_write_input_tokens,
            cache_write_1h=event.cache_write_1h_input_tokens,
            reasoning=event.reasoning_output_tokens,
            output=event.output_tokens,
        ),
        "costs": CostParts(
            input=Money(event.input_cost_pusd),
            cache_read=Money(event.cache_read_cost_pusd),
            cache_write=Money(event.cache_write_cost_pusd),
            output=Money(event.output_cost_pusd),
            meters={name: Money(cost) for name, cost in split_meters(event.meter_costs).items()},
            computed=render_money(computed_cost_of(event)),
            reported=render_money(event.reported_cost_pusd),
        ),
    }


def _price(services: Services, event: UsageEvent) -> dict[str, Any]:
    """The lines of the computed cost."""
    found = services.price_books.explain(event)
    return {
        "price_lines": [
            PriceLine(
                kind=line.kind,
                title=line.title,
                quantity=line.quantity,
                unit=line.unit,
                unit_price=render_usd(line.rate_pusd),
                per=line.per,
                amount=Money(line.amount_pusd),
            )
            for line in found.lines
        ],
        "price_note": found.note or None,
    }
