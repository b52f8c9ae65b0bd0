"""`GET /exports/…`: the same answers as files."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.measure import MEASURES, Unit
from outlay.domain.money import render_usd
from outlay.domain.policy import Permission
from outlay.domain.query import ALL_MEASURES, MAX_TOP, UsageQuery
from outlay.domain.result import Breakdown, Totals
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.csv import render_line
from outlay.web.http.params import (
    OWN_QUERY,
    QUERY,
    check_names,
    read_own_query,
    read_query,
)
from outlay.web.http.query_parameters import documented

router = APIRouter(tags=["exports"])


_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "/exports/activity.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(QUERY | {"metric"}),
)
def get_activity_csv(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]
) -> StreamingResponse:
    """`/analytics/activity` as CSV: one row per step and group, exact numbers, then the totals."""
    params = request.query_params
    check_names(params, QUERY | {"metric"})
    return _export(request, read_query(params, actor, services_of(request).analytics))


@router.get(
    "/exports/me.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(OWN_QUERY | {"metric"}),
)
def get_own_csv(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))]
) -> StreamingResponse:
    """`/analytics/me` as CSV."""
    params = request.query_params
    check_names(params, OWN_QUERY | {"metric"})
    return _export(request, read_own_query(params, actor, services_of(request).analytics))


def _export(request: Request, query: UsageQuery) -> StreamingResponse:
    services, params = services_of(request), request.query_params
    query = replace(query, measures=ALL_MEASURES, top=query.top if "top" in params else MAX_TOP)
    result = services.analytics.breakdown(query)
    name = f"usage-{query.period.from_date}-{query.period.to_date}.csv"
    return StreamingResponse(
        _lines(result),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(result: Breakdown) -> Iterator[str]:
    noun = result.group_by.value if result.group_by else "total"
    yield render_line(["date", "start", "kind", noun, "label", *_COLUMNS])
    for index, step in enumerate(result.steps):
        for entry in result.entries:
            if index in entry.by_step:
                who = [entry.kind.value, entry.key, entry.label]
                yield render_line(
                    [step.label, step.start.isoformat(), *who, *_cells(entry.at(index))]
                )
    yield render_line(["", "", "total", "", "Total (each request once)", *_cells(result.total)])


_COLUMNS: Final = [*(measure.api_name for measure in MEASURES), "totalTokens"]


def _cells(totals: Totals) -> list[str]:
    cells = [
        render_usd(value) if measure.unit is Unit.PUSD else str(value)
        for measure, value in zip(MEASURES, totals, strict=True)
    ]
    return [*cells, str(totals.total_tokens)]
