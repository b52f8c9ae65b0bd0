"""The answer of a preview of a price change."""

from datetime import date

from outlay.domain.money import render_usd
from outlay.services.repricing.preview_job import PreviewSum
from outlay.services.repricing.price_preview import Preview, PreviewRow, PreviewTable
from outlay.web.api.models import Answer


class SumAnswer(Answer):
    """The affected requests, and their cost in USD."""

    request_count: int
    cost_before: str
    cost_after: str
    difference: str


class PricePreviewRow(SumAnswer):
    """The effect on one model or user."""

    value: str
    name: str


class PricePreviewTable(Answer):
    """Rows with the largest difference first."""

    rows: list[PricePreviewRow]
    other_count: int
    others: SumAnswer


class PreviewAnswer(Answer):
    """Last month at the current prices, and as if the change had applied all month."""

    from_date: date
    to_date: date
    timezone: str
    summary: str
    notes: list[str]
    total: SumAnswer
    cost_on_record: str
    unpriced_before: int
    """Requests without a price for all of their usage."""
    unpriced_after: int
    models: PricePreviewTable
    users: PricePreviewTable


def render_preview(preview: Preview) -> PreviewAnswer:
    """The answer for a preview."""
    period, sums = preview.period, preview.sums
    return PreviewAnswer(
        from_date=period.from_date,
        to_date=period.to_date,
        timezone=period.timezone,
        summary=preview.summary,
        notes=preview.notes,
        total=_sum(sums.total),
        cost_on_record=render_usd(sums.recorded_pusd),
        unpriced_before=sums.unpriced_before,
        unpriced_after=sums.unpriced_after,
        models=_table(preview.models),
        users=_table(preview.users),
    )


def _table(table: PreviewTable) -> PricePreviewTable:
    return PricePreviewTable(
        rows=[_row(row) for row in table.rows], other_count=table.others, others=_sum(table.rest)
    )


def _row(row: PreviewRow) -> PricePreviewRow:
    return PricePreviewRow(value=row.value, name=row.name, **_sum(row.sum).model_dump())


def _sum(found: PreviewSum) -> SumAnswer:
    return SumAnswer(
        request_count=found.requests,
        cost_before=render_usd(found.before_pusd),
        cost_after=render_usd(found.after_pusd),
        difference=render_usd(found.difference_pusd),
    )
