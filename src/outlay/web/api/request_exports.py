"""`GET /api/v1/exports/requests`: the log of single requests as a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.measure import MEASURES_BY_NAME
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.kit.clock import from_us
from outlay.services.analytics.exports import MAX_LIMIT
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.api.files import FILE_ANSWERS, FileParams, file_answer, headers_of_file
from outlay.web.http.answers.files import TableFile
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.head import is_head
from outlay.web.http.log_params import LogParams
from outlay.web.http.parameters import Number
from outlay.web.http.rendering import head_of_file, render_instant, render_meta
from outlay.web.http.routes import Router
from outlay.wire.cursors import write_cursor
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table

router = Router(tags=["exports"])

SUMMED_MEASURES: Final = ("input_tokens", "output_tokens", "cost_pusd")
"""Totals of all selected requests in the file."""
LABELLED: Final = (Dimension.PROJECT, Dimension.API_KEY, Dimension.USER)
Labels = Mapping[Dimension, Mapping[str, str]]

COLUMNS: Final = (
    Column("time", ColumnKind.INSTANT),
    Column("eventId"),
    Column("status"),
    Column("httpStatus"),
    Column("errorCode"),
    Column("model"),
    Column("mapping"),
    Column("provider"),
    Column("operation"),
    Column("project", ColumnKind.ID),
    Column("projectLabel"),
    Column("apiKey", ColumnKind.ID),
    Column("apiKeyLabel"),
    Column("user", ColumnKind.ID),
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
    Column("computedCost", ColumnKind.MONEY),
    Column("unpricedParts"),
    Column("unreadCounters"),
    Column("durationUs", ColumnKind.MEAN),
    Column("timeToFirstTokenUs", ColumnKind.MEAN),
    Column("recordedAt", ColumnKind.INSTANT),
)


@dataclass(frozen=True, kw_only=True)
class RequestFileParams(LogParams, FileParams):
    """The log of requests."""

    limit: Annotated[int | None, Number("Maximum number of rows in the file.", 1, MAX_LIMIT)] = None


@router.get(
    "/exports/requests",
    response_class=StreamingResponse,
    responses=FILE_ANSWERS,
)
def get_request_export(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.REQUESTS_READ))],
    asked: Annotated[RequestFileParams, Depends(RequestFileParams.of)],
) -> Annotated[Response, TableFile]:
    """The rows of `/api/v1/requests` on all pages as a file, in its order; for developers, their
    own."""
    services = services_of(request)
    query = asked.log_query(actor, services.analytics, Interval.TOTAL)
    limit = asked.limit
    if is_head(request):
        return headers_of_file("requests", asked, query.usage.period)
    log = services.request_log
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        plan = log.plan(reader, query)
    total = log.volume(plan).total
    positions, following = log.all_positions(plan, limit or MAX_LIMIT)
    if following is not None and limit is None:
        raise Invalid(
            f"The period has more than {MAX_LIMIT:,} requests. Choose a shorter period, or set "
            "`limit` and continue with the returned cursor.",
            code=ErrorCode.TOO_MANY_ROWS,
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
            head=head_of_file(render_meta(query.usage, total, freshness)),
            totals={
                MEASURES_BY_NAME[name].api_name: getattr(total, name) for name in SUMMED_MEASURES
            },
            is_part=following is not None or query.cursor is not None,
        ),
        asked.format,
        query.usage.period,
        asked.style,
    )
    written = replace(written, following=write_cursor(following) if following else None)
    return file_answer(written, "requests", asked)


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
            event.computed_cost_pusd,
            event.unpriced_parts,
            event.unread,
            event.duration_us,
            event.first_token_us,
            render_instant(from_us(entry.recorded_at_us)),
        ]
