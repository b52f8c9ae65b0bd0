"""The lines of a cost add up to it, and a reference leads back to the applied price."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay.domain.event import MAX_TEXT, CostSource, UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.meter import METERS, join_meters, settle_meters
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.pricing.entries import Numbered
from outlay.pricing.evidence import Evidence, explain_cost
from outlay.pricing.lines import lines_of_cost
from outlay.pricing.overrides import Overrides, read_entries
from outlay.pricing.own_data import OWN_DATA
from outlay.pricing.rates import PRICES, MeterRate, Rates, TieredRates, cost_of
from outlay.pricing.reference import RESERVED, parse_ref
from outlay.pricing.seed import BUNDLED, PriceList, bundled_list

AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
DATES = [AT, datetime(2026, 11, 21, 2, tzinfo=UTC), datetime(2025, 6, 1, 20, tzinfo=UTC)]
MODELS = [(provider, model) for provider in providers for model in provider.models]
BOOK = PriceBook()

counts = st.integers(0, 2_000_000)
usages = st.builds(TokenUsage, *[counts] * 6).map(lambda drawn: settle_tokens(drawn)[0])
quantities = st.dictionaries(st.sampled_from(sorted(METERS)), counts, max_size=6)
prices = st.integers(0, 10**15)
rates = st.builds(
    lambda base, meters, above: TieredRates(
        Rates(*base[0])._replace(meters=meters), ((above, Rates(*base[1])._replace(meters=meters)),)
    ),
    st.tuples(st.tuples(*[prices] * len(PRICES)), st.tuples(*[prices] * len(PRICES))),
    st.dictionaries(
        st.sampled_from(sorted(METERS)),
        st.builds(MeterRate, prices, st.sampled_from([1, 1000, 10**6])),
    ),
    counts,
)


@given(rates, usages, quantities)
def test_lines_add_up_to_the_cost(
    rates: TieredRates, usage: TokenUsage, drawn: Mapping[str, int]
) -> None:
    meters, _ = settle_meters(usage, drawn)
    parts = cost_of(rates, usage, meters)

    lines = lines_of_cost(rates, usage, meters)

    assert sum(line.amount_pusd for line in lines) == parts.total
    for line in lines:
        assert line.quantity > 0
        assert line.amount_pusd >= 0
        assert abs(line.amount_pusd - line.quantity * line.rate_pusd / line.per) <= 1 or (
            abs(line.amount_pusd * line.per - line.quantity * line.rate_pusd) <= line.per
        )


def priced_event(
    provider: str,
    mapping: str,
    usage: TokenUsage,
    meters: Mapping[str, int],
    at: datetime = AT,
    context: Mapping[str, str] | None = None,
    book: PriceBook = BOOK,
) -> UsageEvent:
    """An event as it is recorded."""
    priced = book.price(
        provider=provider,
        mapping=mapping,
        at_us=to_us(at),
        usage=usage,
        meters=meters,
        context=context,
    )
    return event_of(provider, mapping, usage, meters, at, context or {}, priced)


def event_of(
    provider: str,
    mapping: str,
    usage: TokenUsage,
    meters: Mapping[str, int],
    at: datetime,
    context: Mapping[str, str],
    priced: PricedUsage,
) -> UsageEvent:
    return UsageEvent(
        event_id=EventId("e"),
        organization_id=OrganizationId("org"),
        event_time_us=to_us(at),
        provider=provider,
        mapping=mapping,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_write_input_tokens=usage.cache_write_input_tokens,
        cache_write_1h_input_tokens=usage.cache_write_1h_input_tokens,
        reasoning_output_tokens=usage.reasoning_output_tokens,
        price_context=",".join(f"{key}={context[key]}" for key in sorted(context)),
        meters=join_meters(meters),
        cost_source=priced.cost_source,
        cost_pusd=priced.cost_pusd,
        input_cost_pusd=priced.input_cost_pusd,
        cache_read_cost_pusd=priced.cache_read_cost_pusd,
        cache_write_cost_pusd=priced.cache_write_cost_pusd,
        output_cost_pusd=priced.output_cost_pusd,
        meter_cost_pusd=priced.meter_cost_pusd,
        price_ref=priced.price_ref,
    )


def find_list(version: str) -> PriceList | None:
    return bundled_list() if version == BUNDLED else None


def explain(event: UsageEvent, book: PriceBook = BOOK) -> Evidence:
    return explain_cost(event, book, find_list)


def assert_explained(event: UsageEvent, book: PriceBook = BOOK) -> None:
    found = explain(event, book)
    assert found.note == "", event
    assert sum(line.amount_pusd for line in found.lines) == event.cost_pusd, event


PARTS = (
    "cost_pusd",
    "input_cost_pusd",
    "cache_read_cost_pusd",
    "cache_write_cost_pusd",
    "output_cost_pusd",
    "meter_cost_pusd",
)
USAGES = [
    (TokenUsage(300_001, 2_000, 100_000, 30_000, 10_000, 500), {}),
    (
        TokenUsage(1_003, 77, 301, 202, 53, 44),
        {
            "input_audio_tokens": 300,
            "output_image_tokens": 11,
            "web_searches": 3,
            "input_pixels": 7,
        },
    ),
]


def test_every_list_price_is_found_by_its_reference() -> None:
    explained = 0
    for provider, model in MODELS:
        contexts = [{}, *(dict(variant.when) for variant in model.price_variants or ())]
        for at in DATES:
            for context in contexts:
                for usage, drawn in USAGES:
                    meters, _ = settle_meters(usage, drawn)
                    mapping = f"{provider.id}/{model.id}"
                    event = priced_event(provider.id, mapping, usage, meters, at, context)
                    if event.cost_source is not CostSource.UNPRICED:
                        assert len(event.price_ref) <= MAX_TEXT
                        assert parse_ref(event.price_ref).provider == provider.id
                        assert_explained(event)
                        explained += 1
    assert explained > 10_000


def test_no_list_context_uses_a_reserved_name() -> None:
    keys = {
        key for _, model in MODELS for variant in model.price_variants or () for key in variant.when
    }

    assert not keys & set(RESERVED)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(MODELS),
    usages,
    quantities,
    st.dictionaries(
        st.sampled_from(["service_tier", "processing", "speed", "inference_geo", "route"]),
        st.sampled_from(["flex", "priority", "batch", "fast", "us", "scale"]),
    ),
    st.integers(0, 10**9).map(lambda seconds: AT - timedelta(seconds=seconds / 10)),
)
def test_any_request_cost_is_explained(
    listed: tuple[Provider, ModelInfo],
    usage: TokenUsage,
    drawn: Mapping[str, int],
    context: Mapping[str, str],
    at: datetime,
) -> None:
    provider, model = listed
    meters, _ = settle_meters(usage, drawn)
    event = priced_event(
        provider.id,
        f"{provider.id}/{model.id}",
        usage,
        meters,
        at,
        context,
    )
    if event.cost_source is not CostSource.UNPRICED:
        assert_explained(event)


@pytest.mark.parametrize(
    ("mapping", "context", "tokens", "ref"),
    [
        ("openai/gpt-5.5", {}, 1000, "openai/gpt-5.5"),
        ("openai/gpt-5.5", {}, 300_000, "openai/gpt-5.5?above=272000"),
        (
            "openai/gpt-5.4-mini",
            {"service_tier": "flex", "colour": "blue"},
            1000,
            "openai/gpt-5.4-mini?from=2026-10-12&service_tier=flex",
        ),
        ("openai/o3", {}, 1000, "openai/o3?from=2025-06-10"),
        (
            "aws/us.anthropic.claude-sonnet-4-6-v1:0",
            {},
            1000,
            "aws/regional.anthropic.claude-sonnet-4-6-v1:0",
        ),
        (
            "azure/eu/gpt-4o",
            {},
            1000,
            f"azure/gpt-4o?list=openai&own={OWN_DATA}&region=eu",
        ),
        ("azure/gpt-4o", {}, 1000, f"azure/gpt-4o?list=openai&own={OWN_DATA}"),
    ],
)
def test_reference_pins_variant_tier_date_and_list(
    mapping: str, context: Mapping[str, str], tokens: int, ref: str
) -> None:
    provider = mapping.partition("/")[0]

    event = priced_event(provider, mapping, TokenUsage(tokens), {}, context=context)

    assert event.price_ref == f"genai-prices:{BUNDLED}/{ref}"


def book_with(*entries: Mapping[str, object]) -> PriceBook:
    numbered = [
        Numbered(number, f"price {number}", f"override:{number}", entry)
        for number, entry in enumerate(entries, 1)
    ]
    rates = [("fx", {"currency": "EUR", "usd": "1.0842"})]
    return PriceBook(Overrides(prices=read_entries(numbered, rates)))


def test_overrides_and_percentages_are_explained() -> None:
    book = book_with(
        {
            "model": "openai/gpt-4o",
            "input": "3",
            "output": "9",
            "tier": [{"above": 500, "input": "4"}],
        },
        {"provider": "anthropic", "percent_of_list": "85"},
    )

    own = priced_event("openai", "openai/gpt-4o", TokenUsage(1_000, 20), {}, book=book)
    share = priced_event(
        "anthropic",
        "anthropic/claude-opus-4-8",
        TokenUsage(1_003, 77, 301, 202, 53, 44),
        {},
        book=book,
    )

    assert own.price_ref == "override:1?above=500"
    assert share.price_ref.startswith(
        f"override:2*genai-prices:{BUNDLED}/anthropic/claude-opus-4-8"
    )
    assert_explained(own, book)
    assert_explained(share, book)


def test_added_meter_prices_and_currencies_are_explained() -> None:
    usage, meters = TokenUsage(300_000, 20), {"web_searches": 3, "social_searches": 2}
    book = book_with(
        {
            "model": "openai/gpt-4o",
            "provider": "openai",
            "input": "3",
            "output": "9",
            "currency": "EUR",
        },
        {"provider": "openai", "percent_of_list": "85"},
        {"model": "openai/gpt-5.5", "meters": {"social_searches": "4"}},
    )

    converted = priced_event("openai", "openai/gpt-4o", usage, {}, book=book)
    laid = priced_event("openai", "openai/gpt-5.5", usage, meters, book=book)

    assert converted.price_ref == "override:1:EUR@1.0842"
    assert laid.price_ref == (
        f"override:2*genai-prices:{BUNDLED}/openai/gpt-5.5?above=272000+override:3"
    )
    assert_explained(converted, book)
    assert_explained(laid, book)


def test_references_of_earlier_versions_are_understood() -> None:
    event = priced_event(
        "openai", "openai/gpt-5.4-mini", TokenUsage(1_000, 20), {}, context={"service_tier": "flex"}
    )
    old = replace(event, price_ref=event.price_ref.partition("?")[0])

    assert_explained(old)


def test_deleted_price_is_reported() -> None:
    book = book_with({"model": "openai/gpt-4o", "input": "3", "output": "9"})
    event = priced_event("openai", "openai/gpt-4o", TokenUsage(1_000, 20), {}, book=book)

    assert explain(event) == Evidence(note="There is no price override:1 any more.")


def test_changed_price_has_no_lines() -> None:
    before = book_with({"model": "openai/gpt-4o", "input": "3", "output": "9"})
    after = book_with({"model": "openai/gpt-4o", "input": "4", "output": "9"})
    event = priced_event("openai", "openai/gpt-4o", TokenUsage(1_000, 20), {}, book=before)

    found = explain(event, after)

    assert found.lines == ()
    assert "gives 0.00418 USD today" in found.note
    assert "0.00318 USD on record" in found.note


@pytest.mark.parametrize("part", PARTS)
def test_one_differing_part_suppresses_the_lines(part: str) -> None:
    event = priced_event("openai", "openai/gpt-5.5", TokenUsage(1_000, 20, 100, 50), {})

    assert explain(replace(event, **{part: getattr(event, part) + 1})).lines == ()


def test_replaced_list_is_named() -> None:
    event = priced_event("openai", "openai/gpt-5.5", TokenUsage(1_000, 20), {})
    older = replace(event, price_ref="genai-prices:0.1.0/openai/gpt-5.5")
    other = replace(older, cost_pusd=7, input_cost_pusd=7)
    gone = replace(older, price_ref="genai-prices:0.1.0/openai/gpt-nil")

    assert explain(older).lines == explain(event).lines
    assert (
        "genai-prices 0.1.0, which priced this request, is not here any more" in explain(older).note
    )
    assert explain(other).lines == explain(gone).lines == ()
    assert "has no price for openai/gpt-nil" in explain(gone).note


def test_reported_cost_is_shown_with_computed_lines() -> None:
    event = priced_event("openai", "openai/gpt-5.5", TokenUsage(1_000, 20), {})
    reported = replace(
        event,
        cost_source=CostSource.REPORTED,
        cost_pusd=5,
        computed_cost_pusd=event.cost_pusd,
        price_ref="import:helicone",
    )

    assert explain(reported).lines == explain(event).lines
    assert explain(reported).note.startswith("Computed at genai-prices:")
