"""`/api/v1/analytics/sessions`: conversations and runs of agents, and one of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import SessionMeasures
from outlay.domain.dimension import Dimension
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Interval, Preset
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.domain.session import MAX_PAGE, MAX_SESSIONS, SHOWN_OF, SessionQuery, SessionSort
from outlay.kit.clock import from_us
from outlay.services.analytics.own_usage import own_requests_only
from outlay.services.analytics.sessions import Session, read_session, read_sessions
from outlay.services.bundle import Services
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import (
    AS_JSON,
    COMMON,
    check_names,
    read_choice,
    read_number,
    read_order,
    read_query,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    json_answer,
    render_instant,
    render_money,
    render_period,
)
from outlay.web.http.routes import Router

router = Router(prefix="/analytics/sessions", tags=["analytics"])

Reader = Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))]
PARAMETERS: Final = COMMON | AS_JSON | {"sort", "order", "page", "pageSize"}
SCHEMAS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "sort": ({"type": "string", "enum": [*SessionSort], "default": "last"}, "The column."),
    "page": ({"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}, "Which page."),
    "pageSize": (
        {"type": "integer", "minimum": 1, "maximum": MAX_SESSIONS, "default": 50},
        "Sessions per page.",
    ),
}
_PLURALS: Final = {
    Dimension.MODEL: "models",
    Dimension.PROJECT: "projects",
    Dimension.API_KEY: "apiKeys",
    Dimension.USER: "users",
    Dimension.APP: "apps",
}
"""Fields of a session, by what they have values of."""

Labels = Mapping[Dimension, Mapping[str, str]]


@router.get("", openapi_extra=documented(PARAMETERS, SCHEMAS))
def get_sessions(request: Request, actor: Reader) -> Response:
    """Sessions with requests in a period, the latest first; for developers their own.

    What a session comes to is what those of its requests do that are in the period and meet every
    filter.
    """
    services, params = services_of(request), request.query_params
    check_names(params, PARAMETERS)
    usage = own_requests_only(actor, read_query(params, actor, services.analytics, group_by=None))
    query = SessionQuery(
        usage=replace(usage, interval=Interval.TOTAL),
        sort=read_choice(params, "sort", SessionSort) or SessionSort.LAST,
        is_descending=read_order(params),
        page=read_number(params, "page", 1, most=MAX_PAGE) or 1,
        page_size=read_number(params, "pageSize", 50, most=MAX_SESSIONS) or 50,
    )
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = read_sessions(reader, query)
    labels = _labels(services, actor.organization_id)
    return json_answer(
        request,
        {
            "sessions": [_render(session, labels) for session in found.sessions],
            "page": query.page,
            "pageSize": query.page_size,
            "sessionCount": found.totals.sessions,
            "totals": _render_measures(found.totals.measures),
            "meta": {
                **render_period(query.usage.period),
                "currency": "USD",
                "asOf": render_instant(freshness.data_through),
            },
        },
    )


@router.get("/{session_id:path}", openapi_extra=documented(AS_JSON))
def get_session(request: Request, session_id: str, actor: Reader) -> Response:
    """One session, from its first request to its last, and what each of its models cost."""
    services = services_of(request)
    check_names(request.query_params, AS_JSON)
    period = services.analytics.resolve_period(
        actor.organization_id, timezone=actor.timezone, preset=Preset.ALL
    )
    usage = UsageQuery(
        organization_id=actor.organization_id,
        merges=services.analytics.merges(actor.organization_id),
        period=period,
    )
    query = SessionQuery(usage=own_requests_only(actor, usage))
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = read_session(reader, query, session_id)
    labels = _labels(services, actor.organization_id)
    costs = found.costs[Dimension.MODEL]
    return json_answer(
        request,
        {
            **_render(found, labels),
            "costByModel": [
                {"model": model, "cost": render_money(cost)} for model, cost in costs.items()
            ],
            "meta": {"currency": "USD", "asOf": render_instant(freshness.data_through)},
        },
    )


def _labels(services: Services, organization_id: OrganizationId) -> Labels:
    return {
        dimension: services.analytics.labels(organization_id, dimension) for dimension in SHOWN_OF
    }


def _render(session: Session, labels: Labels) -> Json:
    sums = session.sums
    return {
        "sessionId": sums.session_id,
        "firstRequestAt": render_instant(from_us(sums.first_at * 1_000_000)),
        "lastRequestAt": render_instant(from_us(sums.last_at * 1_000_000)),
        "durationSeconds": sums.last_at - sums.first_at,
        **_render_measures(sums.measures),
        **{
            _PLURALS[dimension]: [
                {"id": key, "label": labels[dimension].get(key, key)} for key in values
            ]
            for dimension, values in session.costs.items()
        },
    }


def _render_measures(measures: SessionMeasures) -> Json:
    return {
        "requestCount": measures.requests,
        "inputTokens": measures.input_tokens,
        "outputTokens": measures.output_tokens,
        "totalTokens": measures.input_tokens + measures.output_tokens,
        "cost": render_money(measures.cost_pusd),
        "errorCount": measures.errors,
        "clientErrorCount": measures.client_errors,
    }
