"""The reader of figures in page tests distinguishes right from wrong ones."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2e.figures import shows

from outlay.domain.money import PUSD_PER_USD
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_money,
    format_money,
    format_percent,
)


@given(st.integers(0, 10**22))
def test_every_formatted_amount_parses_back(pusd: int) -> None:
    exact = Decimal(pusd) / PUSD_PER_USD

    assert shows(format_money(pusd), exact)
    assert shows(format_exact_money(pusd), exact)


@given(st.integers(0, 10**14), st.integers(1, 10**14))
def test_every_formatted_count_and_share_parses_back(part: int, whole: int) -> None:
    assert shows(format_count(whole), whole)
    assert shows(format_percent(part, whole), Decimal(part) / whole)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("$1,053.10", "1723.03"),
        ("$1,053.10", "1053.106"),
        ("98.9K", "98949.9e1"),
        ("<$0.0001", "0.0002"),
        ("143%", "2.66"),
        ("+143%", "-1.43"),
        ("–", "1"),
    ],
)
def test_mismatched_figure_is_found(text: str, exact: str) -> None:
    assert not shows(text, Decimal(exact))
