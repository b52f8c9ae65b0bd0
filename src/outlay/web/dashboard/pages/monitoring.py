"""The operator's dashboard: traffic, latency, errors and top consumers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Comparison, EntryKind, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.event import FAILED
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Preset
from outlay.domain.policy import Permission, has
from outlay.domain.query import LATENCY_MEASURES, QUALITY_MEASURES, UsageQuery
from outlay.domain.questions import LatencyBins, LatencyByStep
from outlay.kit.clock import from_us
from outlay.services.analytics.latencies import PERCENTILES, quantiles_us, read_latency
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.formatting import (
    format_exact_count,
    format_percent,
)
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.chart_data import LineChart, Unit
from outlay.web.dashboard.parts.colours import colours_of, ranked_in
from outlay.web.dashboard.parts.compared import describe_compared
from outlay.web.dashboard.parts.frame import FILTER_OF, PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import Card, cards_of, error_card
from outlay.web.dashboard.parts.intake import intake_lists
from outlay.web.dashboard.parts.lines import LineSeries, line_data
from outlay.web.dashboard.parts.panels import Panel, panel_of
from outlay.web.dashboard.parts.possible_duplicates import duplicate_rows
from outlay.web.dashboard.parts.providers import PROVIDERS, provider_rows, render_latency
from outlay.web.dashboard.parts.ranking import SHOWN, change_in
from outlay.web.dashboard.parts.side_rows import SideRow, rows_by_spend
from outlay.web.dashboard.parts.usage import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.sorting import (
    SORTING,
    heads_of,
    read_order,
)
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.refusals import refused_calls
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(include_in_schema=False)

PARAMETERS: Final = COMMON | {"bucket"} | SORTING | PAGE_ONLY
TOP: Final = 5
SUBJECT: Final = Subject(
    title="Dashboard",
    crumbs=(Crumb("Monitoring"),),
    lede="Requests, latency, errors and spend as they come in.",
    export="",
    groupings={},
)

TOPS: Final = {
    Dimension.MODEL: "Top models",
    Dimension.PROJECT: "Top projects",
    Dimension.APP: "Top apps",
    Dimension.USER: "Top users",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCount:
    """Requests whose numbers are less certain."""

    title: str
    count: str
    share: str


@router.get("/monitoring/dashboard")
def get_dashboard(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render the monitoring dashboard, for the last day by default."""
    services = services_of(request)
    params = page_params(request, PARAMETERS)
    if not has_usage(request, actor):
        return render_first_steps(request, actor, SUBJECT)
    query = page_query(
        request,
        params,
        actor,
        group_by=None,
        default_preset=Preset.LAST_24_HOURS,
    )
    measures = (*QUALITY_MEASURES, *LATENCY_MEASURES, "cache_read_input_tokens")
    query = replace(query, measures=measures)
    with services.analytics.read() as reader:
        comparison = services.analytics.compare_in(reader, query)
        total = comparison.current.total
        frame = frame_of(request, reader, query, total, filters_for(actor))
        latency = read_latency(reader, query, Dimension.PROVIDER)
        unread = services.data_quality.unread_counters(reader, query)
        context: dict[str, Any] = {
            "cards": _cards(reader, query, comparison, latency.quantiles),
            "latency": _latency_lines(services, reader, query, comparison),
            "errors": _errors(services, reader, query),
            "tops": [
                (title, _top(services, reader, query, dimension, frame["links"]))
                for dimension, title in TOPS.items()
            ],
        }
    freshness, passed = frame["freshness"], services.skipped_telemetry
    order = read_order(request.query_params, PROVIDERS, "requestCount")
    return render_page(
        request,
        "dashboard.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        compared=describe_compared(comparison),
        providers=provider_rows(latency.values, total, order),
        heads=heads_of(PROVIDERS, order, frame["links"]),
        uncertain=_uncertain(total),
        duplicates=duplicate_rows(
            services.duplicates.recent(actor.organization_id), frame["links"], query.period.timezone
        ),
        may_amend=has(actor, Permission.REQUESTS_AMEND),
        intake=intake_lists(
            unread,
            passed.counts(actor.organization_id),
            frame["links"],
            query.period.timezone,
            from_us(passed.since_us),
        ),
        event_count=format_exact_count(services.ledger.last_seq),
        pending=format_exact_count(freshness.pending_events),
        refused=[
            (reason.label, format_exact_count(count))
            for reason, count in refused_calls(request).items()
        ],
        **context,
        **frame,
    )


