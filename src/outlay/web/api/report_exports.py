"""`GET /api/v1/exports/report` and `/users`: files with a digest, in several formats."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from fastapi import Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from typing_extensions import override

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.dimension import OF_CELLS, Grouping
from outlay.domain.errors import Invalid
from outlay.domain.measure import MEASURES, MEASURES_BY_NAME
from outlay.domain.organization import Member
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import CORE_MEASURES, LATENCY_MEASURES, QUALITY_MEASURES, UsageQuery
from outlay.services.analytics.exports import MAX_LIMIT, TOTAL_TOKENS, Report
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.usage_tables import UsageRow
from outlay.web.api.files import FILE_ANSWERS, FileParams, file_answer, headers_of_file
from outlay.web.http.answers.files import TableFile
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.parameters import Number, Parameter, Schema, Text
from outlay.web.http.query_strings import read_text
from outlay.web.http.rendering import head_of_file, render_meta
from outlay.web.http.routes import Router
from outlay.web.http.usage_parameter_kinds import Bucket, Groupings
from outlay.web.http.usage_params import COMPARISON, FilterParams, UsageParams, UserViewParams
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table

router = Router(tags=["exports"])

METRICS: Final = {**{m.api_name: m.name for m in MEASURES}, "totalTokens": TOTAL_TOKENS}
"""Measures by their names in JSON."""


@dataclass(frozen=True)
class Metrics(Parameter):
    """Measures by their names in JSON."""

    @override
    def read(self, params: QueryParams) -> tuple[str, ...] | None:
        text = read_text(params, self.name)
        if text is None:
            return None
        names = []
        for part in text.split(","):
            if part not in METRICS:
                raise Invalid(
                    f"`{self.name}` must be any of {', '.join(METRICS)}, not {part[:40]!r}.",
                    field=self.name,
                )
            names.append(METRICS[part])
        if len(set(names)) != len(names):
            raise Invalid(f"`{self.name}` must name each metric once.", field=self.name)
        return tuple(names)

    @override
    def schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class ReportParams(UsageParams, FileParams, without=(*COMPARISON, "top", "rank_by")):
    """A report: any combination of dimensions and measures."""

    group_by: Annotated[
        tuple[Grouping, ...],
        Groupings(
            f"Any number of {', '.join(OF_CELLS)}, separated by commas; none by default. "
            "`tag:team` is the dimension of a registered tag."
        ),
    ] = ()
    bucket: Annotated[
        Interval | Literal["auto"] | None,
        Bucket("The length of a step; without it, each row sums the whole period."),
    ] = None
    metrics: Annotated[
        tuple[str, ...], Metrics("Measures by their names in JSON, separated by commas.")
    ] = (*CORE_MEASURES, TOTAL_TOKENS)
    limit: Annotated[int | None, Number("Maximum number of rows per file.", 1, MAX_LIMIT)] = None
    cursor: Annotated[str | None, Text("`Outlay-Next-Cursor` of the previous file.")] = None


@dataclass(frozen=True, kw_only=True)
class UserFileParams(UserViewParams, FilterParams, FileParams, without=("page", "page_size")):
    """The table of users."""


@router.get(
    "/exports/report",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
)
def get_report(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))],
    asked: Annotated[ReportParams, Depends(ReportParams.of)],
) -> Annotated[Response, TableFile]:
    """Any combination of dimensions and measures, as a file with a digest of its rows."""
    services = services_of(request)
    period = asked.period(actor, services.analytics)
    report = Report(
        organization_id=actor.organization_id,
        period=period,
        interval=asked.interval(period) if asked.bucket else Interval.TOTAL,
        group_by=asked.group_by,
        measures=asked.metrics,
        filters=asked.filters(),
        limit=asked.limit,
        cursor=asked.cursor,
    )
    if is_head(request):
        return headers_of_file("report", asked, services.reports.check(report))
    freshness = services.analytics.freshness()

    def describe(whole: UsageQuery, total: Totals) -> dict[str, Any]:
        group_by = [dimension.value for dimension in report.group_by]
        return head_of_file(render_meta(whole, total, freshness), group_by)

    written = services.reports.write(report, asked.format, describe, asked.style)
    return file_answer(written, "report", asked)


@router.get(
    "/exports/users",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
)
def get_users(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))],
    asked: Annotated[UserFileParams, Depends(UserFileParams.of)],
) -> Annotated[Response, TableFile]:
    """The rows of `/api/v1/analytics/users` on all pages as a file, in its order; if there are
    `selected` users, only those.
    """
    services = services_of(request)
    query = asked.query(actor, services.analytics)
    query = replace(query, interval=Interval.TOTAL, measures=(*QUALITY_MEASURES, *LATENCY_MEASURES))
    view = asked.view()
    if is_head(request):
        return headers_of_file("users", asked, query.period)
    freshness = services.analytics.freshness()
    table = services.usage_tables.all_users(query, view)
    written = services.reports.write_table(
        Table(
            columns=list(_USER_COLUMNS),
            rows=(_user_cells(row) for row in table.rows),
            head=head_of_file(render_meta(query, table.total, freshness), ["user"]),
            totals={
                MEASURES_BY_NAME[name].api_name: getattr(table.total, name)
                for name in _USER_MEASURES
            },
            is_part=bool(view.selected),
        ),
        asked.format,
        query.period,
        asked.style,
    )
    return file_answer(written, "users", asked)


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
