"""Prices compiled to integers.

A rate is pico-USD per million tokens, so a price of up to 12 decimals in USD per million tokens is
exact. Which rate replaces a missing one follows the unit hierarchy of genai-prices: one-hour cache
writes are cache writes, cache reads and cache writes are input, reasoning is output.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from outlay.domain.meter import METERS, PARTS, Meter
from outlay.domain.money import PUSD_PER_USD, divide_half_even, parse_usd
from outlay.domain.usage import TokenUsage

TOKENS: Final = 1_000_000
"""The quantity that a rate is for."""

TOKEN_PRICES: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
)
"""Names of prices in USD per million tokens."""

PRICES: Final = (*TOKEN_PRICES, "per_request")
"""All names of prices; `per_request` is USD per request."""


NO_METERS: Final[Mapping[str, Any]] = {}


class MeterRate(NamedTuple):
    """The price of a meter: pico-USD per quantity."""

    pusd: int
    per: int
    least: int = 0
    """The minimum billed quantity, if there is any."""


class Rates(NamedTuple):
    """Token rates in pico-USD per million, and the fee per request in pico-USD."""

    input: int
    """For uncached input."""
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int
    per_request: int = 0
    meters: Mapping[str, MeterRate] = NO_METERS
    """Rates of meters, by name."""
    unlisted: tuple[str, ...] = ()
    """Those of input_tokens and output_tokens that have no rate, which is not the same as a rate of
    0.
    """


class TieredRates(NamedTuple):
    """Rates by size of the input; a tier applies to the whole request."""

    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    """(start, rates) with descending starts: the first whose start the input exceeds applies."""

    def at(self, input_tokens: int) -> Rates:
        """The rates for a request with this many input tokens."""
        for start, rates in self.tiers:
            if input_tokens > start:
                return rates
        return self.base

    def start(self, input_tokens: int) -> int:
        """The start of the tier for this many input tokens; 0 for the base rates."""
        if not self.tiers or input_tokens <= self.tiers[-1][0]:
            return 0
        return next(start for start, _ in self.tiers if input_tokens > start)


_PART_OF: Final[Mapping[str, str]] = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "output_tokens": "output",
    **{meter.name: meter.instead or meter.within for meter in METERS.values()},
}
"""The price that replaces a missing one."""


class Shares(NamedTuple):
    """Percentages of the list rates."""

    whole: Decimal
    parts: Mapping[str, Decimal] = NO_METERS
    """Percentages of single prices and meters, and of their parts."""

    def of(self, name: str) -> Decimal:
        """The percentage of a price or meter."""
        while name:
            if name in self.parts:
                return self.parts[name]
            name = _PART_OF.get(name, "")
        return self.whole


def scale_rates(rates: TieredRates, shares: Shares) -> TieredRates:
    """Percentages of all rates, each rounded half-even to a pico-USD."""

    def scaled(name: str, rate: int) -> int:
        return divide_half_even(rate * parse_usd(shares.of(name)), 100 * PUSD_PER_USD)

    def all_scaled(base: Rates) -> Rates:
        meters = {
            name: rate._replace(pusd=scaled(name, rate.pusd)) for name, rate in base.meters.items()
        }
        prices = {name: scaled(name, getattr(base, name)) for name in PRICES}
        return Rates(**prices, meters=meters, unlisted=base.unlisted)

    return _each_tier(rates, all_scaled)


def add_meters(rates: TieredRates, meters: Mapping[str, MeterRate]) -> TieredRates:
    """The rates with some meter rates replaced."""
    if not meters:
        return rates
    return _each_tier(rates, lambda base: base._replace(meters={**base.meters, **meters}))


def _each_tier(rates: TieredRates, change: Callable[[Rates], Rates]) -> TieredRates:
    tiers = tuple((start, change(tier)) for start, tier in rates.tiers)
    return TieredRates(change(rates.base), tiers)


def lines_of_rates(rates: Rates) -> Iterator[tuple[str, int, str]]:
    """Name, rate in pico-USD and unit of all prices; rates that only repeat others are left out."""
    if "input_tokens" not in rates.unlisted:
        yield "input", rates.input, "million tokens"
        if rates.cache_read != rates.input:
            yield "cache read", rates.cache_read, "million tokens"
        if rates.cache_write != rates.input:
            yield "cache write", rates.cache_write, "million tokens"
        if rates.cache_write_1h != rates.cache_write:
            yield "cache write, kept for an hour", rates.cache_write_1h, "million tokens"
    if "output_tokens" not in rates.unlisted:
        yield "output", rates.output, "million tokens"
        if rates.reasoning != rates.output:
            yield "reasoning", rates.reasoning, "million tokens"
    if rates.per_request:
        yield "each request", rates.per_request, "request"
    for name, rate in rates.meters.items():
        meter = METERS[name]
        yield meter.title.lower(), rate.pusd, f"{rate.per:,} {meter.unit.value}"


class CostParts(NamedTuple):
    """The cost of a request, in pico-USD; the total is the sum of the five others."""

    total: int
    input: int
    """Uncached input and the fee per request."""
    cache_read: int
    cache_write: int
    output: int
    meters: int = 0
    by_meter: tuple[tuple[str, int], ...] = ()
    """`meters` by meter."""
    unpriced: tuple[str, ...] = ()
    """Meters without a rate, whose cost is missing."""


def compile_rates(
    prices: Mapping[str, Decimal],
    meters: Mapping[str, MeterRate] = NO_METERS,
    unlisted: tuple[str, ...] = (),
) -> Rates:
    """Compile prices by the names in PRICES, and meters.

    A missing price is that of the count that its tokens are part of. Tokens that are part of
    nothing priced cost nothing, except those that are `unlisted`. Raises ValueError for a price
    with more than 12 decimals.
    """
    exact = {name: parse_usd(price) for name, price in prices.items()}
    input_rate = exact.get("input", 0)
    cache_write = exact.get("cache_write", input_rate)
    output = exact.get("output", 0)
    return Rates(
        input=input_rate,
        cache_read=exact.get("cache_read", input_rate),
        cache_write=cache_write,
        cache_write_1h=exact.get("cache_write_1h", cache_write),
        output=output,
        reasoning=exact.get("reasoning", output),
        per_request=exact.get("per_request", 0),
        meters=meters,
        unlisted=unlisted,
    )


def cost_of(
    rates: TieredRates, usage: TokenUsage, meters: Mapping[str, int] = NO_METERS
) -> CostParts:
    """The cost of settled usage and meters; each part is rounded half-even to a pico-USD."""
    input_tokens, output_tokens, read, write, write_1h, reasoning = usage
    rate = rates.at(input_tokens) if rates.tiers else rates.base
    metered = None
    if meters:
        metered = Metered(rate, meters)
        input_tokens -= metered.tokens["input_tokens"]
        read -= metered.tokens["cache_read_input_tokens"]
        output_tokens -= metered.tokens["output_tokens"]
    input_cost = _cost((input_tokens - read - write) * rate.input) + rate.per_request
    read_cost = _cost(read * rate.cache_read) if read else 0
    write_cost = (
        _cost((write - write_1h) * rate.cache_write + write_1h * rate.cache_write_1h)
        if write
        else 0
    )
    output_cost = _cost((output_tokens - reasoning) * rate.output + reasoning * rate.reasoning)
    total = input_cost + read_cost + write_cost + output_cost
    if metered is None and not rate.unlisted:
        return CostParts(total, input_cost, read_cost, write_cost, output_cost)
    left = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    unpriced = [name for name in rate.unlisted if left[name]]
    if metered is None:
        parts = (total, input_cost, read_cost, write_cost, output_cost)
        return CostParts(*parts, unpriced=tuple(unpriced))
    meter_cost = sum(metered.costs.values())
    parts = (total + meter_cost, input_cost, read_cost, write_cost, output_cost)
    return CostParts(
        *parts, meter_cost, tuple(metered.costs.items()), (*metered.unpriced, *unpriced)
    )


class Metered:
    """Meters at their rates, and the tokens that are covered by them."""

    def __init__(self, rate: Rates, meters: Mapping[str, int]) -> None:
        self.tokens = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
        """By token count; cached tokens are in both counts they belong to."""
        self.costs: dict[str, int] = {}
        self.billed: dict[str, tuple[int, MeterRate]] = {}
        """Quantity and rate of each meter; quantities that narrower meters count are left out."""
        self.unpriced: list[str] = []
        for name in sorted(meters):
            if meters[name]:
                self._add(METERS[name], rate, meters)

    def _add(self, meter: Meter, rate: Rates, meters: Mapping[str, int]) -> None:
        quantity = meters[meter.name]
        price = rate.meters.get(meter.name) or rate.meters.get(meter.instead)
        if price is None:
            if not meter.costs_as_whole:
                self.unpriced.append(meter.name)
            return
        if meter.cached:
            quantity -= meters.get(meter.cached, 0)
        for part in PARTS.get(meter.name, ()):
            quantity -= meters.get(part, 0)
        if meter.within:
            self.tokens[meter.within] += quantity
            if meter.within == "cache_read_input_tokens":
                self.tokens["input_tokens"] += quantity
        if quantity:
            quantity = max(quantity, price.least)
        self.billed[meter.name] = quantity, price
        self.costs[meter.name] = divide_half_even(quantity * price.pusd, price.per)


def _cost(amount: int) -> int:
    """Pico-USD of tokens times rate; fast, because the remainder is nearly always 0."""
    return divide_half_even(amount, TOKENS) if amount % TOKENS else amount // TOKENS
