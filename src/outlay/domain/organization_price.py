"""Prices that an organization has agreed on, above the list, and its exchange rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.domain.ids import OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPrice:
    """One price of an organization, written as in `prices.toml`."""

    price_id: str
    organization_id: OrganizationId
    number: int
    """Its place in order of creation."""
    entry: Mapping[str, Any]
    """The members of a `[[price]]` table; prices are texts, dates `YYYY-MM-DD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRate:
    """One exchange rate of an organization."""

    rate_id: str
    organization_id: OrganizationId
    currency: str
    effective_from: str | None
    """`YYYY-MM-DD`; None for ever."""
    usd: str
    """What one of the currency is in USD."""

    @property
    def entry(self) -> Mapping[str, Any]:
        """The members of an `[[exchange_rate]]` table, as far as they are given."""
        given = {
            "currency": self.currency,
            "effective_from": self.effective_from,
            "usd": self.usd,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """What an organization has set."""

    prices: Sequence[OrganizationPrice] = ()
    """Oldest first."""
    rates: Sequence[OrganizationRate] = ()
    """By currency, the earliest first."""

    def __bool__(self) -> bool:
        return bool(self.prices)
