"""Negotiated prices and exchange rates of an organization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.domain.ids import OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPrice:
    """One price of an organization, in the format of `prices.toml`."""

    price_id: str
    organization_id: OrganizationId
    number: int
    """Its position in order of creation."""
    entry: Mapping[str, Any]
    """The fields of a `[[price]]` table; prices are texts, dates `YYYY-MM-DD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRate:
    """One exchange rate of an organization."""

    rate_id: str
    organization_id: OrganizationId
    currency: str
    effective_from: str | None
    """`YYYY-MM-DD`; None for always."""
    usd: str
    """The value of one unit of the currency in USD."""

    @property
    def entry(self) -> Mapping[str, Any]:
        """The fields of an `[[exchange_rate]]` table that are set."""
        given = {
            "currency": self.currency,
            "effective_from": self.effective_from,
            "usd": self.usd,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """The prices and exchange rates of an organization."""

    prices: Sequence[OrganizationPrice] = ()
    """Oldest first."""
    rates: Sequence[OrganizationRate] = ()
    """By currency, the earliest first."""

    def __bool__(self) -> bool:
        return bool(self.prices)
