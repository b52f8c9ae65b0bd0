"""Kinds of usage: the parts that cost consists of, each with a quantity and a unit.

A kind is a meter, or a token count without the parts that meters count. Quantities and costs of
kinds are disjoint: the costs add up to the cost, the token quantities to the tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from outlay.domain.answers import Entry, Totals
from outlay.domain.meter import METERS, MeterUnit


class KindAmount(NamedTuple):
    """Quantity and cost of a kind or meter, over some requests."""

    quantity: int
    cost_pusd: int

    def plus(self, other: "KindAmount") -> "KindAmount":
        """The sum of both."""
        return KindAmount(self.quantity + other.quantity, self.cost_pusd + other.cost_pusd)


@dataclass(frozen=True, slots=True)
class Kind:
    """The label and unit of a kind."""

    name: str
    title: str
    unit: MeterUnit | None
    """None for cost without a breakdown."""
    is_output: bool = False
    """Whether its tokens are output tokens."""


UNCACHED: Final = "uncached_input_tokens"
CACHE_READ: Final = "cache_read_input_tokens"
CACHE_WRITE: Final = "cache_write_input_tokens"
OUTPUT: Final = "output_tokens"
WHOLE: Final = "reported_as_a_whole"

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(UNCACHED, "Uncached input", MeterUnit.TOKENS),
        Kind(CACHE_READ, "Cache reads", MeterUnit.TOKENS),
        Kind(CACHE_WRITE, "Cache writes", MeterUnit.TOKENS),
        Kind(OUTPUT, "Output", MeterUnit.TOKENS, is_output=True),
        *(
            Kind(meter.name, meter.title, meter.unit, is_output=meter.within == OUTPUT)
            for meter in METERS.values()
        ),
        Kind(WHOLE, "Reported as a whole", None),
    )
}
"""The catalogue: tokens, meters, and cost that is not broken down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEntry(Entry):
    """A kind in an answer. Its totals have only cost and tokens; a request has several kinds."""

    unit: MeterUnit | None
    quantity: int
    quantities: Mapping[int, int]
    """Step index → quantity; steps without usage are absent."""


def find_kind(name: str) -> Kind:
    """The kind with a name; a name from a later version gets a kind of its own."""
    return KINDS.get(name) or Kind(name, name, None)


def kinds_of(totals: Totals, meters: Mapping[str, KindAmount]) -> dict[str, KindAmount]:
    """Usage and cost by kind; kinds without usage are left out.

    Quantities of meters are disjoint (`split_disjoint`).

    Cost that is neither in a part of the totals nor in a meter was reported as a single amount.
    """
    within = {UNCACHED: 0, CACHE_READ: 0, OUTPUT: 0}
    for name, amount in meters.items():
        if name in METERS and (count := METERS[name].within):
            within[UNCACHED if count == "input_tokens" else count] += amount.quantity
    cached = totals.cache_read_input_tokens, totals.cache_write_input_tokens
    uncached = totals.input_tokens - sum(cached) - within[UNCACHED]
    metered = sum(amount.cost_pusd for amount in meters.values())
    in_parts = (
        totals.input_cost_pusd
        + totals.cache_read_cost_pusd
        + totals.cache_write_cost_pusd
        + totals.output_cost_pusd
    )
    found = {
        UNCACHED: KindAmount(uncached, totals.input_cost_pusd),
        CACHE_READ: KindAmount(cached[0] - within[CACHE_READ], totals.cache_read_cost_pusd),
        CACHE_WRITE: KindAmount(cached[1], totals.cache_write_cost_pusd),
        OUTPUT: KindAmount(totals.output_tokens - within[OUTPUT], totals.output_cost_pusd),
        **meters,
        WHOLE: KindAmount(0, totals.cost_pusd - in_parts - metered),
    }
    return {name: amount for name, amount in found.items() if any(amount)}


def totals_of_kind(name: str, amount: KindAmount) -> Totals:
    """The measures of a kind: cost and tokens."""
    kind = find_kind(name)
    tokens = amount.quantity if kind.unit is MeterUnit.TOKENS else 0
    if kind.is_output:
        return Totals(cost_pusd=amount.cost_pusd, output_tokens=tokens)
    return Totals(cost_pusd=amount.cost_pusd, input_tokens=tokens)
