"""Number formatting: Python against the vectors that the browser must match, too."""

import json
from pathlib import Path
from typing import Any

import pytest

from outlay.web.dashboard import formatting
from outlay.web.dashboard.formatting import format_exact_money, format_number_of, split_cents

VECTORS: dict[str, list[Any]] = json.loads(
    Path(__file__).with_name("format_vectors.json").read_text()
)
FUNCTIONS = {
    "money": formatting.format_money,
    "count": formatting.format_count,
    "exactCount": formatting.format_exact_count,
    "percent": formatting.format_percent,
    "change": formatting.format_signed_change,
}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [(name, given, expected) for name, found in VECTORS.items() for given, expected in found],
)
def test_numbers_match_the_shared_vectors(name: str, given: Any, expected: str) -> None:
    arguments = given if isinstance(given, list) else [given]

    assert FUNCTIONS[name](*arguments) == expected  # type: ignore[operator]  # by name


def test_exact_money_shows_every_digit() -> None:
    assert format_exact_money(8_288_112_345_678_901) == "$8,288.112345678901"


def test_cents_below_a_dollar_are_emphasised() -> None:
    assert split_cents(8_288_112_345_678_901) == ("$8,288", ".11")
    assert split_cents(50_000_000) == ("$0.000050", "")
    assert split_cents(0) == ("$0.00", "")


def test_singular_is_used_for_one() -> None:
    assert format_number_of(1, "request") == "1 request"
    assert format_number_of(2_204_000, "request") == "2.20M requests"
