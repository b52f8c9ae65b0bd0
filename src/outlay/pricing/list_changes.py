"""Comparison of two price lists: added and removed models, changed prices."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from outlay.pricing.seed import PriceList

MAX_JUMP: Final = 100
"""A price that changes by more than this factor is treated as a unit mistake until it is
confirmed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """One price of one model."""

    model: str
    price: str
    before: Decimal
    after: Decimal

    @property
    def is_jump(self) -> bool:
        """Whether it is suspicious: a very large change, or a drop to zero."""
        if not self.before:
            return False
        return not self.after or not 1 <= MAX_JUMP * self.after / self.before <= MAX_JUMP**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChanges:
    """The difference between two lists."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    prices: tuple[PriceChange, ...]
    kept: int
    """Models in both lists."""

    @property
    def suspicious(self) -> list[str]:
        """What must be confirmed before the list is used."""
        found = [
            f"{change.model}, {change.price}: {change.before:f} becomes {change.after:f}"
            for change in self.prices
            if change.is_jump
        ]
        if self.kept < len(self.removed):
            known = self.kept + len(self.removed)
            found.insert(0, f"{len(self.removed):,} of {known:,} models are gone")
        return found


def compare_lists(before: PriceList, after: PriceList, at: datetime) -> ListChanges:
    """What changes for requests at an instant if one list replaces another."""
    old, new = _models(before), _models(after)
    kept = [name for name in old if name in new]
    return ListChanges(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        prices=tuple(
            change for name in kept for change in _changes(name, old[name], new[name], at)
        ),
        kept=len(kept),
    )


def _models(price_list: PriceList) -> dict[str, ModelInfo]:
    return {
        f"{provider.id}/{model.id}": model
        for provider in price_list.providers
        for model in provider.models
    }


def _changes(name: str, old: ModelInfo, new: ModelInfo, at: datetime) -> Iterator[PriceChange]:
    before, after = _prices_of(old, at), _prices_of(new, at)
    for price, amount in before.items():
        if price in after and after[price] != amount:
            yield PriceChange(model=name, price=price, before=amount, after=after[price])


def _prices_of(model: ModelInfo, at: datetime) -> dict[str, Decimal]:
    """All prices of a model at an instant, by name."""
    found = dict(_flat(model.get_prices(at), {}))
    for variant in model.price_variants or ():
        found |= _flat(model.get_prices(at, variant.when), variant.when)
    return found


def _flat(prices: ModelPrice, context: Mapping[str, str]) -> Iterator[tuple[str, Decimal]]:
    chosen = "".join(f" with {key}={value}" for key, value in context.items())
    for key, value in prices.__dict__.items():
        if isinstance(value, TieredPrices):
            yield f"{key}{chosen}", value.base
            for tier in value.tiers:
                yield f"{key} above {tier.start:,}{chosen}", tier.price
        elif isinstance(value, Decimal):
            yield f"{key}{chosen}", value
