"""`/api/v1/analytics/sessions`: conversations and agent runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import SessionMeasures
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Interval, Preset
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.domain.session import MAX_PAGE, MAX_SESSIONS, SHOWN_OF, SessionQuery, SessionSort
from outlay.kit.clock import from_us
from outlay.services.analytics.own_usage import own_requests_only
from outlay.services.analytics.sessions import Session, read_session, read_sessions
from outlay.services.bundle import Services
from outlay.web.http.answers.periods import FreshMeta, PeriodMeta
from outlay.web.http.answers.sessions import (
    Labelled,
    ModelCost,
    SessionAnswer,
    SessionPage,
    SessionTotals,
)
from outlay.web.http.answers.sessions import Session as SessionRow
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.parameters import Choice, Direction, Number
from outlay.web.http.rendering import (
    period_fields,
    render_instant,
)
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    MoneyParams,
    TableParams,
)
from outlay.wire.json_money import Money

router = Router(prefix="/analytics/sessions", tags=["analytics"])

Reader = Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))]
_PLURALS: Final = {
    Dimension.MODEL: "models",
    Dimension.PROJECT: "projects",
    Dimension.API_KEY: "api_keys",
    Dimension.USER: "users",
    Dimension.APP: "apps",
}
"""Fields of a session by dimension."""

Labels = Mapping[Dimension, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class SessionParams(TableParams):
    """A page of sessions."""

    sort: Annotated[
        SessionSort, Choice("The column to sort by.", SessionSort, ErrorCode.UNKNOWN_SORT)
    ] = SessionSort.LAST
    is_descending: Annotated[bool, Direction("Ascending or descending.", name="order")] = True
    page: Annotated[int, Number("Which page.", 1, MAX_PAGE)] = 1
    page_size: Annotated[int, Number("Sessions per page.", 1, MAX_SESSIONS)] = 50


@router.get("")
def get_sessions(
    request: Request,
    actor: Reader,
    asked: Annotated[SessionParams, Depends(SessionParams.of)],
) -> SessionPage:
    """List sessions with requests in a period, latest first; developers see their own.

    The numbers of a session are those of its requests that are in the period and match every
    filter.
    """
    services = services_of(request)
    usage = own_requests_only(actor, asked.query(actor, services.analytics))
    query = SessionQuery(
        usage=replace(usage, interval=Interval.TOTAL),
        sort=asked.sort,
        is_descending=asked.is_descending,
        page=asked.page,
        page_size=asked.page_size,
    )
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = read_sessions(reader, query)
    labels = _labels(services, actor.organization_id)
    return SessionPage(
        sessions=[SessionRow(**_fields(session, labels)) for session in found.sessions],
        page=query.page,
        page_size=query.page_size,
        session_count=found.totals.sessions,
        totals=SessionTotals(**_measures(found.totals.measures)),
        meta=PeriodMeta(
            **period_fields(query.usage.period),
            currency="USD",
            as_of=render_instant(freshness.data_through),
        ),
    )


@router.get("/{session_id:path}")
def get_session(
    request: Request,
    session_id: str,
    actor: Reader,
    asked: Annotated[MoneyParams, Depends(MoneyParams.of)],
) -> SessionAnswer:
    """One session from its first to its last request, with the cost of each of its models."""
    services = services_of(request)
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
    return SessionAnswer(
        **_fields(found, labels),
        cost_by_model=[ModelCost(model=model, cost=Money(cost)) for model, cost in costs.items()],
        meta=FreshMeta(currency="USD", as_of=render_instant(freshness.data_through)),
    )


def _labels(services: Services, organization_id: OrganizationId) -> Labels:
    return {
        dimension: services.analytics.labels(organization_id, dimension) for dimension in SHOWN_OF
    }


def _fields(session: Session, labels: Labels) -> dict[str, Any]:
    """The fields of a session's answer."""
    sums = session.sums
    return {
        "session_id": sums.session_id,
        "first_request_at": render_instant(from_us(sums.first_at * 1_000_000)),
        "last_request_at": render_instant(from_us(sums.last_at * 1_000_000)),
        "duration_seconds": sums.last_at - sums.first_at,
        **_measures(sums.measures),
        **{
            _PLURALS[dimension]: [
                Labelled(id=key, label=labels[dimension].get(key, key)) for key in values
            ]
            for dimension, values in session.costs.items()
        },
    }


def _measures(measures: SessionMeasures) -> dict[str, Any]:
    return {
        "request_count": measures.requests,
        "input_tokens": measures.input_tokens,
        "output_tokens": measures.output_tokens,
        "total_tokens": measures.input_tokens + measures.output_tokens,
        "cost": Money(measures.cost_pusd),
        "error_count": measures.errors,
        "client_error_count": measures.client_errors,
    }
