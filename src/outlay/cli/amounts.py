"""Amounts and exchange rates on the command line."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer

from outlay.domain.errors import Invalid
from outlay.domain.money import read_amount
from outlay.domain.reconciliation import parse_rate

RateOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CODE=USD", help="USD for one unit of a currency, EUR=1.08; repeatable."),
]


def parse_rates(texts: Sequence[str]) -> dict[str, Decimal]:
    """Rates by currency code; raises Invalid if one is not valid."""
    rates = {}
    for text in texts:
        code, _, rate = text.partition("=")
        rates[code.strip().upper()] = parse_rate(code, rate)
    return rates


def parse_amount(option: str, text: str) -> int:
    """Pico-USD of the amount of an option; raises Invalid if it is not valid."""
    try:
        return read_amount(text)
    except ValueError as error:
        raise Invalid(f"`{option}` must be an amount in USD, not {text!r}.") from error
