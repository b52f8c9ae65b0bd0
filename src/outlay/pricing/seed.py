"""List prices of genai-prices, found and compiled on demand.

genai-prices (MIT) keeps dated prices, tiers by input size, variants by context and prices by time
of day for some fifty providers, and knows the spellings of model names. Its own calculation takes
tens of microseconds, so only its look-up is used, once per model and span of time.

The look-up uses its providers rather than `DataSnapshot.find_provider_model`, which caches every
name: names are untrusted input.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from typing import Final, NamedTuple

from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import (
    ModelInfo,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)

from outlay.kit.clock import FOREVER_US, from_us, to_us
from outlay.pricing.canonical import canonical_model
from outlay.pricing.list_rates import compile_prices
from outlay.pricing.own_data import OWN_DATA, Priced, day_at, find_own, is_resold, is_unlisted
from outlay.pricing.rates import TieredRates
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
"""Spellings of LiteLLM and OpenTelemetry that genai-prices does not know or misinterprets."""

UNLISTED: Final = frozenset({"custom_openai", "openai_like", "openai_compatible"})
"""Other servers, which genai-prices would take for OpenAI because of their names."""

ANY_PROVIDER: Final = frozenset({"", "litellm"})
"""Placeholders: the model id itself names the provider."""

UNKNOWN: Final = "unknown"
"""The value of a context key that a price depends on and that is not given."""

SAME_PRICE_VARIANTS: Final = frozenset({"nitro", "floor", "online", "exacto", "beta"})
"""Routing variants of OpenRouter that cost the same as the model."""

OWN_PRICE_VARIANTS: Final = frozenset({"free", "batch", "extended"})
"""Routing variants with their own prices: unpriced, rather than priced as the model, if those are
not listed.
"""

_REGIONS: Final = {
    "aws": re.compile(
        r"(?:^|[/:])((?:global|us-gov|us|eu|apac|ap|jp|au|ca|sa|me|af|il|mx)(?:-[a-z]+-[0-9])?)[./:]"
    ),
    "azure": re.compile(r"(?:^|/)(global-standard|global|us-gov|us|eu|apac)/"),
}
"""Where model ids contain the region, by provider: of the endpoint, the data zone or the
profile.
"""

_ROUTES: Final = {("aws", "claude_platform"): "anthropic"}
"""Paths at a provider that lead to another provider's prices (Anthropic's platform on AWS)."""


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
        """The price of a model id at an instant.

        None if the model is unknown or has no price.
        """
        found = self._find_model(provider.strip().lower(), mapping)
        if found is None:
            return None
        region = _region_of(found[0].id, mapping)
        return self._price(*found, at_us, region | dict(context or {}))

    def find_listed(
        self, ref: PriceRef, at_us: int, context: Mapping[str, str]
    ) -> ListPrice | None:
        """The price of a model by the names in a reference."""
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
        """The context length of a model id's model, in tokens; None if it is unknown."""
        found = self._find_model(provider.strip().lower(), mapping)
        return found[1].context_window if found else None

    def _price(
        self, owner: Provider, model: ModelInfo, at_us: int, asked: Mapping[str, str]
    ) -> ListPrice | None:
        instant = from_us(at_us)
        # Variants belong to the provider's own models, not to resold ones (as in genai-prices).
        is_own = _is_own(owner, model)
        selecting = asked if is_own else {}
        variants = list(_variants(model, instant, selecting))
        maker = owner if is_own else self._maker_of(owner, model)
        begin_us, end_us = _span(model, instant)
        day = day_at(owner.id, instant)
        if day:
            begin_us, end_us = max(begin_us, to_us(day.start)), min(end_us, to_us(day.end))
            instant = _off_peak(model, instant) if day.is_off_peak else instant
        own = find_own(Priced(owner.id, maker.id, model.id, at_us, asked, bool(variants)))
        rates = compile_prices(model.get_prices(instant, selecting), own)
        if rates is None:
            return None
        begin_us, end_us = max(begin_us, own.from_us), min(end_us, own.until_us)
        since = _since(model, instant, variants)
        since_us = begin_us if since is None else max(since, own.from_us)
        pins = {} if since_us == -FOREVER_US else {"from": _day_or_minute(since_us)}
        if not is_own:
            pins["list"] = maker.id
        if own.is_used or (day and day.is_off_peak):
            pins["own"] = OWN_DATA
        chosen = {key for variant in variants for key in variant.when}
        pinned = (chosen | own.pinned) & asked.keys()
        unlisted = sorted(asked.keys() - chosen - own.known)
        return ListPrice(
            rates,
            join_ref(
                f"{LIST}:{self.version}/{owner.id}/{model.id}",
                pins | {key: asked[key] for key in sorted(pinned)},
            ),
            begin_us,
            end_us,
            tuple(f"{key}={asked.get(key, UNKNOWN)}" for key in (*own.missing, *unlisted)),
        )

    def _maker_of(self, owner: Provider, model: ModelInfo) -> Provider:
        """The provider whose model another one resells."""
        return next(maker for maker in self._resold(owner) if _is_own(maker, model))

    def _resold(self, owner: Provider) -> Iterator[Provider]:
        """The providers whose models another one resells."""
        for provider_id in owner.fallback_model_providers or ():
            if provider := self._by_id.get(provider_id):
                yield provider

    def _find_model(self, provider: str, mapping: str) -> tuple[Provider, ModelInfo] | None:
        if provider in ANY_PROVIDER:
            provider = mapping.strip().lower().partition("/")[0]
        owner = self._find_provider(provider)
        if owner is None:
            return None
        path = mapping.strip().lower().split("/")
        for name in path[:-1]:
            owner = self._by_id.get(_ROUTES.get((owner.id, name), ""), owner)
        if any(is_unlisted(owner.id, name) for name in path):
            return None
        for reference in self._references(owner, mapping.strip().lower()):
            if model := owner.find_model(reference, all_providers=self.providers):
                is_priced = _is_own(owner, model) or is_resold(
                    owner.id, self._maker_of(owner, model).id, model.id
                )
                return (owner, model) if is_priced else None
        # A fine-tune is listed under the name of its base, with a match for dated ids only.
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
        """Names to look a model id up by, closest to the route first.

        That is: without its provider, complete, without a variant that costs the same, without its
        path, and as canonical model. If the first word is not this provider, it may be the model's
        maker, as OpenRouter writes it, so the complete id goes first.
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


def _region_of(provider: str, mapping: str) -> dict[str, str]:
    """The region that a model id contains, as context."""
    pattern = _REGIONS.get(provider)
    named = pattern.findall(mapping.strip().lower()) if pattern else []
    return {"region": named[-1]} if named else {}


def _is_own(owner: Provider, model: ModelInfo) -> bool:
    return any(model is own for own in owner.models)


def _since(model: ModelInfo, instant: datetime, variants: Sequence[PriceVariant]) -> int | None:
    """Since when the price at an instant holds; None if it depends on the time of day."""
    conditional = model.prices if isinstance(model.prices, list) else []
    if any(isinstance(item.constraint, TimeOfDateConstraint) for item in conditional):
        return None
    standard = [item for item in conditional if _is_active(item.constraint, instant)][-1:]
    days = [item.constraint for item in standard]
    days += [variant.constraint for variant in variants]
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
    """`2026-04-24`, or with its time if that is not midnight: `2026-04-24T01:00Z`."""
    instant = from_us(at_us)
    return f"{instant:%Y-%m-%d}" if instant.time() == time() else f"{instant:%Y-%m-%dT%H:%MZ}"


def _off_peak(model: ModelInfo, instant: datetime) -> datetime:
    """An instant of the same day without a price by time of day."""
    conditional = model.prices if isinstance(model.prices, list) else []
    peaks = [
        item.constraint for item in conditional if isinstance(item.constraint, TimeOfDateConstraint)
    ]
    moments = (instant.replace(hour=hour) for hour in range(24))
    return next(
        (moment for moment in moments if not any(peak.active(moment) for peak in peaks)), instant
    )


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
    """Instants near `instant` at which a constraint may start or stop applying, in µs."""
    if isinstance(constraint, StartDateConstraint):
        return [to_us(datetime.combine(constraint.start_date, time(), UTC))]
    if isinstance(constraint, TimeOfDateConstraint):
        # A time without a zone is UTC; one with a zone may be on the day before or after.
        return [
            to_us(datetime.combine(instant.date() + timedelta(days=day), moment, zone))
            for moment in (constraint.start_time, constraint.end_time)
            for zone in (moment.tzinfo or UTC,)
            for day in (-2, -1, 0, 1, 2)
        ]
    return []
