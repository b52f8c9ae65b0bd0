"""Prices compiled to integers.

A rate is pico-USD per million tokens, so a price of up to 12 decimals in USD per million tokens is
exact. Which rate the tokens of a missing one fall to follows the lattice of units of genai-prices:
cache writes for an hour are cache writes, cache reads and cache writes are input, reasoning is
output.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from outlay.domain.money import divide_half_even, parse_usd
from outlay.domain.usage import TokenUsage

TOKENS: Final = 1_000_000
"""What a rate is for."""

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


class Rates(NamedTuple):
    """What tokens cost, in pico-USD per million, and a request, in pico-USD."""

    input: int
    """Of uncached input."""
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int
    per_request: int = 0


class TieredRates(NamedTuple):
    """Rates by size of the input; a tier applies to the whole request."""

    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    """(start, rates) with falling starts: the first whose start the input exceeds applies."""

    def at(self, input_tokens: int) -> Rates:
        """The rates for a request with so much input."""
        for start, rates in self.tiers:
            if input_tokens > start:
                return rates
        return self.base


class CostParts(NamedTuple):
    """What a request costs, in pico-USD; the total is the sum of the other four."""

    total: int
    input: int
    """Uncached input and the fee per request."""
    cache_read: int
    cache_write: int
    output: int


def compile_rates(prices: Mapping[str, Decimal]) -> Rates:
    """Rates of prices by the names in PRICES.

    A missing price falls to that of what its tokens are part of; tokens that are part of nothing
    priced cost nothing. Raises ValueError for a price with more than 12 decimals.
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
    )


def cost_of(rates: TieredRates, usage: TokenUsage) -> CostParts:
    """The cost of settled usage; each part is rounded half-even to a pico-USD."""
    input_tokens, output_tokens, read, write, write_1h, reasoning = usage
    rate = rates.at(input_tokens) if rates.tiers else rates.base
    input_cost = _cost((input_tokens - read - write) * rate.input) + rate.per_request
    read_cost = _cost(read * rate.cache_read) if read else 0
    write_cost = (
        _cost((write - write_1h) * rate.cache_write + write_1h * rate.cache_write_1h)
        if write
        else 0
    )
    output_cost = _cost((output_tokens - reasoning) * rate.output + reasoning * rate.reasoning)
    total = input_cost + read_cost + write_cost + output_cost
    return CostParts(total, input_cost, read_cost, write_cost, output_cost)


def _cost(amount: int) -> int:
    """Pico-USD of tokens times rate; the remainder is nearly always 0, which is quick."""
    return divide_half_even(amount, TOKENS) if amount % TOKENS else amount // TOKENS
