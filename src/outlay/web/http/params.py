"""Query strings → UsageQuery, for endpoints, exports and pages alike."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from starlette.datastructures import QueryParams

from outlay.domain.actor import Actor
from outlay.domain.comparison_period import Compare, Earlier, earlier_of
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import Status
from outlay.domain.measure import Rank
from outlay.domain.money import parse_usd
from outlay.domain.period import PRESETS_BY_NAME, Interval, Period, Preset, choose_interval
from outlay.domain.query import CORE_MEASURES, MAX_TOP, UsageQuery
from outlay.domain.tag import PREFIX, Tag
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.usage_tables import MAX_PAGE_SIZE, UserSort, UserView

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

PERIOD: Final = frozenset({"from", "to", "preset", "timezone"})
COMPARE: Final = frozenset({"compare", "compareFrom"})
CARRIED: Final = PERIOD | COMPARE
"""What travels from page to page; `static/js/navigate.js` has the same list."""
ANY_TAG: Final = "tag:key"
"""Stands for filters by registered tags, `tag:team=search`, whatever their keys."""

COMMON: Final = PERIOD | frozenset(FILTERS) | {ANY_TAG}
QUERY: Final = COMMON | {"groupBy", "bucket", "top", "rankBy"}

AS_JSON: Final = frozenset({"money"})
"""How a JSON answer is written."""

OWN_QUERY: Final = QUERY - {"userId", "memberId", "groupId"}
"""Of questions about one's own usage."""

DEFAULT_TOP: Final = 10

_Choice = TypeVar("_Choice", bound=StrEnum)


def check_names(
    params: QueryParams, allowed: frozenset[str], once: frozenset[str] = frozenset()
) -> None:
    """Raise Invalid for parameters nobody reads: a misspelt filter must not widen an answer.

    Those in `once` may not be repeated, either.
    """
    for name in params:
        if name not in allowed and not (name.startswith(PREFIX) and ANY_TAG in allowed):
            raise Invalid(
                f"Unknown parameter {name!r}. Available: {', '.join(sorted(allowed))}.",
                code=ErrorCode.UNKNOWN_PARAMETER,
                field=name,
            )
    for name in once:
        read_text(params, name)


def read_period(params: QueryParams, actor: Actor, analytics: Analytics, default: Preset) -> Period:
    """The period that `preset`, or `from` and `to`, mean in `timezone`."""
    from_date, to_date = _date(params, "from"), _date(params, "to")
    preset = _preset(params)
    if preset is None and from_date is None and to_date is None:
        preset = default
    return analytics.resolve_period(
        actor.organization_id,
        timezone=read_text(params, "timezone") or actor.timezone,
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
    default_compare: Compare = Compare.NONE,
    group_by: Grouping | None = Dimension.MODEL,
    levels: int = 1,
) -> UsageQuery:
    """The question of a query string; `group_by` is the default. Invalid says what to mend.

    `levels` is how many dimensions it may be grouped by, one or two.
    """
    period = read_period(params, actor, analytics, default_preset)
    rank = read_choice(params, "rankBy", Rank) or Rank.COST
    dimensions = read_group_by(params)
    if len(dimensions) > levels:
        raise Invalid(
            f"`groupBy` takes at most {levels} dimensions here. "
            "/api/v1/exports/report takes any number.",
            field="groupBy",
        )
    return UsageQuery(
        organization_id=actor.organization_id,
        merges=analytics.merges(actor.organization_id),
        period=period,
        beside=read_comparison(params, period, default_compare),
        measures=CORE_MEASURES,
        interval=read_interval(params, period),
        group_by=dimensions[0] if dimensions else group_by,
        then_by=dimensions[1] if len(dimensions) > 1 else None,
        filters=read_filters(params),
        top=read_number(params, "top", DEFAULT_TOP, most=MAX_TOP) or DEFAULT_TOP,
        ranks=(rank,),
    )


def read_user_view(params: QueryParams, page_size: int = 50) -> UserView:
    """Which part of the table of users a query string asks for."""
    return UserView(
        sort=read_choice(params, "sort", UserSort) or UserSort.COST,
        is_descending=read_order(params),
        search=read_text(params, "search") or "",
        page=read_number(params, "page", 1, most=1_000_000) or 1,
        page_size=read_number(params, "pageSize", page_size, most=MAX_PAGE_SIZE) or page_size,
        selected=tuple(params.getlist("selected")),
    )


def read_order(params: QueryParams) -> bool:
    """Whether `order` asks for the largest first."""
    order = read_text(params, "order") or "desc"
    if order not in {"asc", "desc"}:
        raise Invalid("`order` must be asc or desc.", field="order")
    return order == "desc"


def read_group_by(params: QueryParams) -> tuple[Grouping, ...]:
    """The dimensions of `groupBy`, separated by commas; none when it is not given."""
    text = read_text(params, "groupBy")
    return tuple(_grouping(part) for part in (text or "").split(",") if text)


def _grouping(text: str) -> Grouping:
    if text.startswith(PREFIX):
        return Tag(text.removeprefix(PREFIX))
    return _parse_choice(text, "groupBy", Dimension)


