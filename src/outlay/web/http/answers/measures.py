"""Sums of measures. The catalogue, `outlay.domain.measure`, explains each measure."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from outlay.domain.answers import Totals
from outlay.domain.measure import MEASURES, Unit
from outlay.web.http.answers.base import Answer
from outlay.wire.json_money import Money

_A = TypeVar("_A", bound=Answer)


class _Core(Answer):
    """The measures that every breakdown has."""

    request_count: int
    input_tokens: int
    output_tokens: int
    cost: Money
    error_count: int
    client_error_count: int


class CoreTotals(_Core):
    """The main measures of some requests."""

    total_tokens: int
    error_rate: float | None


class QualityTotals(_Core):
    """The main measures, and the number of requests that make them uncertain."""

    unpriced_request_count: int
    partly_priced_request_count: int
    estimated_request_count: int
    unknown_usage_request_count: int
    adjusted_request_count: int
    total_tokens: int
    error_rate: float | None


class RankedTotals(Answer):
    """The measures that entries are ranked by."""

    cost: Money
    request_count: int
    total_tokens: int


class Percentiles(Answer):
    """Milliseconds; null if nothing was timed."""

    p50: float | None
    p95: float | None
    p99: float | None


class Latency(Answer):
    """Averages and percentiles of the duration and of the time to first token."""

    timed_request_count: int
    average_latency_ms: float | None
    latency_ms: Percentiles
    streamed_request_count: int
    average_time_to_first_token_ms: float | None


class Summary(Answer):
    """All measures of some requests, and their latency."""

    request_count: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    reasoning_output_tokens: int
    cost: Money
    input_cost: Money
    cache_read_cost: Money
    cache_write_cost: Money
    output_cost: Money
    meter_cost: Money
    reported_cost: Money
    computed_beside_reported_cost: Money
    uncompared_reported_cost: Money
    error_count: int
    client_error_count: int
    unpriced_request_count: int
    partly_priced_request_count: int
    reported_cost_request_count: int
    uncompared_request_count: int
    estimated_request_count: int
    unknown_usage_request_count: int
    adjusted_request_count: int
    duration_us: int
    timed_request_count: int
    time_to_first_token_us: int
    streamed_request_count: int
    total_tokens: int
    error_rate: float | None
    average_latency_ms: float | None
    latency_ms: Percentiles
    average_time_to_first_token_ms: float | None


class RowTotals(Answer):
    """The measures in each row of tables."""

    cost: Money
    request_count: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    error_count: int
    client_error_count: int
    unpriced_request_count: int
    partly_priced_request_count: int
    total_tokens: int
    error_rate: float | None
    average_latency_ms: float | None


def measured(kind: type[_A], totals: Totals, /, **others: object) -> _A:
    """An answer with those measures of `totals` that its type has, and other fields as given."""
    values: dict[str, Any] = {name: value(totals) for name, value in _measures_of(kind).items()}
    return kind(**{**values, **others})


def in_ms(us: float | None) -> float | None:
    """Microseconds as milliseconds."""
    return None if us is None else us / 1000


def latency_fields(totals: Totals, quantiles: Mapping[float, float | None]) -> dict[str, Any]:
    """The latency fields that are not measures; null if nothing was timed."""
    streamed = totals.streamed_requests
    return {
        "average_latency_ms": in_ms(totals.average_latency_us),
        "latency_ms": Percentiles(
            **{
                f"p{round(q * 100)}": None if value is None else round(value / 1000, 3)
                for q, value in quantiles.items()
            }
        ),
        "average_time_to_first_token_ms": (
            totals.time_to_first_token_us / streamed / 1000 if streamed else None
        ),
    }


def _sum_of(name: str, unit: Unit) -> Callable[[Totals], object]:
    if unit is Unit.PUSD:
        return lambda totals: Money(getattr(totals, name))
    return lambda totals: getattr(totals, name)


_VALUES: Final[Mapping[str, Callable[[Totals], object]]] = {
    **{measure.api_name: _sum_of(measure.name, measure.unit) for measure in MEASURES},
    "totalTokens": lambda totals: totals.total_tokens,
    "errorRate": lambda totals: totals.error_rate,
}
"""Functions by their names in JSON."""


@cache
def _measures_of(kind: type[Answer]) -> Mapping[str, Callable[[Totals], object]]:
    """Functions for those fields of a type that are measures."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return {name: _VALUES[api_name] for name, api_name in names if api_name in _VALUES}
