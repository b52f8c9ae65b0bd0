"""`/api/v1/analytics/reported-costs`, and the same as a file: reported beside computed costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.services.analytics.reported_costs import (
    LEVELS,
    CostPair,
    PairRow,
    reported_costs_in,
    reported_total_in,
)
from outlay.web.api.exports import (
    FILE,
    FILE_ANSWERS,
    file_answer,
    headers_of_file,
    read_style,
)
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.params import (
    AS_JSON,
    COMMON,
    COMPARE,
    check_names,
    read_dimension,
    read_query,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    json_answer,
    render_compared,
    render_meta,
    render_money,
)
from outlay.web.http.routes import Router
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table

router = Router(tags=["analytics"])

QUESTION: Final = COMMON | COMPARE | AS_JSON
EXPORT: Final = FILE | {"groupBy"}
LEVEL: Final = {
    "groupBy": (
        {"type": "string", "enum": [*LEVELS], "default": Dimension.MODEL},
        "A row for each provider, for each model of each provider, or for each kind of usage: "
        "a request stands in the row of each meter that it has.",
    )
}

OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]

NUMBERS: Final = (
    Column("reportedCostRequestCount", ColumnKind.COUNT),
    Column("comparedRequestCount", ColumnKind.COUNT),
    Column("comparedReportedCost", ColumnKind.MONEY),
    Column("computedCost", ColumnKind.MONEY),
    Column("costDrift", ColumnKind.MONEY),
    Column("uncomparedRequestCount", ColumnKind.COUNT),
    Column("uncomparedReportedCost", ColumnKind.MONEY),
)


@router.get("/analytics/reported-costs", openapi_extra=documented(QUESTION))
def get_reported_costs(request: Request, actor: OrganizationReader) -> Response:
    """The sums of reported and computed costs of the same requests, and how far they are apart."""
    services = services_of(request)
    params = request.query_params
    check_names(params, QUESTION)
    query = read_query(params, actor, services.analytics, group_by=None)
    query = replace(query, interval=Interval.TOTAL)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = reported_costs_in(reader, query)
        comparison = services.analytics.compare_in(reader, query)
        earlier = reported_total_in(reader, query, comparison.earlier_part)
    answer: Json = {
        "providers": [_row(Dimension.PROVIDER, row) for row in found.rows[Dimension.PROVIDER]],
        "models": [_row(Dimension.MODEL, row) for row in found.rows[Dimension.MODEL]],
        "kinds": [_row(Dimension.KIND, row) for row in found.rows[Dimension.KIND]],
        "totals": _pair(found.total),
        "meta": {
            **render_meta(query, found.total.totals, freshness),
            **render_compared(comparison),
        },
    }
    if comparison.is_compared:
        answer["totals"]["earlier"] = _pair(earlier)
    return json_answer(request, answer)


@router.get(
    "/exports/reported-costs",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
    openapi_extra=documented(EXPORT, LEVEL),
)
def get_reported_costs_file(request: Request, actor: OrganizationReader) -> Response:
    """`/api/v1/analytics/reported-costs` as a file, by provider or by model."""
    services, params = services_of(request), request.query_params
    check_names(params, EXPORT)
    level = read_dimension(params, LEVELS, Dimension.MODEL)
    query = read_query(params, actor, services.analytics, group_by=None)
    query = replace(query, interval=Interval.TOTAL)
    file_format, style = read_style(params)
    if is_head(request):
        return headers_of_file("reported-costs", file_format, query.period)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = reported_costs_in(reader, query)
    names = [column.name for column in NUMBERS]
    written = services.reports.write_table(
        Table(
            columns=[*(Column(dimension.value) for dimension in LEVELS[level]), *NUMBERS],
            rows=_cells(found.rows[level]),
            head={"meta": render_meta(query, found.total.totals, freshness)},
            totals=dict(zip(names, _sums(found.total), strict=True)),
        ),
        file_format,
        query.period,
        style,
    )
    return file_answer(written, "reported-costs", file_format, style)


def _row(level: Dimension, row: PairRow) -> Json:
    named = zip(LEVELS[level], row.keys, strict=True)
    return {**{dimension.value: key or None for dimension, key in named}, **_pair(row.pair)}


def _pair(pair: CostPair) -> Json:
    totals = pair.totals
    return {
        "reportedCostRequestCount": totals.reported_cost_requests,
        "reportedCost": render_money(totals.reported_cost_pusd),
        "comparedRequestCount": pair.requests,
        "comparedReportedCost": render_money(pair.reported_pusd),
        "computedCost": render_money(pair.computed_pusd),
        "costDrift": None if pair.drift_pusd is None else render_money(pair.drift_pusd),
        "driftShare": pair.drift,
        "uncomparedRequestCount": totals.uncompared_requests,
        "uncomparedReportedCost": render_money(totals.uncompared_cost_pusd),
    }


def _cells(rows: Sequence[PairRow]) -> Iterator[list[Cell]]:
    for row in rows:
        sums: list[Cell] = [*_sums(row.pair)]
        sums[4] = row.pair.drift_pusd
        yield [*row.keys, *sums]


def _sums(pair: CostPair) -> tuple[int, ...]:
    """The numbers of NUMBERS."""
    totals = pair.totals
    return (
        totals.reported_cost_requests,
        pair.requests,
        pair.reported_pusd,
        pair.computed_pusd,
        pair.drift_pusd or 0,
        totals.uncompared_requests,
        totals.uncompared_cost_pusd,
    )
