"""Reading one price override: a `[[price]]` table of the file, or a price of an organization.

It has either absolute rates or a percentage of the list price. Meter prices without token prices
are added to whatever price applies otherwise.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

from outlay.domain.currency import USD
from outlay.domain.meter import METERS
from outlay.domain.money import parse_usd
from outlay.domain.provider import find_provider
from outlay.kit.clock import FOREVER_US
from outlay.pricing.exchange import Conversion, ConvertedSpan, ExchangeRates
from outlay.pricing.fields import MAX_AMOUNT, MAX_PRICE, Fault, FieldReader, day_of
from outlay.pricing.rates import (
    NO_METERS,
    PRICES,
    MeterRate,
    Rates,
    Shares,
    TieredRates,
    compile_rates,
)

ENTRY_KEYS: Final = (
    "model",
    "provider",
    "effective_from",
    "effective_to",
    "percent_of_list",
    "percents",
    "currency",
    *PRICES,
    "meters",
    "context",
    "tier",
)
TIER_KEYS: Final = ("above", *PRICES)
PART_NAMES: Final = (*PRICES, *METERS)
"""The parts that can have a percentage of their own."""
MIN_PERCENT: Final = Decimal(1)
"""Less is probably a fraction: 0.85 instead of 85."""
MAX_PERCENT: Final = Decimal(500)
ANY_MODEL: Final = "*"

Amounts = Mapping[str, Decimal]
"""Prices by name or meter, in the currency of the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """A price override, during a span with one exchange rate."""

    number: int
    """Its position in the file or in order of creation, from 1; the same for all its spans."""
    ref: str
    """What priced events refer to, together with the exchange rate."""
    model: str
    """Lower case: a model id or a canonical model."""
    provider: str
    """Lower case, empty for any."""
    context: Mapping[str, str]
    from_us: int
    until_us: int
    """Half-open span of event times, in µs."""
    rates: TieredRates
    shares: Shares | None = None
    """Percentages of the list rates, in place of absolute rates."""
    is_addition: bool = False
    """Whether it prices meters only and is added to the price that applies otherwise."""
    conversion: Conversion | None = None
    """The exchange rate at which its amounts were converted; None for USD."""

    @property
    def is_named(self) -> bool:
        """Whether it is for one model, not for all models of a provider."""
        return self.model != ANY_MODEL


class Numbered(NamedTuple):
    """An entry to be read."""

    number: int
    """Its position in the file or in order of creation, from 1."""
    place: str
    """Its name in error messages."""
    ref: str
    """What priced events refer to."""
    entry: Mapping[str, Any]


class _Whole(NamedTuple):
    """An entry with its whole period."""

    place: str
    price: PriceOverride


def read_prices(
    entries: Sequence[Numbered], exchange: ExchangeRates, faults: list[Fault]
) -> tuple[PriceOverride, ...]:
    """The price overrides of some entries."""
    prices: list[PriceOverride] = []
    wholes: list[_Whole] = []
    for numbered in entries:
        spans = _EntryReader(numbered, exchange, faults).read()
        if spans:
            prices += spans
            whole = replace(spans[0], until_us=spans[-1].until_us)
            wholes.append(_Whole(numbered.place, whole))
    _check_overlaps(wholes, faults)
    return tuple(prices)


