"""`GET /api/v1/analytics/…`: usage questions as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends
from msgspec import UNSET, UnsetType
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.services.analytics.colours import assign_slots, remember_slots
from outlay.services.analytics.own_usage import own_usage_only
from outlay.services.bundle import Services
from outlay.web.http.answers.activity import (
    ActivitySeries,
    LatencyAnswer,
    LatencyEntry,
    MemberName,
    OwnUsage,
    SummaryAnswer,
    UsageActivity,
)
from outlay.web.http.answers.measures import Latency, Summary, latency_fields, measured
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.parameters import Word
from outlay.web.http.rendering import (
    activity_fields,
    render_meta,
    render_series,
    render_summary,
)
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    COMPARISON,
    ONE_OR_TWO,
    STEPS,
    MoneyParams,
    UsageParams,
)

router = Router(tags=["analytics"])


@dataclass(frozen=True, kw_only=True)
class ActivityParams(UsageParams, MoneyParams):
    """Usage over time, by dimension."""

    group_by: Annotated[tuple[Grouping, ...], ONE_OR_TWO] = ()
    shape: Annotated[
        str,
        Word(
            "An object per step with its breakdown, or an array per entry and measure, with the "
            "previous period.",
            ("breakdown", "series"),
        ),
    ] = "breakdown"


@dataclass(frozen=True, kw_only=True)
class OwnParams(UsageParams, MoneyParams, without=("user_id", "member_id", "group_id")):
    """The caller's own usage over time, by dimension."""

    group_by: Annotated[tuple[Grouping, ...], ONE_OR_TWO] = ()


@dataclass(frozen=True, kw_only=True)
class SummaryParams(UsageParams, MoneyParams, without=STEPS):
    """The totals of a period."""


@dataclass(frozen=True, kw_only=True)
class LatencyParams(UsageParams, without=(*COMPARISON, "bucket", "rank_by")):
    """The latency of a period, by value of a dimension."""


OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]


@router.get("/analytics/activity")
def get_activity(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[ActivityParams, Depends(ActivityParams.of)],
) -> UsageActivity | ActivitySeries:
    """Cost, requests and tokens per step of a period, broken down by one dimension."""
    services = services_of(request)
    is_series = asked.shape == "series"
    query = asked.query(
        actor,
        services.analytics,
        default_compare=Compare.PREVIOUS if is_series else Compare.NONE,
        group_by=Dimension.MODEL,
        levels=2,
    )
    freshness = services.analytics.freshness()
    if is_series and query.group_by is not None:
        comparison = services.analytics.compare(query)
        remembered = remember_slots(
            services.directory, actor.organization_id, query.group_by, comparison.current.entries
        )
        shown = tuple(remembered)
        palette = assign_slots(shown, remembered, [shown])
        return render_series(query, comparison, palette, freshness)
    return UsageActivity(**_activity(services, query))


def _activity(services: Services, query: UsageQuery) -> dict[str, Any]:
    """The fields of a UsageActivity, with an earlier period if the question has one."""
    freshness = services.analytics.freshness()
    if query.beside is None:
        return activity_fields(query, services.analytics.breakdown(query), freshness)
    comparison = services.analytics.compare(query)
    return activity_fields(query, comparison.current, freshness, comparison)


@router.get("/analytics/me")
def get_own(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.OWN_USAGE))],
    asked: Annotated[OwnParams, Depends(OwnParams.of)],
) -> OwnUsage:
    """The usage attributed to the caller: totals, and steps as in `activity`."""
    services = services_of(request)
    query = asked.query(actor, services.analytics, group_by=Dimension.MODEL, levels=2)
    query = own_usage_only(actor, query)
    return OwnUsage(
        member=MemberName(member_id=actor.member_id, name=actor.member_name),
        summary=_summary(services, query),
        **_activity(services, query),
    )


@router.get("/analytics/summary")
def get_summary(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[SummaryParams, Depends(SummaryParams.of)],
) -> SummaryAnswer:
    """The totals of a period, with latency percentiles."""
    services = services_of(request)
    query = _whole(asked.query(actor, services.analytics))
    freshness = services.analytics.freshness()
    comparison = services.analytics.compare(query)
    total = comparison.current.total
    earlier: Summary | UnsetType = UNSET
    if comparison.is_compared:
        part = replace(query, period=comparison.earlier_part)
        percentiles = services.analytics.percentiles(part)
        earlier = render_summary(comparison.earlier_total, percentiles)
    return SummaryAnswer(
        summary=render_summary(total, services.analytics.percentiles(query)),
        meta=render_meta(query, total, freshness, comparison=comparison),
        earlier=earlier,
    )


@router.get("/analytics/latency")
def get_latency(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[LatencyParams, Depends(LatencyParams.of)],
) -> LatencyAnswer:
    """Average and percentiles of latency, overall and by value of a dimension."""
    services = services_of(request)
    query = asked.query(actor, services.analytics, group_by=Dimension.MODEL)
    dimension = query.group_by or Dimension.MODEL
    if dimension is Dimension.KIND:
        raise Invalid(
            "`groupBy=kind` has no latency, because latency belongs to whole requests.",
            field="groupBy",
        )
    freshness = services.analytics.freshness()
    found = services.analytics.latency(query, dimension)
    labels = services.analytics.labels(query.organization_id, dimension)
    query = replace(query, interval=Interval.TOTAL)
    named = [value for value in found.values if value.key]
    unattributed = [value for value in found.values if not value.key]
    return LatencyAnswer(
        group_by=dimension.value,
        latency=[
            measured(
                LatencyEntry,
                value.totals,
                key=value.key,
                label=labels.get(value.key, value.key),
                **latency_fields(value.totals, value.quantiles),
            )
            for value in named[: query.top]
        ],
        unattributed=(
            _latency(unattributed[0].totals, unattributed[0].quantiles) if unattributed else None
        ),
        totals=_latency(found.total, found.quantiles),
        value_count=len(named),
        meta=render_meta(query, found.total, freshness),
    )


def _latency(totals: Totals, quantiles: Mapping[float, float | None]) -> Latency:
    return measured(Latency, totals, **latency_fields(totals, quantiles))


def _whole(query: UsageQuery) -> UsageQuery:
    """A question with all measures, without grouping and steps."""
    return replace(
        query, group_by=None, then_by=None, measures=ALL_MEASURES, interval=Interval.TOTAL
    )


def _summary(services: Services, query: UsageQuery) -> Summary:
    """The totals and the latency of a question."""
    whole = _whole(query)
    total = services.analytics.breakdown(whole).total
    return render_summary(total, services.analytics.percentiles(whole))