def read_dimension(
    params: QueryParams, offered: Collection[Dimension], default: Dimension
) -> Dimension:
    """The one dimension of `groupBy`, which is among those offered."""
    dimensions = read_group_by(params) or (default,)
    for dimension in offered:
        if dimensions == (dimension,):
            return dimension
    raise Invalid(f"`groupBy` must be one of {', '.join(offered)} here.", field="groupBy")


def read_comparison(
    params: QueryParams, period: Period, default: Compare = Compare.NONE
) -> Earlier | None:
    """What a period is to be compared with, None for nothing."""
    compare, since = read_choice(params, "compare", Compare), _date(params, "compareFrom")
    if since is not None and compare is not Compare.CUSTOM:
        raise Invalid("`compareFrom` requires `compare=custom`.", field="compareFrom")
    return earlier_of(period, compare or default, since)


def read_own_query(
    params: QueryParams, actor: Actor, analytics: Analytics, *, levels: int = 1
) -> UsageQuery:
    """The question of a query string about the actor's own usage."""
    return own_usage_only(actor, read_query(params, actor, analytics, levels=levels))


def own_usage_only(actor: Actor, query: UsageQuery) -> UsageQuery:
    """The question about what is put down to the actor."""
    return replace(query, filters={**query.filters, Dimension.USER: (actor.member_id,)})


def read_filters(params: QueryParams) -> Mapping[Grouping, tuple[str, ...]]:
    """The filters of a query string, duplicates removed."""
    filters: dict[Grouping, tuple[str, ...]] = {
        dimension: tuple(dict.fromkeys(params.getlist(name)))
        for name, dimension in FILTERS.items()
        if name in params
    }
    for name in params:
        if name.startswith(PREFIX):
            filters[Tag(name.removeprefix(PREFIX))] = tuple(dict.fromkeys(params.getlist(name)))
    for value in filters.get(Dimension.STATUS, ()):
        _parse_choice(value, "status", Status)
    return filters


def read_interval(params: QueryParams, period: Period) -> Interval:
    """The step that `bucket` asks for; one that fits the period when it asks for none."""
    if read_text(params, "bucket") in {None, "auto"}:
        return choose_interval(period)
    interval = read_choice(params, "bucket", Interval)
    if interval is None or interval is Interval.TOTAL:
        raise Invalid("`bucket` must be one of auto, hour, day, week, month.", field="bucket")
    return interval


def read_number(
    params: QueryParams, name: str, default: int | None, *, least: int = 1, most: int
) -> int | None:
    """A whole number; Invalid when it is none, or too small or large."""
    text = read_text(params, name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not is_number or not least <= int(text) <= most:
        raise Invalid(f"`{name}` must be a whole number between {least} and {most:,}.", field=name)
    return int(text)


def read_usd(params: QueryParams, name: str) -> int | None:
    """An amount of USD in pico-USD."""
    text = read_text(params, name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,12})?", text):
        raise Invalid(f"`{name}` must be an amount in USD, such as 0.25.", field=name)
    return parse_usd(Decimal(text))


def read_text(params: QueryParams, name: str) -> str | None:
    """A parameter that is given at most once; None when it is left out or empty."""
    values = params.getlist(name)
    if len(values) > 1:
        raise Invalid(f"`{name}` can be given only once.", field=name)
    return values[0] if values and values[0] else None


def _preset(params: QueryParams) -> Preset | None:
    """The preset that is named, in whatever case."""
    text = read_text(params, "preset")
    if text is None:
        return None
    return PRESETS_BY_NAME.get(text.lower()) or _parse_choice(text, "preset", Preset)


def _date(params: QueryParams, name: str) -> date | None:
    text = read_text(params, name)
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
        f"`{name}` must be a date such as 2026-11-20, not {text[:40]!r}.",
        code=ErrorCode.INVALID_DATE,
        field=name,
    )


def read_choice(params: QueryParams, name: str, kind: type[_Choice]) -> _Choice | None:
    """One of a few words; Invalid names them."""
    text = read_text(params, name)
    return None if text is None else _parse_choice(text, name, kind)


def read_choices(params: QueryParams, name: str, kind: type[_Choice]) -> tuple[_Choice, ...]:
    """Some of a few words, each once: alternatives. Invalid names the words."""
    return tuple(
        _parse_choice(text, name, kind) for text in dict.fromkeys(params.getlist(name)) if text
    )


def read_flag(params: QueryParams, name: str) -> bool | None:
    """True or false; None when it is not given."""
    text = read_text(params, name)
    if text not in {None, "true", "false"}:
        raise Invalid(f"`{name}` must be true or false.", field=name)
    return None if text is None else text == "true"


def _parse_choice(text: str, name: str, kind: type[_Choice]) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        choices = ", ".join(item.value for item in kind if item.value != Interval.TOTAL)
        raise Invalid(
            f"`{name}` must be one of {choices}, not {text[:40]!r}.",
            code=ErrorCode.read(f"unknown-{name.lower()}", ErrorCode.INVALID),
            field=name,
        ) from error
