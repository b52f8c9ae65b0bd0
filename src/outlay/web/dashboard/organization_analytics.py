"""Organization analytics: what the whole organization spends, on what, and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Period, Preset, parse_zone
from outlay.domain.policy import Permission, has
from outlay.domain.query import UsageQuery
from outlay.domain.result import Comparison, EntryKind, Freshness
from outlay.services.bundle import Services
from outlay.services.labels import read_labels
from outlay.services.palette import remember_slots
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_money,
    format_percent,
    format_unit_cost,
)
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.pages import render_page
from outlay.web.dashboard.ranking import (
    SHOWN,
    Change,
    Ranking,
    change_between,
    rank_entries,
)
from outlay.web.dashboard.sparkline import Sparkline, draw_sparkline
from outlay.web.http.auth import OnPage, base_url, services_of
from outlay.web.http.params import FILTERS, QUERY, check_names, read_query
from outlay.web.http.rendering import render_series

router = APIRouter(include_in_schema=False)

METRICS: Final = {Rank.COST: "Cost", Rank.REQUESTS: "Requests", Rank.TOKENS: "Tokens"}

GROUPINGS: Final = {
    Dimension.MODEL: "Model",
    Dimension.PROJECT: "Project",
    Dimension.API_KEY: "API key",
    Dimension.USER: "User",
    Dimension.GROUP: "Group",
    Dimension.APP: "App",
    Dimension.PROVIDER: "Provider",
    Dimension.MAPPING: "Mapping",
}

PRESETS: Final = {
    Preset.LAST_24_HOURS: "Last 24 hours",
    Preset.LAST_7_DAYS: "Last 7 days",
    Preset.LAST_30_DAYS: "Last 30 days",
    Preset.LAST_3_MONTHS: "Last 3 months",
    Preset.THIS_MONTH: "Month to date",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_QUARTER: "Quarter to date",
    Preset.YEAR_TO_DATE: "Year to date",
    Preset.ALL: "All time",
}

INTERVALS: Final = {
    Interval.HOUR: "Hourly",
    Interval.DAY: "Daily",
    Interval.WEEK: "Weekly",
    Interval.MONTH: "Monthly",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline number that also selects what the charts show."""

    metric: Rank
    title: str
    value: str
    cents: str
    """The receding end of an amount of money, empty otherwise."""
    exact: str
    change: Change
    has_tone: bool
    """More is worse: only money is judged."""
    fact: str
    sparkline: Sparkline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The sentence on what moved the bill."""

    verb: str
    amount: str
    label: str
    label_amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChip:
    """A filter in force."""

    noun: str
    label: str
    remove_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose usage a page is about."""

    title: str
    crumb: str
    lede: str
    export: str
    """The path of the same numbers as CSV."""
    groupings: Mapping[Dimension, str] = field(default_factory=lambda: GROUPINGS)


ORGANIZATION: Final = Subject(
    title="Organization analytics",
    crumb="Organization",
    lede="Cost, requests and tokens across every project, exact in any time zone.",
    export="/exports/activity.csv",
)


