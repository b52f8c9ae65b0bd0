"""A cost is only called computed if all usage has a price.

The oracle reads the prices of the list itself, model by model; it shares no code with the book.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import pytest
from genai_prices.types import ModelInfo, ModelPrice
from tools.price_check.genai import METER_KEYS, MODELS

from outlay.domain.event import CostSource
from outlay.domain.meter import METERS, settle_meters
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook, PricedUsage

AT: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONTEXTS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "scale"},
    {"processing": "batch"},
    {"speed": "fast"},
    {"region": "mars"},
    {"processing": "batch", "service_tier": "flex"},
)
OWN_KEYS: Final = {"inference_geo", "region", "search_context_size"}
"""Keys of a context that our own data has prices for, at some providers."""

INPUT_KEYS: Final = ("input_mtok", "requests_kcount")
OUTPUT_KEYS: Final = ("output_mtok", "requests_kcount")
DRAWS: Final = 10
"""Draws for each model and context."""


def has_price(prices: ModelPrice, *keys: str) -> bool:
    return any(prices.__dict__.get(key) is not None for key in keys)


def missing(prices: ModelPrice, usage: TokenUsage, meters: Mapping[str, int]) -> set[str]:
    """Used quantities without a price in the list."""
    found = set()
    key_of = {name: key for key, name in METER_KEYS.items()}
    left = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    for name, quantity in meters.items():
        if not quantity:  # cut, because there are fewer tokens
            continue
        meter = METERS[name]
        is_priced = has_price(prices, key_of.get(name, ""), key_of.get(meter.instead, ""))
        if not is_priced and not meter.costs_as_whole:
            found.add(name)
        elif is_priced and meter.within:
            whole = meter.within.replace("cache_read_input", "input")
            left[whole] -= quantity - meters.get(meter.cached, 0)
    if left["input_tokens"] and not has_price(prices, *INPUT_KEYS):
        found.add("input_tokens")
    if left["output_tokens"] and not has_price(prices, *OUTPUT_KEYS):
        found.add("output_tokens")
    return found


def unselected(model: ModelInfo, context: Mapping[str, str]) -> set[str]:
    """The parts of a context that no price of the model is for."""
    selecting = {
        key
        for variant in model.price_variants or ()
        if variant.constraint is None or variant.constraint.active(AT)
        if variant.when.items() <= context.items()
        for key in variant.when
    }
    return {f"{key}={context[key]}" for key in context.keys() - selecting - OWN_KEYS}


def drawn(seeded: random.Random) -> tuple[TokenUsage, Mapping[str, int]]:
    counts = (seeded.choice((0, 1, seeded.randrange(400_000))) for _ in TokenUsage._fields)
    usage, _ = settle_tokens(TokenUsage(*counts))
    names = seeded.sample(sorted(METERS), seeded.randrange(5))
    return usage, settle_meters(usage, {name: seeded.randrange(1, 50_000) for name in names})[0]


def check(
    seeded: random.Random, model: ModelInfo, provider: str, context: Mapping[str, str]
) -> int:
    """Compare one draw with the oracle; returns the number of unpriced parts."""
    usage, meters = drawn(seeded)
    priced: PricedUsage = BOOK.price(
        provider=provider,
        mapping=f"{provider}/{model.id}",
        at_us=to_us(AT),
        usage=usage,
        meters=meters,
        context=context,
    )
    found = BOOK.find(provider, f"{provider}/{model.id}", to_us(AT), context)
    if found.ref.partition("?")[0].rpartition("/")[2] != model.id.rpartition("/")[2]:
        return 0  # an earlier pattern of the list matches the name
    lacking = missing(model.get_prices(AT, context), usage, meters)
    lacking -= {"input_image_tokens"} if provider == "cohere" else set()
    lacking |= unselected(model, context)
    what = (provider, model.id, context, usage, dict(meters), priced)
    if lacking:
        assert priced.cost_source in {CostSource.PARTIAL, CostSource.UNPRICED}, what
    if priced.cost_source is CostSource.PARTIAL:
        assert lacking <= set(priced.unpriced_parts), what
    return len(lacking)


BOOK: Final = PriceBook()


def test_event_with_an_unpriced_meter_or_context_is_never_computed() -> None:
    seeded = random.Random()
    lacking = sum(
        check(seeded, model, provider.id, context)
        for provider, model in seeded.sample(MODELS, 500)
        for context in CONTEXTS
    )

    assert lacking > 1_000


@pytest.mark.long
def test_event_of_any_model_with_unpriced_parts_is_never_computed() -> None:
    seeded = random.Random()
    for provider, model in MODELS:
        for context in CONTEXTS:
            for _ in range(DRAWS):
                check(seeded, model, provider.id, context)
