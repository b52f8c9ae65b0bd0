"""Prices compiled to integers.

A rate is pico-USD per million tokens, so that any list price with up to 12 decimals is exact.
Which tokens a missing rate falls to follows the lattice of genai-prices: cache writes for an hour
are cache writes, cache reads and writes are input, reasoning is output.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from outlay.domain.money import divide_half_even
from outlay.domain.usage import TokenUsage

PER: Final = 1_000_000


class Rates(NamedTuple):
    """What tokens cost, in pico-USD per million, and a request, in pico-USD."""

    input: int
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
    """Rates of list prices in USD per million tokens; `per_request` is USD per request.

    Keys are the fields of Rates; a missing one falls to what its tokens are part of, and tokens
    that are part of nothing priced cost nothing.
    """
    input_rate = _rate(prices.get("input", Decimal(0)))
    cache_write = _rate(prices["cache_write"]) if "cache_write" in prices else input_rate
    output = _rate(prices.get("output", Decimal(0)))
    return Rates(
        input=input_rate,
        cache_read=_rate(prices["cache_read"]) if "cache_read" in prices else input_rate,
        cache_write=cache_write,
        cache_write_1h=(
            _rate(prices["cache_write_1h"]) if "cache_write_1h" in prices else cache_write
        ),
        output=output,
        reasoning=_rate(prices["reasoning"]) if "reasoning" in prices else output,
        per_request=_rate(prices.get("per_request", Decimal(0))),
    )


def _rate(usd: Decimal) -> int:
    """Pico-USD; price lists made with floats carry noise past the twelfth decimal."""
    return int(usd.scaleb(12).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def cost_of(rates: TieredRates, usage: TokenUsage) -> CostParts:
    """The cost of settled usage; each part is rounded half-even to a pico-USD."""
    input_tokens, output_tokens, read, write, write_1h, reasoning = usage
    tier = rates.at(input_tokens) if rates.tiers else rates.base
    input_cost = _divided((input_tokens - read - write) * tier.input) + tier.per_request
    read_cost = _divided(read * tier.cache_read)
    write_cost = _divided((write - write_1h) * tier.cache_write + write_1h * tier.cache_write_1h)
    output_cost = _divided((output_tokens - reasoning) * tier.output + reasoning * tier.reasoning)
    total = input_cost + read_cost + write_cost + output_cost
    return CostParts(total, input_cost, read_cost, write_cost, output_cost)


def _divided(amount: int) -> int:
    quotient, remainder = divmod(amount, PER)
    return divide_half_even(amount, PER) if remainder else quotient
