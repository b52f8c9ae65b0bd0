"""Prices that an organization has agreed on, above the list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPrice:
    """One price of an organization, written as in `prices.toml`."""

    price_id: str
    organization_id: str
    number: int
    """Its place in order of creation."""
    entry: Mapping[str, Any]
    """The members of a `[[price]]` table; prices are texts, dates `YYYY-MM-DD`."""
