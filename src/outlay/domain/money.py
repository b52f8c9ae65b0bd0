"""Money is an integer number of pico-USD (1e-12 USD), from price to total.

One token at $0.0375 per million costs 37,500 pico-USD, so per-token prices are exact integers.
Names of values in this unit end in `_pusd`.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Final, NewType

Pusd = NewType("Pusd", int)
"""An amount of its own, as it was entered or stored. Sums are plain integers, whose names tell the
unit.
"""

PUSD_PER_USD: Final = 10**12
MAX_PUSD: Final = 9 * 10**18
"""The largest amount of one event: nine million dollars, which fits a signed 64-bit integer."""


def parse_usd(text: str | int | Decimal) -> Pusd:
    """Pico-USD of a plain decimal amount of dollars; raises ValueError for anything inexact."""
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount in USD.") from error
    if not amount.is_finite():
        raise ValueError(f"{text!r} is not a finite amount in USD.")
    scaled = amount.scaleb(12)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} has more than 12 decimal places.")
    return Pusd(int(scaled))


AMOUNT_PATTERN: Final = r"[0-9]{1,7}(\.[0-9]{1,12})?"
"""An amount as users enter it. Separators are refused rather than guessed: a comma separates
thousands in one country and decimals in the next.
"""


def read_amount(text: str) -> Pusd:
    """Pico-USD of an amount entered by a user; the ValueError describes the expected form."""
    if not re.fullmatch(AMOUNT_PATTERN, text):
        raise ValueError("Enter an amount in USD such as 250 or 0.50.")
    return parse_usd(text)


def render_usd(pusd: int) -> str:
    """The exact dollars of `pusd` as a plain decimal number: `84.19`, `0.0000375`, `-3`."""
    sign = "-" if pusd < 0 else ""
    digits = f"{abs(pusd):013d}"
    fraction = digits[-12:].rstrip("0")
    return f"{sign}{digits[:-12]}.{fraction}" if fraction else sign + digits[:-12]


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, ties to even, without floats."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient
