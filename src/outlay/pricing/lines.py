"""The lines of a cost: quantity times unit rate, exact to the pico-dollar."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from outlay.domain.meter import METERS
from outlay.domain.money import divide_half_even
from outlay.domain.usage import TokenUsage
from outlay.pricing.rates import NO_METERS, TOKENS, Metered, TieredRates, cost_of

KINDS: Final[Mapping[str, str]] = {
    "input": "Input",
    "cache_read": "Cache read",
    "cache_write": "Cache write",
    "cache_write_1h": "Cache write, kept for an hour",
    "output": "Output",
    "reasoning": "Reasoning",
    "per_request": "Fee per request",
}
"""Kinds of lines other than meters, with their titles."""


class PriceLine(NamedTuple):
    """A quantity of one kind at one rate."""

    kind: str
    """One of KINDS, or a meter."""
    quantity: int
    unit: str
    rate_pusd: int
    """For `per` of the unit."""
    per: int
    amount_pusd: int

    @property
    def title(self) -> str:
        """The display name."""
        return KINDS.get(self.kind) or METERS[self.kind].title


def lines_of_cost(
    rates: TieredRates, usage: TokenUsage, meters: Mapping[str, int] = NO_METERS
) -> list[PriceLine]:
    """The lines of `cost_of` for settled usage and meters: they add up to its total.

    If a part, which is rounded as a whole, has two lines, the second is the remainder of the first.
    Unpriced parts have no line.
    """
    parts = cost_of(rates, usage, meters)
    rate = rates.at(usage.input_tokens)
    metered = Metered(rate, meters)
    read, write = usage.cache_read_input_tokens, usage.cache_write_input_tokens
    write_1h, reasoning = usage.cache_write_1h_input_tokens, usage.reasoning_output_tokens
    paid = metered.tokens
    uncached = usage.input_tokens - read - write
    uncached -= paid["input_tokens"] - paid["cache_read_input_tokens"]
    read -= paid["cache_read_input_tokens"]
    output = usage.output_tokens - paid["output_tokens"]
    lines = [
        *_tokens(parts.input - rate.per_request, ("input", uncached, rate.input)),
        *_tokens(parts.cache_read, ("cache_read", read, rate.cache_read)),
        *_tokens(
            parts.cache_write,
            ("cache_write", write - write_1h, rate.cache_write),
            ("cache_write_1h", write_1h, rate.cache_write_1h),
        ),
        *_tokens(
            parts.output,
            ("output", output - reasoning, rate.output),
            ("reasoning", reasoning, rate.reasoning),
        ),
    ]
    lines = [line for line in lines if line.rate_pusd or _side(line.kind) not in rate.unlisted]
    if rate.per_request:
        lines.append(PriceLine("per_request", 1, "requests", rate.per_request, 1, rate.per_request))
    for name, cost in metered.costs.items():
        quantity, price = metered.billed[name]
        if quantity:
            unit = METERS[name].unit.value
            lines.append(PriceLine(name, quantity, unit, price.pusd, price.per, cost))
    return lines


def _tokens(cost: int, *kinds: tuple[str, int, int]) -> Iterator[PriceLine]:
    """The lines of tokens that are rounded together."""
    counted = [kind for kind in kinds if kind[1]]
    for place, (name, quantity, rate) in enumerate(counted, 1):
        amount = cost if place == len(counted) else divide_half_even(quantity * rate, TOKENS)
        cost -= amount
        yield PriceLine(name, quantity, "tokens", rate, TOKENS, amount)


def _side(kind: str) -> str:
    return "output_tokens" if kind in {"output", "reasoning"} else "input_tokens"
