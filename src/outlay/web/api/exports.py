"""`GET /api/v1/exports/…`: the same answers as files."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Annotated, Any, Final

from fastapi import Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.kind import KindEntry
from outlay.domain.measure import MEASURES, MEASURES_BY_NAME, Unit
from outlay.domain.money import render_usd
from outlay.domain.organization import Member
from outlay.domain.period import Interval, Period, Preset
from outlay.domain.policy import Permission
from outlay.domain.query import (
    ALL_MEASURES,
    CORE_MEASURES,
    LATENCY_MEASURES,
    MAX_TOP,
    QUALITY_MEASURES,
    UsageQuery,
)
from outlay.services.analytics.exports import (
    MAX_LIMIT,
    TOTAL_TOKENS,
    Report,
    ReportFile,
    ReportFormat,
)
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.own_usage import own_keys_only
from outlay.services.analytics.usage_tables import UsageRow
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.params import (
    AS_JSON,
    COMMON,
    OWN_QUERY,
    QUERY,
    check_names,
    read_choice,
    read_filters,
    read_group_by,
    read_interval,
    read_number,
    read_own_query,
    read_period,
    read_query,
    read_text,
    read_user_view,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import Json, render_meta
from outlay.web.http.routes import Router
from outlay.wire.json_money import MoneyStyle, dump_json
from outlay.wire.tables.csv_text import render_line
from outlay.wire.tables.table import Cell, Column, ColumnKind, FileStyle, Table

router = Router(tags=["exports"])


FILE: Final = COMMON | AS_JSON | {"format", "trailer"}
REPORT: Final = FILE | {"groupBy", "bucket", "metrics", "limit", "cursor"}
USERS: Final = FILE | {"sort", "order", "search", "selected"}
NO_RANGES: Final = {"Accept-Ranges": "none"}
"""Tools that ask with HEAD whether they may read a file piece by piece then read it whole."""
FILE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A file. `Repr-Digest` is that of the whole file (RFC 9530), "
        "`Outlay-Next-Cursor` the cursor of the next page and, with `trailer=none`, "
        "`Outlay-Trailer` the trailer as JSON.",
        "content": {kind.media_type.partition(";")[0]: {} for kind in ReportFormat},
    }
}
"""What the OpenAPI description says of such answers."""
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "/exports/activity.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(QUERY),
)
def get_activity_csv(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """`/analytics/activity` as CSV: one row per step and group, exact numbers, then the totals."""
    return _export(request, _read(request, actor))


@router.get(
    "/exports/me.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(OWN_QUERY),
)
def get_own_csv(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))]
) -> Response:
    """`/api/v1/analytics/me` as CSV."""
    params = request.query_params
    check_names(params, OWN_QUERY)
    return _export(request, read_own_query(params, actor, services_of(request).analytics))


@router.get(
    "/exports/projects/{project_id}.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(QUERY),
)
def get_project_csv(
    request: Request,
    project_id: str,
    actor: Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))],
) -> Response:
    """The usage of one project as CSV; for developers that of their own API keys in it."""
    services = services_of(request)
    project = services.usage_tables.project(actor, project_id)
    query = _read(request, actor).only(Dimension.PROJECT, project.project_id)
    return _export(request, own_keys_only(actor, query, Permission.PROJECT_USAGE))


@router.get(
    "/exports/keys/{api_key_id}.csv",
    response_class=StreamingResponse,
    responses=_CSV,
    openapi_extra=documented(QUERY),
)
def get_key_csv(
    request: Request,
    api_key_id: str,
    actor: Annotated[Actor, Depends(Requires(Permission.KEY_USAGE))],
) -> Response:
    """The usage of one API key as CSV; for developers one of their own."""
    key = services_of(request).usage_tables.key(actor, api_key_id)
    return _export(request, _read(request, actor).only(Dimension.API_KEY, key.api_key_id))


@router.get(
    "/exports/report",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
    openapi_extra=documented(REPORT),
)
def get_report(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Any combination of dimensions and measures, as a file that proves itself complete."""
    services, params = services_of(request), request.query_params
    check_names(params, REPORT)
    period = read_period(params, actor, services.analytics, Preset.LAST_30_DAYS)
    file_format, style = read_style(params)
    report = Report(
        organization_id=actor.organization_id,
        period=period,
        interval=read_interval(params, period) if read_text(params, "bucket") else Interval.TOTAL,
        group_by=read_group_by(params),
        measures=_metrics(read_text(params, "metrics")),
        filters=read_filters(params),
        limit=read_number(params, "limit", None, most=MAX_LIMIT),
        cursor=read_text(params, "cursor"),
    )
    if is_head(request):
        return headers_of_file("report", file_format, services.reports.check(report))
    freshness = services.analytics.freshness()

    def describe(whole: UsageQuery, total: Totals) -> Json:
        return {
            "groupBy": [dimension.value for dimension in report.group_by],
            "meta": render_meta(whole, total, freshness),
        }

    written = services.reports.write(report, file_format, describe, style)
    return file_answer(written, "report", file_format, style)