@router.get("/organization/analytics")
def get_organization_analytics(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """The page."""
    services = services_of(request)
    check_names(request.query_params, QUERY | {"metric"})
    query = read_query(request.query_params, actor, services.analytics)
    return render_usage(request, actor, query, ORGANIZATION)


def render_usage(request: Request, actor: Actor, asked: UsageQuery, subject: Subject) -> Response:
    """The page of an answer: totals, what moved them, charts and ranking."""
    services = services_of(request)
    metric = _metric(request.query_params.get("metric"))
    query = replace(asked, top=SHOWN, ranks=tuple(Rank))
    links = Links.of(request)
    if not services.analytics.has_events(actor.organization_id):
        return render_page(
            request,
            "organization_analytics_empty.html",
            actor=actor,
            title=subject.title,
            subject=subject,
            base_url=base_url(request),
            may_set_up=has(actor, Permission.UPSTREAMS_WRITE),
        )
    return render_page(
        request,
        "organization_analytics.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        metric=metric,
        links=links,
        **_view(services, query, links),
    )


def _metric(text: str | None) -> Rank:
    try:
        return Rank(text) if text else Rank.COST
    except ValueError as error:
        raise Invalid(
            f"metric must be one of {', '.join(rank.value for rank in Rank)}", field="metric"
        ) from error


def _view(services: Services, query: UsageQuery, links: Links) -> dict[str, Any]:
    """Everything the template shows."""
    group_by = query.group_by or Dimension.MODEL
    freshness = services.analytics.freshness()
    comparison = services.analytics.compare(query)
    total = comparison.current.total
    entries = comparison.current.entries
    remembered = remember_slots(services.directory, query.organization_id, group_by, entries)
    rankings = {metric: rank_entries(comparison, metric, remembered) for metric in METRICS}
    return {
        "metrics": METRICS,
        "frozen_metric": frozenset({"metric"}),
        "presets": PRESETS,
        "group_by": group_by,
        "noun": group_by.noun,
        "period": query.period,
        "today": services.clock.now().astimezone(parse_zone(query.period.timezone)).date(),
        "range_title": PRESETS[query.period.preset] if query.period.preset else "Custom",
        "range_dates": describe_dates(query.period),
        "step_name": INTERVALS[query.interval],
        "cards": _cards(comparison),
        "driver": _driver(comparison),
        "rankings": rankings,
        "chips": _chips(services, query, links),
        "total": total,
        "is_empty": not total.requests,
        "window_words": (
            f"{format_money(total.cost_pusd)} · {format_count(total.requests)} requests · "
            f"{format_count(total.total_tokens)} tokens"
        ),
        "overlaps": group_by is Dimension.GROUP,
        "comparison": comparison,
        "freshness": freshness,
        "data": _data(query, comparison, rankings, remembered, freshness),
    }


def _data(
    query: UsageQuery,
    comparison: Comparison,
    rankings: Mapping[Rank, Ranking],
    remembered: Mapping[str, int],
    freshness: Freshness,
) -> dict[str, Any]:
    """What the charts draw: the public answer, and which series each metric shows how."""
    return {
        "usage": render_series(query, comparison, remembered, freshness),
        "noun": query.group_by.noun if query.group_by else "",
        "display": {
            metric.value: [
                {"key": row.key, "slot": row.slot}
                for row in ranking.rows
                if row.kind == EntryKind.VALUE
            ]
            for metric, ranking in rankings.items()
        },
    }


def _cards(comparison: Comparison) -> list[Card]:
    now, before = comparison.current.total, comparison.earlier_total
    dollars, _, cents = format_money(now.cost_pusd).partition(".")
    per_request = now.cost_pusd // now.requests if now.requests else 0
    facts = {
        Rank.COST: f"{format_unit_cost(per_request)} per request",
        Rank.REQUESTS: (
            f"{format_percent(now.errors, now.requests - now.client_errors, 2)} errors"
        ),
        Rank.TOKENS: f"{format_percent(now.output_tokens, now.total_tokens, 0)} output",
    }
    values = {
        Rank.COST: (dollars, f".{cents}", format_exact_money(now.cost_pusd)),
        Rank.REQUESTS: (format_count(now.requests), "", format_exact_count(now.requests)),
        Rank.TOKENS: (format_count(now.total_tokens), "", format_exact_count(now.total_tokens)),
    }
    titles = {Rank.COST: "Total spend", Rank.REQUESTS: "Requests", Rank.TOKENS: "Tokens"}
    cards = []
    for metric, (value, rest, exact) in values.items():
        cards.append(
            Card(
                metric=metric,
                title=titles[metric],
                value=value,
                cents=rest,
                exact=exact,
                change=change_between(now.rank_value(metric), before.rank_value(metric)),
                has_tone=metric is Rank.COST,
                fact=facts[metric],
                sparkline=_sparkline(comparison, metric),
            )
        )
    return cards


def _sparkline(comparison: Comparison, metric: Rank) -> Sparkline | None:
    current = comparison.current
    values = [current.at(index).rank_value(metric) for index in range(len(current.steps))]
    while len(values) > 1 and current.steps[len(values) - 1].start >= comparison.elapsed.end:
        values.pop()
    return draw_sparkline(values, [step.rank_value(metric) for step in comparison.earlier_steps])


def _driver(comparison: Comparison) -> Driver | None:
    """What moved the spend most, in the direction in which it moved."""
    moved = comparison.current.total.cost_pusd - comparison.earlier_total.cost_pusd
    if not moved or not comparison.earlier_total.requests:
        return None
    changes: Sequence[tuple[int, str]] = [
        (entry.total.cost_pusd - comparison.earlier_entries[entry.key].cost_pusd, entry.label)
        for entry in comparison.current.entries
        if entry.kind is not EntryKind.OTHER
    ]
    sign = 1 if moved > 0 else -1
    amount, label = max(changes, key=lambda change: change[0] * sign, default=(0, ""))
    if amount * sign <= 0:
        return None
    return Driver(
        verb="up" if moved > 0 else "down",
        amount=format_money(abs(moved)),
        label=label,
        label_amount=("+" if sign > 0 else "−") + format_money(abs(amount)),
    )


def _chips(services: Services, query: UsageQuery, links: Links) -> list[FilterChip]:
    chips: list[FilterChip] = []
    for name, dimension in FILTERS.items():
        if name not in dict(links.items):
            continue
        values = query.filters.get(dimension, ())
        if not values:
            continue
        labels = read_labels(services.directory, query.organization_id, dimension)
        chips.extend(
            FilterChip(
                noun=dimension.noun,
                label=labels.get(value, value),
                remove_url=links.drop(name, value),
            )
            for value in values
        )
    return chips


def describe_dates(period: Period) -> str:
    """`Oct 22 – Nov 20, 2026`."""
    first, last = period.from_date, period.to_date
    if first == last:
        return _describe(first, with_year=True)
    same_year = first.year == last.year
    return f"{_describe(first, with_year=not same_year)} – {_describe(last, with_year=True)}"


def _describe(day: date, *, with_year: bool) -> str:
    text = f"{day:%b} {day.day}"
    return f"{text}, {day.year}" if with_year else text
