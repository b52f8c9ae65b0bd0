"""`/api/v1/requests`: the log of single requests, and one of them in detail."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of
from outlay.domain.dimension import Dimension
from outlay.domain.event import UsageEvent, split_groups
from outlay.domain.failure import describe_failure
from outlay.domain.ids import OrganizationId
from outlay.domain.meter import split_meters
from outlay.domain.money import render_usd
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import QUALITY_MEASURES
from outlay.kit.clock import from_us
from outlay.pricing.evidence import computed_cost_of
from outlay.services.analytics.request_log import MAX_LIMIT, LoggedRequest
from outlay.services.bundle import Services
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.log_params import LOG, SCHEMAS, read_log_query
from outlay.web.http.params import AS_JSON, check_names, read_number
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    in_ms,
    json_answer,
    render_instant,
    render_meta,
    render_money,
    render_totals,
)
from outlay.web.http.routes import Router
from outlay.wire.cursors import write_cursor

router = Router(prefix="/requests", tags=["requests"])

Reader = Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))]
PARAMETERS: Final = LOG | AS_JSON | {"limit"}
Labels = Mapping[Dimension, Mapping[str, str]]


@router.get("", openapi_extra=documented(PARAMETERS, SCHEMAS))
def get_requests(request: Request, actor: Reader) -> Response:
    """Requests of a period, a page at a time, and what all of them add up to.

    For developers their own. Filters of single requests and orders other than by time read each
    request of the period: there is a 400 `period-too-wide` where that would be too many.
    """
    services = services_of(request)
    params = request.query_params
    check_names(params, PARAMETERS)
    query = read_log_query(params, actor, services.analytics, Interval.TOTAL)
    limit = read_number(params, "limit", 50, most=MAX_LIMIT) or 50
    log = services.request_log
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        plan = log.plan(reader, query)
    page = log.page(plan, limit)
    total = log.volume(plan).total
    labels = _labels(services, actor.organization_id)
    return json_answer(
        request,
        {
            "requests": [_render(entry, labels) for entry in page.entries],
            "totals": render_totals(total, QUALITY_MEASURES),
            "next": page.following and write_cursor(page.following),
            "previous": page.preceding and write_cursor(page.preceding),
            "meta": render_meta(query.usage, total, freshness),
        },
    )


@router.get("/{event_id:path}", openapi_extra=documented(AS_JSON))
def get_request(request: Request, event_id: str, actor: Reader) -> Response:
    """One request: its tokens by kind, what each part cost, its timing and its attribution."""
    services = services_of(request)
    check_names(request.query_params, AS_JSON)
    found = services.request_log.find(actor, event_id)
    labels = _labels(services, actor.organization_id)
    return json_answer(
        request,
        {
            **_render(found.entry, labels),
            **_details(found.event),
            **_evidence(services, found.event),
            **_history(found),
        },
    )


def _labels(services: Services, organization_id: OrganizationId) -> Labels:
    return {
        dimension: services.analytics.labels(organization_id, dimension)
        for dimension in (Dimension.PROJECT, Dimension.API_KEY, Dimension.USER, Dimension.GROUP)
    }


def _render(entry: LoggedEvent, labels: Labels) -> Json:
    event = entry.event
    reported, computed = event.reported_cost_pusd, event.computed_cost_pusd

    def named(dimension: Dimension, key: str) -> Json | None:
        return {"id": key, "label": labels[dimension].get(key, key)} if key else None

    return {
        "eventId": event.event_id,
        "time": render_instant(from_us(event.event_time_us)),
        "status": event.status.value,
        "httpStatus": event.http_status,
        "errorCode": event.error_code or None,
        "model": event.model,
        "mapping": event.mapping,
        "provider": event.provider,
        "operation": event.operation,
        "project": named(Dimension.PROJECT, event.project_id),
        "apiKey": named(Dimension.API_KEY, event.api_key_id),
        "user": named(Dimension.USER, event.user_id),
        "groups": [named(Dimension.GROUP, key) for key in split_groups(event.groups)],
        "endUser": event.end_user or None,
        "app": event.app or None,
        "sessionId": event.session_id or None,
        "inputTokens": event.input_tokens,
        "outputTokens": event.output_tokens,
        "totalTokens": event.input_tokens + event.output_tokens,
        "cost": render_money(event.cost_pusd),
        "costSource": event.cost_source.value,
        "reportedCost": None if reported is None else render_money(reported),
        "computedCost": None if computed is None else render_money(computed),
        "unpricedParts": [*filter(None, event.unpriced_parts.split(","))],
        "unreadCounters": [*filter(None, event.unread.split(","))],
        "usageSource": event.usage_source.value,
        "latencyMs": in_ms(event.duration_us),
        "timeToFirstTokenMs": in_ms(event.first_token_us),
        "isStream": event.is_stream,
        "recordedAt": render_instant(from_us(entry.recorded_at_us)),
    }


def _history(found: LoggedRequest) -> Json:
    """What amendments have made of a request, and what counts in its place."""
    return {
        "version": found.entry.version,
        "isCounted": found.is_counted,
        "countedAs": [root_of(event.event_id) for event in found.counted],
        "amendments": [
            {
                "kind": entry.event.amendment,
                "recordedAt": render_instant(from_us(entry.recorded_at_us)),
                "amendmentId": entry.event.amendment_id or None,
                "cost": render_money(entry.event.cost_pusd),
                "costSource": entry.event.cost_source.value,
                "priceRef": entry.event.price_ref or None,
            }
            for entry in found.history
            if entry.event.amendment
        ],
    }


def _details(event: UsageEvent) -> Json:
    computed, reported = computed_cost_of(event), event.reported_cost_pusd
    return {
        "memberId": event.member_id or None,
        "source": event.source,
        "responseId": event.response_id or None,
        "responseModel": event.response_model or None,
        "priceRef": event.price_ref or None,
        "priceContext": event.price_context or None,
        "meters": split_meters(event.meters),
        "isAdjusted": event.adjusted,
        "failure": describe_failure(event.status, event.error_code, event.http_status) or None,
        "tokens": {
            "uncachedInput": event.input_tokens
            - event.cache_read_input_tokens
            - event.cache_write_input_tokens,
            "cacheRead": event.cache_read_input_tokens,
            "cacheWrite": event.cache_write_input_tokens,
            "cacheWrite1h": event.cache_write_1h_input_tokens,
            "reasoning": event.reasoning_output_tokens,
            "output": event.output_tokens,
        },
        "costs": {
            "input": render_money(event.input_cost_pusd),
            "cacheRead": render_money(event.cache_read_cost_pusd),
            "cacheWrite": render_money(event.cache_write_cost_pusd),
            "output": render_money(event.output_cost_pusd),
            "meters": {
                name: render_money(cost) for name, cost in split_meters(event.meter_costs).items()
            },
            "computed": None if computed is None else render_money(computed),
            "reported": None if reported is None else render_money(reported),
        },
    }


def _evidence(services: Services, event: UsageEvent) -> Json:
    """What the computed cost consists of, line by line."""
    found = services.price_books.explain(event)
    return {
        "priceLines": [
            {
                "kind": line.kind,
                "title": line.title,
                "quantity": line.quantity,
                "unit": line.unit,
                "unitPrice": render_usd(line.rate_pusd),
                "per": line.per,
                "amount": render_money(line.amount_pusd),
            }
            for line in found.lines
        ],
        "priceNote": found.note or None,
        "unpricedParts": event.unpriced_parts.split(",") if event.unpriced_parts else [],
    }
