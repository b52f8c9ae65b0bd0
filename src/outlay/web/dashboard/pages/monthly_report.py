"""The monthly report: a page to read, print and pass on, about everything or a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Comparison
from outlay.domain.comparison_period import Compare, earlier_of
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.measure import Rank
from outlay.domain.period import FIRST_DATE, Interval, Period, parse_zone, period_of_dates
from outlay.domain.policy import Permission
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.dates import describe_date, describe_dates
from outlay.web.dashboard.drawing.columns import ColumnChart, draw_columns
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_period, refuse, refused_of
from outlay.web.dashboard.parts.colours import colours_of, ranked_in
from outlay.web.dashboard.parts.compared import describe_compared
from outlay.web.dashboard.parts.driver import driver_of
from outlay.web.dashboard.parts.frame import FILTER_OF, missing_of
from outlay.web.dashboard.parts.headlines import Card, cards_of, error_card
from outlay.web.dashboard.parts.ranking import SHOWN, Ranking, rank_entries
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_choice, read_text
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

PARAMETERS: Final = frozenset({"month", "of", "projectId", "groupId"})
MONTHS_OFFERED: Final = 24

SECTIONS: Final = {
    Dimension.MODEL: "Models",
    Dimension.PROJECT: "Projects",
    Dimension.GROUP: "User groups",
    Dimension.USER: "Users",
    Dimension.APP: "Apps",
}


class Scope(StrEnum):
    """The scope of a report."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    GROUP = "group"


SCOPES: Final = {Scope.PROJECT: Dimension.PROJECT, Scope.GROUP: Dimension.GROUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table of the report."""

    title: str
    noun: str
    ranking: Ranking
    overlaps: bool


@router.get("/organization/report")
def get_report(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render the monthly report."""
    services = services_of(request)
    params = page_params(request, PARAMETERS)
    carried = page_period(request, params, actor)
    timezone = carried.timezone
    today = services.clock.now().astimezone(parse_zone(timezone)).date()
    month = _month(request, params, carried, today)
    scope = read_choice(params, "of", Scope, ErrorCode.INVALID) or Scope.ORGANIZATION
    subjects = {scope: _subjects(services, actor, dimension) for scope, dimension in SCOPES.items()}
    subject_id = None
    if scope in SCOPES:
        subject_id = read_text(params, FILTER_OF[SCOPES[scope]]) or next(iter(subjects[scope]), "")
        if subject_id not in subjects[scope]:
            raise NotFound(f"There is no such {SCOPES[scope].noun}.")
    period = period_of_dates(month, _following(month) - timedelta(days=1), timezone)
    query = UsageQuery(
        organization_id=actor.organization_id,
        merges=services.analytics.merges(actor.organization_id),
        period=period,
        beside=earlier_of(period, Compare.PREVIOUS),
        measures=CORE_MEASURES,
        interval=Interval.DAY,
        group_by=Dimension.MODEL,
        top=SHOWN,
    )
    if subject_id and scope in SCOPES:
        query = query.only(SCOPES[scope], subject_id)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        comparisons = _compare(services, reader, query, scope)
        main = comparisons[Dimension.MODEL]
        missing = missing_of(services, reader, query, main.current.total)
    return render_page(
        request,
        "report.html",
        actor=actor,
        title=f"{month:%B %Y} · Report",
        month=month,
        month_title=f"{month:%B %Y}",
        months=_months(today, month),
        refused=refused_of(request),
        scope=scope,
        scopes=list(Scope),
        subjects=subjects,
        subject_id=subject_id,
        subject_parameter=FILTER_OF[SCOPES[scope]] if scope in SCOPES else "",
        subject_name=subjects[scope][subject_id]
        if subject_id and scope in SCOPES
        else actor.organization_name,
        period=period,
        range_dates=describe_dates(period),
        printed=describe_date(today),
        cards=_cards(main),
        driver=driver_of(main),
        comparison=main,
        compared=describe_compared(main),
        columns=_columns(main),
        sections=[
            _section(services, query, dimension, comparison)
            for dimension, comparison in comparisons.items()
        ],
        total=main.current.total,
        missing=missing,
        freshness=freshness,
        links=Links.of(request),
        exports=_exports(period.from_date, period.to_date, timezone, scope, subject_id),
    )


def _compare(
    services: Services, reader: CubeReader, query: UsageQuery, scope: Scope
) -> Mapping[Dimension, Comparison]:
    """Each section compared with the month before, without the scope's own dimension."""
    return {
        dimension: services.analytics.compare_in(
            reader,
            replace(
                query,
                group_by=dimension,
                interval=Interval.DAY if dimension is Dimension.MODEL else Interval.TOTAL,
            ),
        )
        for dimension in SECTIONS
        if dimension is not SCOPES.get(scope)
    }


def _section(
    services: Services, query: UsageQuery, dimension: Dimension, comparison: Comparison
) -> Section:
    shown = ranked_in(comparison, [Rank.COST])
    slots = colours_of(services, query.organization_id, dimension, shown)
    return Section(
        title=SECTIONS[dimension],
        noun=dimension.noun,
        ranking=rank_entries(comparison, Rank.COST, slots),
        overlaps=not dimension.is_single_valued,
    )


def _cards(comparison: Comparison) -> Sequence[Card]:
    return [replace(card, metric=None) for card in cards_of(comparison)] + [error_card(comparison)]


def _columns(comparison: Comparison) -> ColumnChart:
    current = comparison.current
    return draw_columns(
        [(step.label, current.at(index).cost_pusd) for index, step in enumerate(current.steps)]
    )


def _subjects(services: Services, actor: Actor, dimension: Dimension) -> Mapping[str, str]:
    labels = services.analytics.labels(actor.organization_id, dimension)
    return dict(sorted(labels.items(), key=lambda item: item[1].casefold()))


def _exports(
    first: date, last: date, timezone: str, scope: Scope, subject_id: str | None
) -> Sequence[tuple[str, str]]:
    asked = {"from": str(first), "to": str(last), "timezone": timezone}
    if scope in SCOPES and subject_id:
        asked[FILTER_OF[SCOPES[scope]]] = subject_id
    asked["groupBy"] = "project,model" if scope is Scope.PROJECT else "group,user,model"
    return [
        (kind.upper(), f"/api/v1/exports/report?{urlencode({**asked, 'format': kind})}")
        for kind in ("csv", "xlsx", "parquet", "json")
    ]


def _month(request: Request, params: QueryParams, carried: Period, today: date) -> date:
    """The first day of the requested month; else of the last day of a period carried along."""
    usual = min(carried.to_date, today).replace(day=1)
    try:
        text = read_text(params, "month")
        return usual if text is None else _parse_month(text, today)
    except Invalid as error:
        refuse(request, "month", error.message)
        return usual


def _parse_month(text: str, today: date) -> date:
    """The first day of a month such as `2026-11`."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        month = None
    if month is None or not month >= FIRST_DATE:
        raise Invalid(f"`month` must be a month such as 2026-11, not {text[:40]!r}.", field="month")
    if month > today:
        raise Invalid("This month has not started yet.", field="month")
    return month


def _months(today: date, shown: date) -> Mapping[str, str]:
    """The selectable months: the last ones, and the displayed one."""
    months = [today.replace(day=1)]
    while len(months) < MONTHS_OFFERED:
        months.append(_previous(months[-1]))
    if shown not in months:
        months.append(shown)
    return {f"{month:%Y-%m}": f"{month:%B %Y}" for month in months}


def _previous(month: date) -> date:
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def _following(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
