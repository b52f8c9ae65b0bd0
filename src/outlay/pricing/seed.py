"""List prices of genai-prices, found and compiled on demand.

genai-prices (MIT) keeps dated prices, tiers by input size, variants by context and prices by time
of day for some fifty providers, and knows the spellings of model names. Its own calculation takes
tens of microseconds, so only the look-up is taken from it, once per model and span of time.

The look-up goes through its providers rather than through `DataSnapshot.find_provider_model`,
which remembers every name it is ever asked for: names come from outside.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib.metadata import version
from typing import Final, NamedTuple

from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.units import _get_registry

from outlay.domain.meter import METERS
from outlay.domain.money import parse_usd
from outlay.kit.clock import FOREVER_US, from_us, to_us
from outlay.pricing.canonical import canonical_model
from outlay.pricing.own_data import OWN_DATA, day_at, find_corrections, find_multiplier
from outlay.pricing.rates import (
    NO_METERS,
    MeterRate,
    Rates,
    TieredRates,
    compile_rates,
    scale_rates,
)
from outlay.pricing.reference import LIST, PriceRef, join_ref

BUNDLED: Final = version("genai-prices")
"""The version of the list that comes with Outlay."""

PROVIDERS: Final[Mapping[str, str]] = {
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "codestral": "mistral",
    "text-completion-codestral": "mistral",
    "fireworks_ai": "fireworks",
    "gcp.gen_ai": "google",
    "meta_llama": "meta",
    "vertex_ai-anthropic_models": "google",
    "x_ai": "x-ai",
    "z_ai": "zai",
    "z-ai": "zai",
    "z.ai": "zai",
}
"""Spellings of LiteLLM and OpenTelemetry that genai-prices does not know or takes for another."""

UNLISTED: Final = frozenset({"custom_openai", "openai_like", "openai_compatible"})
"""Other people's servers, which genai-prices would take for OpenAI by their name."""

ANY_PROVIDER: Final = frozenset({"", "litellm"})
"""These say nothing: the mapping itself names the provider."""

SAME_PRICE_VARIANTS: Final = frozenset({"nitro", "floor", "online", "exacto", "beta"})
"""Routing variants of OpenRouter that are priced as the model."""

OWN_PRICE_VARIANTS: Final = frozenset({"free", "batch", "extended"})
"""Routing variants with prices of their own: unpriced, rather than priced as the model, when those
are not listed."""

_NAMES: Final[Mapping[str, str]] = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "per_request",
}
"""Prices of the six token counts, and of a request."""


def _meters() -> Iterator[tuple[str, tuple[str, int]]]:
    """The meter that each other price of the list is for, and for how many of it."""
    for unit in _get_registry().units.values():
        name, per = unit.usage_key, unit.per
        if name.endswith("_seconds"):
            name, per = f"{name.removesuffix('_seconds')}_milliseconds", per * 1000
        if name in METERS:
            yield unit.price_key, (name, per)


_METERS: Final[Mapping[str, tuple[str, int]]] = dict(_meters())

_PICO: Final = Decimal("1e-12")


class ListPrice(NamedTuple):
    """A compiled price and the half-open span of event times it holds for, in µs."""

    rates: TieredRates
    ref: str
    from_us: int
    until_us: int
    unlisted_context: tuple[str, ...]
    """`key=value` of the context that the model has no prices for."""


