"""Quotes of genai-prices' own calculation: all its models, dates, contexts, tiers and meters."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.units import _get_registry
from tools.price_check.quotes import Quote

from outlay.domain.meter import METERS, settle_meters
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.pricing.rates import NO_METERS

TABLE: Final = "genai-prices"
SEED: Final = 20261120
MODELS: Final = [(provider, model) for provider in providers for model in provider.models]

METER_KEYS: Final = {
    unit.price_key: usage_key.replace("_seconds", "_milliseconds")
    for usage_key, unit in _get_registry().units.items()
    if usage_key.replace("_seconds", "_milliseconds") in METERS
}
"""The meters that prices of the list apply to."""

_DATES: Final = (datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 3, 3, 3, 33, tzinfo=UTC))
_MICROSECOND: Final = timedelta(microseconds=1)


def read_genai(at: datetime, share: float = 1.0) -> Iterator[Quote]:
    """The quotes of a share of its models, chosen at random."""
    seeded = random.Random(SEED if share == 1.0 else None)
    for provider, model in MODELS:
        if seeded.random() < share:
            yield from _quotes(provider, model, at, seeded)


def _quotes(
    provider: Provider, model: ModelInfo, now: datetime, seeded: random.Random
) -> Iterator[Quote]:
    for at in instants(model, now):
        for context in contexts(model):
            for usage, meters in usages(model.get_prices(at, context), seeded):
                try:
                    listed = calc_price(
                        listed_usage(usage, meters),
                        model.id,
                        provider_id=provider.id,
                        genai_request_timestamp=at,
                        price_context=context,
                    )
                except LookupError:  # its own name does not resolve to it
                    return
                except ValueError:  # its rules refuse this combination of counts
                    continue
                if listed.model_price.__dict__:
                    yield Quote(
                        table=TABLE,
                        provider=provider.id,
                        mapping=f"{provider.id}/{model.id}",
                        what=" ".join([*context.values(), f"{at:%Y-%m-%d %H:%M}", _sizes(usage)]),
                        cost=listed.total_price,
                        at=at,
                        usage=usage,
                        meters=meters,
                        context=context,
                    )


def _sizes(usage: TokenUsage) -> str:
    return f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"


def listed_usage(usage: TokenUsage, meters: Mapping[str, int] = NO_METERS) -> Usage:
    """The usage as genai-prices represents it, with times in seconds."""
    return Usage(
        **{
            name.replace("_milliseconds", "_seconds"): Decimal(quantity) / 1000
            if name.endswith("_milliseconds")
            else quantity
            for name, quantity in meters.items()
        },
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_write_input_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_input_tokens,
        output_reasoning_tokens=usage.reasoning_output_tokens,
    )


def conditions(model: ModelInfo) -> list[StartDateConstraint | TimeOfDateConstraint]:
    """The time conditions of a model's prices."""
    conditional = model.prices if isinstance(model.prices, list) else []
    items = (*conditional, *(model.price_variants or ()))
    return [item.constraint for item in items if item.constraint is not None]


def instants(model: ModelInfo, now: datetime) -> list[datetime]:
    """Some dates, and both sides of each instant at which a price of the model may change."""
    found = [*_DATES, now]
    for condition in conditions(model):
        if isinstance(condition, StartDateConstraint):
            edge = datetime.combine(condition.start_date, time(), UTC)
            found += [edge - _MICROSECOND, edge]
        else:
            for moment in (condition.start_time, condition.end_time):
                edge = datetime.combine(now.date(), moment, moment.tzinfo or UTC)
                found += [edge - _MICROSECOND, edge]
    return found


def contexts(model: ModelInfo) -> list[dict[str, str]]:
    """The contexts that the list has prices for."""
    return [{}, *(dict(variant.when) for variant in model.price_variants or ())]


def usages(
    prices: ModelPrice, seeded: random.Random
) -> Iterator[tuple[TokenUsage, Mapping[str, int]]]:
    """Small and large usage, both sides of each tier, and all meters with a price."""
    yield TokenUsage(1_000, 100, 300, 200, 50, 40), {}
    starts = {
        tier.start
        for price in prices.__dict__.values()
        if isinstance(price, TieredPrices)
        for tier in price.tiers
    }
    for start in sorted(starts):
        yield TokenUsage(start, 9_999, start // 3, start // 7, start // 9, 77), {}
        yield TokenUsage(start + 1, 9_999, start // 3, start // 7, start // 9, 77), {}
    drawn = TokenUsage(*(seeded.randrange(2_000_000) for _ in TokenUsage._fields))
    settled = settle_tokens(drawn)[0]
    yield settled, {}
    priced = [METER_KEYS[key] for key in prices.__dict__ if key in METER_KEYS]
    if priced:
        quantities = {name: seeded.randrange(2_000_000) for name in sorted(priced)}
        quantities |= {
            name: quantities.get(name, 0) + quantities.get(meter.cached, 0)
            for name, meter in METERS.items()
            if meter.cached in quantities
        }
        yield settled, settle_meters(settled, quantities)[0]
