"""The operator's own prices and names: `prices.toml` in the data directory.

[aliases]
"my-fast-model" = "gpt-5.5"

[cost_policy]                     # which cost counts first
openrouter = "computed"

[[price]]
model = "openai/gpt-5.5"          # a mapping, or a canonical model
provider = "openai"               # optional
effective_from = 2026-10-01       # optional, UTC
effective_to = 2027-01-01         # optional, exclusive
input = "4.25"                    # USD per million tokens
output = "25.50"

  [price.meters]                  # optional: USD per million tokens, thousand calls, hour …
  web_searches = "8"

  [[price.tier]]                  # optional: the whole request when the input is larger
  above = 272000
  input = "8.50"
"""

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from outlay.domain.errors import Invalid
from outlay.domain.meter import METERS
from outlay.domain.money import parse_usd
from outlay.domain.provider import provider_called
from outlay.kit.clock import FOREVER_US, to_us
from outlay.pricing.rates import PRICES, MeterRate, Rates, TieredRates, compile_rates

ENTRY_KEYS: Final = (
    "model",
    "provider",
    "effective_from",
    "effective_to",
    "percent_of_list",
    *PRICES,
    "meters",
    "context",
    "tier",
)
TIER_KEYS: Final = ("above", *PRICES)
COST_POLICIES: Final = ("reported", "computed")
MAX_PRICE: Final = Decimal(100_000)
"""USD per million tokens, or per request; more is a mistake in the unit."""
MAX_PERCENT: Final = Decimal(1_000)
ANY_MODEL: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """One entry of the file."""

    number: int
    """Its place in the file, from 1."""
    ref: str
    """What events that it prices refer to."""
    model: str
    """Lower case: a mapping or a canonical model."""
    provider: str
    """Lower case, empty for any."""
    context: Mapping[str, str]
    from_us: int
    until_us: int
    """Half-open span of event times, in µs."""
    rates: TieredRates
    percent_of_list: Decimal | None = None
    """Where it is given, this share of the list's rates is paid instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the operator has changed."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case → models."""
    prices: tuple[PriceOverride, ...] = ()
    cost_policy: Mapping[str, str] = field(default_factory=dict)
    """Providers in lower case → which cost counts first: `reported` or `computed`."""


def find_override(
    overrides: Overrides,
    provider: str,
    names: Sequence[str],
    at_us: int,
    context: Mapping[str, str],
) -> tuple[PriceOverride | None, int, int]:
    """The override that applies, and the span of event times that this answer holds for.

    `names` are what the request's model is called, the most exact first. Of several overrides wins
    one with a provider, then the one with most context, then the most exact name, then the last.
    """
    ordered = [*enumerate((*names, ANY_MODEL))]
    exactness = {name.strip().lower(): -place for place, name in reversed(ordered)}
    provider = provider_called(provider)
    candidates = [
        entry
        for entry in overrides.prices
        if entry.model in exactness
        and entry.provider in {"", provider}
        and entry.context.items() <= context.items()
    ]
    edges = {-FOREVER_US, FOREVER_US}
    for entry in candidates:
        edges |= {entry.from_us, entry.until_us}
    best = max(
        (entry for entry in candidates if entry.from_us <= at_us < entry.until_us),
        key=lambda entry: (
            bool(entry.provider),
            len(entry.context),
            exactness[entry.model],
            entry.number,
        ),
        default=None,
    )
    from_us = max(edge for edge in edges if edge <= at_us)
    return best, from_us, min(edge for edge in edges if edge > at_us)


