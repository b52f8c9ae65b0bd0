"""Reported and computed costs, and the drift between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Comparison
from outlay.domain.dimension import Dimension
from outlay.domain.meter import METERS
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.services.analytics.reported_costs import (
    LEVELS,
    MEASURES,
    CostPair,
    PairRow,
    reported_costs_in,
    reported_total_in,
)
from outlay.storage.ledger.log import LogSort
from outlay.web.dashboard.formatting import (
    MINUS,
    format_count,
    format_exact_count,
    format_exact_money,
    format_money,
    format_number_of,
    format_percent,
    format_signed_money,
    split_cents,
)
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.paging import page_of
from outlay.web.dashboard.parts.compared import describe_compared
from outlay.web.dashboard.parts.frame import FILTER_OF, PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import Card
from outlay.web.dashboard.parts.ranking import change_in
from outlay.web.dashboard.parts.usage import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.sorting import SORTING, SortableColumn, heads_of, read_order, sort_rows
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_dimension
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(include_in_schema=False)

OWN: Final = SORTING | {"groupBy", "page"}
SUBJECT: Final = Subject(
    title="Reported costs",
    crumbs=(Crumb("Organization"),),
    lede="Costs reported by providers and senders, compared with costs from the price book.",
    export="",
    groupings={
        Dimension.PROVIDER: "Provider",
        Dimension.MODEL: "Model",
        Dimension.KIND: "Kind of usage",
    },
)

COLUMNS: Final = {
    "name": SortableColumn("Name", is_number=False),
    "requestCount": SortableColumn("Requests", note="Requests with both costs"),
    "reported": SortableColumn("Reported", note="Reported cost of those requests"),
    "computed": SortableColumn("Computed", note="Their cost computed from the price book"),
    "drift": SortableColumn("Drift", note="Reported minus computed; sorted by absolute size"),
    "driftShare": SortableColumn("Of computed"),
    "uncompared": SortableColumn(
        "Reported only",
        note="Reported cost of requests that the price book cannot fully price",
    ),
}

_VALUES: Final[Mapping[str, Callable[[PairRow], Any]]] = {
    "name": lambda row: tuple(key.casefold() for key in reversed(row.keys)),
    "requestCount": lambda row: row.pair.requests,
    "reported": lambda row: row.pair.reported_pusd,
    "computed": lambda row: row.pair.computed_pusd,
    "drift": lambda row: row.pair.drift_size_pusd,
    "driftShare": lambda row: abs(row.pair.drift) if row.pair.drift is not None else -1,
    "uncompared": lambda row: row.pair.totals.uncompared_cost_pusd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCells:
    """Two costs of the same requests, as table cells."""

    requests: str
    exact_requests: str
    reported: str
    exact_reported: str
    computed: str
    exact_computed: str
    drift: str
    exact_drift: str
    share: str
    uncompared: str
    exact_uncompared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row of the table."""

    label: str
    provider: str
    """The provider of a model."""
    cells: PairCells
    url: str
    """The log of the requests that cause the drift."""
    uncompared_url: str
    """The log of requests with only a reported cost; empty if there are none."""


