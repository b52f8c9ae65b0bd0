"""`GET /exports/…`: the same answers as files."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.measure import MEASURES, Unit
from outlay.domain.money import render_usd
from outlay.domain.query import ALL_MEASURES, MAX_TOP
from outlay.domain.result import Breakdown, Totals
from outlay.web.http.auth import reading_actor, services_of
from outlay.web.http.params import QUERY, check_names, read_query

router = APIRouter(tags=["exports"])

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\0", "'")
"""What makes a spreadsheet run a cell; such text gets an apostrophe in front.

The apostrophe itself is on the list, so that taking one away always restores the text.
"""


@router.get("/exports/activity.csv")
def get_activity_csv(
    request: Request, actor: Annotated[Actor, Depends(reading_actor)]
) -> StreamingResponse:
    """`/analytics/activity` as CSV: one row per step and group, exact numbers, then the totals."""
    services = services_of(request)
    services.access.permit_organization_analytics(actor)
    params = request.query_params
    check_names(params, QUERY | {"metric"})
    query = read_query(params, actor, services.analytics)
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
    yield _line(["date", "start", "kind", noun, "label", *_COLUMNS])
    for index, step in enumerate(result.steps):
        for entry in result.entries:
            if index in entry.by_step:
                who = [entry.kind.value, entry.key, entry.label]
                yield _line([step.label, step.start.isoformat(), *who, *_cells(entry.at(index))])
    yield _line(["", "", "total", "", "Total (each request once)", *_cells(result.total)])


_COLUMNS: Final = [*(measure.api_name for measure in MEASURES), "totalTokens"]


def _cells(totals: Totals) -> list[str]:
    cells = [
        render_usd(value) if measure.unit is Unit.PUSD else str(value)
        for measure, value in zip(MEASURES, totals, strict=True)
    ]
    return [*cells, str(totals.total_tokens)]


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([safe_cell(cell) for cell in cells])
    return buffer.getvalue()


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; undone by removing one leading apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