class _EntryReader(FieldReader):
    """Reads one entry."""

    def __init__(self, numbered: Numbered, exchange: ExchangeRates, faults: list[Fault]) -> None:
        super().__init__(numbered.place, numbered.entry, faults)
        self._number = numbered.number
        self._ref = numbered.ref
        self._exchange = exchange
        self._currency = USD

    def read(self) -> list[PriceOverride]:
        """One override per exchange rate of its period; empty if anything is wrong."""
        entry = self._entry
        self.check_keys(entry, ENTRY_KEYS)
        self._currency = self.currency(USD)
        shares = self._shares()
        base, meters = self._prices(entry), self._meters()
        is_addition = bool(meters) and not base and "tier" not in entry
        model = ANY_MODEL
        if "model" in entry or "provider" not in entry or not (shares or is_addition):
            model = self.text("model", "openai/gpt-5.5")
        provider = ""
        if "provider" in entry:
            provider = find_provider(self.text("provider", "openai"))
        from_us = self.instant("effective_from", -FOREVER_US)
        until_us = self.instant("effective_to", FOREVER_US)
        if from_us >= until_us:
            self.fault(
                "effective_to",
                "Must be after effective_from. It is the first day without this price.",
            )
        self._check_kind(shares, base, meters)
        tiers, context = self._tiers(), self._context()
        spans = [] if self.is_faulty else self._spans(from_us, until_us)
        compiled = [
            PriceOverride(
                number=self._number,
                ref=self._ref if span.conversion is None else f"{self._ref}:{span.conversion}",
                model=model,
                provider=provider,
                context=context,
                from_us=span.from_us,
                until_us=span.until_us,
                rates=self._compile(span, base, meters, tiers),
                shares=shares,
                is_addition=is_addition,
                conversion=span.conversion,
            )
            for span in spans
        ]
        return [] if self.is_faulty else compiled

    def _check_kind(self, shares: Shares | None, base: Amounts, meters: Amounts) -> None:
        """An entry has either a percentage or prices."""
        key = "percent_of_list" if "percent_of_list" in self._entry else "percents"
        if shares is not None and (base or meters or "tier" in self._entry):
            self.fault(key, "Cannot be combined with prices. Write the prices as a separate entry.")
        elif shares is not None and self._currency != USD:
            self.fault("currency", "Cannot be combined with a percentage, which has no currency.")
        elif shares is None and not base and not meters:
            self.fault("input", "There is no price. Set at least input or output.")

    def _shares(self) -> Shares | None:
        """The percentages of the list price; None without any."""
        if "percent_of_list" not in self._entry and "percents" not in self._entry:
            return None
        whole = self._percent("percent_of_list", self._entry.get("percent_of_list", 100))
        parts = {}
        for name, value in self.table("percents", '{ web_searches = "100" }').items():
            if name in PART_NAMES:
                parts[name] = self._percent(f"percents.{name}", value)
            else:
                self._unknown_meter(f"percents.{name}", PART_NAMES)
        return Shares(whole, parts)

    def _percent(self, key: str, value: object) -> Decimal:
        return self.number(key, value, "percent, 85 for 85 %", MAX_PERCENT, MIN_PERCENT)

    def _meters(self) -> dict[str, Decimal]:
        """Prices of meters, each per the unit that price lists use."""
        amounts = {}
        for name, value in self.table("meters", '{ web_searches = "10" }').items():
            if name in METERS:
                amounts[name] = self._amount(f"meters.{name}", value)
            else:
                self._unknown_meter(f"meters.{name}", tuple(METERS))
        return amounts

    def _unknown_meter(self, key: str, known: Sequence[str]) -> None:
        self.fault(key, f"Unknown meter. Available: {', '.join(known)}.")

    def _prices(self, table: Mapping[str, Any], prefix: str = "") -> dict[str, Decimal]:
        return {key: self._amount(f"{prefix}{key}", table[key]) for key in PRICES if key in table}

    def _amount(self, key: str, value: object) -> Decimal:
        """A price in the currency of the entry."""
        most = MAX_PRICE if self._currency == USD else MAX_AMOUNT
        return self.number(key, value, self._currency, most)

    def _tiers(self) -> list[tuple[int, dict[str, Decimal]]]:
        """The changed prices above a number of input tokens, lowest tier first."""
        tables = self._entry.get("tier", [])
        if not is_tables(tables):
            self.fault("tier", "Write each tier as a table that begins with [[price.tier]].")
            return []
        tiers: dict[int, dict[str, Decimal]] = {}
        for table in tables:
            self.check_keys(table, TIER_KEYS, "tier.")
            prices = self._prices(table, "tier.")
            above = table.get("above")
            if type(above) is not int or above <= 0:
                self.fault("tier.above", "Must be a number of input tokens such as 200000.")
            elif above in tiers:
                self.fault("tier.above", f"{above} appears twice. Keep one.")
            elif not prices:
                self.fault(
                    "tier.input", f"There is no price above {above}. Set the prices that change."
                )
            else:
                tiers[above] = prices
        return sorted(tiers.items())

    def _context(self) -> dict[str, str]:
        context = self._entry.get("context", {})
        if not isinstance(context, dict) or not all(
            isinstance(value, str) for value in context.values()
        ):
            self.fault("context", 'Must be a table of texts such as { service_tier = "flex" }.')
            return {}
        return dict(context)

    def _spans(self, from_us: int, until_us: int) -> list[ConvertedSpan]:
        try:
            return self._exchange.spans(self._currency, from_us, until_us)
        except ValueError as error:
            self.fault("currency", str(error))
            return []

    def _compile(
        self,
        span: ConvertedSpan,
        base: Amounts,
        meters: Amounts,
        tiers: Sequence[tuple[int, Amounts]],
    ) -> TieredRates:
        """The rates during a span; a price missing in a tier is that of the tier below."""
        usd_meters = {
            name: MeterRate(parse_usd(usd), METERS[name].unit.priced_per)
            for name, usd in self._converted(span, meters, "meters.").items()
        }
        prices = self._converted(span, base)
        # A fee per request covers everything that the request uses.
        unlisted = tuple(
            f"{name}_tokens"
            for name in ("input", "output")
            if name not in prices and "per_request" not in prices
        )
        rates = compile_rates(prices, usd_meters or NO_METERS, unlisted)
        compiled: list[tuple[int, Rates]] = []
        for above, changed in tiers:
            prices |= self._converted(span, changed, "tier.")
            left = tuple(name for name in unlisted if name.removesuffix("_tokens") not in prices)
            compiled.append((above, compile_rates(prices, usd_meters or NO_METERS, left)))
        return TieredRates(rates, tuple(reversed(compiled)))

    def _converted(
        self, span: ConvertedSpan, amounts: Amounts, prefix: str = ""
    ) -> dict[str, Decimal]:
        """Amounts in USD."""
        if span.conversion is None:
            return dict(amounts)
        usd = {name: span.conversion.of(amount) for name, amount in amounts.items()}
        for name, amount in usd.items():
            if amount > MAX_PRICE:
                message = f"Is {amount.normalize():,f} USD, above the maximum of {MAX_PRICE:,} USD."
                self.fault(f"{prefix}{name}", message)
        return usd


def is_tables(value: object) -> bool:
    """Whether a value is a list of tables, written as `[[…]]`."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _check_overlaps(wholes: Sequence[_Whole], faults: list[Fault]) -> None:
    """Report periods that overlap for the same model, provider and context."""
    alike = defaultdict(list)
    for whole in wholes:
        price = whole.price
        key = (price.is_addition, price.model, price.provider, *sorted(price.context.items()))
        alike[key].append(whole)
    for found in alike.values():
        longest, *others = sorted(found, key=lambda whole: (whole.price.from_us, whole.place))
        for later in others:
            if later.price.from_us < longest.price.until_us:
                faults.append(_overlap(*sorted((longest, later), key=lambda w: w.price.number)))
            if later.price.until_us > longest.price.until_us:
                longest = later


def _overlap(known: _Whole, new: _Whole) -> Fault:
    """The error of the later of two entries whose periods overlap."""
    what = f"Overlaps {known.place} for the same model. End"
    if new.price.from_us < known.price.from_us:
        begin = day_of(known.price.from_us)
        return Fault(new.place, "effective_to", f"{what} this one with effective_to by {begin}.")
    return Fault(new.place, "effective_from", f"{what} that one with effective_to.")
