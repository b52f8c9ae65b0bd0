"""Prices of another table, and our prices for the same usage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from typing_extensions import override

from outlay.domain.event import CostSource
from outlay.domain.meter import settle_meters
from outlay.domain.usage import TokenUsage, settle_tokens
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook

SIZE: Final = 10_000
"""Number of tokens per compared rate."""

TOLERANCE: Final = Decimal("1e-6")
"""Relative tolerance: other tables store prices per token as floating-point numbers."""

ROUNDING: Final = 9
"""Maximum rounding error of the parts, in pico-USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of something in another table."""

    table: str
    provider: str
    mapping: str
    what: str
    """The compared rate: `batch input`, `output above 200,000`, `web_searches`."""
    cost: Decimal
    """USD."""
    at: datetime
    usage: TokenUsage
    meters: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)


def quoting(
    table: str, provider: str, mapping: str, at: datetime, contexts: Mapping[str, Mapping[str, str]]
) -> Callable[..., Quote]:
    """What makes quotes of one model; `contexts` are the price contexts of the table's tiers."""

    def quote(what: str, cost: Decimal, usage: TokenUsage, tier: str = "", **meters: int) -> Quote:
        return Quote(
            table=table,
            provider=provider,
            mapping=mapping,
            what=f"{tier} {what}".strip(),
            cost=cost,
            at=at,
            usage=usage,
            meters=meters,
            context=contexts[tier] if tier else {},
        )

    return quote


class Verdict(StrEnum):
    """How our price compares with the other one."""

    EQUAL = "equal"
    FLAGGED = "flagged"
    """We have no price for it and say so: unpriced, or partly priced with the missing parts
    named."""
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A quote with our price."""

    quote: Quote
    verdict: Verdict
    cost: Decimal
    """Ours, in USD."""
    ref: str
    unpriced: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        quote = self.quote
        return (
            f"{quote.table} {quote.mapping} [{quote.what}]: {quote.cost:f} there, "
            f"{self.cost:f} here ({self.ref})"
        )


def compare(book: PriceBook, quote: Quote) -> Compared:
    """Our price for a quote of another table."""
    usage, _ = settle_tokens(quote.usage)
    meters, _ = settle_meters(usage, quote.meters)
    priced = book.price(
        provider=quote.provider,
        mapping=quote.mapping,
        at_us=to_us(quote.at),
        usage=usage,
        meters=meters,
        context=quote.context or None,
    )
    cost = Decimal(priced.cost_pusd).scaleb(-12)
    bound = max(quote.cost * TOLERANCE, Decimal(ROUNDING).scaleb(-12))
    if priced.cost_source in {CostSource.UNPRICED, CostSource.PARTIAL}:
        verdict = Verdict.FLAGGED
    elif abs(cost - quote.cost) <= bound:
        verdict = Verdict.EQUAL
    else:
        verdict = Verdict.DIFFERENT
    return Compared(
        quote=quote,
        verdict=verdict,
        cost=cost,
        ref=priced.price_ref,
        unpriced=priced.unpriced_parts,
    )
