"""Money is exact."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.money import divide_half_even, parse_usd, render_usd


@pytest.mark.parametrize(
    ("text", "pusd"),
    [("84.19", 84_190_000_000_000), ("0.0000000375", 37_500), ("3", 3 * 10**12), ("1e-12", 1)],
)
def test_dollars_become_whole_pico_dollars(text: str, pusd: int) -> None:
    assert parse_usd(text) == pusd


@pytest.mark.parametrize("text", ["1e-13", "nan", "inf", "12,5", ""])
def test_inexact_amounts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"USD|decimal"):
        parse_usd(text)


@given(st.integers(-(10**24), 10**24))
def test_rendering_is_lossless(pusd: int) -> None:
    text = render_usd(pusd)

    assert "e" not in text.lower()
    assert Decimal(text) == Decimal(pusd).scaleb(-12)
    assert parse_usd(text) == pusd


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**9))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_half_rounds_to_the_even_neighbour(below: int, half: int) -> None:
    exactly_between = (2 * below + 1) * half

    assert divide_half_even(exactly_between, 2 * half) == below + below % 2
    if half > 1:
        assert divide_half_even(exactly_between - 1, 2 * half) == below
        assert divide_half_even(exactly_between + 1, 2 * half) == below + 1
