"""`GET /exports/requests`: the log of single requests as a file."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import QUALITY_MEASURES
from outlay.kit.clock import from_us
from outlay.services.reports import MAX_LIMIT, ReportFormat
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.api.exports import FILE, file_answer
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.log_params import LOG, SCHEMAS, read_log_query
from outlay.web.http.params import check_names, read_choice, read_number
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import render_instant, render_meta, render_totals
from outlay.web.http.routes import Router
from outlay.wire.cursors import write_cursor
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table

router = Router(tags=["exports"])

EXPORT: Final = LOG | {"format", "limit"}
LABELLED: Final = (Dimension.PROJECT, Dimension.API_KEY, Dimension.USER)
Labels = Mapping[Dimension, Mapping[str, str]]

COLUMNS: Final = (
    Column("time"),
    Column("eventId"),
    Column("status"),
    Column("httpStatus"),
    Column("errorCode"),
    Column("model"),
    Column("mapping"),
    Column("provider"),
    Column("operation"),
    Column("project"),
    Column("projectLabel"),
    Column("apiKey"),
    Column("apiKeyLabel"),
    Column("user"),
    Column("userLabel"),
    Column("groups"),
    Column("endUser"),
    Column("app"),
    Column("usageSource"),
    Column("inputTokens", ColumnKind.COUNT),
    Column("outputTokens", ColumnKind.COUNT),
    Column("cacheReadInputTokens", ColumnKind.COUNT),
    Column("cacheWriteInputTokens", ColumnKind.COUNT),
    Column("reasoningOutputTokens", ColumnKind.COUNT),
    Column("costSource"),
    Column("cost", ColumnKind.MONEY),
    Column("reportedCost", ColumnKind.MONEY),
    Column("durationUs", ColumnKind.COUNT),
    Column("timeToFirstTokenUs", ColumnKind.COUNT),
    Column("recordedAt"),
)


@router.get(
    "/exports/requests",
    response_class=StreamingResponse,
    responses=FILE,
    openapi_extra=documented(EXPORT, SCHEMAS),
)
def get_request_export(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))]
) -> StreamingResponse:
    """`/requests` of all pages as a file, in its order; for developers their own."""
    services, params = services_of(request), request.query_params
    check_names(params, EXPORT)
    query = read_log_query(params, actor, services.analytics, Interval.TOTAL)
    file_format = read_choice(params, "format", ReportFormat) or ReportFormat.CSV
    limit = read_number(params, "limit", None, most=MAX_LIMIT)
    log = services.request_log
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        plan = log.plan(reader, query)
    total = log.volume(plan).total
    positions, following = log.all_positions(plan, limit or MAX_LIMIT)
    if following is not None and limit is None:
        raise Invalid(
            f"there are more than {MAX_LIMIT:,} requests; narrow the period, or give limit and go "
            "on with the cursor that the answer names",
            code="too-many-rows",
            field="limit",
        )
    labels = {
        dimension: services.analytics.labels(actor.organization_id, dimension)
        for dimension in LABELLED
    }
    written = services.reports.write_table(
        Table(
            columns=COLUMNS,
            rows=_rows(log.read(plan, positions), labels),
            head={"meta": render_meta(query.usage, total, freshness)},
            foot={"totals": render_totals(total, QUALITY_MEASURES)},
        ),
        file_format,
        query.usage.period,
    )
    written = replace(written, following=write_cursor(following) if following else None)
    return file_answer(written, "requests", file_format)


def _rows(entries: Iterator[LoggedEvent], labels: Labels) -> Iterator[list[Cell]]:
    for entry in entries:
        event = entry.event
        named: list[Cell] = []
        for dimension, key in zip(
            LABELLED, (event.project_id, event.api_key_id, event.user_id), strict=True
        ):
            named += [key, labels[dimension].get(key, key)]
        yield [
            render_instant(from_us(event.event_time_us)),
            event.event_id,
            event.status.value,
            "" if event.http_status is None else str(event.http_status),
            event.error_code,
            event.model,
            event.mapping,
            event.provider,
            event.operation,
            *named,
            event.groups,
            event.end_user,
            event.app,
            event.usage_source.value,
            event.input_tokens,
            event.output_tokens,
            event.cache_read_input_tokens,
            event.cache_write_input_tokens,
            event.reasoning_output_tokens,
            event.cost_source.value,
            event.cost_pusd,
            event.reported_cost_pusd,
            event.duration_us,
            event.time_to_first_token_us,
            render_instant(from_us(entry.recorded_at_us)),
        ]
