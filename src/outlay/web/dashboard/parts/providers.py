"""Provider performance: the rows of a sortable table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from outlay.domain.answers import Totals
from outlay.services.analytics.latencies import PERCENTILES, LatencyValue
from outlay.web.dashboard.formatting import format_count, format_latency
from outlay.web.dashboard.parts.amounts import Amounts, amounts_of
from outlay.web.dashboard.sorting import Order, SortableColumn, error_rate_of, sort_rows

PROVIDERS: Final = {
    "name": SortableColumn("Provider", is_number=False),
    "cost": SortableColumn("Cost"),
    "requestCount": SortableColumn("Requests"),
    "errorRate": SortableColumn("Error rate"),
    "clientErrorCount": SortableColumn("Client errors"),
    **{
        f"p{round(quantile * 100)}": SortableColumn(f"p{round(quantile * 100)}")
        for quantile in PERCENTILES
    },
    "timeToFirstToken": SortableColumn(
        "First token",
        note="Average for streamed responses, until the first event with content. Older streams "
        "were measured until their first bytes.",
    ),
}
"""The sort columns of the table of providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """The performance of a provider."""

    name: str
    used: Amounts
    share: int
    """Of all requests, in thousandths."""
    client_errors: str
    percentiles: Sequence[str]
    first_token: str


def provider_rows(values: Sequence[LatencyValue], total: Totals, order: Order) -> list[ProviderRow]:
    """The rows in order, each with its share of all requests."""
    return [
        _provider(value, total)
        for value in sort_rows(values, order, _VALUES, lambda value: value.key)
    ]


def render_latency(us: float | None) -> str:
    """A latency; a dash if nothing was timed."""
    return "–" if us is None else format_latency(us)


def _provider(value: LatencyValue, total: Totals) -> ProviderRow:
    used = value.totals
    return ProviderRow(
        name=value.key or "Unattributed",
        used=amounts_of(used),
        share=1000 * used.requests // total.requests if total.requests else 0,
        client_errors=format_count(used.client_errors),
        percentiles=[render_latency(value.quantiles[quantile]) for quantile in PERCENTILES],
        first_token=render_latency(_first_token(used)),
    )


def _or_none(us: float | None) -> float:
    """The sort value of a latency; below all others if nothing was timed."""
    return -1 if us is None else us


def _first_token(used: Totals) -> float | None:
    streamed = used.streamed_requests
    return used.time_to_first_token_us / streamed if streamed else None


def _quantile(quantile: float) -> Callable[[LatencyValue], float]:
    return lambda value: _or_none(value.quantiles[quantile])


_VALUES: Final[Mapping[str, Callable[[LatencyValue], Any]]] = {
    "name": lambda value: value.key.casefold(),
    "cost": lambda value: value.totals.cost_pusd,
    "requestCount": lambda value: value.totals.requests,
    "errorRate": lambda value: error_rate_of(value.totals),
    "clientErrorCount": lambda value: value.totals.client_errors,
    **{f"p{round(quantile * 100)}": _quantile(quantile) for quantile in PERCENTILES},
    "timeToFirstToken": lambda value: _or_none(_first_token(value.totals)),
}