@router.get("/organization/reported-costs")
def get_reported_costs(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render reported costs next to computed ones."""
    services = services_of(request)
    params = page_params(request, COMMON | OWN | PAGE_ONLY)
    level = read_dimension(params, LEVELS, Dimension.MODEL)
    subject = replace(SUBJECT, export=f"/api/v1/exports/reported-costs?groupBy={level}")
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    order = read_order(params, COLUMNS, "drift")
    query = page_query(request, params, actor, group_by=None)
    query = replace(query, group_by=None, measures=MEASURES, interval=Interval.TOTAL)
    with services.analytics.read() as reader:
        comparison = services.analytics.compare_in(reader, query)
        found = reported_costs_in(reader, query)
        earlier = reported_total_in(reader, query, comparison.earlier_part)
        frame = frame_of(request, reader, query, found.total.totals, filters_for(actor))
    links: Links = frame["links"]
    rows = sort_rows(found.rows[level], order, _VALUES, lambda row: row.keys)
    shown, paging = page_of(request, rows)
    return render_page(
        request,
        "reported_costs.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        level=level,
        compared=describe_compared(comparison),
        cards=_cards(comparison, found.total, earlier),
        rows=[_row(row, links, level) for row in shown],
        totals=_cells(found.total),
        heads=heads_of(COLUMNS, order, links),
        paging=paging,
        has_reported=bool(found.total.totals.reported_cost_requests),
        window_words=format_number_of(found.total.totals.reported_cost_requests, "request")
        + " with a reported cost",
        # The path of the export has it.
        **{**frame, "page_only": frame["page_only"] | {"groupBy"}},
    )


def _cards(comparison: Comparison, now: CostPair, before: CostPair) -> list[Card]:
    totals = now.totals
    compared = format_number_of(now.requests, "request")
    return [
        _money_card(
            "Reported",
            now.reported_pusd,
            fact=f"{compared} with both costs",
            change=change_in(comparison, now.reported_pusd, before.reported_pusd),
        ),
        _money_card(
            "Computed for the same",
            now.computed_pusd,
            fact="from the price book",
            change=change_in(comparison, now.computed_pusd, before.computed_pusd),
        ),
        Card(
            metric=None,
            title="Drift",
            value="–" if now.drift_pusd is None else format_signed_money(now.drift_pusd),
            exact=_exact_drift(now),
            fact=_drift_fact(now, before),
        ),
        _money_card(
            "Reported only",
            totals.uncompared_cost_pusd,
            fact=f"{format_number_of(totals.uncompared_requests, 'request')} not fully priced",
        ),
    ]


def _money_card(title: str, pusd: int, **more: Any) -> Card:
    value, cents = split_cents(pusd)
    return Card(
        metric=None, title=title, value=value, cents=cents, exact=format_exact_money(pusd), **more
    )


def _drift_fact(now: CostPair, before: CostPair) -> str:
    if now.drift_pusd is None:
        return "no request has both costs"
    fact = f"{_share(now)} of computed"
    if before.drift_pusd is not None:
        fact += f", before {_share(before)}"
    return fact


def _row(row: PairRow, links: Links, level: Dimension) -> ShownRow:
    if level is Dimension.KIND:
        title = METERS[row.keys[0]].title if row.keys[0] in METERS else row.keys[0]
        return ShownRow(label=title, provider="", cells=_cells(row.pair), url="", uncompared_url="")
    provider, *model = row.keys
    log = _log_of(row, links)
    return ShownRow(
        label=(model[0] if model else provider) or ("Unknown model" if model else "Unattributed"),
        provider=(provider or "unattributed") if model else "",
        cells=_cells(row.pair),
        url=log.put(hasReportedCost="true", sort=LogSort.DIFFERENCE) if log else "",
        uncompared_url=log.put(hasReportedCost="true", hasComputedCost="false")
        if log and row.pair.totals.uncompared_requests
        else "",
    )


def _log_of(row: PairRow, links: Links) -> Links | None:
    """The log of a row's requests; None if their value is empty, which nothing can filter by."""
    dimensions = (Dimension.PROVIDER, Dimension.MODEL)[: len(row.keys)]
    if not all(row.keys):
        return None
    names = [FILTER_OF[dimension] for dimension in dimensions]
    kept = links.without(*OWN, *PAGE_ONLY, *names)
    return Links("/monitoring/requests", (*kept.items, *zip(names, row.keys, strict=True)))


def _cells(pair: CostPair) -> PairCells:
    totals = pair.totals
    is_known = pair.drift_pusd is not None
    return PairCells(
        requests=format_count(pair.requests),
        exact_requests=f"{format_exact_count(pair.requests)} of "
        f"{format_exact_count(totals.reported_cost_requests)} requests with a reported cost",
        reported=format_money(pair.reported_pusd) if is_known else "–",
        exact_reported=format_exact_money(pair.reported_pusd),
        computed=format_money(pair.computed_pusd) if is_known else "–",
        exact_computed=format_exact_money(pair.computed_pusd),
        drift="–" if pair.drift_pusd is None else format_signed_money(pair.drift_pusd),
        exact_drift=_exact_drift(pair),
        share=_share(pair),
        uncompared=format_money(totals.uncompared_cost_pusd) if totals.uncompared_requests else "–",
        exact_uncompared=f"{format_exact_money(totals.uncompared_cost_pusd)} of "
        f"{format_exact_count(totals.uncompared_requests)} requests",
    )


def _exact_drift(pair: CostPair) -> str:
    if pair.drift_pusd is None:
        return "No request has both a reported and a computed cost"
    return format_exact_money(pair.drift_pusd)


def _share(pair: CostPair) -> str:
    """The drift in percent of the computed cost; a dash if there is none."""
    if pair.drift_pusd is None:
        return "–"
    text = format_percent(pair.drift_pusd, pair.computed_pusd, 2)
    return text if text[0] in f"–{MINUS}<" or not pair.drift_pusd else f"+{text}"
