"""Results of questions as answers: shared by endpoints, files and pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from outlay.domain.answers import ZERO, Breakdown, Comparison, EntryKind, Totals
from outlay.domain.answers import Entry as ResultEntry
from outlay.domain.dimension import Dimension
from outlay.domain.freshness import Freshness
from outlay.domain.kind import KindEntry
from outlay.domain.period import Period, Step, bucket_start
from outlay.domain.query import UsageQuery
from outlay.web.http.answers.activity import (
    ActivitySeries,
    ActivityStep,
    ActivityTotals,
    Columns,
    EarlierSeries,
    EarlierStep,
    Entry,
    SeriesEntry,
)
from outlay.web.http.answers.measures import (
    CoreTotals,
    RankedTotals,
    Summary,
    latency_fields,
    measured,
)
from outlay.web.http.answers.periods import EarlierPeriod, Meta, PeriodAnswer, Point, Window
from outlay.wire.json_money import Money, MoneyStyle, dump_json


def json_answer(value: object, style: MoneyStyle = MoneyStyle.NUMBER) -> Response:
    """A JSON response, its amounts in one style."""
    return Response(dump_json(value, style), media_type="application/json")


def render_instant(instant: datetime) -> str:
    """RFC 3339 in UTC, `2026-11-20T09:30:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def render_instant_if_any(instant: datetime | None) -> str | None:
    """An instant that may be unknown."""
    return None if instant is None else render_instant(instant)


def render_money(pusd: int | None) -> Money | None:
    """An amount that may be unknown."""
    return None if pusd is None else Money(pusd)


def render_summary(totals: Totals, quantiles: Mapping[float, float | None]) -> Summary:
    """All measures, and latency."""
    return measured(Summary, totals, **latency_fields(totals, quantiles))


def render_meta(
    query: UsageQuery,
    total: Totals,
    freshness: Freshness,
    *,
    entries: Sequence[ResultEntry] = (),
    comparison: Comparison | None = None,
    groups_overlap: bool | None = None,
) -> Meta:
    """The metadata of every answer; `groups_overlap` overrides that of the question."""
    verified = freshness.verified
    compared = comparison if comparison and comparison.is_compared else None
    through = render_instant(freshness.data_through)
    return Meta(
        **period_fields(query.period),
        interval=query.interval,
        currency="USD",
        as_of=through,
        data_through=through,
        unpriced_request_count=total.unpriced_requests,
        partly_priced_request_count=total.partly_priced_requests,
        estimated_request_count=total.estimated_requests,
        unknown_usage_request_count=total.unknown_usage_requests,
        reconciled=verified.state,
        reconciled_at=render_instant_if_any(verified.at),
        groups_overlap=(
            query.group_by is Dimension.GROUP if groups_overlap is None else groups_overlap
        ),
        truncated=any(entry.kind is EntryKind.OTHER for entry in entries),
        earlier=_earlier_period(compared) if compared else UNSET,
        earlier_part=render_period(compared.earlier_part) if compared else UNSET,
    )


def head_of_file(meta: Meta, group_by: Sequence[str] | None = None) -> dict[str, Any]:
    """The metadata of a file: an object in JSON, a list of names in other formats."""
    grouped = {} if group_by is None else {"groupBy": [*group_by]}
    return {**grouped, "meta": msgspec.to_builtins(meta)}


def render_period(period: Period) -> PeriodAnswer:
    """A period as local dates and as instants, the end exclusive."""
    return PeriodAnswer(**period_fields(period))


def period_fields(period: Period) -> dict[str, Any]:
    """The fields of a PeriodAnswer, for answers with further fields."""
    return {
        "preset": period.preset,
        "from_date": period.from_date.isoformat(),
        "to_date": period.to_date.isoformat(),
        "start": render_instant(period.start),
        "end": render_instant(period.end),
        "timezone": period.timezone,
    }


def _earlier_period(comparison: Comparison) -> EarlierPeriod:
    return EarlierPeriod(
        **period_fields(comparison.earlier_period),
        compare=comparison.compare,
        first_record=render_instant_if_any(comparison.first_event),
        on_record=comparison.on_record,
    )


def activity_fields(
    query: UsageQuery,
    result: Breakdown,
    freshness: Freshness,
    comparison: Comparison | None = None,
) -> dict[str, Any]:
    """The fields of a UsageActivity: one item per step, each with its breakdown.

    With a comparison, every item, the totals and their entries have `earlier`.
    """
    levels = (result.group_by, query.then_by)
    return {
        "group_by": ",".join(level.value for level in levels if level) or None,
        "activity": [
            measured(
                ActivityStep,
                result.at(index),
                **_point_fields(step, freshness),
                breakdown=[
                    render_entry(entry, index) for entry in result.entries if index in entry.by_step
                ],
                earlier=_earlier_step(comparison, index),
            )
            for index, step in enumerate(result.steps)
        ],
        "totals": measured(
            ActivityTotals,
            result.total,
            breakdown=[
                render_entry(entry, earlier=_earlier_entry(comparison, entry))
                for entry in result.entries
            ],
            earlier=measured(CoreTotals, comparison.earlier_total) if comparison else UNSET,
        ),
        "meta": render_meta(
            query, result.total, freshness, entries=result.entries, comparison=comparison
        ),
    }


def _earlier_step(comparison: Comparison | None, index: int) -> EarlierStep | UnsetType | None:
    if comparison is None:
        return UNSET
    steps = comparison.earlier_steps
    if index >= len(steps):
        return None
    when = _window_fields(comparison.earlier_windows[index])
    return measured(EarlierStep, steps[index], **when)


def _earlier_entry(comparison: Comparison | None, entry: ResultEntry) -> CoreTotals | UnsetType:
    if comparison is None:
        return UNSET
    return measured(CoreTotals, comparison.earlier_entries.get(entry.key, ZERO))


def render_entry(
    entry: ResultEntry, step: int | None = None, earlier: CoreTotals | UnsetType = UNSET
) -> Entry:
    """One group, in a step or over the whole period: its identity and main measures."""
    return measured(
        Entry,
        entry.total if step is None else entry.at(step),
        **entry_fields(entry, step),
        earlier=earlier,
    )


def entry_fields(entry: ResultEntry, step: int | None = None) -> dict[str, Any]:
    """The fields of an Entry that are not measures, or that differ from the measures."""
    fields: dict[str, Any] = {"key": entry.key, "label": entry.label, "kind": entry.kind}
    if entry.kind is EntryKind.OTHER:
        fields["member_count"] = entry.members
    if isinstance(entry, KindEntry):
        quantity = entry.quantity if step is None else entry.quantities.get(step, 0)
        fields.update(dict.fromkeys(_OF_REQUESTS))
        fields.update(quantity=quantity if entry.unit else None, unit=entry.unit)
    if entry.parts:
        fields["breakdown"] = [
            render_entry(part, step) for part in entry.parts if step is None or step in part.by_step
        ]
    return fields


_OF_REQUESTS = ("request_count", "error_count", "client_error_count", "error_rate")
"""Fields that a kind of usage does not have: a request counts once, whatever its kinds."""


def render_series(
    query: UsageQuery,
    comparison: Comparison,
    palette: Mapping[str, int],
    freshness: Freshness,
) -> ActivitySeries:
    """The answer as series over the steps, for charts: a tenth of the size of the items."""
    result = comparison.current
    indexes = range(len(result.steps))
    return ActivitySeries(
        group_by=result.group_by and result.group_by.value,
        interval=query.interval,
        points=render_points(result, freshness),
        series=[
            SeriesEntry(
                key=entry.key,
                label=entry.label,
                kind=entry.kind,
                slot=palette.get(entry.key),
                member_count=entry.members,
                **_columns([entry.at(index) for index in indexes]),
                total=measured(RankedTotals, entry.total),
                earlier=measured(RankedTotals, comparison.earlier_entries.get(entry.key, ZERO)),
            )
            for entry in result.entries
        ],
        steps=Columns(**_columns([result.at(index) for index in indexes])),
        earlier=EarlierSeries(
            **_columns(comparison.earlier_steps),
            points=[Window(**_window_fields(step)) for step in comparison.earlier_windows],
            total=measured(RankedTotals, comparison.earlier_total),
        ),
        total=measured(RankedTotals, result.total),
        meta=render_meta(
            query, result.total, freshness, entries=result.entries, comparison=comparison
        ),
    )


def render_points(result: Breakdown, freshness: Freshness) -> list[Point]:
    """The time of each step, and whether its numbers can still grow."""
    return [Point(**_point_fields(step, freshness)) for step in result.steps]


def _point_fields(step: Step, freshness: Freshness) -> dict[str, Any]:
    through = freshness.data_through
    return {
        **_window_fields(step),
        "incomplete": through < bucket_start(step.end_bucket),
        "pending": through < step.start,
        "partial": step.is_cut,
    }


def _window_fields(step: Step) -> dict[str, str]:
    end = bucket_start(step.end_bucket).astimezone(step.start.tzinfo)
    return {"date": step.label, "start": step.start.isoformat(), "end": end.isoformat()}


def _columns(steps: Sequence[Totals]) -> dict[str, Any]:
    return {
        "cost": [Money(totals.cost_pusd) for totals in steps],
        "request_count": [totals.requests for totals in steps],
        "total_tokens": [totals.total_tokens for totals in steps],
    }
