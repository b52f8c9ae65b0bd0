"""The price book: what a request cost at the time it was made."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource
from outlay.domain.money import MAX_PUSD, render_usd
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import FOREVER_US
from outlay.pricing.canonical import canonical_model, resolve_alias
from outlay.pricing.entries import PriceOverride
from outlay.pricing.output_limits import listed_output_limit
from outlay.pricing.overrides import Overrides, find_added, find_override, read_overrides
from outlay.pricing.rates import (
    NO_METERS,
    TieredRates,
    add_meters,
    compile_rates,
    cost_of,
    scale_rates,
)
from outlay.pricing.reference import with_tier

if TYPE_CHECKING:
    from outlay.pricing.seed import ListPrice, PriceList

MAX_CACHED: Final = 20_000
"""Maximum number of cached names: a sender of more names makes look-ups slower, but memory does not
grow."""

MAX_SPANS: Final = 9
"""Most time spans cached per name: more than the price of any model changes in a day."""


STATES_ITS_CHARGE: Final = frozenset({"openrouter", "x-ai", "xai", "perplexity"})
"""Providers whose answers state the charged amount (OpenRouter: usage accounting; xAI: cost
tracking; Perplexity: usage.cost).
"""

REPORTED: Final = "reported"


class PricedUsage(NamedTuple):
    """Costs in pico-USD; the first is the sum of the others if the book computed it.

    PARTIAL if something billed has no price: the costs are those of the rest.
    """

    cost_pusd: int
    input_cost_pusd: int
    """Uncached input, plus the fee per request."""
    cache_read_cost_pusd: int
    cache_write_cost_pusd: int
    output_cost_pusd: int
    cost_source: CostSource
    price_ref: str
    """Exact reference to the price (`pricing.reference`); empty if unpriced."""
    meter_cost_pusd: int = 0
    meter_costs: tuple[tuple[str, int], ...] = ()
    """The cost of meters, by meter."""
    unpriced_parts: tuple[str, ...] = ()
    """Meters, and `key=value` of a context, that have no price."""
    computed_cost_pusd: int | None = None
    """The book's cost if another cost counts."""


def _bundled_list() -> "PriceList":
    from outlay.pricing.seed import bundled_list

    return bundled_list()


UNPRICED: Final = PricedUsage(0, 0, 0, 0, 0, CostSource.UNPRICED, "")

NO_TOKENS: Final = TieredRates(compile_rates({}, unlisted=("input_tokens", "output_tokens")))
"""Token rates where only meters have a price."""

_Key = tuple[str, str, tuple[tuple[str, str], ...] | None]


class AppliedPrice(NamedTuple):
    """A price that applies to a half-open span of event times; unpriced without rates."""

    from_us: int
    until_us: int
    rates: TieredRates | None
    source: CostSource
    ref: str
    unlisted_context: tuple[str, ...] = ()
    """`key=value` of the context that the list has no price for."""
    is_named: bool = False
    """Whether it is an override for this name, not for all models of a provider."""


