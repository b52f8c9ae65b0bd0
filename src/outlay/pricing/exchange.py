"""The operator's and organizations' exchange rates: USD per unit of a currency, from a day on.

[[exchange_rate]]
currency = "EUR"
effective_from = 2026-10-01       # optional, UTC; valid until the currency's next rate
usd = "1.0842"
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from typing_extensions import override

from outlay.domain.currency import USD
from outlay.domain.money import PUSD_PER_USD, divide_half_even, parse_usd
from outlay.kit.clock import FOREVER_US
from outlay.pricing.fields import Fault, FieldReader, day_of

RATE_KEYS: Final = ("currency", "effective_from", "usd")
MAX_RATE: Final = Decimal(100)
"""USD per unit of any currency; a larger rate is probably inverted."""
MIN_RATE: Final = Decimal("0.000001")


class Conversion(NamedTuple):
    """The rate at which amounts of a currency are converted to USD."""

    currency: str
    usd: Decimal

    @override
    def __str__(self) -> str:
        """The form in price references: `EUR@1.0842`."""
        return f"{self.currency}@{self.usd:f}"

    def of(self, amount: Decimal) -> Decimal:
        """An amount in USD, rounded half-even to 12 decimal places."""
        product = parse_usd(amount) * parse_usd(self.usd)
        return Decimal(divide_half_even(product, PUSD_PER_USD)).scaleb(-12)


class ExchangeRate(NamedTuple):
    """The value of one unit of a currency in USD, from an instant on."""

    from_us: int
    usd: Decimal


class ConvertedSpan(NamedTuple):
    """A half-open span of event times with one rate; None for USD."""

    from_us: int
    until_us: int
    conversion: Conversion | None


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """Rates by currency, the earliest first."""

    by_currency: Mapping[str, tuple[ExchangeRate, ...]] = field(default_factory=dict)

    def spans(self, currency: str, from_us: int, until_us: int) -> list[ConvertedSpan]:
        """A span, split where the rate changes; the ValueError says which rate is missing."""
        if currency == USD:
            return [ConvertedSpan(from_us, until_us, None)]
        rates = self.by_currency.get(currency, ())
        if not rates:
            raise ValueError(f"There is no exchange rate for {currency}. Add one first.")
        if rates[0].from_us > from_us:
            begin = (
                "has no start date" if from_us <= -FOREVER_US else f"starts on {day_of(from_us)}"
            )
            raise ValueError(
                f"The price {begin}, but the first exchange rate for {currency} starts on "
                f"{day_of(rates[0].from_us)}. Add an earlier rate or start the price then."
            )
        ends = [*(rate.from_us for rate in rates[1:]), FOREVER_US]
        return [
            ConvertedSpan(
                max(from_us, rate.from_us), min(until_us, end), Conversion(currency, rate.usd)
            )
            for rate, end in zip(rates, ends, strict=True)
            if rate.from_us < until_us and end > from_us
        ]


def read_exchange_rates(
    entries: Sequence[tuple[str, Mapping[str, Any]]], faults: list[Fault]
) -> ExchangeRates:
    """The rates of `[[exchange_rate]]` tables, each given with its name in messages."""
    found: dict[str, dict[int, Decimal]] = {}
    for place, entry in entries:
        reader = FieldReader(place, entry, faults)
        reader.check_keys(entry, RATE_KEYS)
        currency = reader.currency("")
        if currency == USD:
            reader.fault("currency", "USD needs no exchange rate. Use another currency.")
        from_us = reader.instant("effective_from", -FOREVER_US)
        what = f"USD for one {currency}" if currency else "USD"
        usd = reader.number("usd", entry.get("usd"), what, MAX_RATE, MIN_RATE)
        known = found.setdefault(currency, {})
        if from_us in known and not reader.is_faulty:
            reader.fault(
                "effective_from",
                f"Another exchange rate for {currency} starts on the same day. Keep one.",
            )
        known.setdefault(from_us, usd)
    return ExchangeRates(
        {
            currency: tuple(ExchangeRate(*rate) for rate in sorted(rates.items()))
            for currency, rates in found.items()
        }
    )
