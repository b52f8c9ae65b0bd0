"""The price book says what genai-prices says, exactly, in integers; overrides beat it."""

import warnings
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price, data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing import book as book_module
from outlay.pricing.book import PriceBook

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
PARTS = 4
"""Each part may be rounded by half a pico-USD."""


def price(
    book: PriceBook,
    mapping: str,
    usage: TokenUsage,
    at: datetime = AT,
    context: dict[str, str] | None = None,
) -> tuple[int, CostSource]:
    priced = book.price(
        provider=mapping.partition("/")[0],
        mapping=mapping,
        at_us=to_us(at),
        usage=usage,
        context=context,
    )
    return priced.cost_pusd, priced.cost_source


def listed_usage(usage: TokenUsage) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_write_input_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_input_tokens,
        output_reasoning_tokens=usage.reasoning_output_tokens,
    )


USAGES = [
    TokenUsage(1_000, 100, 300, 200, 50, 40),
    TokenUsage(200_000, 10),
    TokenUsage(200_001, 10),
    TokenUsage(272_001, 9_999, 100_000),
    TokenUsage(1, 0),
    TokenUsage(0, 0),
]
DATES = [datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 3, 3, 3, 33, tzinfo=UTC), AT]


def test_every_listed_model_costs_what_genai_prices_says() -> None:
    book = PriceBook()
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for provider in data_snapshot.get_snapshot().providers:
            for model in provider.models:
                for at in DATES:
                    for usage in USAGES:
                        try:
                            listed = calc_price(
                                listed_usage(usage),
                                model.id,
                                provider_id=provider.id,
                                genai_request_timestamp=at,
                            )
                        except (LookupError, ValueError):
                            continue
                        cost, source = price(book, f"{provider.id}/{model.id}", usage, at)
                        if source is CostSource.UNPRICED:
                            assert listed.total_price == 0
                            continue
                        exact = listed.total_price.scaleb(12)
                        assert abs(cost - exact) <= PARTS, (provider.id, model.id, usage, at)
                        compared += 1
    assert compared > 30_000


@pytest.mark.parametrize(
    ("mapping", "usage", "dollars"),
    [
        ("openai/gpt-4o", TokenUsage(1_000_000, 100_000), "3.50"),
        ("anthropic/claude-opus-4-5", TokenUsage(1_000_000, 0, 600_000, 100_000), "2.425"),
        ("openai/gpt-5.5", TokenUsage(272_000, 0), "1.36"),
        ("openai/gpt-5.5", TokenUsage(272_001, 0), "2.72001"),
    ],
)
def test_known_bills_come_out_to_the_last_digit(
    mapping: str, usage: TokenUsage, dollars: str
) -> None:
    cost, source = price(PriceBook(), mapping, usage)

    assert Decimal(cost).scaleb(-12) == Decimal(dollars)
    assert source is CostSource.COMPUTED


def test_a_price_cut_applies_from_its_date_on_and_not_before() -> None:
    book = PriceBook()
    usage = TokenUsage(1_000_000, 0)

    before = price(book, "openai/o3", usage, datetime(2025, 6, 9, 23, 59, tzinfo=UTC))
    after = price(book, "openai/o3", usage, datetime(2025, 6, 11, tzinfo=UTC))
    again = price(book, "openai/o3", usage, datetime(2025, 6, 9, 23, 59, tzinfo=UTC))

    assert before == again == (10 * 10**12, CostSource.COMPUTED)
    assert after == (2 * 10**12, CostSource.COMPUTED)


def test_the_context_of_a_request_selects_its_variant() -> None:
    book = PriceBook()
    usage = TokenUsage(1_000_000, 0)

    standard, _ = price(book, "openai/gpt-5.4-mini", usage)
    flex, _ = price(book, "openai/gpt-5.4-mini", usage, context={"service_tier": "flex"})
    batch, _ = price(book, "openai/gpt-5.4-mini", usage, context={"processing": "batch"})

    assert flex == batch == standard // 2