@router.get(
    "/exports/users",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
    openapi_extra=documented(USERS),
)
def get_users(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """`/analytics/users` of all pages as a file, in its order; of those `selected`, if any are."""
    services, params = services_of(request), request.query_params
    check_names(params, USERS)
    query = read_query(params, actor, services.analytics, group_by=None)
    query = replace(query, interval=Interval.TOTAL, measures=(*QUALITY_MEASURES, *LATENCY_MEASURES))
    file_format, style = read_style(params)
    view = read_user_view(params)
    if is_head(request):
        return headers_of_file("users", file_format, query.period)
    freshness = services.analytics.freshness()
    table = services.usage_tables.all_users(query, view)
    written = services.reports.write_table(
        Table(
            columns=list(_USER_COLUMNS),
            rows=(_user_cells(row) for row in table.rows),
            head={"groupBy": ["user"], "meta": render_meta(query, table.total, freshness)},
            totals={
                MEASURES_BY_NAME[name].api_name: getattr(table.total, name)
                for name in _USER_MEASURES
            },
            is_part=bool(view.selected),
        ),
        file_format,
        query.period,
        style,
    )
    return file_answer(written, "users", file_format, style)


_USER_MEASURES: Final = (
    "input_tokens",
    "output_tokens",
    "cost_pusd",
    "requests",
    "errors",
    "client_errors",
)
_USER_COLUMNS: Final = (
    Column("user", ColumnKind.ID),
    Column("userLabel"),
    Column("email"),
    Column("inputTokens", ColumnKind.COUNT),
    Column("outputTokens", ColumnKind.COUNT),
    Column("cost", ColumnKind.MONEY),
    Column("requestCount", ColumnKind.COUNT),
    Column("errorCount", ColumnKind.COUNT),
    Column("clientErrorCount", ColumnKind.COUNT),
    Column("averageLatencyUs", ColumnKind.MEAN),
)


def _user_cells(row: UsageRow[Member]) -> list[Cell]:
    member, mean = row.thing, row.totals.average_latency_us
    return [
        row.key,
        mark_deleted(row.name, member) if member else row.name,
        member.email if member and not member.is_deleted else "",
        *(getattr(row.totals, name) for name in _USER_MEASURES),
        None if mean is None else round(mean),
    ]


def read_style(params: QueryParams) -> tuple[ReportFormat, FileStyle]:
    """What a file is written as."""
    file_format = read_choice(params, "format", ReportFormat) or ReportFormat.CSV
    trailer = read_text(params, "trailer") or "last"
    if trailer not in {"last", "none"}:
        raise Invalid("`trailer` must be last or none.", field="trailer")
    return file_format, FileStyle(
        money=read_choice(params, "money", MoneyStyle) or MoneyStyle.NUMBER,
        has_trailer=trailer == "last",
    )


def _file_headers(what: str, file_format: ReportFormat, period: Period) -> dict[str, str]:
    """What is known of a file before it is written."""
    name = f"outlay-{what}-{period.from_date}-{period.to_date}.{file_format}"
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        **NO_RANGES,
    }


def headers_of_file(what: str, file_format: ReportFormat, period: Period) -> Response:
    """The answer to HEAD: of a question that was checked, without the work of a file."""
    return Response(
        headers=_file_headers(what, file_format, period), media_type=file_format.media_type
    )


def file_answer(
    written: ReportFile, what: str, file_format: ReportFormat, style: FileStyle
) -> StreamingResponse:
    """A written table as a download."""
    headers = {
        **_file_headers(what, file_format, written.period),
        "Content-Length": str(written.size),
        # The digest is of what is sent: it must not be compressed on the way.
        "Content-Encoding": "identity",
        "Repr-Digest": f"sha-256=:{b64encode(written.digest).decode()}:",
        "Outlay-Row-Count": str(written.trailer["rowCount"]),
        "Outlay-Rows-Sha256": str(written.trailer["sha256"]),
    }
    if written.following:
        headers["Outlay-Next-Cursor"] = written.following
    if not style.has_trailer:
        headers["Outlay-Trailer"] = dump_json(written.trailer, style.money).decode()
    return StreamingResponse(
        _pieces(written.file), media_type=file_format.media_type, headers=headers
    )


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(1 << 16):
            yield piece


def _metrics(text: str | None) -> tuple[str, ...]:
    if text is None:
        return (*CORE_MEASURES, TOTAL_TOKENS)
    names = []
    for part in text.split(","):
        if part not in METRICS:
            raise Invalid(
                f"There is no metric {part[:40]!r}. Available: {', '.join(METRICS)}.",
                field="metrics",
            )
        names.append(METRICS[part])
    if len(set(names)) != len(names):
        raise Invalid("Each metric can be given only once.", field="metrics")
    return tuple(names)


METRICS: Final = {**{m.api_name: m.name for m in MEASURES}, "totalTokens": TOTAL_TOKENS}
"""Names in JSON → names of measures."""


def _read(request: Request, actor: Actor) -> UsageQuery:
    check_names(request.query_params, QUERY)
    return read_query(request.query_params, actor, services_of(request).analytics)


def _export(request: Request, query: UsageQuery) -> Response:
    services, params = services_of(request), request.query_params
    query = replace(query, measures=ALL_MEASURES, top=query.top if "top" in params else MAX_TOP)
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
    """Kinds of usage have quantities; requests have several of them each and count in all alone."""
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
