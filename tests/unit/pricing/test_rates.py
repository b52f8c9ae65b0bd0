"""Rates are exact integers; a missing rate is that of the count that includes its tokens."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.pricing.rates import PRICES, Rates, TieredRates, compile_rates, cost_of

USD = 10**12


def test_rate_is_pico_dollars_per_million_tokens() -> None:
    rates = compile_rates({"input": Decimal("0.0375"), "output": Decimal("1e-12")})

    assert rates.input == 37_500_000_000
    assert rates.output == 1


def test_inexact_price_is_refused() -> None:
    with pytest.raises(ValueError, match="12 decimal places"):
        compile_rates({"input": Decimal("0.18000000000000002")})


def test_missing_rates_fall_back_to_the_whole() -> None:
    assert compile_rates({"input": Decimal(2), "output": Decimal(8)}) == Rates(
        2 * USD, 2 * USD, 2 * USD, 2 * USD, 8 * USD, 8 * USD, 0
    )
    assert compile_rates({"input": Decimal(2), "cache_write": Decimal(3)}) == Rates(
        2 * USD, 2 * USD, 3 * USD, 3 * USD, 0, 0, 0
    )


def test_price_of_zero_does_not_fall_back() -> None:
    prices = {"input": Decimal(2), "output": Decimal(8)}
    prices |= dict.fromkeys(
        ("cache_read", "cache_write", "cache_write_1h", "reasoning"), Decimal(0)
    )

    assert compile_rates(prices) == Rates(2 * USD, 0, 0, 0, 8 * USD, 0, 0)


def test_every_part_has_its_own_rate() -> None:
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
    rates = compile_rates({name: Decimal(place) for place, name in enumerate(names, 1)})

    parts = cost_of(TieredRates(rates), TokenUsage(1000, 200, 300, 150, 50, 80))

    million = 10**6
    assert parts.input == 550 * 1 * million
    assert parts.cache_read == 300 * 3 * million
    assert parts.cache_write == (100 * 4 + 50 * 5) * million
    assert parts.output == (120 * 2 + 80 * 6) * million
    assert parts.total == sum(parts[1:6])


def test_fee_per_request_counts_as_input_without_tokens() -> None:
    rates = TieredRates(compile_rates({"per_request": Decimal("0.012")}))

    parts = cost_of(rates, TokenUsage())

    assert (parts.total, parts.input) == (12_000_000_000, 12_000_000_000)


def test_tier_applies_to_the_whole_request() -> None:
    low, middle, high = (compile_rates({"input": Decimal(price)}) for price in (1, 2, 4))
    rates = TieredRates(low, ((500, high), (200, middle)))

    costs = [cost_of(rates, TokenUsage(tokens)).total for tokens in (200, 201, 500, 501)]

    assert costs == [200 * 10**6, 201 * 2 * 10**6, 500 * 2 * 10**6, 501 * 4 * 10**6]


def test_each_part_is_rounded_half_to_even() -> None:
    rates = TieredRates(Rates(500_000, 500_000, 500_000, 0, 500_000, 0))

    parts = cost_of(rates, TokenUsage(9, 7, 3, 5))

    assert parts[:5] == (0 + 2 + 2 + 4, 0, 2, 2, 4)


counts = st.integers(0, 10**9)


@given(
    st.builds(TokenUsage, counts, counts, counts, counts, counts, counts),
    st.tuples(*(st.integers(0, 10**17) for _ in PRICES)).map(lambda rates: Rates(*rates)),
)
def test_parts_of_settled_usage_add_up_and_are_not_negative(
    usage: TokenUsage, rates: Rates
) -> None:
    settled, _ = settle_tokens(usage)

    parts = cost_of(TieredRates(rates), settled)

    assert parts.total == sum(parts[1:6])
    assert min(parts[:6]) >= 0
