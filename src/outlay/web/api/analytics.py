"""`GET /analytics/…`: usage questions as JSON."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.domain.result import Totals
from outlay.services.bundle import Services
from outlay.services.palette import distinct_slots, remember_slots
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import (
    COMMON,
    OWN_QUERY,
    QUERY,
    check_names,
    read_own_query,
    read_query,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    render_activity,
    render_meta,
    render_series,
    render_totals,
    to_json,
)

router = APIRouter(tags=["analytics"])

SHAPES: Final = frozenset({"breakdown", "series"})


OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]


@router.get("/analytics/activity", openapi_extra=documented(QUERY | {"shape"}))
def get_activity(request: Request, actor: OrganizationReader) -> Response:
    """Cost, requests and tokens per step of a period, broken down by one dimension."""
    services = services_of(request)
    params = request.query_params
    check_names(params, QUERY | {"shape"})
    shape = params.get("shape", "breakdown")
    if shape not in SHAPES:
        raise Invalid("shape must be breakdown or series", field="shape")
    query = read_query(params, actor, services.analytics)
    freshness = services.analytics.freshness()
    if shape == "series" and query.group_by is not None:
        comparison = services.analytics.compare(query)
        remembered = remember_slots(
            services.directory, actor.organization_id, query.group_by, comparison.current.entries
        )
        palette = distinct_slots(tuple(remembered), remembered)
        return _json(render_series(query, comparison, palette, freshness))
    return _json(render_activity(query, services.analytics.breakdown(query), freshness))


@router.get("/analytics/me", openapi_extra=documented(OWN_QUERY))
def get_own(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))]
) -> Response:
    """The usage that is put down to whoever asks: totals, and steps as in `activity`."""
    services = services_of(request)
    params = request.query_params
    check_names(params, OWN_QUERY)
    query = read_own_query(params, actor, services.analytics)
    freshness = services.analytics.freshness()
    return _json(
        {
            "member": {"memberId": actor.member_id, "name": actor.member_name},
            "summary": _summary(services, query)[0],
            **render_activity(query, services.analytics.breakdown(query), freshness),
        }
    )


@router.get("/analytics/summary", openapi_extra=documented(COMMON))
def get_summary(request: Request, actor: OrganizationReader) -> Response:
    """The totals of a period, with latency percentiles."""
    services = services_of(request)
    params = request.query_params
    check_names(params, COMMON)
    query = read_query(params, actor, services.analytics, group_by=None)
    freshness = services.analytics.freshness()
    summary, total = _summary(services, query)
    return _json(
        {
            "summary": summary,
            "meta": render_meta(replace(query, interval=Interval.TOTAL), total, freshness),
        }
    )


def _summary(services: Services, query: UsageQuery) -> tuple[Json, Totals]:
    """All measures of a question without its grouping, and the latency."""
    whole = replace(query, group_by=None, measures=ALL_MEASURES, interval=Interval.TOTAL)
    total = services.analytics.breakdown(whole).total
    percentiles = services.analytics.percentiles(whole)
    summary: Json = {
        **render_totals(total, ALL_MEASURES),
        "averageLatencyMs": (
            total.duration_us / total.timed_requests / 1000 if total.timed_requests else None
        ),
        "latencyMs": {
            f"p{round(q * 100)}": value and round(value / 1000, 3)
            for q, value in percentiles.items()
        },
    }
    return summary, total


def _json(body: object) -> Response:
    return Response(to_json(body), media_type="application/json")