class PriceList:
    """One version of the list."""

    def __init__(self, version: str, providers: list[Provider]) -> None:
        self.version = version
        self.providers = providers
        self._by_id = {provider.id: provider for provider in providers}

    def find(
        self, provider: str, mapping: str, at_us: int, context: Mapping[str, str] | None = None
    ) -> ListPrice | None:
        """The price of a mapping at an instant.

        None when the model is not known, or has no price.
        """
        found = self._find_model(provider.strip().lower(), mapping)
        return self._price(*found, at_us, context or {}) if found else None

    def find_listed(
        self, ref: PriceRef, at_us: int, context: Mapping[str, str]
    ) -> ListPrice | None:
        """The price of a model by the names that a reference has it by."""
        owner = self._by_id.get(ref.provider)
        if owner is None:
            return None
        for maker in (owner, *self._resold(owner)):
            if not ref.maker or maker.id == ref.maker:
                for model in maker.models:
                    if model.id == ref.model:
                        return self._price(owner, model, at_us, context)
        return None

    def is_listed(self, provider: str, model: str) -> bool:
        """Whether a provider's own list has a model by this name."""
        found = self._find_model(provider.strip().lower(), f"{provider}/{model}")
        return found is not None and _is_own(*found)

    def context_length(self, provider: str, mapping: str) -> int | None:
        """How many tokens a mapping's model takes at once; None where that is not known."""
        found = self._find_model(provider.strip().lower(), mapping)
        return found[1].context_window if found else None

    def _price(
        self, owner: Provider, model: ModelInfo, at_us: int, asked: Mapping[str, str]
    ) -> ListPrice | None:
        instant = from_us(at_us)
        # Variants belong to the provider's own models, not to those it resells (as genai-prices
        # does).
        is_own = _is_own(owner, model)
        begin_us, end_us = _span(model, instant)
        if day := day_at(owner.id, instant):
            begin_us, end_us = max(begin_us, to_us(day.start)), min(end_us, to_us(day.end))
            instant = _off_peak(model, instant) if day.is_off_peak else instant
        own, since_us, until_us = find_corrections(owner.id, model.id, at_us)
        begin_us, end_us = max(begin_us, since_us), min(end_us, until_us)
        rates = compile_prices(model.get_prices(instant, asked if is_own else None), own)
        if rates is None:
            return None
        known: set[str] = set()
        percent = None
        if is_own:
            percent, known = find_multiplier(owner.id, asked)
            rates = rates if percent is None else scale_rates(rates, percent)
            known |= {key for variant in _variants(model, instant, asked) for key in variant.when}
        since = _since(model, instant, asked if is_own else {})
        since_us = max(since_us, begin_us if since is None else since)
        pins = {} if since_us == -FOREVER_US else {"from": _day_or_minute(since_us)}
        if not is_own:
            pins["list"] = next(maker.id for maker in self._resold(owner) if _is_own(maker, model))
        if own or percent is not None or (day and day.is_off_peak):
            pins["own"] = OWN_DATA
        return ListPrice(
            rates,
            join_ref(
                f"{LIST}:{self.version}/{owner.id}/{model.id}",
                pins | {key: asked[key] for key in sorted(known & asked.keys())},
            ),
            begin_us,
            end_us,
            tuple(f"{key}={asked[key]}" for key in sorted(asked.keys() - known)),
        )

    def _resold(self, owner: Provider) -> Iterator[Provider]:
        """The providers whose models another one offers, too."""
        for provider_id in owner.fallback_model_providers or ():
            if provider := self._by_id.get(provider_id):
                yield provider

    def _find_model(self, provider: str, mapping: str) -> tuple[Provider, ModelInfo] | None:
        if provider in ANY_PROVIDER:
            provider = mapping.strip().lower().partition("/")[0]
        owner = self._find_provider(provider)
        if owner is None:
            return None
        for reference in self._references(owner, mapping.strip().lower()):
            if model := owner.find_model(reference, all_providers=self.providers):
                return owner, model
        # A fine-tune is listed by the name of its base, with a match for dated ids only.
        canonical = canonical_model(mapping)
        if canonical.startswith("ft:"):
            for model in owner.models:
                if model.id == canonical:
                    return owner, model
        return None

    def _find_provider(self, name: str) -> Provider | None:
        if name in UNLISTED:
            return None
        return find_provider_by_id(self.providers, PROVIDERS.get(name, name))

    def _references(self, owner: Provider, mapping: str) -> Iterator[str]:
        """What to look a mapping up by, the nearest to the route first.

        That is: without its provider, whole, without a variant that costs the same, without its
        path, and as canonical model. Where the first word is not this provider it may be the maker
        of the model, as OpenRouter writes it, so the whole mapping goes first.
        """
        prefix, slash, rest = mapping.partition("/")
        if not slash or not rest:
            names = [mapping]
        elif self._find_provider(prefix) is owner:
            names = [rest, mapping]
        else:
            names = [mapping, rest]
        yield from names
        plain, colon, variant = mapping.rpartition(":")
        if colon and variant in SAME_PRICE_VARIANTS:
            mapping = plain
            yield from (name.rpartition(":")[0] for name in names)
        elif colon and variant in OWN_PRICE_VARIANTS:
            return
        yield mapping.rpartition("/")[2]
        yield canonical_model(mapping)


@cache
def bundled_list() -> PriceList:
    """The list that comes with Outlay."""
    from genai_prices.data import providers

    return PriceList(BUNDLED, providers)


def _is_own(owner: Provider, model: ModelInfo) -> bool:
    return any(model is own for own in owner.models)


def _since(model: ModelInfo, instant: datetime, context: Mapping[str, str]) -> int | None:
    """Since when the price of an instant holds; None where it depends on the time of day."""
    conditional = model.prices if isinstance(model.prices, list) else []
    if any(isinstance(item.constraint, TimeOfDateConstraint) for item in conditional):
        return None
    standard = [item for item in conditional if _is_active(item.constraint, instant)][-1:]
    days = [item.constraint for item in standard]
    days += [variant.constraint for variant in _variants(model, instant, context)]
    return max(
        (edge for day in days for edge in _edges(day, instant)),
        default=-FOREVER_US,
    )


