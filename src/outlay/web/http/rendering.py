"""Results as JSON: exact money, instants as RFC 3339, names in camelCase.

Answers are built with `render_money` and written by `json_answer`, which reads whether amounts are
to stand in them as numbers or as text.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.answers import ZERO, Breakdown, Comparison, Entry, EntryKind, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.freshness import Freshness
from outlay.domain.kind import KindEntry
from outlay.domain.measure import MEASURES_BY_NAME, Rank, Unit
from outlay.domain.period import Period, Step, bucket_start
from outlay.domain.query import ALL_MEASURES, CORE_MEASURES, QUALITY_MEASURES, UsageQuery
from outlay.web.http.params import read_choice
from outlay.wire.json_money import Money, MoneyStyle, dump_json

Json = dict[str, Any]


def json_answer(request: Request, value: object) -> Response:
    """A JSON answer, its amounts as the parameter `money` asks for."""
    style = read_choice(request.query_params, "money", MoneyStyle) or MoneyStyle.NUMBER
    return Response(dump_json(value, style), media_type="application/json")


def render_money(pusd: int) -> Money:
    """An exact amount of USD; whoever writes the answer decides between number and text."""
    return Money(pusd)


def render_instant(instant: datetime) -> str:
    """RFC 3339 in UTC, `2026-11-20T09:30:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def render_totals(totals: Totals, measures: Sequence[str]) -> Json:
    """Some measures, and what follows from them."""
    body: Json = {}
    for name in measures:
        measure, value = MEASURES_BY_NAME[name], getattr(totals, name)
        body[measure.api_name] = render_money(value) if measure.unit is Unit.PUSD else value
    body["totalTokens"] = totals.total_tokens
    body["errorRate"] = totals.error_rate
    return body


def in_ms(us: float | None) -> float | None:
    """Microseconds as milliseconds."""
    return None if us is None else us / 1000


def render_latency(totals: Totals, quantiles: Mapping[float, float | None]) -> Json:
    """Averages and percentiles in milliseconds; None where nothing was timed."""
    streamed = totals.streamed_requests
    return {
        "timedRequestCount": totals.timed_requests,
        "averageLatencyMs": in_ms(totals.average_latency_us),
        "latencyMs": {
            f"p{round(q * 100)}": None if value is None else round(value / 1000, 3)
            for q, value in quantiles.items()
        },
        "streamedRequestCount": streamed,
        "averageTimeToFirstTokenMs": (
            totals.time_to_first_token_us / streamed / 1000 if streamed else None
        ),
    }


def render_summary(totals: Totals, quantiles: Mapping[float, float | None]) -> Json:
    """All measures, and latency."""
    return {**render_totals(totals, ALL_MEASURES), **render_latency(totals, quantiles)}


def render_meta(
    query: UsageQuery, total: Totals, freshness: Freshness, entries: Sequence[Entry] = ()
) -> Json:
    """What every answer says about itself."""
    period = query.period
    return {
        **render_period(period),
        "interval": query.interval.value,
        "currency": "USD",
        "asOf": render_instant(freshness.data_through),
        "dataThrough": render_instant(freshness.data_through),
        "unpricedRequestCount": total.unpriced_requests,
        "partlyPricedRequestCount": total.partly_priced_requests,
        "estimatedRequestCount": total.estimated_requests,
        "unknownUsageRequestCount": total.unknown_usage_requests,
        "reconciled": freshness.verified.state.value,
        "reconciledAt": freshness.verified.at and render_instant(freshness.verified.at),
        "groupsOverlap": query.group_by is Dimension.GROUP,
        "truncated": any(entry.kind is EntryKind.OTHER for entry in entries),
    }


def render_period(period: Period) -> Json:
    """A period as local dates and as instants, the end exclusive."""
    return {
        "preset": period.preset and period.preset.value,
        "from": period.from_date.isoformat(),
        "to": period.to_date.isoformat(),
        "start": render_instant(period.start),
        "end": render_instant(period.end),
        "timezone": period.timezone,
    }


def render_compared(comparison: Comparison) -> Json:
    """What an answer says about the earlier period it is compared with; nothing without one."""
    if not comparison.is_compared:
        return {}
    first = comparison.first_event
    return {
        "earlier": {
            **render_period(comparison.earlier_period),
            "compare": comparison.compare.value,
            "firstRecord": first and render_instant(first),
            "onRecord": comparison.on_record.value,
        },
        "earlierPart": render_period(comparison.earlier_part),
    }


def render_activity(
    query: UsageQuery,
    result: Breakdown,
    freshness: Freshness,
    comparison: Comparison | None = None,
) -> Json:
    """The answer of `/api/v1/analytics/activity`: one item per step, each with its breakdown.

    With a comparison every item, the totals and their entries have `earlier` beside them.
    """
    activity = [
        {
            **point,
            **render_totals(result.at(index), CORE_MEASURES),
            "breakdown": [
                render_entry(entry, index) for entry in result.entries if index in entry.by_step
            ],
            **_earlier_step(comparison, index),
        }
        for index, point in enumerate(render_points(result, freshness))
    ]
    meta = render_meta(query, result.total, freshness, result.entries)
    totals = {
        **render_totals(result.total, QUALITY_MEASURES),
        "breakdown": [
            {**render_entry(entry), **_earlier_entry(comparison, entry)} for entry in result.entries
        ],
    }
    if comparison is not None:
        meta.update(render_compared(comparison))
        totals["earlier"] = render_totals(comparison.earlier_total, CORE_MEASURES)
    levels = (result.group_by, query.then_by)
    return {
        "groupBy": ",".join(level.value for level in levels if level) or None,
        "activity": activity,
        "totals": totals,
        "meta": meta,
    }


def _earlier_step(comparison: Comparison | None, index: int) -> Json:
    if comparison is None:
        return {}
    steps = comparison.earlier_steps
    if index >= len(steps):
        return {"earlier": None}
    when = render_window(comparison.earlier_windows[index])
    return {"earlier": {**when, **render_totals(steps[index], CORE_MEASURES)}}


def _earlier_entry(comparison: Comparison | None, entry: Entry) -> Json:
    if comparison is None:
        return {}
    earlier = comparison.earlier_entries.get(entry.key, ZERO)
    return {"earlier": render_totals(earlier, CORE_MEASURES)}


def render_entry(entry: Entry, step: int | None = None) -> Json:
    """One group, in a step or over the whole period: what it is and its main measures."""
    body: Json = {"key": entry.key, "label": entry.label, "kind": entry.kind.value}
    if entry.kind is EntryKind.OTHER:
        body["memberCount"] = entry.members
    totals = entry.total if step is None else entry.at(step)
    body.update(render_totals(totals, CORE_MEASURES))
    if isinstance(entry, KindEntry):
        quantity = entry.quantity if step is None else entry.quantities.get(step, 0)
        body.update(dict.fromkeys(_OF_REQUESTS))
        body.update(quantity=quantity if entry.unit else None, unit=entry.unit and entry.unit.value)
    if entry.parts:
        body["breakdown"] = [
            render_entry(part, step) for part in entry.parts if step is None or step in part.by_step
        ]
    return body


_OF_REQUESTS: Final = ("requestCount", "errorCount", "clientErrorCount", "errorRate")
"""What a kind of usage has no part in: a request counts once, whatever its kinds."""


def render_series(
    query: UsageQuery,
    comparison: Comparison,
    palette: Mapping[str, int],
    freshness: Freshness,
) -> Json:
    """The answer as series over the steps, for charts: a tenth of the size of the items."""
    result = comparison.current
    meta = render_meta(query, result.total, freshness, result.entries)
    meta.update(render_compared(comparison))
    indexes = range(len(result.steps))
    return {
        "groupBy": result.group_by and result.group_by.value,
        "interval": query.interval.value,
        "points": render_points(result, freshness),
        "series": [
            {
                "key": entry.key,
                "label": entry.label,
                "kind": entry.kind.value,
                "slot": palette.get(entry.key),
                "memberCount": entry.members,
                **_columns([entry.at(index) for index in indexes]),
                "total": _ranked(entry.total),
                "earlier": _ranked(comparison.earlier_entries.get(entry.key, ZERO)),
            }
            for entry in result.entries
        ],
        "steps": _columns([result.at(index) for index in indexes]),
        "earlier": {
            **_columns(comparison.earlier_steps),
            "points": [render_window(step) for step in comparison.earlier_windows],
            "total": _ranked(comparison.earlier_total),
        },
        "total": _ranked(result.total),
        "meta": meta,
    }


def render_window(step: Step) -> Json:
    """When a step is."""
    end = bucket_start(step.end_bucket).astimezone(step.start.tzinfo)
    return {"date": step.label, "start": step.start.isoformat(), "end": end.isoformat()}


def render_points(result: Breakdown, freshness: Freshness) -> list[Json]:
    """When each step is, and how far what it says can be taken for all there is."""
    through = freshness.data_through
    return [
        {
            **render_window(step),
            "incomplete": through < bucket_start(step.end_bucket),
            "pending": through < step.start,
            "partial": step.is_cut,
        }
        for step in result.steps
    ]


def _columns(steps: Sequence[Totals]) -> Json:
    return {
        Rank.COST.value: [render_money(totals.cost_pusd) for totals in steps],
        Rank.REQUESTS.value: [totals.requests for totals in steps],
        Rank.TOKENS.value: [totals.total_tokens for totals in steps],
    }


def _ranked(totals: Totals) -> Json:
    return {
        Rank.COST.value: render_money(totals.cost_pusd),
        Rank.REQUESTS.value: totals.requests,
        Rank.TOKENS.value: totals.total_tokens,
    }
