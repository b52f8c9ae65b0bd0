"""Results as JSON: money as exact decimal numbers, instants as RFC 3339, names in camelCase."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from outlay.domain.dimension import Dimension
from outlay.domain.measure import MEASURES_BY_NAME, Rank, Unit
from outlay.domain.money import render_usd
from outlay.domain.period import Period
from outlay.domain.query import CORE_MEASURES, QUALITY_MEASURES, UsageQuery
from outlay.domain.result import (
    ZERO,
    Breakdown,
    Comparison,
    Entry,
    EntryKind,
    Freshness,
    Totals,
)

Json = dict[str, Any]


def to_json(value: object) -> bytes:
    """The bytes of a JSON answer."""
    return orjson.dumps(value)


def render_money(pusd: int) -> orjson.Fragment:
    """An exact number of USD."""
    return orjson.Fragment(render_usd(pusd).encode())


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


def render_meta(
    query: UsageQuery, total: Totals, freshness: Freshness, entries: Sequence[Entry] = ()
) -> Json:
    """What every answer says about itself."""
    period = query.period
    return {
        **render_period(period),
        "interval": query.interval.value,
        "currency": "USD",
        "dataThrough": render_instant(freshness.data_through),
        "unpricedRequestCount": total.unpriced_requests,
        "estimatedRequestCount": total.estimated_requests,
        "unknownUsageRequestCount": total.unknown_usage_requests,
        "reconciled": freshness.reconciled.value,
        "reconciledAt": freshness.reconciled_at and render_instant(freshness.reconciled_at),
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


def render_activity(query: UsageQuery, result: Breakdown, freshness: Freshness) -> Json:
    """The answer of `/analytics/activity`: one item per step, each with its breakdown."""
    activity = [
        {
            **point,
            **render_totals(result.at(index), CORE_MEASURES),
            "breakdown": [
                render_entry(entry, entry.at(index))
                for entry in result.entries
                if index in entry.by_step
            ],
        }
        for index, point in enumerate(_points(query, result, freshness))
    ]
    meta = render_meta(query, result.total, freshness, result.entries)
    return {
        "groupBy": result.group_by and result.group_by.value,
        "activity": activity,
        "totals": {
            **render_totals(result.total, QUALITY_MEASURES),
            "breakdown": [render_entry(entry, entry.total) for entry in result.entries],
        },
        "meta": meta,
    }


def render_entry(entry: Entry, totals: Totals) -> Json:
    """One group: what it is and its main measures."""
    body: Json = {"key": entry.key, "label": entry.label, "kind": entry.kind.value}
    if entry.kind is EntryKind.OTHER:
        body["memberCount"] = entry.members
    body.update(render_totals(totals, CORE_MEASURES))
    return body


def render_series(
    query: UsageQuery,
    comparison: Comparison,
    palette: Mapping[str, int],
    freshness: Freshness,
) -> Json:
    """The answer as series over the steps, for charts: a tenth of the size of the items."""
    result = comparison.current
    meta = render_meta(query, result.total, freshness, result.entries)
    meta["earlier"] = render_period(comparison.earlier_period)
    meta["earlierPart"] = render_period(comparison.earlier_part)
    indexes = range(len(result.steps))
    return {
        "groupBy": result.group_by and result.group_by.value,
        "interval": query.interval.value,
        "points": _points(query, result, freshness),
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
        "totals": {**_columns([result.at(index) for index in indexes])},
        "earlier": {
            **_columns(comparison.earlier_steps),
            "total": _ranked(comparison.earlier_total),
        },
        "total": _ranked(result.total),
        "meta": meta,
    }


def _points(query: UsageQuery, result: Breakdown, freshness: Freshness) -> list[Json]:
    """When each step is, and whether it is still filling in."""
    points = []
    for index, step in enumerate(result.steps):
        end = result.steps[index + 1].start if index + 1 < len(result.steps) else query.period.end
        points.append(
            {
                "date": step.label,
                "start": step.start.isoformat(),
                "end": end.astimezone(step.start.tzinfo).isoformat(),
                "incomplete": step.start <= freshness.data_through < end,
            }
        )
    return points


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
