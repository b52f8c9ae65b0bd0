"""`GET /analytics/…`: usage questions as JSON."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.query import ALL_MEASURES
from outlay.services.palette import distinct_slots, remember_slots
from outlay.web.http.auth import reading_actor, services_of
from outlay.web.http.params import COMMON, QUERY, check_names, read_query
from outlay.web.http.rendering import (
    render_activity,
    render_meta,
    render_series,
    render_totals,
    to_json,
)

router = APIRouter(tags=["analytics"])

SHAPES: Final = frozenset({"breakdown", "series"})


@router.get("/analytics/activity")
def get_activity(request: Request, actor: Annotated[Actor, Depends(reading_actor)]) -> Response:
    """Cost, requests and tokens per step of a period, broken down by one dimension."""
    services = services_of(request)
    services.access.permit_organization_analytics(actor)
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


@router.get("/analytics/summary")
def get_summary(request: Request, actor: Annotated[Actor, Depends(reading_actor)]) -> Response:
    """The totals of a period, with latency percentiles."""
    services = services_of(request)
    services.access.permit_organization_analytics(actor)
    params = request.query_params
    check_names(params, COMMON)
    query = replace(
        read_query(params, actor, services.analytics, group_by=None),
        measures=ALL_MEASURES,
        interval=Interval.TOTAL,
    )
    freshness = services.analytics.freshness()
    total = services.analytics.breakdown(query).total
    percentiles = services.analytics.percentiles(query)
    return _json(
        {
            "summary": {
                **render_totals(total, ALL_MEASURES),
                "averageLatencyMs": (
                    total.duration_us / total.timed_requests / 1000
                    if total.timed_requests
                    else None
                ),
                "latencyMs": {
                    f"p{round(q * 100)}": value and round(value / 1000, 3)
                    for q, value in percentiles.items()
                },
            },
            "meta": render_meta(query, total, freshness),
        }
    )


def _json(body: object) -> Response:
    return Response(to_json(body), media_type="application/json")
