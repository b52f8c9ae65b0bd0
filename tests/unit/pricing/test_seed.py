"""List prices are those of genai-prices, to the last digit, with the span they hold for."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
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

from outlay.domain.meter import METERS, settle_meters
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.kit.clock import FOREVER_US, from_us, to_us
from outlay.pricing.own_data import find_corrections
from outlay.pricing.rates import NO_METERS, cost_of
from outlay.pricing.seed import BUNDLED, ListPrice, bundled_list, compile_prices

LISTED = bundled_list()
SOURCE = f"genai-prices:{BUNDLED}"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATES = [datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 3, 3, 3, 33, tzinfo=UTC), AT]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
MODELS = [(provider, model) for provider in providers for model in provider.models]
TOKEN_KEYS = {
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
}


METER_KEYS = {
    unit.price_key: usage_key.replace("_seconds", "_milliseconds")
    for usage_key, unit in _get_registry().units.items()
    if usage_key.replace("_seconds", "_milliseconds") in METERS
}


def listed_usage(usage: TokenUsage, meters: Mapping[str, int] = NO_METERS) -> Usage:
    """The same in the words of genai-prices, whose times are seconds."""
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


def assert_equal(cost_pusd: int, listed: Decimal, what: object) -> None:
    """The same to the last digit, or the rounding of its parts away."""
    exact = listed.scaleb(12)
    if exact == exact.to_integral_value():
        assert cost_pusd == exact, what
    else:
        assert abs(cost_pusd - exact) <= 9, what


def conditions(model: ModelInfo) -> list[StartDateConstraint | TimeOfDateConstraint]:
    conditional = model.prices if isinstance(model.prices, list) else []
    items = (*conditional, *(model.price_variants or ()))
    return [item.constraint for item in items if item.constraint is not None]


def instants(model: ModelInfo) -> list[datetime]:
    """Some dates, and both sides of each instant at which a price of the model may change."""
    found = list(DATES)
    for condition in conditions(model):
        if isinstance(condition, StartDateConstraint):
            edge = datetime.combine(condition.start_date, time(), UTC)
            found += [edge - MICROSECOND, edge]
        else:
            for moment in (condition.start_time, condition.end_time):
                edge = datetime.combine(AT.date(), moment, moment.tzinfo or UTC)
                found += [edge - MICROSECOND, edge]
    return found


def contexts(model: ModelInfo) -> list[dict[str, str]]:
    return [{}, *(dict(variant.when) for variant in model.price_variants or ())]


def usages(
    prices: ModelPrice, seeded: random.Random
) -> Iterator[tuple[TokenUsage, Mapping[str, int]]]:
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


def test_every_model_costs_what_genai_prices_says_at_all_times_in_all_contexts() -> None:
    seeded = random.Random(20261120)
    compared = metered = 0
    for provider, model in MODELS:
        for at in instants(model):
            for context in contexts(model):
                prices = model.get_prices(at, context)
                rates = compile_prices(prices)
                if rates is None:
                    assert not (TOKEN_KEYS | METER_KEYS.keys()) & prices.__dict__.keys()
                    continue
                for usage, meters in usages(prices, seeded):
                    listed = model.calc_price(
                        listed_usage(usage, meters),
                        provider,
                        genai_request_timestamp=at,
                        price_context=context,
                    )
                    what = (provider.id, model.id, at, context, usage, meters)
                    parts = cost_of(rates, usage, meters)
                    assert_equal(parts.total, listed.total_price, what)
                    compared += 1
                    metered += bool(meters)
    assert compared > 20_000
    assert metered > 500


def test_every_model_is_found_by_its_own_name_as_genai_prices_finds_it() -> None:
    usage = TokenUsage(1_000, 100, 300, 200, 50, 40)
    compared = 0
    for provider, model in MODELS:
        try:
            listed = calc_price(
                listed_usage(usage),
                model.id,
                provider_id=provider.id,
                genai_request_timestamp=AT,
            )
        except LookupError:
            continue
        found = LISTED.find(provider.id, f"{provider.id}/{model.id}", to_us(AT))
        if found is not None:
            compared += 1
            assert named(found) == f"{SOURCE}/{provider.id}/{listed.model.id}"
            assert_equal(cost_of(found.rates, usage).total, listed.total_price, found.ref)
    assert compared > 2_000


def named(found: ListPrice) -> str:
    """Its reference without what it pins beside list, version, provider and model."""
    return found.ref.partition("?")[0]


def find(mapping: str, at: datetime = AT, context: Mapping[str, str] | None = None) -> ListPrice:
    found = LISTED.find(mapping.partition("/")[0], mapping, to_us(at), context)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("provider", "mapping", "ref"),
    [
        ("openai", "openai/gpt-5.5", "openai/gpt-5.5"),
        ("openai", "OpenAI/GPT-5.5", "openai/gpt-5.5"),
        ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("openai", "openai/ft:gpt-4o-2024-08-06:acme::id", "openai/ft:gpt-4o"),
        ("openai", "openai/ft:gpt-4o:acme", "openai/ft:gpt-4o"),
        ("", "openai/gpt-5.5", "openai/gpt-5.5"),
        ("litellm", "openai/gpt-5.5", "openai/gpt-5.5"),
        ("azure", "azure/gpt-4o-2024-08-06", "azure/gpt-4o"),
        ("azure.ai.openai", "azure/gpt-35-turbo", "azure/gpt-3.5-turbo"),
        ("aws", "amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
        (
            "bedrock",
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "bedrock_converse",
            "bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("vertex_ai", "vertex_ai/claude-opus-4-1@20250805", "google/claude-4-opus"),
        ("vertex_ai", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gemini", "gemini/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.gen_ai", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("mistral", "mistral/mistral-large-2411", "mistral/mistral-large"),
        ("groq", "groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("xai", "xai/grok-4-latest", "x-ai/grok-4-0709"),
        ("deepseek", "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        ("openrouter", "openrouter/openai/gpt-5.5", "openrouter/openai/gpt-5.5"),
        ("openrouter", "openai/gpt-5.5:nitro", "openrouter/openai/gpt-5.5"),
        ("openrouter", "openai/gpt-5.5:batch", "openrouter/openai/gpt-5.5:batch"),
        (
            "fireworks_ai",
            "fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct",
            "fireworks/llama-v3p1-8b-instruct",
        ),
    ],
)
def test_routes_lead_to_the_price_of_their_provider(provider: str, mapping: str, ref: str) -> None:
    found = LISTED.find(provider, mapping, to_us(AT))

    assert found is not None
    assert named(found) == f"{SOURCE}/{ref}"


@pytest.mark.parametrize(
    ("provider", "mapping"),
    [
        ("acme", "acme/gpt-5.5"),
        ("openai", "openai/nothing-like-it"),
        ("custom_openai", "custom_openai/gpt-4o"),
        ("openrouter", "openai/gpt-5.5:free"),
        ("openai", "openai/gpt-4o:batch"),
        ("mistral", "mistral/mistral-large-2411:free"),
        ("", ""),
        ("", "/"),
        ("openai", ""),
    ],
)
def test_what_has_no_price_is_none(provider: str, mapping: str) -> None:
    assert LISTED.find(provider, mapping, to_us(AT)) is None


def test_the_cut_of_o3_came_with_the_day_in_utc() -> None:
    before = find("openai/o3", datetime(2025, 6, 9, 23, 59, 59, 999_999, UTC))
    after = find("openai/o3", datetime(2025, 6, 10, tzinfo=UTC))

    assert (before.rates.base.input, after.rates.base.input) == (10 * 10**12, 2 * 10**12)
    assert before.until_us == after.from_us == to_us(datetime(2025, 6, 10, tzinfo=UTC))
    assert before.from_us == -FOREVER_US


def test_a_price_by_time_of_day_holds_within_its_window_only() -> None:
    off_peak = find("deepseek/deepseek-chat", datetime(2025, 5, 5, 20, tzinfo=UTC))
    peak = find("deepseek/deepseek-chat", datetime(2025, 5, 5, 12, tzinfo=UTC))

    assert from_us(peak.from_us) == datetime(2025, 5, 5, 0, 30, tzinfo=UTC)
    assert from_us(peak.until_us) == datetime(2025, 5, 5, 16, 30, tzinfo=UTC)
    assert from_us(off_peak.from_us) == datetime(2025, 5, 5, 16, 30, tzinfo=UTC)
    assert from_us(off_peak.until_us) == datetime(2025, 5, 6, 0, 30, tzinfo=UTC)
    assert peak.rates.base.input > off_peak.rates.base.input


def test_prices_do_not_change_within_the_span_they_are_given_for() -> None:
    seeded = random.Random(7)
    for provider, model in MODELS:
        if not conditions(model):
            continue
        for at in instants(model):
            check_span(provider, model, at, seeded)


def check_span(provider: Provider, model: ModelInfo, at: datetime, seeded: random.Random) -> None:
    found = LISTED.find(provider.id, f"{provider.id}/{model.id}", to_us(at))
    if found is None or not named(found).endswith(f"/{model.id}"):
        return
    begin = max(found.from_us, to_us(at - 400 * DAY))
    end = min(found.until_us, to_us(at + 400 * DAY))
    assert begin <= to_us(at) < end
    for moment in (begin, end - 1, seeded.randrange(begin, end)):
        again = LISTED.find(provider.id, f"{provider.id}/{model.id}", moment)
        assert again is not None
        assert again.rates == found.rates
        if provider.id != "deepseek":  # whose weekends are our own data
            own, _, _ = find_corrections(provider.id, model.id, moment)
            assert compile_prices(model.get_prices(from_us(moment)), own) == found.rates


def test_the_context_of_a_request_selects_its_variant() -> None:
    standard = find("openai/gpt-5.4-mini").rates.base
    flex = find("openai/gpt-5.4-mini", context={"service_tier": "flex"}).rates.base
    batch = find("openai/gpt-5.4-mini", context={"processing": "batch"}).rates.base
    other = find("openai/gpt-5.4-mini", context={"colour": "blue"}).rates.base

    assert flex.input == batch.input == standard.input // 2
    assert other == standard


def test_a_reseller_does_not_take_part_in_the_makers_variants() -> None:
    context = {"processing": "batch"}

    assert find("azure/gpt-4o", context=context).rates == find("azure/gpt-4o").rates
    assert find("openai/gpt-4o", context=context).rates != find("openai/gpt-4o").rates


def test_a_fee_per_request_is_priced() -> None:
    assert find("perplexity/sonar-pro").rates.base.per_request == 14_000_000_000


def test_deepseek_has_no_peak_hours_on_weekends_by_the_calendar_of_beijing() -> None:
    def input_rate(at: datetime) -> int:
        return find("deepseek/deepseek-v4-flash", at).rates.base.input

    friday, saturday = datetime(2026, 11, 20, 2, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)
    peak, off_peak = 300_000_000_000, 150_000_000_000

    assert [input_rate(friday), input_rate(friday + 3 * HOUR)] == [peak, off_peak]
    assert {input_rate(saturday + hours * HOUR) for hours in range(46)} == {off_peak}
    assert input_rate(saturday + 2 * DAY) == peak
    # The span of what is kept ends with the day.
    late = find("deepseek/deepseek-v4-flash", saturday + 12 * HOUR)
    assert late.until_us == to_us(datetime(2026, 11, 21, 16, tzinfo=UTC))


def test_our_own_rates_stand_in_place_of_wrong_ones() -> None:
    cut = datetime(2025, 6, 10, tzinfo=UTC)

    assert find("openai/o3", cut - MICROSECOND).rates.base.cache_read == 2_500_000_000_000
    assert find("openai/o3", cut).rates.base.cache_read == 500_000_000_000
    assert find("openai/ft:gpt-4o:acme::x").rates.base.cache_read == 1_875_000_000_000


def test_a_place_multiplies_all_rates_and_an_unknown_one_is_named() -> None:
    listed = find("anthropic/claude-opus-4-8").rates.base
    there = find("anthropic/claude-opus-4-8", context={"inference_geo": "us"})
    elsewhere = find("anthropic/claude-opus-4-8", context={"inference_geo": "mars"})

    assert (there.rates.base.input * 10, there.unlisted_context) == (listed.input * 11, ())
    assert (elsewhere.rates.base, elsewhere.unlisted_context) == (listed, ("inference_geo=mars",))