def _cards(
    reader: CubeReader,
    query: UsageQuery,
    comparison: Comparison,
    quantiles: Mapping[float, float | None],
) -> list[Card]:
    cost, requests, _ = cards_of(comparison)
    total, before = comparison.current.total, comparison.earlier_total
    minutes = max(1, (comparison.elapsed.end - comparison.elapsed.start) // timedelta(minutes=1))
    rate = total.requests * 100 // minutes
    part = replace(query, period=comparison.earlier_part)
    earlier = quantiles_us(reader.ask(LatencyBins(part)) if comparison.has_growth else {})
    median, median_before = quantiles[0.5], earlier[0.5]
    return [
        replace(requests, metric=None, fact=f"{rate // 100}.{rate % 100:02d} a minute"),
        Card(
            metric=None,
            title="Median latency",
            value=render_latency(median),
            exact=f"p99 {render_latency(quantiles[0.99])}; "
            f"{format_exact_count(total.timed_requests)} requests measured",
            change=change_in(comparison, round(median or 0), round(median_before or 0)),
            has_tone=True,
            fact=f"p95 {render_latency(quantiles[0.95])}",
        ),
        error_card(comparison),
        Card(
            metric=None,
            title="Read from cache",
            value=format_percent(total.cache_read_input_tokens, total.input_tokens),
            exact=f"{format_exact_count(total.cache_read_input_tokens)} of "
            f"{format_exact_count(total.input_tokens)} input tokens",
            change=change_in(comparison, _cache_share(total), _cache_share(before)),
            fact="of input tokens",
        ),
        replace(cost, metric=None),
    ]


def _cache_share(totals: Totals) -> int:
    if not totals.input_tokens:
        return 0
    return totals.cache_read_input_tokens * 1_000_000 // totals.input_tokens


def _latency_lines(
    services: Services, reader: CubeReader, query: UsageQuery, comparison: Comparison
) -> LineChart:
    bins = reader.ask(LatencyByStep(query))
    steps = [quantiles_us(bins.get(index, {})) for index in range(len(comparison.current.steps))]
    lines = [
        LineSeries(
            key=f"p{round(quantile * 100)}",
            label=f"p{round(quantile * 100)}",
            kind=EntryKind.VALUE,
            slot=slot,
            values=[step[quantile] for step in steps],
        )
        for slot, quantile in enumerate(PERCENTILES, 1)
    ]
    return line_data(
        query,
        comparison.current,
        services.analytics.freshness(reader),
        lines,
        title="Latency percentiles over time",
        unit=Unit.MS,
    )


def _errors(services: Services, reader: CubeReader, query: UsageQuery) -> Panel | None:
    """Failed requests by kind and step; None if no kind is selected."""
    asked = query.filters.get(Dimension.STATUS)
    kinds = tuple(status.value for status in FAILED if not asked or status.value in asked)
    if not kinds:
        return None
    failed = replace(
        query,
        group_by=Dimension.STATUS,
        filters={**query.filters, Dimension.STATUS: kinds},
        top=SHOWN,
        ranks=(Rank.REQUESTS,),
    )
    comparison = services.analytics.compare_in(reader, failed)
    colours = colours_of(services, query.organization_id, Dimension.STATUS, ranked_in(comparison))
    return panel_of(services, reader, failed, comparison, colours)


def _top(
    services: Services, reader: CubeReader, query: UsageQuery, dimension: Dimension, links: Links
) -> list[SideRow]:
    found = services.analytics.breakdown_in(
        reader, replace(query, group_by=dimension, interval=Interval.TOTAL, top=TOP)
    )
    # Not every page starts with the last day.
    preset = {"preset": query.period.preset.value} if query.period.preset else {}
    asked = urlencode({"groupBy": dimension.value, **preset})
    rest = links.without("preset", *PARAMETERS - COMMON).other(f"/organization/ranking?{asked}")
    return rows_by_spend(found, lambda key: links.add(FILTER_OF[dimension], key), rest)


def _uncertain(total: Totals) -> list[QualityCount]:
    counts = {
        "Unpriced": total.unpriced_requests,
        "Partly priced": total.partly_priced_requests,
        "Unknown usage": total.unknown_usage_requests,
        "Estimated tokens": total.estimated_requests,
        "Adjusted counts": total.adjusted_requests,
    }
    return [
        QualityCount(
            title=title,
            count=format_exact_count(count),
            share=format_percent(count, total.requests, 2),
        )
        for title, count in counts.items()
    ]
