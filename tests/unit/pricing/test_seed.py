"""List prices are those of genai-prices, to the last digit, with the span in which they are
valid."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import calc_price
from genai_prices.types import ModelInfo, Provider
from tools.price_check.genai import MODELS, conditions, instants, listed_usage

from outlay.domain.usage import TokenUsage
from outlay.kit.clock import FOREVER_US, from_us, to_us
from outlay.pricing.list_rates import compile_prices
from outlay.pricing.rates import cost_of
from outlay.pricing.seed import BUNDLED, ListPrice, bundled_list

LISTED = bundled_list()
SOURCE = f"genai-prices:{BUNDLED}"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def assert_equal(cost_pusd: int, listed: Decimal, what: object) -> None:
    """Equal to the last digit, or up to the rounding of the parts."""
    exact = listed.scaleb(12)
    if exact == exact.to_integral_value():
        assert cost_pusd == exact, what
    else:
        assert abs(cost_pusd - exact) <= 9, what


def test_every_model_is_found_like_genai_prices_does() -> None:
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
    """The reference without parameters beyond list, version, provider and model."""
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
def test_routes_use_the_price_of_their_provider(provider: str, mapping: str, ref: str) -> None:
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
def test_unpriced_models_have_no_price(provider: str, mapping: str) -> None:
    assert LISTED.find(provider, mapping, to_us(AT)) is None


def test_o3_price_cut_starts_on_its_utc_day() -> None:
    before = find("openai/o3", datetime(2025, 6, 9, 23, 59, 59, 999_999, UTC))
    after = find("openai/o3", datetime(2025, 6, 10, tzinfo=UTC))

    assert (before.rates.base.input, after.rates.base.input) == (10 * 10**12, 2 * 10**12)
    assert before.until_us == after.from_us == to_us(datetime(2025, 6, 10, tzinfo=UTC))
    assert before.from_us == -FOREVER_US


def test_price_by_time_of_day_holds_within_its_window() -> None:
    off_peak = find("deepseek/deepseek-chat", datetime(2025, 5, 5, 20, tzinfo=UTC))
    peak = find("deepseek/deepseek-chat", datetime(2025, 5, 5, 12, tzinfo=UTC))

    assert from_us(peak.from_us) == datetime(2025, 5, 5, 0, 30, tzinfo=UTC)
    assert from_us(peak.until_us) == datetime(2025, 5, 5, 16, 30, tzinfo=UTC)
    assert from_us(off_peak.from_us) == datetime(2025, 5, 5, 16, 30, tzinfo=UTC)
    assert from_us(off_peak.until_us) == datetime(2025, 5, 6, 0, 30, tzinfo=UTC)
    assert peak.rates.base.input > off_peak.rates.base.input


def test_prices_do_not_change_within_their_span() -> None:
    seeded = random.Random(7)
    for provider, model in MODELS:
        if not conditions(model):
            continue
        for at in instants(model, AT):
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
        if "own=" not in again.ref:
            assert compile_prices(model.get_prices(from_us(moment))) == found.rates


def test_request_context_selects_its_variant() -> None:
    standard = find("openai/gpt-5.4-mini").rates.base
    flex = find("openai/gpt-5.4-mini", context={"service_tier": "flex"}).rates.base
    batch = find("openai/gpt-5.4-mini", context={"processing": "batch"}).rates.base
    other = find("openai/gpt-5.4-mini", context={"colour": "blue"}).rates.base

    assert flex.input == batch.input == standard.input // 2
    assert other == standard


def test_resellers_do_not_use_the_makers_variants() -> None:
    context = {"processing": "batch"}

    assert find("azure/gpt-4o", context=context).rates == find("azure/gpt-4o").rates
    assert find("openai/gpt-4o", context=context).rates != find("openai/gpt-4o").rates


def test_fee_per_request_is_priced() -> None:
    assert find("perplexity/sonar-pro").rates.base.per_request == 14_000_000_000


def test_deepseek_has_no_peak_hours_on_beijing_weekends() -> None:
    def input_rate(at: datetime) -> int:
        return find("deepseek/deepseek-v4-flash", at).rates.base.input

    friday, saturday = datetime(2026, 11, 20, 2, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)
    peak, off_peak = 300_000_000_000, 150_000_000_000

    assert [input_rate(friday), input_rate(friday + 3 * HOUR)] == [peak, off_peak]
    assert {input_rate(saturday + hours * HOUR) for hours in range(46)} == {off_peak}
    assert input_rate(saturday + 2 * DAY) == peak
    # The cached span ends with the day.
    late = find("deepseek/deepseek-v4-flash", saturday + 12 * HOUR)
    assert late.until_us == to_us(datetime(2026, 11, 21, 16, tzinfo=UTC))


def test_own_data_replaces_wrong_rates() -> None:
    cut = datetime(2025, 6, 10, tzinfo=UTC)

    assert find("openai/o3", cut - MICROSECOND).rates.base.cache_read == 2_500_000_000_000
    assert find("openai/o3", cut).rates.base.cache_read == 500_000_000_000
    assert find("openai/ft:gpt-4o:acme::x").rates.base.cache_read == 1_875_000_000_000


def test_region_multiplies_all_rates_and_unknown_ones_are_named() -> None:
    listed = find("anthropic/claude-opus-4-8").rates.base
    there = find("anthropic/claude-opus-4-8", context={"inference_geo": "us"})
    elsewhere = find("anthropic/claude-opus-4-8", context={"inference_geo": "mars"})

    assert (there.rates.base.input * 10, there.unlisted_context) == (listed.input * 11, ())
    assert (elsewhere.rates.base, elsewhere.unlisted_context) == (listed, ("inference_geo=mars",))


@pytest.mark.parametrize(
    ("mapping", "percent", "unlisted"),
    [
        ("azure/eu/gpt-4o", 110, ()),
        ("azure/us/gpt-4o", 110, ()),
        ("azure/eu/gpt-6-sol", 120, ()),
        ("azure/us/gpt-6-sol", 110, ()),
        ("azure/global-standard/gpt-4o-mini", 100, ()),
        ("azure/us-gov/gpt-4o", 100, ("region=us-gov",)),
        ("aws/us.amazon.nova-pro-v1:0", 100, ()),
        ("aws/eu.amazon.nova-pro-v1:0", 100, ("region=eu",)),
        ("aws/ap-south-1/meta.llama3-8b-instruct-v1:0", 100, ("region=ap-south-1",)),
        ("aws/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 100, ()),
        ("aws/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", 100, ("region=us-gov",)),
        (
            "aws/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
            100,
            ("region=eu",),
        ),
    ],
)
def test_region_in_the_name_is_priced_or_named(
    mapping: str, percent: int, unlisted: tuple[str, ...]
) -> None:
    provider, _, route = mapping.partition("/")
    plain = route.rpartition("/")[2]
    if provider == "aws" and ".anthropic." not in plain:
        plain = plain.partition(".")[2] if plain.count(".") > 1 else plain

    found = find(mapping)

    listed = find(f"{provider}/{plain}").rates.base.input
    assert (found.rates.base.input * 100, found.unlisted_context) == (listed * percent, unlisted)


@pytest.mark.parametrize(
    "mapping",
    [
        "azure/deepseek-r1",
        "azure/gpt-oss-120b",
        "azure/o4-mini.ft-0123456789abcdef",
        "google/gemini-3.8-flash-cyber",
        "aws/arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-pro-v1:0/abc",
    ],
)
def test_mismatched_models_and_sellers_have_no_price(mapping: str) -> None:
    assert LISTED.find(mapping.partition("/")[0], mapping, to_us(AT)) is None


def test_anthropic_platform_on_aws_uses_anthropic_prices() -> None:
    found = find("aws/claude_platform/claude-opus-4-8")

    assert found.rates == find("anthropic/claude-opus-4-8").rates
    assert named(found) == f"{SOURCE}/anthropic/claude-opus-4-8"


def test_own_standard_rates_leave_variants_unchanged() -> None:
    fine_tuned = "openai/ft:gpt-4o-mini-2024-07-18:acme::x"

    assert find(fine_tuned).rates.base.cache_read == 150_000_000_000
    assert find(fine_tuned, context={"processing": "batch"}).rates.base.cache_read == 75_000_000_000


def test_minimum_of_ten_seconds_is_billed_where_it_applies() -> None:
    rates = find("groq/whisper-large-v3").rates
    costs = [
        cost_of(rates, TokenUsage(), {"input_audio_milliseconds": ms}).total
        for ms in (1, 10_000, 20_000)
    ]

    assert costs == [308_333_333, 308_333_333, 616_666_667]


def test_missing_search_context_size_is_named() -> None:
    small = find("perplexity/sonar-pro", context={"search_context_size": "low"})
    unknown = find("perplexity/sonar-pro")

    assert (small.rates.base.per_request, small.unlisted_context) == (6_000_000_000, ())
    assert unknown.unlisted_context == ("search_context_size=unknown",)
