"""List prices of genai-prices, found and compiled on demand.

genai-prices (MIT) keeps dated prices, tiers by input size, variants by context and prices by time
of day for some fifty providers, and knows the spellings of model names. Its own calculation takes
tens of microseconds, so only the look-up is taken from it, once per model and span of time.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Final, NamedTuple

from genai_prices import data_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from outlay.kit.clock import FOREVER_US, from_us, to_us
from outlay.pricing.canonical import canonical_model
from outlay.pricing.rates import TieredRates, compile_rates

PROVIDERS: Final[Mapping[str, str]] = {
    "bedrock": "aws",
    "aws.bedrock": "aws",
    "vertex_ai": "google",
    "gemini": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "azure_ai": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
}
"""Spellings of LiteLLM and OpenTelemetry that genai-prices does not know."""

_KEYS: Final = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
}

SOURCE: Final = f"genai-prices:{version('genai-prices')}"


class ListPrice(NamedTuple):
    """A compiled price and the half-open span of event times it holds for, in µs."""

    rates: TieredRates
    ref: str
    from_us: int
    until_us: int


def find_list_price(
    provider: str, mapping: str, at_us: int, context: Mapping[str, str]
) -> ListPrice | None:
    """The list price of a mapping at an instant; None when the model is not known or not priced
    by tokens or requests."""
    found = _find_model(provider, mapping)
    if found is None:
        return None
    owner, model = found
    instant = from_us(at_us)
    # Variants belong to the provider's own models, not to those it resells (as genai-prices does).
    is_own = any(model is own for own in owner.models)
    rates = _compile(model.get_prices(instant, dict(context) if is_own else None))
    if rates is None:
        return None
    from_us_, until_us = _span(model, instant)
    return ListPrice(rates, f"{SOURCE}/{owner.id}/{model.id}", from_us_, until_us)


def _find_model(provider: str, mapping: str) -> tuple[Provider, ModelInfo] | None:
    snapshot = data_snapshot.get_snapshot()
    provider_id = PROVIDERS.get(provider.lower(), provider)
    for reference in _references(mapping):
        try:
            return snapshot.find_provider_model(reference, None, provider_id, None)
        except LookupError:
            continue
    return None


def _references(mapping: str) -> Iterable[str]:
    """What to look a mapping up by: as routed, whole, and as canonical model."""
    _, slash, rest = mapping.partition("/")
    if slash and rest:
        yield rest
    yield mapping
    yield canonical_model(mapping)


def _compile(prices: ModelPrice) -> TieredRates | None:
    listed = {
        name: value
        for key, name in _KEYS.items()
        if (value := prices.__dict__.get(key)) is not None
    }
    per_thousand = prices.__dict__.get("requests_kcount")
    if isinstance(per_thousand, Decimal):
        listed["per_request"] = per_thousand / 1000
    if not listed:
        return None
    starts = {
        tier.start
        for value in listed.values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    }
    return TieredRates(
        base=compile_rates({name: _at(value, 0) for name, value in listed.items()}),
        tiers=tuple(
            (start, compile_rates({name: _at(value, start + 1) for name, value in listed.items()}))
            for start in sorted(starts, reverse=True)
        ),
    )


def _at(price: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    applicable = price.base
    for tier in price.tiers:
        if input_tokens > tier.start:
            applicable = tier.price
    return applicable


def _span(model: ModelInfo, instant: datetime) -> tuple[int, int]:
    """The longest span around `instant` in which no condition of the model's prices changes."""
    edges = [0, FOREVER_US]
    conditional = model.prices if isinstance(model.prices, list) else []
    for item in (*conditional, *(model.price_variants or ())):
        edges.extend(_edges(item.constraint, instant))
    at_us = to_us(instant)
    return max(edge for edge in edges if edge <= at_us), min(edge for edge in edges if edge > at_us)


def _edges(
    constraint: StartDateConstraint | TimeOfDateConstraint | None, instant: datetime
) -> list[int]:
    """Instants near `instant` at which a constraint may begin or cease to hold, in µs."""
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    if isinstance(constraint, StartDateConstraint):
        start = constraint.start_date
        return [to_us(midnight.replace(year=start.year, month=start.month, day=start.day))]
    if isinstance(constraint, TimeOfDateConstraint):
        return [
            to_us(midnight + timedelta(days=day) + _since_midnight(moment))
            for day in (-2, -1, 0, 1, 2)
            for moment in (constraint.start_time, constraint.end_time)
        ]
    return []


def _since_midnight(moment: time) -> timedelta:
    """Time since UTC midnight of a time of day; without a zone it is UTC."""
    offset = moment.utcoffset() or timedelta(0)
    return (
        timedelta(
            hours=moment.hour,
            minutes=moment.minute,
            seconds=moment.second,
            microseconds=moment.microsecond,
        )
        - offset
    )
