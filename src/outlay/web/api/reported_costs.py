"""`/api/v1/analytics/reported-costs`, as JSON and as a file: reported and computed costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from msgspec import UNSET
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
from outlay.web.api.files import FILE_ANSWERS, FileParams, file_answer, headers_of_file
from outlay.web.http.answers.files import TableFile
from outlay.web.http.answers.reported_costs import (
    CostComparison,
    CostComparisonTotals,
    KindCosts,
    ModelCosts,
    ProviderCosts,
    ReportedCosts,
)
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.rendering import head_of_file, render_meta, render_money
from outlay.web.http.routes import Router
from outlay.web.http.usage_parameter_kinds import OneDimension
from outlay.web.http.usage_params import STEPS, FilterParams, MoneyParams, UsageParams
from outlay.wire.json_money import Money
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table

router = Router(tags=["analytics"])


@dataclass(frozen=True, kw_only=True)
class ReportedCostParams(UsageParams, MoneyParams, without=STEPS):
    """Reported and computed costs."""


@dataclass(frozen=True, kw_only=True)
class ReportedCostFileParams(FilterParams, FileParams):
    """Reported and computed costs as a file."""

    level: Annotated[
        Dimension,
        OneDimension(
            "A row for each provider, for each model of each provider, or for each kind of usage: "
            "a request is in the row of each of its meters.",
            tuple(LEVELS),
            Dimension.MODEL,
            name="groupBy",
        ),
    ] = Dimension.MODEL


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


@router.get("/analytics/reported-costs")
def get_reported_costs(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[ReportedCostParams, Depends(ReportedCostParams.of)],
) -> ReportedCosts:
    """The sums of reported and computed costs of the same requests, and their difference."""
    services = services_of(request)
    query = replace(asked.query(actor, services.analytics), interval=Interval.TOTAL)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = reported_costs_in(reader, query)
        comparison = services.analytics.compare_in(reader, query)
        earlier = reported_total_in(reader, query, comparison.earlier_part)
    return ReportedCosts(
        providers=[
            ProviderCosts(**_row(Dimension.PROVIDER, row)) for row in found.rows[Dimension.PROVIDER]
        ],
        models=[ModelCosts(**_row(Dimension.MODEL, row)) for row in found.rows[Dimension.MODEL]],
        kinds=[KindCosts(**_row(Dimension.KIND, row)) for row in found.rows[Dimension.KIND]],
        totals=CostComparisonTotals(
            **_fields(found.total),
            earlier=CostComparison(**_fields(earlier)) if comparison.is_compared else UNSET,
        ),
        meta=render_meta(query, found.total.totals, freshness, comparison=comparison),
    )


@router.get(
    "/exports/reported-costs",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
)
def get_reported_costs_file(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[ReportedCostFileParams, Depends(ReportedCostFileParams.of)],
) -> Annotated[Response, TableFile]:
    """The rows of `/api/v1/analytics/reported-costs` as a file, by provider, model or kind of
    usage."""
    services, level = services_of(request), asked.level
    query = replace(asked.query(actor, services.analytics), interval=Interval.TOTAL)
    if is_head(request):
        return headers_of_file("reported-costs", asked, query.period)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        found = reported_costs_in(reader, query)
    names = [column.name for column in NUMBERS]
    written = services.reports.write_table(
        Table(
            columns=[*(Column(dimension.value) for dimension in LEVELS[level]), *NUMBERS],
            rows=_cells(found.rows[level]),
            head=head_of_file(render_meta(query, found.total.totals, freshness)),
            totals=dict(zip(names, _sums(found.total), strict=True)),
        ),
        asked.format,
        query.period,
        asked.style,
    )
    return file_answer(written, "reported-costs", asked)


def _row(level: Dimension, row: PairRow) -> dict[str, Any]:
    named = zip(LEVELS[level], row.keys, strict=True)
    return {**{dimension.value: key or None for dimension, key in named}, **_fields(row.pair)}


def _fields(pair: CostPair) -> dict[str, Any]:
    """The fields of a CostComparison."""
    totals = pair.totals
    return {
        "reported_cost_request_count": totals.reported_cost_requests,
        "reported_cost": Money(totals.reported_cost_pusd),
        "compared_request_count": pair.requests,
        "compared_reported_cost": Money(pair.reported_pusd),
        "computed_cost": Money(pair.computed_pusd),
        "cost_drift": render_money(pair.drift_pusd),
        "drift_share": pair.drift,
        "uncompared_request_count": totals.uncompared_requests,
        "uncompared_reported_cost": Money(totals.uncompared_cost_pusd),
    }


def _cells(rows: Sequence[PairRow]) -> Iterator[list[Cell]]:
    for row in rows:
        sums: list[Cell] = [*_sums(row.pair)]
        sums[4] = row.pair.drift_pusd
        yield [*row.keys, *sums]


def _sums(pair: CostPair) -> tuple[int, ...]:
    """The fields in NUMBERS."""
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
