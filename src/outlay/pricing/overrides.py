"""The operator's price overrides and aliases: `prices.toml` in the data directory.

[aliases]
"my-fast-model" = "gpt-5.5"

[cost_policy]                     # which cost counts first
openrouter = "computed"

[[exchange_rate]]                 # for prices in another currency
currency = "EUR"
usd = "1.0842"

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.provider import find_provider
from outlay.kit.clock import FOREVER_US
from outlay.pricing.entries import ANY_MODEL, Numbered, PriceOverride, is_tables, read_prices
from outlay.pricing.exchange import read_exchange_rates
from outlay.pricing.fields import Fault

COST_POLICIES: Final = ("reported", "computed")
TABLES: Final = ("aliases", "cost_policy", "exchange_rate", "price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The content of an overrides file."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Aliases in lower case → models."""
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
    """The override that applies, and the span of event times for which it does.

    `names` are the names of the request's model, most specific first. If several overrides match,
    one with a provider wins, then the one with the most context, then the most specific name, then
    the last.
    """
    candidates = _candidates(overrides, provider, names, context, is_addition=False)
    best = [entry for entry in candidates if entry.from_us <= at_us < entry.until_us]
    return best[-1] if best else None, *_span_of(candidates, at_us)


def find_added(
    overrides: Overrides,
    provider: str,
    names: Sequence[str],
    at_us: int,
    context: Mapping[str, str],
) -> tuple[dict[str, PriceOverride], int, int]:
    """The applicable override for meters only, by meter, chosen as above, and its span."""
    candidates = _candidates(overrides, provider, names, context, is_addition=True)
    by_meter = {
        name: entry
        for entry in candidates
        if entry.from_us <= at_us < entry.until_us
        for name in entry.rates.base.meters
    }
    return by_meter, *_span_of(candidates, at_us)


def _candidates(
    overrides: Overrides,
    provider: str,
    names: Sequence[str],
    context: Mapping[str, str],
    *,
    is_addition: bool,
) -> list[PriceOverride]:
    """Overrides that match a request at some time; at each time the last of them wins."""
    ordered = [*enumerate((*names, ANY_MODEL))]
    exactness = {name.strip().lower(): -place for place, name in reversed(ordered)}
    provider = find_provider(provider)
    found = [
        entry
        for entry in overrides.prices
        if entry.is_addition is is_addition
        and entry.model in exactness
        and entry.provider in {"", provider}
        and entry.context.items() <= context.items()
    ]
    return sorted(
        found,
        key=lambda entry: (
            bool(entry.provider),
            len(entry.context),
            exactness[entry.model],
            entry.number,
        ),
    )


def _span_of(candidates: Sequence[PriceOverride], at_us: int) -> tuple[int, int]:
    """The span around an instant in which no candidate begins or ends."""
    edges = {-FOREVER_US, FOREVER_US}
    for entry in candidates:
        edges |= {entry.from_us, entry.until_us}
    return max(edge for edge in edges if edge <= at_us), min(edge for edge in edges if edge > at_us)


def read_overrides(path: Path) -> Overrides:
    """The overrides in a file; raises one Invalid with every error and how to fix it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", code=ErrorCode.INVALID_PRICES
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{path} is not valid TOML: {error}.", code=ErrorCode.INVALID_PRICES
        ) from error
    faults = [
        Fault(key, "", f"Unknown key. Available: {', '.join(TABLES)}.")
        for key in document
        if key not in TABLES
    ]
    aliases = _read_aliases(document.get("aliases", {}), faults)
    cost_policy = _read_cost_policy(document.get("cost_policy", {}), faults)
    exchange = read_exchange_rates(
        [
            (f"exchange rate {number}", entry)
            for number, entry in _tables_of(document, "exchange_rate", faults)
        ],
        faults,
    )
    entries = [
        Numbered(number, f"price {number}", f"override:{number}", entry)
        for number, entry in _tables_of(document, "price", faults)
    ]
    prices = read_prices(entries, exchange, faults)
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        raise Invalid(f"{path} has errors:{listed}", code=ErrorCode.INVALID_PRICES)
    return Overrides(aliases=aliases, prices=prices, cost_policy=cost_policy)


def read_entries(
    entries: Sequence[Numbered], rates: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> tuple[PriceOverride, ...]:
    """The overrides of some entries, and exchange rates with their names in messages.

    Raises one Invalid with every error and how to fix it, and the field of the first.
    """
    faults: list[Fault] = []
    prices = read_prices(entries, read_exchange_rates(rates, faults), faults)
    if faults:
        message = " ".join(fault.sentence for fault in faults)
        raise Invalid(message, code=ErrorCode.INVALID_PRICES, field=faults[0].key)
    return prices


def _tables_of(
    document: Mapping[str, Any], name: str, faults: list[Fault]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The tables of a name, numbered from 1."""
    tables = document.get(name, [])
    if is_tables(tables):
        return enumerate(tables, 1)
    faults.append(Fault(name, "", f"Write each one as a table that begins with [[{name}]]."))
    return iter(())


def _read_aliases(table: object, faults: list[Fault]) -> dict[str, str]:
    if not isinstance(table, dict):
        faults.append(
            Fault("aliases", "", 'Write a table: [aliases] and "my-fast-model" = "gpt-5.5".')
        )
        return {}
    aliases: dict[str, str] = {}
    for name, model in table.items():
        key = name.strip().lower()
        if not key or not isinstance(model, str) or not model.strip():
            faults.append(
                Fault("aliases", repr(name), 'Must be two names: "my-fast-model" = "gpt-5.5".')
            )
        elif key in aliases:
            faults.append(
                Fault("aliases", repr(name), "Appears twice (names ignore case). Keep one.")
            )
        else:
            aliases[key] = model.strip()
    faults += [
        Fault("aliases", repr(name), "Refers to itself. Point it to a model.")
        for name in aliases
        if _is_circular(name, aliases)
    ]
    return aliases


def _read_cost_policy(table: object, faults: list[Fault]) -> dict[str, str]:
    if not isinstance(table, dict):
        faults.append(
            Fault(
                "cost_policy",
                "",
                'Write a table: [cost_policy] and openrouter = "reported".',
            )
        )
        return {}
    faults += [
        Fault("cost_policy", repr(name), 'Must be "reported" or "computed".')
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
