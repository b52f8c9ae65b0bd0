"""`GET /api/v1/analytics/…`: usage questions as JSON."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.services.analytics.colours import assign_slots, remember_slots
from outlay.services.bundle import Services
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import (
    AS_JSON,
    COMMON,
    COMPARE,
    OWN_QUERY,
    QUERY,
    check_names,
    read_own_query,
    read_query,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    json_answer,
    render_activity,
    render_compared,
    render_latency,
    render_meta,
    render_series,
    render_summary,
)
from outlay.web.http.routes import Router

router = Router(tags=["analytics"])

SHAPES: Final = frozenset({"breakdown", "series"})
ACTIVITY: Final = QUERY | COMPARE | AS_JSON | {"shape"}
OWN: Final = OWN_QUERY | COMPARE | AS_JSON
SUMMARY: Final = COMMON | COMPARE | AS_JSON


OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]


@router.get("/analytics/activity", openapi_extra=documented(ACTIVITY))
def get_activity(request: Request, actor: OrganizationReader) -> Response:
    """Cost, requests and tokens per step of a period, broken down by one dimension."""
    services = services_of(request)
    params = request.query_params
    check_names(params, ACTIVITY)
    shape = params.get("shape", "breakdown")
    if shape not in SHAPES:
        raise Invalid("`shape` must be breakdown or series.", field="shape")
    default = Compare.PREVIOUS if shape == "series" else Compare.NONE
    query = read_query(params, actor, services.analytics, default_compare=default, levels=2)
    freshness = services.analytics.freshness()
    if shape == "series" and query.group_by is not None:
        comparison = services.analytics.compare(query)
        remembered = remember_slots(
            services.directory, actor.organization_id, query.group_by, comparison.current.entries
        )
        shown = tuple(remembered)
        palette = assign_slots(shown, remembered, [shown])
        return json_answer(request, render_series(query, comparison, palette, freshness))
    return json_answer(request, activity_of(services, query))


def activity_of(services: Services, query: UsageQuery) -> Json:
    """The answer of an activity question, beside an earlier period where it names one."""
    freshness = services.analytics.freshness()
    if query.beside is None:
        return render_activity(query, services.analytics.breakdown(query), freshness)
    comparison = services.analytics.compare(query)
    return render_activity(query, comparison.current, freshness, comparison)


@router.get("/analytics/me", openapi_extra=documented(OWN))
def get_own(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))]
) -> Response:
    """The usage that is put down to whoever asks: totals, and steps as in `activity`."""
    services = services_of(request)
    params = request.query_params
    check_names(params, OWN)
    query = read_own_query(params, actor, services.analytics, levels=2)
    return json_answer(
        request,
        {
            "member": {"memberId": actor.member_id, "name": actor.member_name},
            "summary": _summary(services, query),
            **activity_of(services, query),
        },
    )


@router.get("/analytics/summary", openapi_extra=documented(SUMMARY))
def get_summary(request: Request, actor: OrganizationReader) -> Response:
    """The totals of a period, with latency percentiles."""
    services = services_of(request)
    params = request.query_params
    check_names(params, SUMMARY)
    query = _whole(read_query(params, actor, services.analytics, group_by=None))
    freshness = services.analytics.freshness()
    comparison = services.analytics.compare(query)
    total = comparison.current.total
    meta = render_meta(query, total, freshness)
    summary = render_summary(total, services.analytics.percentiles(query))
    answer: Json = {"summary": summary, "meta": meta}
    if comparison.is_compared:
        part = replace(query, period=comparison.earlier_part)
        percentiles = services.analytics.percentiles(part)
        answer["earlier"] = render_summary(comparison.earlier_total, percentiles)
        meta.update(render_compared(comparison))
    return json_answer(request, answer)


@router.get("/analytics/latency", openapi_extra=documented(COMMON | {"groupBy", "top"}))
def get_latency(request: Request, actor: OrganizationReader) -> Response:
    """Averages and percentiles of latency, in all and by the values of a dimension."""
    services = services_of(request)
    params = request.query_params
    check_names(params, COMMON | {"groupBy", "top"})
    query = read_query(params, actor, services.analytics)
    dimension = query.group_by or Dimension.MODEL
    if dimension is Dimension.KIND:
        raise Invalid(
            "`groupBy=kind` has no latency, because latency belongs to whole requests.",
            field="groupBy",
        )
    freshness = services.analytics.freshness()
    found = services.analytics.latency(query, dimension)
    labels = services.analytics.labels(query.organization_id, dimension)
    query = replace(query, interval=Interval.TOTAL)
    named = [value for value in found.values if value.key][: query.top]
    return json_answer(
        request,
        {
            "groupBy": dimension.value,
            "latency": [
                {
                    "key": value.key,
                    "label": labels.get(value.key, value.key),
                    **render_latency(value.totals, value.quantiles),
                }
                for value in named
            ],
            "unattributed": next(
                (
                    render_latency(value.totals, value.quantiles)
                    for value in found.values
                    if not value.key
                ),
                None,
            ),
            "totals": render_latency(found.total, found.quantiles),
            "valueCount": sum(1 for value in found.values if value.key),
            "meta": render_meta(query, found.total, freshness),
        },
    )


def _whole(query: UsageQuery) -> UsageQuery:
    """All measures of a question without its grouping and steps."""
    return replace(
        query, group_by=None, then_by=None, measures=ALL_MEASURES, interval=Interval.TOTAL
    )


def _summary(services: Services, query: UsageQuery) -> Json:
    """Totals of a question, and the latency."""
    whole = _whole(query)
    total = services.analytics.breakdown(whole).total
    return render_summary(total, services.analytics.percentiles(whole))