def _is_active(
    constraint: StartDateConstraint | TimeOfDateConstraint | None, instant: datetime
) -> bool:
    return constraint is None or constraint.active(instant)


def _variants(
    model: ModelInfo, instant: datetime, context: Mapping[str, str]
) -> Iterator[PriceVariant]:
    """The variants of a model that a context selects at an instant."""
    for variant in model.price_variants or ():
        if _is_active(variant.constraint, instant) and variant.when.items() <= context.items():
            yield variant


def _day_or_minute(at_us: int) -> str:
    """`2026-04-24`, or with its time where that is not midnight: `2026-04-24T01:00Z`."""
    instant = from_us(at_us)
    return f"{instant:%Y-%m-%d}" if instant.time() == time() else f"{instant:%Y-%m-%dT%H:%MZ}"


def _off_peak(model: ModelInfo, instant: datetime) -> datetime:
    """An instant of the same day at which no price by time of day holds."""
    conditional = model.prices if isinstance(model.prices, list) else []
    peaks = [
        item.constraint for item in conditional if isinstance(item.constraint, TimeOfDateConstraint)
    ]
    moments = (instant.replace(hour=hour) for hour in range(24))
    return next(
        (moment for moment in moments if not any(peak.active(moment) for peak in peaks)), instant
    )


def compile_prices(
    prices: ModelPrice, own: Mapping[str, Decimal] = NO_METERS
) -> TieredRates | None:
    """Rates of a list price, some of them by our own data; None when the list has none."""
    listed = {
        key: value
        for key, value in prices.__dict__.items()
        if (key in _NAMES or key in _METERS) and isinstance(value, Decimal | TieredPrices)
    }
    if not listed:
        return None
    starts = {
        tier.start
        for value in listed.values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    }
    return TieredRates(
        base=_rates_at(listed, own, 0),
        tiers=tuple(
            (start, _rates_at(listed, own, start + 1)) for start in sorted(starts, reverse=True)
        ),
    )


def _rates_at(
    listed: Mapping[str, Decimal | TieredPrices], own: Mapping[str, Decimal], input_tokens: int
) -> Rates:
    """The rates for a request with so much input."""
    prices, meters = {}, {}
    for key, price in listed.items():
        applicable = price if isinstance(price, Decimal) else price.base
        for tier in price.tiers if isinstance(price, TieredPrices) else ():
            if input_tokens > tier.start:
                applicable = tier.price
        if key in _METERS:
            name, per = _METERS[key]
            meters[name] = MeterRate(parse_usd(_rounded(applicable)), per)
            continue
        if _NAMES[key] == "per_request":
            applicable /= 1000
        prices[_NAMES[key]] = _rounded(applicable)
    unlisted = (
        ()
        if "per_request" in prices
        else tuple(f"{name}_tokens" for name in ("input", "output") if name not in prices)
    )
    return compile_rates({**prices, **own}, meters, unlisted)


def _rounded(price: Decimal) -> Decimal:
    """Some thirty prices were computed with floats (0.18000000000000002).

    What is past the twelfth decimal of a dollar is noise.
    """
    return price.quantize(_PICO, rounding=ROUND_HALF_EVEN)


def _span(model: ModelInfo, instant: datetime) -> tuple[int, int]:
    """The longest span around `instant` in which no condition of the model's prices changes."""
    edges = [-FOREVER_US, FOREVER_US]
    conditional = model.prices if isinstance(model.prices, list) else []
    for item in (*conditional, *(model.price_variants or ())):
        edges.extend(_edges(item.constraint, instant))
    at_us = to_us(instant)
    return max(edge for edge in edges if edge <= at_us), min(edge for edge in edges if edge > at_us)


def _edges(
    constraint: StartDateConstraint | TimeOfDateConstraint | None, instant: datetime
) -> list[int]:
    """Instants near `instant` at which a constraint may begin or cease to hold, in µs."""
    if isinstance(constraint, StartDateConstraint):
        return [to_us(datetime.combine(constraint.start_date, time(), UTC))]
    if isinstance(constraint, TimeOfDateConstraint):
        # A time without a zone is UTC; one with a zone may fall on the day before or after.
        return [
            to_us(datetime.combine(instant.date() + timedelta(days=day), moment, zone))
            for moment in (constraint.start_time, constraint.end_time)
            for zone in (moment.tzinfo or UTC,)
            for day in (-2, -1, 0, 1, 2)
        ]
    return []
