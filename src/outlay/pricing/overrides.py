"""The operator's own prices and names: `prices.toml` in the data directory.

[aliases]
"my-fast-model" = "gpt-5.5"

[[price]]
model = "openai/gpt-5.5"          # a mapping, or a canonical model
provider = "openai"               # optional
effective_from = 2026-10-01       # optional, UTC
effective_to = 2027-01-01         # optional, exclusive
input = "4.25"                    # USD per million tokens
output = "25.50"

  [[price.tier]]                  # optional: the whole request when the input is larger
  above = 272000
  input = "8.50"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from outlay.domain.errors import Invalid
from outlay.kit.clock import FOREVER_US, to_us
from outlay.pricing.rates import TieredRates, compile_rates

PRICE_KEYS: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "per_request",
)
ENTRY_KEYS: Final = frozenset(
    {"model", "provider", "effective_from", "effective_to", "context", "tier", *PRICE_KEYS}
)
TIER_KEYS: Final = frozenset({"above", *PRICE_KEYS})
MAX_PRICE: Final = Decimal(100_000)
"""USD per million tokens; more is a mistake in the unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """One entry of the file."""

    number: int
    model: str
    """Lower case: a mapping or a canonical model."""
    provider: str
    """Lower case, empty for any."""
    context: Mapping[str, str]
    from_us: int
    until_us: int
    rates: TieredRates

    def matches(
        self, provider: str, names: frozenset[str], at_us: int, context: Mapping[str, str]
    ) -> bool:
        """Whether the entry applies to a request."""
        return (
            self.model in names
            and self.provider in {"", provider}
            and self.from_us <= at_us < self.until_us
            and all(context.get(key) == value for key, value in self.context.items())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the operator has changed."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    prices: tuple[PriceOverride, ...] = ()


def read_overrides(path: Path) -> Overrides:
    """The overrides in a file; one Invalid names every fault in it and how to mend it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}", code="invalid-prices") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}", code="invalid-prices") from error
    faults: list[str] = [
        f"unknown key {key!r}; there are aliases and [[price]]"
        for key in document
        if key not in {"aliases", "price"}
    ]
    aliases = _aliases(document.get("aliases", {}), faults)
    entries = document.get("price", [])
    prices = []
    if not isinstance(entries, list):
        faults.append("price must be written as [[price]] tables")
        entries = []
    for number, entry in enumerate(entries, 1):
        reader = _EntryReader(number, entry, faults)
        if (override := reader.read()) is not None:
            prices.append(override)
    _check_overlaps(prices, faults)
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        raise Invalid(f"{path} has mistakes:{listed}", code="invalid-prices")
    return Overrides(aliases=aliases, prices=tuple(prices))


def _aliases(table: object, faults: list[str]) -> dict[str, str]:
    aliases = {}
    if not isinstance(table, dict):
        faults.append("aliases must be a table: [aliases]")
        return {}
    for name, model in table.items():
        if not isinstance(model, str) or not model.strip():
            faults.append(f"aliases, {name!r}: expected the name of a model")
        else:
            aliases[name.strip().lower()] = model.strip()
    return aliases


class _EntryReader:
    """Reads one [[price]] entry, collecting its faults."""

    def __init__(self, number: int, entry: dict[str, Any], faults: list[str]) -> None:
        self._number = number
        self._entry = entry
        self._faults = faults
        self._known_faults = len(faults)

    def read(self) -> PriceOverride | None:
        """The override, None when anything is wrong with it."""
        entry = self._entry
        self._check_keys(entry, ENTRY_KEYS, "")
        model = self._text("model", entry.get("model"))
        provider = self._text("provider", entry["provider"]) if "provider" in entry else ""
        from_us = self._date("effective_from", 0)
        until_us = self._date("effective_to", FOREVER_US)
        if from_us >= until_us:
            self._fault("effective_to", "must be after effective_from")
        base = self._prices(entry, "")
        if not base:
            self._fault("input", "no price is given; write at least input or output")
        rates = TieredRates(base=compile_rates(base), tiers=self._tiers(base))
        context = self._context()
        if len(self._faults) > self._known_faults:
            return None
        return PriceOverride(
            number=self._number,
            model=model,
            provider=provider,
            context=context,
            from_us=from_us,
            until_us=until_us,
            rates=rates,
        )

    def _fault(self, key: str, message: str) -> None:
        self._faults.append(f"price {self._number}, {key}: {message}")

    def _check_keys(self, table: Mapping[str, Any], known: frozenset[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                choices = ", ".join(sorted(known))
                self._fault(f"{prefix}{key}", f"unknown key; there are {choices}")

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            self._fault(key, 'expected text such as "openai/gpt-5.5"')
            return ""
        return value.strip().lower()

    def _date(self, key: str, default: int) -> int:
        value = self._entry.get(key)
        if value is None:
            return default
        if not isinstance(value, date) or isinstance(value, datetime):
            self._fault(key, "expected a date such as 2026-10-01, without quotes")
            return default
        return to_us(datetime(value.year, value.month, value.day, tzinfo=UTC))

    def _prices(self, table: Mapping[str, Any], prefix: str) -> dict[str, Decimal]:
        prices = {}
        for key in PRICE_KEYS:
            if key in table:
                prices[key] = self._price(f"{prefix}{key}", table[key])
        return prices

    def _price(self, key: str, value: object) -> Decimal:
        zero = Decimal(0)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            self._fault(key, 'expected USD such as "4.25"')
            return zero
        try:
            price = Decimal(value)
        except InvalidOperation:
            self._fault(key, f"{value!r} is not a number")
            return zero
        if not price.is_finite() or not 0 <= price <= MAX_PRICE:
            self._fault(key, f"must be between 0 and {MAX_PRICE:,} USD, not {value}")
            return zero
        if price != round(price, 12):
            self._fault(key, "has more than 12 decimal places")
        return price

    def _tiers(self, base: Mapping[str, Decimal]) -> tuple[tuple[int, Any], ...]:
        tiers = {}
        for tier in self._entry.get("tier", []):
            self._check_keys(tier, TIER_KEYS, "tier.")
            above = tier.get("above")
            if type(above) is not int or above <= 0:
                self._fault("tier.above", "expected a number of input tokens such as 200000")
                continue
            prices = self._prices(tier, "tier.")
            tiers[above] = compile_rates({**base, **prices})
        return tuple(sorted(tiers.items(), reverse=True))

    def _context(self) -> dict[str, str]:
        context = self._entry.get("context", {})
        if not isinstance(context, dict) or not all(
            isinstance(value, str) for value in context.values()
        ):
            self._fault("context", 'expected a table such as { service_tier = "flex" }')
            return {}
        return dict(context)


def _check_overlaps(prices: list[PriceOverride], faults: list[str]) -> None:
    for position, later in enumerate(prices):
        for earlier in prices[:position]:
            is_same = (later.model, later.provider, dict(later.context)) == (
                earlier.model,
                earlier.provider,
                dict(earlier.context),
            )
            if is_same and later.from_us < earlier.until_us and earlier.from_us < later.until_us:
                faults.append(
                    f"price {later.number}, effective_from: overlaps price {earlier.number} for "
                    f"the same model; end that one with effective_to"
                )
