"""Reading the numbers on pages: a displayed figure is right if the exact one rounds to it."""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from typing_extensions import override

UNITS: Final = {
    "": Decimal(1),
    "K": Decimal(10**3),
    "M": Decimal(10**6),
    "B": Decimal(10**9),
    "T": Decimal(10**12),
    "%": Decimal("0.01"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
}
NOTHING: Final = frozenset({"", "–"})
"""What is displayed if there is no figure."""

_FIGURE: Final = re.compile(
    r"(?P<bound>[<>]?)(?P<sign>[−+-]?)\$?(?P<digits>[\d,]+(?:\.\d+)?)\s?(?P<unit>K|M|B|T|%|ms|s)?"
)


class Range(NamedTuple):
    """The exact values that a text can represent."""

    low: Decimal
    high: Decimal

    @override
    def __contains__(self, exact: object) -> bool:
        return isinstance(exact, Decimal) and self.low <= exact <= self.high


def read_figure(text: str) -> Range:
    """The values that are displayed as `text`: `$1.2K` represents 1,150 to 1,250 dollars."""
    found = _FIGURE.fullmatch(text.strip())
    assert found, f"{text!r} is not a figure"
    digits = Decimal(found["digits"].replace(",", ""))
    unit = UNITS[found["unit"] or ""]
    exponent = digits.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Decimal(1).scaleb(exponent) / 2
    if found["bound"]:
        ends = (Decimal(0), digits) if found["bound"] == "<" else (digits, Decimal(10**30))
    else:
        ends = (digits - half, digits + half)
    low, high = (end * unit for end in ends)
    return Range(-high, -low) if found["sign"] in {"−", "-"} else Range(low, high)


def shows(text: str, exact: Decimal | int | float | None) -> bool:
    """Whether a text shows an exact value, rounded to its digits."""
    if text.strip() in NOTHING:
        return not exact
    return exact is not None and Decimal(exact) in read_figure(text)
