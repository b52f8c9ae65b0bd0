"""Query strings → UsageQuery, for endpoints, exports and pages alike."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from starlette.datastructures import QueryParams

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.event import Status
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Period, Preset, choose_interval
from outlay.domain.query import CORE_MEASURES, MAX_TOP, UsageQuery
from outlay.services.analytics import Analytics

FILTERS: Final[Mapping[str, Dimension]] = {
    "projectId": Dimension.PROJECT,
    "apiKeyId": Dimension.API_KEY,
    "memberId": Dimension.MEMBER,
    "userId": Dimension.USER,
    "groupId": Dimension.GROUP,
    "model": Dimension.MODEL,
    "mapping": Dimension.MAPPING,
    "provider": Dimension.PROVIDER,
    "app": Dimension.APP,
    "endUser": Dimension.END_USER,
    "status": Dimension.STATUS,
}
"""Repeatable filters: values of one are alternatives, different ones must all hold."""

COMMON: Final = frozenset({"from", "to", "preset", "timezone", *FILTERS})
QUERY: Final = COMMON | {"groupBy", "bucket", "top", "rankBy"}

OWN_QUERY: Final = QUERY - {"userId", "memberId", "groupId"}
"""Of questions about one's own usage."""

DEFAULT_TOP: Final = 10

_Choice = TypeVar("_Choice", bound=StrEnum)


def check_names(params: QueryParams, allowed: frozenset[str]) -> None:
    """Raise Invalid for parameters nobody reads: a misspelt filter must not widen an answer."""
    for name in params:
        if name not in allowed:
            raise Invalid(
                f"unknown parameter {name!r}; there are {', '.join(sorted(allowed))}",
                code="unknown-parameter",
                field=name,
            )


def read_period(params: QueryParams, actor: Actor, analytics: Analytics, default: Preset) -> Period:
    """The period that `preset`, or `from` and `to`, mean in `timezone`."""
    from_date, to_date = _date(params, "from"), _date(params, "to")
    preset = _choice(params, "preset", Preset)
    if preset is None and from_date is None and to_date is None:
        preset = default
    return analytics.resolve_period(
        actor.organization_id,
        timezone=_single(params, "timezone") or actor.timezone,
        preset=preset,
        from_date=from_date,
        to_date=to_date,
    )


def read_query(
    params: QueryParams,
    actor: Actor,
    analytics: Analytics,
    *,
    default_preset: Preset = Preset.LAST_30_DAYS,
    group_by: Dimension | None = Dimension.MODEL,
) -> UsageQuery:
    """The question of a query string; `group_by` is the default. Invalid says what to mend."""
    period = read_period(params, actor, analytics, default_preset)
    rank = _choice(params, "rankBy", Rank) or Rank.COST
    return UsageQuery(
        organization_id=actor.organization_id,
        period=period,
        measures=CORE_MEASURES,
        interval=_interval(params, period),
        group_by=_choice(params, "groupBy", Dimension) or group_by,
        filters=read_filters(params),
        top=_top(params),
        ranks=(rank,),
    )


def read_own_query(params: QueryParams, actor: Actor, analytics: Analytics) -> UsageQuery:
    """The question of a query string about the actor's own usage: what is put down to them."""
    query = read_query(params, actor, analytics)
    return replace(query, filters={**query.filters, Dimension.USER: (actor.member_id,)})


def read_filters(params: QueryParams) -> Mapping[Dimension, tuple[str, ...]]:
    """The filters of a query string, duplicates removed."""
    filters = {
        dimension: tuple(dict.fromkeys(params.getlist(name)))
        for name, dimension in FILTERS.items()
        if name in params
    }
    for value in filters.get(Dimension.STATUS, ()):
        _parse_choice(value, "status", Status)
    return filters


def _interval(params: QueryParams, period: Period) -> Interval:
    if _single(params, "bucket") in {None, "auto"}:
        return choose_interval(period)
    interval = _choice(params, "bucket", Interval)
    if interval is None or interval is Interval.TOTAL:
        raise Invalid("bucket must be one of auto, hour, day, week, month", field="bucket")
    return interval


def _top(params: QueryParams) -> int:
    text = _single(params, "top")
    if text is None:
        return DEFAULT_TOP
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= MAX_TOP):
        raise Invalid(f"top must be a whole number from 1 to {MAX_TOP}", field="top")
    return int(text)


def _single(params: QueryParams, name: str) -> str | None:
    values = params.getlist(name)
    if len(values) > 1:
        raise Invalid(f"{name} may be given once only", field=name)
    return values[0] if values and values[0] else None


def _date(params: QueryParams, name: str) -> date | None:
    text = _single(params, name)
    if text is None:
        return None
    try:
        parsed = date.fromisoformat(text)
    except ValueError as error:
        raise _bad_date(name, text) from error
    if parsed.isoformat() != text:
        raise _bad_date(name, text)
    return parsed


def _bad_date(name: str, text: str) -> Invalid:
    return Invalid(
        f"{name} must be a date such as 2026-11-20, not {text[:40]!r}",
        code="invalid-date",
        field=name,
    )


def _choice(params: QueryParams, name: str, kind: type[_Choice]) -> _Choice | None:
    text = _single(params, name)
    return None if text is None else _parse_choice(text, name, kind)


def _parse_choice(text: str, name: str, kind: type[_Choice]) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        choices = ", ".join(item.value for item in kind if item.value != Interval.TOTAL)
        raise Invalid(
            f"{name} must be one of {choices}, not {text[:40]!r}",
            code=f"unknown-{name.lower()}",
            field=name,
        ) from error