def read_overrides(path: Path) -> Overrides:
    """The overrides in a file; one Invalid names every fault in it and how to mend it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}", code="invalid-prices") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}", code="invalid-prices") from error
    faults = [
        f"{key}: unknown key; there are [aliases], [cost_policy] and [[price]]"
        for key in document
        if key not in {"aliases", "cost_policy", "price"}
    ]
    aliases = _read_aliases(document.get("aliases", {}), faults)
    cost_policy = _read_cost_policy(document.get("cost_policy", {}), faults)
    entries = document.get("price", [])
    if not _is_tables(entries):
        faults.append("price: write each price as a table that begins with [[price]]")
        entries = []
    numbered = [(number, f"override:{number}", entry) for number, entry in enumerate(entries, 1)]
    prices = _read_prices(numbered, faults)
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        raise Invalid(f"{path} has mistakes:{listed}", code="invalid-prices")
    return Overrides(aliases=aliases, prices=prices, cost_policy=cost_policy)


def read_entries(
    entries: Sequence[tuple[int, str, Mapping[str, Any]]],
) -> tuple[PriceOverride, ...]:
    """The overrides that `[[price]]` tables mean, each with its number and what refers to it.

    One Invalid names every fault and how to mend it.
    """
    faults: list[str] = []
    prices = _read_prices(entries, faults)
    if faults:
        raise Invalid("; ".join(faults), code="invalid-prices")
    return prices


def _read_prices(
    entries: Sequence[tuple[int, str, Mapping[str, Any]]], faults: list[str]
) -> tuple[PriceOverride, ...]:
    prices = [
        override
        for number, ref, entry in entries
        if (override := _EntryReader(number, ref, entry, faults).read()) is not None
    ]
    _check_overlaps(prices, faults)
    return tuple(prices)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _read_aliases(table: object, faults: list[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        faults.append('aliases: write them as a table, [aliases] and "my-fast-model" = "gpt-5.5"')
        return {}
    aliases: dict[str, str] = {}
    for name, model in table.items():
        key = name.strip().lower()
        if not key or not isinstance(model, str) or not model.strip():
            faults.append(f'aliases, {name!r}: expected two names, "my-fast-model" = "gpt-5.5"')
        elif key in aliases:
            faults.append(f"aliases, {name!r}: given twice but for upper and lower case; keep one")
        else:
            aliases[key] = model.strip()
    faults += [
        f"aliases, {name!r}: leads back to itself; point it at a model"
        for name in aliases
        if _is_circular(name, aliases)
    ]
    return aliases


def _read_cost_policy(table: object, faults: list[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        faults.append('cost_policy: write it as a table, [cost_policy] and openrouter = "reported"')
        return {}
    faults += [
        f'cost_policy, {name!r}: expected "reported" or "computed"'
        for name, policy in table.items()
        if policy not in COST_POLICIES
    ]
    return {name.strip().lower(): policy for name, policy in table.items()}


def _is_circular(name: str, aliases: Mapping[str, str]) -> bool:
    seen: set[str] = set()
    target = name
    while target in aliases and target not in seen:
        seen.add(target)
        target = aliases[target].lower()
    return target == name


class _EntryReader:
    """Reads one [[price]] entry, collecting its faults."""

    def __init__(self, number: int, ref: str, entry: Mapping[str, Any], faults: list[str]) -> None:
        self._number = number
        self._ref = ref
        self._entry = entry
        self._faults = faults
        self._known_faults = len(faults)

    def read(self) -> PriceOverride | None:
        """The override, None when anything is wrong with it."""
        entry = self._entry
        self._check_keys(entry, ENTRY_KEYS, "")
        percent = self._percent()
        model = ANY_MODEL
        if "model" in entry or percent is None or "provider" not in entry:
            model = self._text("model", entry.get("model"), "openai/gpt-5.5")
        provider = ""
        if "provider" in entry:
            provider = provider_called(self._text("provider", entry["provider"], "openai"))
        from_us = self._date("effective_from", -FOREVER_US)
        until_us = self._date("effective_to", FOREVER_US)
        if from_us >= until_us:
            self._fault("effective_to", "must be after effective_from; it is the first day without")
        base, meters = self._prices(entry, ""), self._meters()
        if percent is not None and (base or meters or "tier" in entry):
            self._fault("percent_of_list", "stands alone; write prices in an entry of their own")
        elif percent is None and not base and not meters:
            self._fault("input", "no price is given; write at least input or output")
        rates = TieredRates(compile_rates(base, meters), self._tiers(base, meters))
        context = self._context()
        if len(self._faults) > self._known_faults:
            return None
        return PriceOverride(
            number=self._number,
            ref=self._ref,
            model=model,
            provider=provider,
            context=context,
            from_us=from_us,
            until_us=until_us,
            rates=rates,
            percent_of_list=percent,
        )

    def _percent(self) -> Decimal | None:
        """The percentage of the list that is paid; None where that is not said."""
        if "percent_of_list" not in self._entry:
            return None
        percent = self._price("percent_of_list", self._entry["percent_of_list"])
        if percent > MAX_PERCENT:
            self._fault("percent_of_list", f"must be between 0 and {MAX_PERCENT}, not {percent}")
        return percent

    def _meters(self) -> dict[str, MeterRate]:
        """Prices of meters, each for as many of it as price lists have."""
        table = self._entry.get("meters", {})
        if not isinstance(table, dict):
            self._fault("meters", 'expected a table such as { web_searches = "10" }')
            return {}
        rates = {}
        for name, value in table.items():
            if name not in METERS:
                self._fault(f"meters.{name}", f"unknown meter; there are {', '.join(METERS)}")
                continue
            price = self._price(f"meters.{name}", value)
            rates[name] = MeterRate(parse_usd(price), METERS[name].unit.priced_per)
        return rates

    def _fault(self, key: str, message: str) -> None:
        self._faults.append(f"price {self._number}, {key}: {message}")

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                self._fault(f"{prefix}{key}", f"unknown key; there are {', '.join(known)}")

    def _text(self, key: str, value: object, example: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self._fault(key, f'expected text such as "{example}"')
            return ""
        return value.strip().lower()

    def _date(self, key: str, default: int) -> int:
        value = self._entry.get(key)
        if value is None:
            return default
        if not isinstance(value, date) or isinstance(value, datetime):
            self._fault(key, "expected a date (UTC) such as 2026-10-01, without time and quotes")
            return default
        return to_us(datetime(value.year, value.month, value.day, tzinfo=UTC))

    def _prices(self, table: Mapping[str, Any], prefix: str) -> dict[str, Decimal]:
        return {key: self._price(f"{prefix}{key}", table[key]) for key in PRICES if key in table}

    def _price(self, key: str, value: object) -> Decimal:
        """The price, 0 where it is at fault."""
        zero = Decimal(0)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            self._fault(key, 'expected USD such as "4.25"')
            return zero
        try:
            price = Decimal(value)
        except InvalidOperation:
            self._fault(key, f'{value!r} is not a number; write USD such as "4.25"')
            return zero
        if not price.is_finite() or not 0 <= price <= MAX_PRICE:
            self._fault(key, f"must be between 0 and {MAX_PRICE:,} USD, not {value}")
            return zero
        if price != round(price, 12):
            self._fault(key, f"{value} has more than 12 decimal places; round it")
            return zero
        return price

    def _tiers(
        self, base: Mapping[str, Decimal], meters: Mapping[str, MeterRate]
    ) -> tuple[tuple[int, Rates], ...]:
        """Tiers, the highest first; what a tier does not price costs what it costs below."""
        tables = self._entry.get("tier", [])
        if not _is_tables(tables):
            self._fault("tier", "write each tier as a table that begins with [[price.tier]]")
            return ()
        tiers: dict[int, dict[str, Decimal]] = {}
        for table in tables:
            self._check_keys(table, TIER_KEYS, "tier.")
            prices = self._prices(table, "tier.")
            above = table.get("above")
            if type(above) is not int or above <= 0:
                self._fault("tier.above", "expected a number of input tokens such as 200000")
            elif above in tiers:
                self._fault("tier.above", f"{above} is given twice; keep one")
            elif not prices:
                self._fault("tier.input", f"no price is given above {above}; write what changes")
            else:
                tiers[above] = prices
        compiled, prices = [], dict(base)
        for above, changed in sorted(tiers.items()):
            prices |= changed
            compiled.append((above, compile_rates(prices, meters)))
        return tuple(reversed(compiled))

    def _context(self) -> dict[str, str]:
        context = self._entry.get("context", {})
        if not isinstance(context, dict) or not all(
            isinstance(value, str) for value in context.values()
        ):
            self._fault("context", 'expected a table of texts such as { service_tier = "flex" }')
            return {}
        return dict(context)


def _check_overlaps(prices: Sequence[PriceOverride], faults: list[str]) -> None:
    """Report periods that overlap for the same model, provider and context."""
    alike = defaultdict(list)
    for entry in prices:
        alike[entry.model, entry.provider, *sorted(entry.context.items())].append(entry)
    for entries in alike.values():
        longest, *others = sorted(entries, key=lambda entry: (entry.from_us, entry.number))
        for later in others:
            if later.from_us < longest.until_us:
                faults.append(
                    f"price {later.number}, effective_from: overlaps price {longest.number} for "
                    "the same model; end that one with effective_to"
                )
            if later.until_us > longest.until_us:
                longest = later
