"""Number formatting, the same as in `static/js/fmt.js`: both pass the same test vectors.

Amounts of money are pico-USD, counts are whole numbers. Rounding is half up, on integers.
"""

from typing import Final

from outlay.domain.measure import Rank
from outlay.domain.meter import MeterUnit
from outlay.domain.money import PUSD_PER_USD, render_usd

MINUS: Final = "\u2212"
_STEPS: Final = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
EXACT_BELOW: Final = 10_000
"""Counts below this are written in full, others with three digits."""


def format_money(pusd: int) -> str:
    """`$8,288.11`; below a dollar with four decimals, `$0.0150`, or as many as two significant
    digits need."""
    decimals = _money_decimals(abs(pusd))
    whole, rest = divmod(_rounded(abs(pusd) * 10**decimals, PUSD_PER_USD), 10**decimals)
    return f"{_sign(pusd)}${whole:,}.{rest:0{decimals}d}"


def _money_decimals(size: int) -> int:
    """The number of decimals of an amount."""
    if not size or _rounded(size, PUSD_PER_USD // 10_000) >= 10_000:
        return 2
    return next((count for count in range(4, 12) if size * 10**count >= 10 * PUSD_PER_USD), 12)


def format_signed_money(pusd: int) -> str:
    """An amount that is a difference: `+$1.20`, `−$0.0150`, `$0.00`."""
    return f"{'+' if pusd > 0 else ''}{format_money(pusd)}"


def split_cents(pusd: int) -> tuple[str, str]:
    """An amount as a headline: `$8,288` and `.11`, whose cents may be less prominent; undivided
    below $1."""
    text = format_money(pusd)
    if abs(pusd) < PUSD_PER_USD:
        return text, ""
    whole, _, cents = text.partition(".")
    return whole, f".{cents}"


def format_exact_money(pusd: int) -> str:
    """All digits: `$8,288.112345678901`."""
    whole, _, fraction = render_usd(abs(pusd)).partition(".")
    return f"{_sign(pusd)}${int(whole):,}.{fraction.ljust(2, '0')}"


def format_count(count: int) -> str:
    """Exact below 10,000, otherwise three digits: `9,999`, `12.3K`, `4.46B`."""
    size = abs(count)
    if size < EXACT_BELOW:
        return f"{_sign(count)}{size:,}"
    for position, (step, suffix) in enumerate(_STEPS):
        if size < step:
            continue
        for decimals in (2, 1, 0):
            scaled = _rounded(size * 10**decimals, step)
            if scaled < 1000:
                return f"{_sign(count)}{_decimal(scaled, decimals)}{suffix}"
        larger = _STEPS[position - 1] if position else None
        return f"{_sign(count)}1.00{larger[1]}" if larger else f"{_sign(count)}{scaled:,}{suffix}"
    raise AssertionError("counts from 10,000 have a step")


def format_number_of(count: int, noun: str) -> str:
    """A count with its noun: `1 request`, `2.20M requests`."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def format_quantity(quantity: int, unit: MeterUnit) -> str:
    """The quantity of a meter: `12.3K tokens`, `1 call`, `340 s`."""
    if unit is MeterUnit.MILLISECONDS:
        return f"{format_count(_rounded(quantity, 1000))} s"
    return format_number_of(quantity, unit.value.removesuffix("s"))


def format_exact_count(count: int) -> str:
    """All digits: `4,462,348,337`."""
    return f"{_sign(count)}{abs(count):,}"


def format_rank(value: int, rank: Rank) -> str:
    """A ranked value, abbreviated."""
    return format_money(value) if rank is Rank.COST else format_count(value)


def format_exact_rank(value: int, rank: Rank) -> str:
    """A ranked value with all digits."""
    return format_exact_money(value) if rank is Rank.COST else format_exact_count(value)


def format_percent(part: int, whole: int, decimals: int = 1) -> str:
    """`part` of `whole` in percent; `<0.1%` if it would round to 0; a dash without a whole."""
    if not whole:
        return "–"
    scaled = _rounded(abs(part) * 100 * 10**decimals, abs(whole))
    if part and not scaled:
        return f"<{_sign(part)}{_decimal(1, decimals)}%"
    return f"{_sign(part)}{_decimal(scaled, decimals)}%"


def format_change(current: int, earlier: int) -> str:
    """The change from before: `28%`, `8.0%`, `>999%`, `new` from zero, `–` without a change."""
    if not earlier:
        return "new" if current else "–"
    size = abs(current - earlier)
    if size * 100 > 999 * abs(earlier):
        return ">999%"
    tenths = _rounded(size * 1000, abs(earlier))
    return f"{_decimal(tenths, 1)}%" if tenths < 100 else f"{_rounded(size * 100, abs(earlier))}%"


def format_signed_change(current: int, earlier: int) -> str:
    """The change with its sign: `+4.1%`, `−9.3%`."""
    text = format_change(current, earlier)
    if not text[0].isdigit() or current == earlier:
        return text
    return f"{MINUS if current < earlier else '+'}{text}"


def format_latency(us: float) -> str:
    """Microseconds as `840 ms`, or `3.10 s` from one second on."""
    ms = round(us / 1000)
    if ms < 1000:
        return f"{ms} ms"
    return f"{_decimal(_rounded(round(us), 10_000), 2)} s"


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _decimal(scaled: int, decimals: int) -> str:
    if not decimals:
        return str(scaled)
    whole, fraction = divmod(scaled, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"


def _sign(value: int) -> str:
    return MINUS if value < 0 else ""