class PriceBook:
    """Dated list prices with overrides on top. Thread-safe: concurrent calls at worst repeat a
    look-up."""

    def __init__(
        self, *overrides: Overrides, price_list: Callable[[], "PriceList"] | None = None
    ) -> None:
        """`overrides` are layers, of which the first wins; the last one has the aliases.

        The list is loaded when it is first needed, which takes a fifth of a second.
        """
        self._layers = overrides or (Overrides(),)
        self._find_list = price_list or _bundled_list
        self._aliases = self._layers[-1].aliases
        self._models: dict[str, str] = {}
        self._applied: dict[_Key, tuple[AppliedPrice, ...]] = {}

    @override
    def __reduce__(self) -> tuple[Callable[..., "PriceBook"], tuple[object, ...]]:
        """Pickle without the look-up cache, for other processes."""
        return _book_of, (self._layers, self._find_list)

    @classmethod
    def load(
        cls, overrides: Path | None = None, price_list: Callable[[], "PriceList"] | None = None
    ) -> "PriceBook":
        """A book with the overrides of a file; raises Invalid with every error in it."""
        layers = (read_overrides(overrides),) if overrides else ()
        return cls(*layers, price_list=price_list)

    def beneath(self, overrides: Overrides) -> "PriceBook":
        """A book with further overrides on top of this one's."""
        return PriceBook(overrides, *self._layers, price_list=self._find_list)

    @property
    def price_list(self) -> "PriceList":
        """The underlying list prices."""
        return self._find_list()

    def canonical_model(self, mapping: str) -> str:
        """The underlying model of a model id, whatever the route."""
        known = self._models.get(mapping)
        if known is None:
            known = canonical_model(mapping, self._aliases)
            if len(self._models) >= MAX_CACHED:
                self._models = {}
            self._models[mapping] = known
        return known

    def is_same_model(self, mapping: str, other: str) -> bool:
        """Whether two model ids lead to one model, also through the operator's aliases."""
        has_alias = resolve_alias(mapping, self._aliases) != mapping
        return has_alias or self.canonical_model(mapping) == self.canonical_model(other)

    def is_reported_first(self, provider: str) -> bool:
        """Whether a provider's reported cost wins over the book's."""
        policies = (layer.cost_policy.get(provider) for layer in self._layers)
        policy = next((policy for policy in policies if policy), None)
        return policy == REPORTED if policy else provider in STATES_ITS_CHARGE

    def has_list_price(self, provider: str, model: str) -> bool:
        """Whether a provider is known to offer a model by this name."""
        return self.price_list.is_listed(provider, model)

    def output_limit(self, provider: str, mapping: str) -> int | None:
        """The maximum number of tokens in an answer; None if the model is unknown.

        The model's own maximum, else its context length.
        """
        target = resolve_alias(mapping, self._aliases)
        listed = listed_output_limit(self.canonical_model(target))
        return self.price_list.context_length(provider, target) if listed is None else listed

    def price(
        self,
        *,
        provider: str,
        mapping: str,
        at_us: int,
        usage: TokenUsage,
        meters: Mapping[str, int] = NO_METERS,
        context: Mapping[str, str] | None = None,
        is_sum: bool = False,
    ) -> PricedUsage:
        """The cost of settled usage and meters at an instant; UNPRICED without a price.

        A sum of many requests has no size that would select a tier.

        Raises Invalid if the cost is more than an event can have.
        """
        applied = self.find(provider, mapping, at_us, context)
        if applied.rates is None:
            return UNPRICED
        rates = applied.rates._replace(tiers=()) if is_sum else applied.rates
        parts = cost_of(rates, usage, meters)
        if parts.total > MAX_PUSD:
            raise Invalid(
                f"The request would cost {render_usd(parts.total)} USD at price {applied.ref}. "
                "Correct the token counts or the price.",
                code=ErrorCode.COST_TOO_LARGE,
            )
        unpriced = (*parts.unpriced, *applied.unlisted_context)
        above = rates.start(usage.input_tokens)
        return PricedUsage(
            *parts[:5],
            CostSource.PARTIAL if unpriced else applied.source,
            with_tier(applied.ref, above) if above else applied.ref,
            parts.meters,
            parts.by_meter,
            unpriced,
        )

    def find(
        self, provider: str, mapping: str, at_us: int, context: Mapping[str, str] | None = None
    ) -> AppliedPrice:
        """The price of a model id at an instant."""
        key = (provider, mapping, tuple(sorted(context.items())) if context else None)
        for applied in self._applied.get(key, ()):
            if applied.from_us <= at_us < applied.until_us:
                return applied
        return self._look_up(key, at_us, context or {})

    def find_override_by_name(self, ref: str) -> PriceOverride | None:
        """The override that a reference names."""
        entries = (entry for layer in self._layers for entry in layer.prices)
        return next((entry for entry in entries if entry.ref == ref), None)

    def _look_up(self, key: _Key, at_us: int, context: Mapping[str, str]) -> AppliedPrice:
        """Find the price and cache it, even if there is none."""
        provider, mapping, _ = key
        applied = self._find(provider, mapping, at_us, context)
        if len(self._applied) >= MAX_CACHED:
            self._applied = {}
        self._applied[key] = (*self._applied.get(key, ())[1 - MAX_SPANS :], applied)
        return applied

    def _find(
        self, provider: str, mapping: str, at_us: int, context: Mapping[str, str]
    ) -> AppliedPrice:
        target = resolve_alias(mapping, self._aliases)
        names = (mapping, target, mapping.partition("/")[2], self.canonical_model(mapping))
        own = _OwnPrices()
        for layer in self._layers:
            own.add(layer, provider, names, at_us, context)
            if own.rates is not None:
                return own.applied()
        listed = self.price_list.find(provider, target, at_us, context)
        return own.applied() if listed is None else own.over(listed)