@pytest.mark.parametrize("mapping", ["acme/house-model", "nobody/nothing", "x/", "/y"])
def test_unknown_models_are_unpriced_rather_than_free(mapping: str) -> None:
    assert price(PriceBook(), mapping, TokenUsage(1000, 1000)) == (0, CostSource.UNPRICED)


def test_hostile_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_CACHED", 50)
    book = PriceBook()

    for number in range(500):
        price(book, f"acme/model-{number}", TokenUsage(1, 1))
        book.canonical_model(f"acme/model-{number}")

    assert len(book._applied) <= 50
    assert len(book._models) <= 50


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_parts_of_a_cost_add_up_to_it(input_tokens: int, output_tokens: int) -> None:
    priced = PriceBook().price(
        provider="openai",
        mapping="openai/gpt-4o",
        at_us=to_us(AT),
        usage=TokenUsage(input_tokens, output_tokens, input_tokens // 3, input_tokens // 5),
    )

    assert priced.cost_pusd == sum(priced[1:5])


OVERRIDES = """
[aliases]
"My-Fast-Model" = "gpt-4o"

[[price]]
model = "gpt-4o"
input = "1.00"
output = "4.00"
effective_from = 2026-11-01
effective_to = 2026-12-01

[[price]]
model = "openai/gpt-4o"
provider = "openai"
input = "0.50"
output = 2
effective_from = 2026-11-15

  [[price.tier]]
  above = 100000
  input = "5"

[[price]]
model = "house-model"
input = "0"
output = "0"
"""


@pytest.fixture
def overridden(tmp_path: Path) -> PriceBook:
    path = tmp_path / "prices.toml"
    path.write_text(OVERRIDES)
    return PriceBook.load(path)


def test_overrides_beat_the_list_in_their_time_only(overridden: PriceBook) -> None:
    usage = TokenUsage(1000, 0)

    october = price(overridden, "azure/gpt-4o", usage, datetime(2026, 10, 31, tzinfo=UTC))
    november = price(overridden, "azure/gpt-4o", usage, datetime(2026, 11, 1, tzinfo=UTC))

    assert october[1] is CostSource.COMPUTED
    assert november == (1000 * 1_000_000, CostSource.OVERRIDE)


def test_the_more_specific_override_wins_and_honours_its_tier(overridden: PriceBook) -> None:
    small = price(overridden, "openai/gpt-4o", TokenUsage(100_000, 0))
    large = price(overridden, "openai/gpt-4o", TokenUsage(100_001, 0))

    assert small == (100_000 * 500_000, CostSource.OVERRIDE)
    assert large == (100_001 * 5_000_000, CostSource.OVERRIDE)


def test_a_free_model_is_priced_at_zero_which_is_not_unpriced(overridden: PriceBook) -> None:
    assert price(overridden, "acme/house-model", TokenUsage(9, 9)) == (0, CostSource.OVERRIDE)


def test_an_alias_is_priced_and_named_as_its_model(overridden: PriceBook) -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)

    assert overridden.canonical_model("openai/my-fast-model") == "gpt-4o"
    assert price(overridden, "openai/my-fast-model", TokenUsage(1_000_000, 0), at) == (
        2_500_000_000_000,
        CostSource.COMPUTED,
    )


def test_every_fault_of_a_price_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        """
        [[price]]
        model = "a"
        inputt = "1"
        [[price]]
        model = "b"
        input = "-1"
        [[price]]
        input = "nan"
        [[price]]
        model = "c"
        input = "1"
        effective_from = 2026-02-01
        effective_to = 2026-01-01
        [[price]]
        model = "d"
        output = "1"
        [[price]]
        model = "d"
        output = "2"
        """
    )

    with pytest.raises(Invalid) as caught:
        PriceBook.load(path)

    message = caught.value.message
    for part in (
        "price 1, inputt: unknown key",
        "price 1, input: no price is given",
        "price 2, input: must be between",
        "price 3, model",
        "price 3, input: must be between",
        "price 4, effective_to: must be after",
        "price 6, effective_from: overlaps price 5",
    ):
        assert part in message


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("[[price]\n")

    with pytest.raises(Invalid, match="line 1"):
        PriceBook.load(path)
