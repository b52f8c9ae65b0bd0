"""The price book: what a request cost at the time it was made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource
from outlay.domain.money import MAX_PUSD, render_usd
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import FOREVER_US
from outlay.pricing.canonical import canonical_model
from outlay.pricing.overrides import Overrides, PriceOverride, read_overrides
from outlay.pricing.rates import TieredRates, cost_of

MAX_CACHED: Final = 20_000
"""Names kept; whoever sends more makes look-ups slow, not memory large."""

_NO_CONTEXT: Final[Mapping[str, str]] = {}


class PricedUsage(NamedTuple):
    """Costs in pico-USD; the first is the sum of the others where the book computed it."""

    cost_pusd: int
    input_cost_pusd: int
    cache_read_cost_pusd: int
    cache_write_cost_pusd: int
    output_cost_pusd: int
    cost_source: CostSource
    price_ref: str


UNPRICED: Final = PricedUsage(0, 0, 0, 0, 0, CostSource.UNPRICED, "")


class _Applied(NamedTuple):
    """A price that applies during a span of event times; no rates means unpriced."""

    from_us: int
    until_us: int
    rates: TieredRates | None
    source: CostSource
    ref: str


class PriceBook:
    """Dated list prices, the operator's overrides on top. Thread-safe: races only repeat work."""

    def __init__(self, overrides: Overrides | None = None) -> None:
        self._overrides = overrides or Overrides()
        self._models: dict[str, str] = {}
        self._applied: dict[object, tuple[_Applied, ...]] = {}

    @classmethod
    def load(cls, overrides: Path | None = None) -> "PriceBook":
        """A book with the overrides of a file; Invalid names every fault in it."""
        return cls(read_overrides(overrides) if overrides else None)

    def canonical_model(self, mapping: str) -> str:
        """The underlying model of a mapping, whatever the route."""
        known = self._models.get(mapping)
        if known is None:
            known = canonical_model(mapping, self._overrides.aliases)
            if len(self._models) >= MAX_CACHED:
                self._models = {}
            self._models[mapping] = known
        return known

    def price(
        self,
        *,
        provider: str,
        mapping: str,
        at_us: int,
        usage: TokenUsage,
        context: Mapping[str, str] | None = None,
    ) -> PricedUsage:
        """The cost of settled usage at an instant; UNPRICED when there is no price.

        Raises Invalid when the cost is more than an event may carry.
        """
        key = (provider, mapping, tuple(sorted(context.items())) if context else None)
        for applied in self._applied.get(key, ()):
            if applied.from_us <= at_us < applied.until_us:
                break
        else:
            applied = self._look_up(key, provider, mapping, at_us, context or _NO_CONTEXT)
        if applied.rates is None:
            return UNPRICED
        parts = cost_of(applied.rates, usage)
        if parts.total > MAX_PUSD:
            raise Invalid(
                f"the request would cost {render_usd(parts.total)} USD by price {applied.ref}; "
                "correct the token counts or the price",
                code="cost-too-large",
            )
        return PricedUsage(*parts, applied.source, applied.ref)

    def _look_up(
        self, key: object, provider: str, mapping: str, at_us: int, context: Mapping[str, str]
    ) -> _Applied:
        applied = self._find(provider, mapping, at_us, context)
        if len(self._applied) >= MAX_CACHED:
            self._applied = {}
        self._applied[key] = (*self._applied.get(key, ())[-8:], applied)
        return applied

    def _find(
        self, provider: str, mapping: str, at_us: int, context: Mapping[str, str]
    ) -> _Applied:
        names = frozenset(
            {mapping.lower(), mapping.lower().partition("/")[2], self.canonical_model(mapping)}
        )
        candidates = [entry for entry in self._overrides.prices if entry.model in names]
        applying = [
            entry for entry in candidates if entry.matches(provider.lower(), names, at_us, context)
        ]
        from_us, until_us = _span(candidates, at_us)
        if applying:
            best = max(
                applying,
                key=lambda entry: (
                    entry.model == mapping.lower(),
                    bool(entry.provider),
                    len(entry.context),
                ),
            )
            ref = f"override:{best.number}"
            return _Applied(from_us, until_us, best.rates, CostSource.OVERRIDE, ref)
        # Imported here: the snapshot of list prices takes a quarter of a second to load.
        from outlay.pricing.seed import find_list_price

        listed = find_list_price(provider, self._target(mapping), at_us, context)
        if listed is None:
            return _Applied(from_us, until_us, None, CostSource.UNPRICED, "")
        return _Applied(
            max(from_us, listed.from_us),
            min(until_us, listed.until_us),
            listed.rates,
            CostSource.COMPUTED,
            listed.ref,
        )

    def _target(self, mapping: str) -> str:
        """What a mapping stands for: an operator's alias is priced as its model."""
        aliases = self._overrides.aliases
        name = mapping.lower()
        return aliases.get(name) or aliases.get(name.partition("/")[2]) or mapping


def _span(candidates: list[PriceOverride], at_us: int) -> tuple[int, int]:
    """The span around an instant in which the same overrides apply."""
    edges = {0, FOREVER_US}
    for entry in candidates:
        edges |= {entry.from_us, entry.until_us}
    return max(edge for edge in edges if edge <= at_us), min(edge for edge in edges if edge > at_us)
