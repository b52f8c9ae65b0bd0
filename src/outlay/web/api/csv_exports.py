"""`GET /api/v1/exports/….csv`: breakdowns over time as CSV."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.ids import ApiKeyId, ProjectId
from outlay.domain.kind import KindEntry
from outlay.domain.measure import MEASURES, Unit
from outlay.domain.money import render_usd
from outlay.domain.policy import Permission
from outlay.domain.query import ALL_MEASURES, MAX_TOP, UsageQuery
from outlay.services.analytics.exports import ReportFormat
from outlay.services.analytics.own_usage import own_keys_only, own_usage_only
from outlay.web.api.files import NO_RANGES
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import BreakdownParams, OwnBreakdownParams
from outlay.wire.tables.csv_text import render_line

router = Router(tags=["exports"])

Asked = Annotated[BreakdownParams, Depends(BreakdownParams.of)]
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "/exports/activity.csv",
    response_class=StreamingResponse,
    responses=_CSV,
)
def get_activity_csv(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))],
    asked: Asked,
) -> Response:
    """`/api/v1/analytics/activity` as CSV: one row per step and group, exact numbers,
    then the totals.
    """
    return _export(request, _read(request, actor, asked), asked)


@router.get(
    "/exports/me.csv",
    response_class=StreamingResponse,
    responses=_CSV,
)
def get_own_csv(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))],
    asked: Annotated[OwnBreakdownParams, Depends(OwnBreakdownParams.of)],
) -> Response:
    """`/api/v1/analytics/me` as CSV."""
    return _export(request, own_usage_only(actor, _read(request, actor, asked)), asked)


@router.get(
    "/exports/projects/{project_id}.csv",
    response_class=StreamingResponse,
    responses=_CSV,
)
def get_project_csv(
    request: Request,
    project_id: ProjectId,
    actor: Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))],
    asked: Asked,
) -> Response:
    """The usage of one project as CSV; for developers, the usage of their own API keys in it."""
    services = services_of(request)
    project = services.usage_tables.project(actor, project_id)
    query = _read(request, actor, asked).only(Dimension.PROJECT, project.project_id)
    return _export(request, own_keys_only(actor, query, Permission.PROJECT_USAGE), asked)


@router.get(
    "/exports/keys/{api_key_id}.csv",
    response_class=StreamingResponse,
    responses=_CSV,
)
def get_key_csv(
    request: Request,
    api_key_id: ApiKeyId,
    actor: Annotated[Actor, Depends(Requires(Permission.KEY_USAGE))],
    asked: Asked,
) -> Response:
    """The usage of one API key as CSV; for developers, one of their own."""
    key = services_of(request).usage_tables.key(actor, api_key_id)
    query = _read(request, actor, asked).only(Dimension.API_KEY, key.api_key_id)
    return _export(request, query, asked)


def _read(request: Request, actor: Actor, asked: BreakdownParams) -> UsageQuery:
    return asked.query(actor, services_of(request).analytics, group_by=Dimension.MODEL)


def _export(request: Request, query: UsageQuery, asked: BreakdownParams) -> Response:
    services = services_of(request)
    query = replace(query, measures=ALL_MEASURES, top=asked.top or MAX_TOP)
    name = f"usage-{query.period.from_date}-{query.period.to_date}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        **NO_RANGES,
    }
    if is_head(request):
        return Response(headers=headers, media_type=ReportFormat.CSV.media_type)
    result = services.analytics.breakdown(query)
    lines = _lines_of_kinds(result) if result.group_by is Dimension.KIND else _lines(result)
    return StreamingResponse(lines, media_type=ReportFormat.CSV.media_type, headers=headers)


def _lines(result: Breakdown) -> Iterator[str]:
    noun = result.group_by.value if result.group_by else "total"
    yield render_line(["date", "start", "kind", noun, "label", *_COLUMNS, "partial"])
    for index, step in enumerate(result.steps):
        for entry in result.entries:
            if index in entry.by_step:
                who = [entry.kind.value, entry.key, entry.label]
                yield render_line(
                    [
                        step.label,
                        step.start.isoformat(),
                        *who,
                        *_cells(entry.at(index)),
                        str(step.is_cut).lower(),
                    ]
                )
    yield render_line(["", "", "total", "", "Total (each request once)", *_cells(result.total), ""])


def _lines_of_kinds(result: Breakdown) -> Iterator[str]:
    """Kinds of usage have quantities; a request has several kinds and counts in each of them."""
    yield render_line(
        ["date", "start", "kind", "kindOfUsage", "label", "quantity", "unit", *_KIND_COLUMNS]
    )
    for index, step in enumerate(result.steps):
        for entry in result.entries:
            if index in entry.by_step and isinstance(entry, KindEntry):
                has_unit = entry.unit is not None
                yield render_line(
                    [
                        step.label,
                        step.start.isoformat(),
                        entry.kind.value,
                        entry.key,
                        entry.label,
                        str(entry.quantities.get(index, 0)) if has_unit else "",
                        entry.unit.value if entry.unit else "",
                        *_kind_cells(entry.at(index)),
                        "",
                        str(step.is_cut).lower(),
                    ]
                )
    total = result.total
    what = ["total", "", "Total (each request once)", "", ""]
    yield render_line(["", "", *what, *_kind_cells(total), str(total.requests), ""])


_KIND_COLUMNS: Final = [
    "cost",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "requestCount",
    "partial",
]


def _kind_cells(totals: Totals) -> list[str]:
    counts = (totals.input_tokens, totals.output_tokens, totals.total_tokens)
    return [render_usd(totals.cost_pusd), *map(str, counts)]


_COLUMNS: Final = [*(measure.api_name for measure in MEASURES), "totalTokens"]


def _cells(totals: Totals) -> list[str]:
    cells = [
        render_usd(value) if measure.unit is Unit.PUSD else str(value)
        for measure, value in zip(MEASURES, totals, strict=True)
    ]
    return [*cells, str(totals.total_tokens)]