def _book_of(layers: tuple[Overrides, ...], price_list: Callable[[], "PriceList"]) -> PriceBook:
    return PriceBook(*layers, price_list=price_list)


class _OwnPrices:
    """The result of the override layers for a request, from the top: a price, or changes of one."""

    def __init__(self) -> None:
        self.rates: TieredRates | None = None
        """Absolute rates; lower layers are ignored."""
        self._from_us, self._until_us = -FOREVER_US, FOREVER_US
        self._override: PriceOverride | None = None
        """The source of the absolute rates, or of the uppermost percentage of the list price."""
        self._added: dict[str, PriceOverride] = {}
        """The source of each added meter price."""

    def add(
        self,
        layer: Overrides,
        provider: str,
        names: Sequence[str],
        at_us: int,
        context: Mapping[str, str],
    ) -> None:
        """Apply a layer below those that were added before."""
        override, from_us, until_us = find_override(layer, provider, names, at_us, context)
        added, since_us, before_us = find_added(layer, provider, names, at_us, context)
        self._from_us = max(self._from_us, from_us, since_us)
        self._until_us = min(self._until_us, until_us, before_us)
        if override is not None and override.shares is None:
            self.rates, self._override = override.rates, override
            # A price's own meters win over those that apply to many prices.
            for name in override.rates.base.meters:
                added.pop(name, None)
        self._override = self._override or override
        self._added = {**added, **self._added}

    def applied(self) -> AppliedPrice:
        """The price without the list price."""
        rates, override = self.rates, self._override
        if rates is None:
            # A percentage of nothing is nothing; meter prices alone are a price if they are for
            # this model.
            override = None
            rates = NO_TOKENS if any(added.is_named for added in self._added.values()) else None
        if rates is None:
            return AppliedPrice(self._from_us, self._until_us, None, CostSource.UNPRICED, "")
        return self._with_added(rates, override.ref if override else "", override)

    def over(self, listed: "ListPrice") -> AppliedPrice:
        """The list price with the overrides applied."""
        rates, ref, override = listed.rates, listed.ref, self._override
        if override is not None and override.shares is not None:
            rates, ref = scale_rates(rates, override.shares), f"{override.ref}*{ref}"
        changed = self._with_added(rates, ref, override)
        return changed._replace(
            from_us=max(self._from_us, listed.from_us),
            until_us=min(self._until_us, listed.until_us),
            unlisted_context=listed.unlisted_context,
        )

    def _with_added(
        self, rates: TieredRates, ref: str, override: PriceOverride | None
    ) -> AppliedPrice:
        """A price with the added meter prices."""
        meters = {name: added.rates.base.meters[name] for name, added in self._added.items()}
        own = [*self._added.values(), *([override] if override else [])]
        refs = dict.fromkeys([ref, *(added.ref for added in self._added.values())])
        return AppliedPrice(
            self._from_us,
            self._until_us,
            add_meters(rates, meters),
            CostSource.OVERRIDE if own else CostSource.COMPUTED,
            "+".join(filter(None, refs)),
            is_named=any(price.is_named for price in own),
        )
